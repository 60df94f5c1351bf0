//! How a running gate is spoken to from another process of the same user: a socket in the state directory, on which each side
//! says one line of JSON.
//!
//! It refuses to know what a gate is. [`Request`] and [`Answer`] are the language, [`Socket`] is the gate's end, [`Peers`] finds
//! the gates that run. The state directory is its owner's alone and is seen by no sandbox; the socket asks the kernel who is
//! there all the same. Lines are bounded, and what is not exactly a request of this version is refused.
#![forbid(unsafe_code)]

mod amount;
mod answer;
mod line;
mod metrics;
mod metrics_server;
mod moment;
mod occurrence;
pub mod pages;
mod peers;
mod printable;
mod request;
mod socket;

pub use amount::amount;
pub use answer::{Answer, ChangeRefused, Grant, Role, Standing, Status};
pub use line::{LONGEST_ANSWER, LONGEST_REQUEST, LineError};
pub use metrics::MetricsPage;
pub use metrics_server::serve_metrics;
pub use moment::{MomentError, moment};
pub use occurrence::{occurrence, request};
pub use peers::{Peer, PeerError, Peers};
pub use printable::printable;
pub use request::{Allow, Deny, Request, RequestError};
pub use socket::{Caller, Socket};

/// The version of the language. A gate and a command of different versions say so instead of guessing.
pub const VERSION: u32 = 1;
