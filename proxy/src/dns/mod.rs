//! DNS as a sandbox sees it: every good name exists, and none is ever looked up.
//!
//! A sandbox's query is answered here, out of nothing but the query itself: each
//! syntactically good name gets one synthetic IPv4 and one synthetic IPv6 address that
//! stand for it until the sandbox ends. So a client that will be refused still connects
//! and is told why in its own protocol; a connection without SNI is still known by
//! name; and the labels of a query carry nothing out, because there is nobody to carry
//! them to (CVE-2026-12039).
//!
//! This module refuses to know policy, resolvers and origins. What it needs to be told,
//! and whom it tells, is [`Oversight`].
//!
//! Start at [`answer()`]: bytes in, bytes out. [`NameTable`] is the memory behind it;
//! [`serve_udp`] and [`serve_tcp`] put it on sockets.

mod answer;
mod names;
mod pace;
mod serve;

pub use answer::{Oversight, QueryKind, TTL_SECONDS, answer};
pub(crate) use names::last_two_labels;
pub use names::{Exhausted, NameLimits, NameTable, SyntheticAddresses, is_synthetic};
pub use serve::{Responder, serve_tcp, serve_udp};
