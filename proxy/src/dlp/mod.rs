//! Looks for credentials in what a sandbox sends.
//!
//! Bytes in, matches out, without I/O. A match is decided by the bytes around it alone, so it is the same in whatever pieces they
//! come. The way of a stream, in the order of the files:
//!
//! - `shapes`: what is looked for, compiled. An anchor of each shape becomes `pattern`s: as it is, in base64 at each of its three
//!   alignments, and in UTF-16.
//! - `filter`: finds three bytes of any pattern, at a cost per byte that does not depend on how many there are.
//! - `view`: the text without its escapes and line breaks, where there are some that can hide an anchor.
//! - `line`: reads on from an anchor, through whatever it is encoded in.
//! - `examine`, `proof`: whether it is a credential, is none, or cannot be told yet.
//! - `scan`: puts these together over a stream, and says up to where nothing is in doubt.
//! - `inspection`: the same through a content coding (`crate::coding`), for a body.
//! - `message`: for the messages of a WebSocket.
//!
//! # Attacks, and where each ends
//!
//! - *Split it.* Matches are decided on positions in the stream, and never on pieces.
//! - *Make scanning slow.* Beside a boundary every anchor ends the one before it; a match has a longest length, and so has what
//!   is read for it.
//! - *Learn it from the report.* A match has places and the name of its shape, and no bytes.

mod examine;
mod filter;
mod inspection;
mod line;
mod message;
mod pattern;
mod proof;
mod scan;
mod shapes;
mod source;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::coding::Unreadable;
pub use inspection::Inspection;
pub use message::MessageScan;
#[cfg(test)]
pub(crate) use proof::crc32;
pub use scan::{Match, Scan};
pub use shapes::Shapes;
