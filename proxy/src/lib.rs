//! The gate's data plane: it moves other people's bytes, and only those that were decided on.
//!
//! Every connection takes the same way, whichever door it came through: its target is read, policy decides,
//! and it is refused, tunnelled, streamed, intercepted or forwarded. It refuses to know how a sandbox is made, and what a
//! decision is based on.
//!
//! Start reading at `connection`: its `relay` is the path of a connection as one function; `exchange` has the same for one
//! request of a connection whose requests are read. [`Gate`] is what the composition holds.
//!
//! # Attacks, and where each ends
//!
//! - *Forgetting a check.* Dialling takes a `ConnectionPermit` and a `Recorded`, the origin client a `RequestPermit` and its
//!   record; only `policy` and `audit` make those.
//! - *Rebinding.* `dialer` resolves once, after the decision, and dials the address that was classified.
//! - *Fronting.* SNI, CONNECT target, `Host` and `:authority` must name one host and port: `connection`, `target`, `action`.
//! - *Using credentials of one's own, or ours for another purpose.* `brokering`.
//! - *Sending credentials.* `leaks` looks at heads, bodies and messages for those that `dlp` knows.
//! - *Having an injected secret reflected.* `scrub` masks it in heads, bodies, trailers and messages, and asks for nothing that it
//!   cannot read.
//! - *Telling secrets in names.* `distinct_names` limits how many names below one wildcard are resolved.
//! - *Being somebody else at a shared proxy.* `clientele`: who asks is what a credential says that only the broker verifies, and a
//!   connection is one sandbox's.
//! - *The gate's own listeners.* `target` refuses them by address, policy's address classes by whatever name.
//! - *The parent proxy, where there is one.* It is no target by whatever name (`policy::admit`), nobody else is told its
//!   password, and its answer is read by `parent_answer`.
//! - *One client among many.* `limits`, `pulse` and `vigil`: every wait ends, every buffer is bounded.
#![forbid(unsafe_code)]

mod action;
mod allowance;
mod answer;
mod arriving;
mod askers;
mod body;
mod brokering;
mod client;
mod client_gate;
pub mod client_hello;
mod clientele;
mod coding;
mod connection;
mod current;
mod dialer;
mod disguise;
mod distinct_names;
pub mod dlp;
pub mod dns;
mod draining;
mod error;
mod excerpt;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod github;
mod grpc;
mod h2_connection;
mod h2_duplex;
mod h2_pipe;
mod h2_watch;
mod hop_by_hop;
mod http_connection;
mod http_error;
mod intercept;
mod interim;
mod interjected;
mod lanes;
mod leaks;
mod limits;
mod lingering;
mod listener;
mod metrics;
mod origin_stream;
mod origins;
mod oversight;
mod own_words;
pub mod parent_answer;
mod pass;
mod pass_through;
mod patience;
mod peers;
mod protected;
mod published;
mod pulse;
mod questions;
mod reception;
mod record;
mod refusal;
mod refuse;
mod rewind;
mod sandbox_gate;
mod scrub;
mod services;
mod shutdown;
mod sni;
mod target;
mod tls;
mod trace_context;
mod trust;
mod tunnel;
mod upload_rest;
mod vigil;
pub mod websocket;

pub use askers::{Asker, Askers, Made};
pub use brokering::Unfit;
pub use clientele::Clients;
pub use dialer::ParentError;
pub use error::{Error, Side};
pub use gate::{CapturedListeners, Gate, GateError, GateParts, GithubListeners, Secrets, ServeError};
pub use github::{NotAsked, SessionFault};
pub use http_error::HttpError;
pub use limits::Limits;
pub use listener::{OriginalDestination, Redirected};
pub use published::{Publication, WayIn};
pub use questions::Questions;
pub use scrub::Unsearchable;
pub use services::GateServices;
pub use shutdown::ServeHandle;
pub use trust::{InForce, Incomplete, OriginTrust, ParentPassword};
