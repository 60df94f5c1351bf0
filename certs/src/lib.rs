//! The certificates of Outwall: the CA that a sandbox trusts, the leaves minted under it, and the files and variables
//! that make every usual client in a sandbox trust it.
//!
//! Refuses to know: policy (who may reach what), sockets, how a sandbox is made. It is told a host, it answers with a
//! certificate; whether that host may be answered for is decided elsewhere.
//!
//! Start at [`Ca`]: [`Ca::load_or_create`] then [`Ca::leaf`]. [`TrustBundle`] is what is placed in a sandbox, and
//! [`origin_roots`] is what the gate itself believes when it meets an origin.
//!
//! # Attacks this crate answers
//!
//! - *The CA's key leaks to another user of the machine.* It is created with mode 0600 and a key file that others can read is
//!   refused, with the remedy, rather than silently repaired: it may have been read already.
//! - *The leaf key leaks from the proxy's memory.* It is not the CA's key, lives as long as the process, and signs nothing.
//! - *A certificate that is good for more than was asked.* One host per leaf, never a wildcard, `serverAuth` only.
//! - *A sandbox that asks for a million hosts.* The cache is bounded, and hosts seen once leave it before those in use.
#![forbid(unsafe_code)]

mod bundle;
mod ca;
mod cache;
mod client;
mod java;
mod leaf;
mod nss;
mod openssl;
mod pem;
mod roots;
mod store;

pub use bundle::{TrustBundle, TrustFile};
pub use ca::{Ca, CaError, Rotated};
pub use cache::LeafCounts;
pub use client::{ClientIdentity, ClientIdentityError};
pub use leaf::LeafError;
pub use nss::NssError;
pub use roots::{RootsError, origin_roots, read_roots, system_roots};
