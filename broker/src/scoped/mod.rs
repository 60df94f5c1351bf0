//! Scoped credentials: signed tokens (JWT, RFC 7519, with Ed25519 alone) that bind a client to a sandbox and its environment.
//!
//! [`Issuer`] issues, lists, revokes and changes the key: what a command does. [`Verifier`] is what a gate holds; it never has the
//! signing key. They meet in a directory of the state directory: `keys.json`, `signing.pk8`, `revoked.json`, `issued.json`.
//! Time is an argument everywhere.

mod claims;
pub(crate) mod files;
mod id;
mod issued;
mod issuer;
mod keys;
mod presented;
mod revocations;
mod token;
mod verifier;

pub use claims::{Audience, Claims, Label, LabelError, Scope, ScopeError};
pub use files::FileError;
pub use id::{CredentialId, IdError};
pub use issued::{Listed, Standing};
pub use issuer::{Fresh, IssueError, Issuer, Overlap, Request, Revoke, RevokeError, Revoked, Subject};
pub use keys::{KeyId, KeyRing};
pub use presented::{Presented, Unreadable, presented, presented_at_github};
pub use revocations::Revocations;
pub use token::{LONGEST_TOKEN, NotValid, ScopedToken};
pub use verifier::{Credential, Refused, Snapshot, Verifier};

use jiff::SignedDuration;

/// No credential is valid for longer. Long enough for a machine that works for some days, short enough that a key which was
/// replaced is forgotten within a week.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a credential lives unless asked otherwise.
pub const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// How far the clock of whoever issued may be ahead of ours. It only makes a credential valid earlier: none lives on after its end.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
