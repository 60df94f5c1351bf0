//! [`Verifier`]: what a gate asks. It sees what commands write in the directory at the moment that it is asked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use outwall_policy::{CredentialFault, Sandbox};
use thiserror::Error;

use super::claims::{Audience, Claims};
use super::files::{FileError, Watched};
use super::issuer::{IssueError, Issuer, KEYS, REVOKED};
use super::keys::{KeyId, KeyRing};
use super::revocations::Revocations;
use super::token::{NotValid, ScopedToken};

/// Verifies credentials for one door.
pub struct Verifier {
    audience: Audience,
    keys: Watched<KeyRing>,
    revoked: Watched<Revocations>,
}

/// Keys and revocations as they are at one moment.
#[derive(Debug)]
pub struct Snapshot {
    keys: Arc<KeyRing>,
    revoked: Arc<Revocations>,
}

/// Proof that a credential was shown that was valid at that moment. Only a [`Verifier`] makes one.
///
/// ```compile_fail,E0451
/// # use outwall_broker::scoped::*;
/// fn forge(genuine: Credential) -> Credential {
///     Credential { ..genuine } // private fields
/// }
/// ```
#[derive(Clone)]
pub struct Credential {
    claims: Claims,
    key: KeyId,
    sandbox: Sandbox,
    digest: [u8; 32],
}

/// Why a credential does not count, or not any more.
#[derive(Debug, Error)]
pub enum Refused {
    /// It says nothing, here and now.
    #[error(transparent)]
    NotValid(#[from] NotValid),
    /// It was taken back.
    #[error("it has been revoked")]
    Revoked,
    /// Keys or revocations cannot be read, so that it cannot be told.
    #[error("credentials cannot be verified")]
    Unavailable(#[from] FileError),
}

impl Refused {
    /// What is told to whoever showed it.
    pub fn fault(&self) -> CredentialFault {
        match self {
            Self::NotValid(NotValid::NotOurs) => CredentialFault::NotOurs,
            Self::NotValid(NotValid::OtherDoor) => CredentialFault::OtherDoor,
            Self::NotValid(NotValid::NotYet) => CredentialFault::NotYetValid,
            Self::NotValid(NotValid::Expired) => CredentialFault::Expired,
            Self::Revoked => CredentialFault::Revoked,
            Self::Unavailable(_) => CredentialFault::Unavailable,
        }
    }
}

impl Verifier {
    /// Looks at the credentials of this directory, which is prepared if need be, for one door.
    pub fn open(directory: &Path, audience: Audience, now: Timestamp) -> Result<Self, IssueError> {
        Issuer::new(directory).prepare(now)?;
        let verifier = Self {
            audience,
            keys: Watched::new(directory.join(KEYS), KeyRing::read),
            revoked: Watched::new(directory.join(REVOKED), Revocations::read),
        };
        verifier.snapshot()?;
        Ok(verifier)
    }

    /// What counts at this moment, to ask about many credentials.
    pub fn snapshot(&self) -> Result<Snapshot, FileError> {
        Ok(Snapshot {
            keys: self.keys.current()?,
            revoked: self.revoked.current()?,
        })
    }

    /// Who shows this.
    pub fn verify(&self, token: &ScopedToken, now: Timestamp) -> Result<Credential, Refused> {
        let snapshot = self.snapshot()?;
        let (claims, key) = snapshot
            .keys
            .read_token(token.expose(), now)
            .ok_or(NotValid::NotOurs)?;
        if claims.audience != self.audience {
            return Err(NotValid::OtherDoor.into());
        }
        let credential = Credential {
            key: key.id(),
            sandbox: claims.as_sandbox(),
            digest: token.digest(),
            claims,
        };
        snapshot.standing(&credential, now)?;
        Ok(credential)
    }

    /// Whether a credential that was verified once still counts. Costs two `stat` and no signature.
    pub fn standing(&self, credential: &Credential, now: Timestamp) -> Result<(), Refused> {
        self.snapshot()?.standing(credential, now)
    }
}

impl Snapshot {
    /// Whether a credential that was verified once counts.
    pub fn standing(&self, credential: &Credential, now: Timestamp) -> Result<(), Refused> {
        credential.claims.check_time(now)?;
        let its_key_was = !self.keys.accepts(credential.key, now);
        if its_key_was || self.revoked.cover(&credential.claims) {
            return Err(Refused::Revoked);
        }
        Ok(())
    }
}

impl Credential {
    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Who showed it.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether `token` is the very text that was verified. Takes as long whatever the answer is.
    pub fn is(&self, token: &ScopedToken) -> bool {
        verify_slices_are_equal(&self.digest, &token.digest()).is_ok()
    }

    /// SHA-256 of the text: to find it again without keeping it.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} of {})", self.claims.id, self.claims.sandbox)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.audience.as_str())
    }
}
