//! A session at a repository of GitHub: unmodified git, gh and git-lfs in a sandbox, and what they are refused.
//!
//! What works is compared with the same script at an equal GitHub with nothing between ([`alike`]), and what is refused is shown as a
//! person sees it ([`refused`]). No story believes Outwall: the state of the GitHub is compared before and after.

mod alike;
mod app;
mod desk;
mod enterprise;
mod foreign;
mod listening;
mod pushing;
mod recording;
mod refused;
mod replayed;
mod revoked;
mod sweep;
mod tokens;
mod traces;

use desk::{Desk, Gh, POLICY, TOKEN};
