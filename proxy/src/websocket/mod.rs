//! WebSocket: over http/1.1 by `Upgrade` (RFC 6455) and over h2 by extended CONNECT (RFC 8441), in all four pairings.
//!
//! To policy it is what it is in both forms: a GET of its path. `handshake` reads what a client asks for and holds an origin to
//! its answer; `origins` asks the origin; `relay` moves the bytes, and only after an answer that was a real one; `frames` reads
//! what either side sends.

mod frames;
mod handshake;
mod relay;

pub use frames::{FrameError, Frames, Part, Piece};
pub use handshake::NoSocket;
pub(crate) use handshake::{Handshake, ask_over_h2, ask_over_http1, tell, verify};
pub(crate) use relay::{Duplex, Socket};
