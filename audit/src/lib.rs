//! The audit trail of Outwall: every decision and everything that went out, as a hash chain of JSON lines.
//!
//! Refuses to know: what a proxy is, how anything is forwarded, how a table is drawn. It takes permits, writes them down and gives
//! back proof that it did.
//!
//! Start at [`AuditLog`]. [`AuditLog::going_out`] turns a permit into a [`Recorded`], without which nothing may be sent;
//! [`index`] answers questions to it, [`live`] says what is new, [`query`] reads it from one end to the other, [`verify()`] says whether it is what was written. The format of a line is in [`event`].
//!
//! # What the chain proves, and what not
//!
//! Each line holds the hash of the line before and its own. Whoever changes, removes, inserts or reorders lines without
//! recomputing all that follow is found by [`verify()`], with the first line that does not fit. *Not* found without a copy of a
//! hash kept elsewhere: lines cut off at the end, a whole file removed, a chain recomputed from some line to its end.
//! A checkpoint (the last hash of a file, kept where the writer cannot reach) answers all three; [`FileReport::last`] is what to keep.
//!
//! # What a death loses
//!
//! A "going out" record is one `write(2)` of complete lines, done before the request is: once it returned the kernel has the
//! record, and the death of the process at any instant loses none of a request that was sent. Its closing record may be
//! up to 100 ms late, so a "going out" without one means: outcome unknown.
//!
//! # What a flood costs
//!
//! Lookups, refusals and findings cost a sandbox nothing, so beyond a number or a pace they are counted, and the count is recorded:
//! an event with `repeated` stands for so many. What goes out is always recorded one by one.
#![forbid(unsafe_code)]

mod chain;
mod dns;
pub mod event;
pub mod export;
mod filter;
mod flood;
mod github;
mod going_out;
pub mod index;
pub mod live;
mod log;
mod mask;
mod policy_events;
mod published;
pub mod query;
mod repair;
pub mod replay;
pub mod segment;
mod shared;
pub mod suggest;
mod summary;
pub mod traffic;
mod verify;
mod within;
mod writer;

pub use dns::DnsAnswer;
pub use event::{Event, EventId, Kind, Process};
pub use going_out::{CameBack, GoingOut, Recorded, TlsFacts};
pub use log::{Asked, AuditLog, CredentialChange, Durability, OpenError, Options};
pub use policy_events::{GrantEvent, PolicyEvent};
pub use published::{CameIn, RecordedIn};
pub use summary::{DeniedTarget, Summary};
pub use verify::{Checkpoint, FileReport, Misfit, Report, Unfit, verify};
pub use within::Within;
pub use writer::WriteError;
