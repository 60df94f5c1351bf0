//! The gate's data plane: it moves other people's bytes, and only those that were decided on.
//!
//! Every connection takes the same way, whichever door it came through: its target is read, policy decides,
//! and it is refused, tunnelled, intercepted, forwarded or streamed. It knows nothing of how a sandbox is made.

#![forbid(unsafe_code)]

pub mod dns;
