//! Attacks that gates have lost to, as one list that is run: by `outwall doctor --attack` from inside a live sandbox, and by the
//! tests through that.
//!
//! It knows nothing of the gate, of policies or of sandboxes: an attempt connects and writes bytes as any program does, the
//! origins of the [`Range`] keep what arrives byte by byte, and [`judge()`] puts both together. Every class has a twin that must
//! be allowed, so that nothing passes because everything is refused. Nothing leaves the machine.
//!
//! Start at [`Attack`]; `list` has the classes, one room per section.

#![forbid(unsafe_code)]

mod answers;
mod ask;
mod attack;
mod build;
mod h2;
mod hello;
mod hpack;
mod judge;
mod kernel;
mod list;
mod make;
mod range;
mod renegotiate;
mod run;
mod sessions;
mod split;
mod tls;

pub use attack::{Answer, Arrival, Attack, DOMAIN, EVIL, Section, Seen, Side, TOKENS};
pub use judge::{Outcome, Record, Verdict, judge};
pub use kernel::{ALONE, make_namespace};
pub use list::list;
pub use make::Surroundings;
pub use range::{Range, STAND_IN};
pub use run::{Made, count, run};
