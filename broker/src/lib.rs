//! Credentials: who may show which, and what each is good for.
//!
//! Its first room is [`scoped`]: short-lived tokens that *we* issue, which say to the gate who a client is. They are worth nothing
//! outside of it. It refuses to know how a client connects, and what a credential opens: that is the policy's.
//!
//! # Attacks, and where each ends
//!
//! - *Choosing the algorithm* (`alg: none`, HMAC with the public key). There is one, and a header is compared as bytes with the one
//!   that we write: `scoped::token`. Nothing of an unsigned header is parsed.
//! - *Two readings of one token.* The payload is read after its signature was verified, and must be what we would write, byte for
//!   byte: no second member of a name, no other spelling.
//! - *A token of one door at another.* Each names its door (`aud`), and its issuer.
//! - *Using what was taken back.* [`scoped::Verifier`] looks whether the list of revoked credentials has changed each time that it
//!   is asked, and refuses when it cannot tell.
//! - *Reading secrets in logs.* [`scoped::ScopedToken`] shows nothing in `Debug` and has no `Display`.
#![forbid(unsafe_code)]

pub mod placeholder;
pub mod scoped;
