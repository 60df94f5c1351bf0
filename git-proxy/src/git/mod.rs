//! Git over HTTP, as "smart" clients speak it (gitprotocol-http(5)): what a push would do, and what is sent in place of it; what a
//! fetch asks for; what a server offers, without what leads round the gate.
//!
//! Every reader takes pieces as they come and holds a bounded part of them. What is sent on was written here, from what was understood:
//! [`PushCommands::serialise`]. Only packs pass as they are, behind a header that was read.
//!
//! A push, as its caller serves it:
//!
//! 1. Pieces of the body (inflated, if it came as gzip) go to [`PushReader::feed`], until it gives [`PushCommands`]. A body that ends before
//!    is a [`Probe`](PushReader::end), which [`probe_answer`] answers, or is refused: [`PushRefusal::not_understood`].
//! 2. [`PushCommands::actions`] are decided on. Refused: [`PushRefusal::by_policy`]; the body is drained, *then* the answer is sent.
//! 3. [`PushCommands::serialise`] is sent, then what [`PackReader::feed`] gives of [`PushReader::rest`] and of every further piece, then
//!    the end, if [`PackReader::end`] agrees. Where it does not, the request to the server is aborted, so that no ref moves.
//!    [`OutcomeReader`] sees the answer pass by, for the record.
//!
//! Where a session may not force, what [`PackReader::feed`] gives goes through [`PackHistory::feed`] first, and the end of the pack is sent
//! when [`PackHistory::descent`] has shown that each update moves its ref forward. Else the push is [`PushCommands::forced`], which is
//! decided on.
//!
//! A fetch is [`FetchReader::actions`], whatever its body; [`FetchReader::feed`] gives what is sent in place of it. What `info/refs` answers
//! goes through [`Advertisement`], with the header that [`ProtocolVersion::header`] tells.

mod advertisement;
mod archive;
mod delta;
mod fetch;
mod fetch_line;
mod history;
mod object_format;
mod outcome;
mod pack;
mod pack_objects;
mod pkt_line;
mod protocol;
mod push;
mod push_capabilities;
mod push_reader;
mod report;

pub use advertisement::{Advertisement, AdvertisementError};
pub use archive::{ArchiveError, ArchiveRequest};
pub use fetch::{FetchCommand, FetchError, FetchReader};
pub use history::{Descent, PackHistory};
pub use object_format::ObjectFormat;
pub use outcome::{OutcomeReader, PushOutcome, RefOutcome, Unpack};
pub use pack::{PackError, PackReader, PackSeen};
pub use pkt_line::{Packet, PktLineError, PktLines, write_line};
pub use protocol::{ProtocolVersion, ProtocolVersionError, Service};
pub use push::PushCommands;
pub use push_capabilities::{Atomicity, CapabilityError, Progress, PushCapabilities, ReportStatus, SideBand};
pub use push_reader::{Probe, PushError, PushFault, PushReader};
pub use report::{DRAIN_BYTES, DRAIN_TIME, PushRefusal, RESULT_TYPE, ReportForm, probe_answer};
pub(crate) use report::{archive_refused, fetch_refused};
