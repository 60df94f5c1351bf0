//! Credentials: who may show which, and what each is good for.
//!
//! Its first room is [`scoped`]: short-lived tokens that *we* issue, which say to the gate who a client is. They are worth nothing
//! outside of it. In the second are the secrets that are used on a sandbox's behalf: a [`Keeper`] has the [`Secret`] of each
//! credential of the policy, fetched from its source and never outdated; [`scrub`] masks them in what comes back.
//!
//! It refuses to know how a client connects, and what a credential opens: that is the policy's.
//!
//! [`presented`] reads what a client shows an origin: what of it we issued, and what is somebody else's. [`aws`] signs
//! again what was signed with a placeholder.
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
//! - *Showing two credentials*, or one in a spelling that only the origin reads: [`presented`] finds all of them, and takes all out.
//! - *Reading secrets in logs.* [`scoped::ScopedToken`] and [`Secret`] show nothing in `Debug` and have no `Display`; the errors of
//!   `source` name where a secret comes from, and none has room for what it is.
//! - *Reading secrets in memory, in the swap or in a core.* `secret`: pages of their own, locked, and wiped.
//! - *Having a secret reflected*, in whatever writing and in whatever pieces: [`scrub`].
//! - *Using what was taken back, or has expired.* `keeper`: looked at with each use, and refused when it cannot be told for long.
#![forbid(unsafe_code)]

pub mod aws;
pub mod inject;
mod keeper;
pub mod placeholder;
pub mod presented;
pub mod scoped;
pub mod scrub;
mod secret;
mod source;
mod stamp;
mod unavailable;

pub use keeper::{Clock, CredentialState, Keeper, REMEMBERED, Standing};
pub use secret::{LONGEST_SECRET, Residence, Secret, Unfit};
pub use source::{
    Answer, CommandError, FileError, GithubAppError, KeyError, KeyringError, LONGEST_ANSWER, NotAnswered,
    Question, Services, Shown, SourceError, Surroundings, VaultError,
};
pub use stamp::Stamp;
pub use unavailable::Unavailable;
