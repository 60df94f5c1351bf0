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
//! Each line holds the hash of the line before and its own, over all files of its writer. Whoever changes, removes, inserts or reorders
//! lines without recomputing all that follow is found by [`verify()`], with the first line that does not fit. Signed checkpoints
//! ([`checkpoint`]) answer what the chain alone cannot: lines cut off at the end, all files of a writer removed, a chain recomputed from some
//! line to its end. They prove it as far as they were brought to where whoever did it cannot write.
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
pub mod checkpoint;
mod clock;
mod dns;
pub mod event;
pub mod export;
mod fields;
mod filter;
mod flood;
mod flusher;
mod github;
mod going_out;
mod group_commit;
pub mod index;
mod keeping;
pub mod live;
mod log;
mod mask;
mod message;
mod policy_events;
mod published;
pub mod query;
mod repair;
pub mod replay;
pub mod schema;
pub mod segment;
mod shared;
pub mod suggest;
mod summary;
mod trace;
pub mod traffic;

mod verify;
mod within;
mod writer;

pub use dns::DnsAnswer;
pub use event::{Event, EventId, Kind, Process};
pub use going_out::{CameBack, GoingOut, Recorded, TlsFacts};
pub use log::{Asked, AuditLog, CredentialChange, LogCounts, OpenError};
pub use message::{Body, Field, Message, REDACTED};
pub use outwall_policy::{AuditSettings as Options, Durability};
pub use policy_events::{GrantEvent, PolicyEvent};
pub use published::{CameIn, RecordedIn};
pub use summary::{DeniedTarget, Summary};
pub use trace::{Span, TraceContext};
pub use verify::{
    Checkpoint, Evidence, EvidenceError, Fault, FileReport, Misfit, Report, Unfit, verify, verify_bytes,
};
pub use within::Within;
pub use writer::WriteError;
