//! Brings the audit's events to other systems, each at least once.
//!
//! Refuses to know: what a gate is, what an event means, who writes the log. It reads the files of the log, and never writes to them.
//!
//! Start at [`Shipping`], which ships beside whatever else a process does, and [`ship_once`]; [`states`] says how far each sink is.
//! The way of one sink is in `shipper`.
//!
//! # At least once
//!
//! 1. A *cursor* is a file for each sink that says up to which byte of each file of the log everything was acknowledged. It is
//!    written after the acknowledgement, in one step, and is on the disk before the next events are read.
//! 2. So whatever dies in between (we, the receiver after it took the events, the machine) costs a repeat, and never an event.
//!    Repeats have the same id.
//! 3. What a receiver will never take is written to a file beside the cursor, first, and loudly: it neither blocks what comes after
//!    it, nor vanishes.
//! 4. One process ships to a sink at a time, by the lock on a file; the others stand by, and take over when it dies.
//! 5. A sink that no policy names any more keeps nothing: its cursor is set aside, by who starts a gate and says so.
//! 6. Nothing here is waited for by anything that forwards requests: a dead sink costs room on the disk, which `[audit]` bounds.
//!
//! What an acknowledgement is differs: an answer of 2xx that names no faults, an indexer's, a file's fsync. Syslog has none; what
//! stands for it is in [`outwall_policy::audit_sinks::Confirm`].
#![forbid(unsafe_code)]

mod backoff;
mod batch;
mod configured;
mod cursor;
mod files;
mod filter;
mod log;
mod pace;
mod rejected;
mod service;
mod shipper;
mod sink;
mod state;

pub use configured::{ConfiguredError, LeftBehind, Standing, Unconfigured, left_behind, unconfigured};
pub use pace::{Pace, Sleep};
pub use service::{Left, Plan, Shipping, StartError, Voice, ship_once};
pub use state::{SinkState, Trouble, states};
