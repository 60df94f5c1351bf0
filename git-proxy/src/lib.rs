//! Understands GitHub: git over HTTP, LFS, REST and GraphQL. Each door turns bytes that a sandbox wrote into
//! [`GithubAction`](outwall_policy::github::GithubAction)s, and what was decided on back into bytes: what is sent on was written by us,
//! never bytes that were merely not refused.
//!
//! It is sans I/O: bytes in, an [`Understanding`] out, or [`Question`]s that the caller asks GitHub first. It refuses to know listeners,
//! TLS, tokens and who asks.
//!
//! # Where to start
//!
//! [`route()`] tells the door of a request. [`git`], [`lfs`], [`rest`] and [`graphql`] are the doors. [`Refusal`] is how each says no.
#![forbid(unsafe_code)]

pub mod asking;
pub mod git;
pub mod graphql;
mod json;
pub mod lfs;
mod refusal;
pub mod rest;
mod route;
mod search;
mod understood;

pub use asking::{Facts, Question};
pub use refusal::Refusal;
pub use route::{ApiRoot, Door, GitDoor, LfsDoor, RouteError, route};
pub use understood::{AnswerHere, AnswerTreatment, BodySent, NotUnderstood, Understanding, Understood};
