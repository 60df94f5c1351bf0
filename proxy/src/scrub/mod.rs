//! What an origin sends back where a secret was put into the request: searched for that secret, which is masked at the same length
//! and reported. The search itself is `outwall_broker::scrub`, and knows nothing of HTTP.
//!
//! An exchange without a secret has no [`Scrubbing`], and costs nothing. With one:
//!
//! 1. `asking`: the origin is asked only for what can be read here, and for all of it.
//! 2. `reading`: a response that cannot be read is refused before anything of it passes.
//! 3. `fields`: what the head says, of the response, of what was said before it, and behind its body.
//! 4. `body`: the body, decoded and sent on as identity.
//! 5. `socket`: the messages of a WebSocket, within their frames.
//!
//! # Attacks, and where each ends
//!
//! - *Ask for it in a coding, in parts, in an extension* that nobody here can read: `asking`. *Have it sent so all the same*:
//!   `reading`.
//! - *Have it reflected where nobody looks*: names of fields, the reason phrase, interim responses, trailers, control frames.
//! - *A bomb*: what is decoded leaves before more is.
//! - *Learn it from the report*: that says whose it is and where it stood.

mod asking;
mod body;
mod compiled;
mod fields;
mod reading;
mod scrubbing;
mod socket;

#[cfg(test)]
mod tests;

pub(crate) use asking::ask;
pub(crate) use body::BodyScrub;
pub(crate) use compiled::Scrubbers;
pub use reading::Unsearchable;
pub(crate) use reading::{codings_of, codings_said};
pub(crate) use scrubbing::Scrubbing;
pub(crate) use socket::{MessageScrub, NoFrames};
