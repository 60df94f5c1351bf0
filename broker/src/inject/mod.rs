//! Puts a secret into a request that is about to leave. What a client presented itself was taken out before
//! ([`presented::remove`](crate::presented::remove)), and whether the secret may go there was decided before that: policy's.
//!
//! [`Substitution`] is the way into a body, by placeholder; the others are ways into the head.

mod head;
mod substitution;

pub use head::{NotInjected, into_head};
pub use substitution::Substitution;
