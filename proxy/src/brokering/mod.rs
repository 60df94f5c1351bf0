//! Credentials of a request: those that the client brings are refused, taken out or let pass, and where the policy has one of ours
//! for the request, its secret is put in.
//!
//! [`examine()`] is the step of an exchange that comes before anything else looks at the request: it says what is wrong with what the
//! client presents, takes that out, and has the secret ready. [`Ready::inject`] puts it in when everything that looks at what the
//! *sandbox* sent has looked, and when it is on record that the request goes out.
//!
//! # Attacks, and where each ends
//!
//! - *A key of the attacker's own to an allowed API.* At a known host only what the broker issued is taken: `verdict`.
//! - *A placeholder sent to another host.* It opens nothing there; it is refused, and a finding: `elsewhere`.
//! - *Having a secret sent in the clear, to another path, by another method, or for somebody else.* Policy says for which requests a
//!   credential is, and nothing else gets it.
//! - *A second field beside the injected one.* Every place where something counts as a credential is emptied first.

mod elsewhere;
mod examine;
mod held;
mod inject;
mod outbound;
mod rechunking;
mod sandbox;
mod signing;
mod substituting;
mod verdict;

pub(crate) use examine::{Examined, Objection, examine, refuse_at};
pub(crate) use held::{Read, hold};
pub(crate) use inject::Ready;
pub use inject::Unfit;
pub(crate) use outbound::Outbound;
pub(crate) use sandbox::Brokering;
