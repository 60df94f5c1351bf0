//! What was issued, for people to list: `issued.json`. Never the tokens, and nothing that a gate needs.

use jiff::{SignedDuration, Timestamp};
use outwall_policy::{EnvironmentName, SandboxId};
use serde::{Deserialize, Serialize};

use super::claims::{Audience, Claims, Label, Scope};
use super::id::CredentialId;

/// A credential that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it says.
    pub claims: Claims,
    /// What its sandbox is called, if it has a name.
    pub label: Option<Label>,
    /// What it is worth now.
    pub standing: Standing,
}

/// What a credential is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is accepted.
    Valid,
    /// It was taken back, or the key that signed it was.
    Revoked,
    /// Its time is over.
    Expired,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct IssuedFile {
    version: u32,
    pub(crate) credentials: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: CredentialId,
    pub(crate) audience: Audience,
    pub(crate) sandbox: SandboxId,
    pub(crate) environment: EnvironmentName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<Label>,
    #[serde(flatten)]
    scope: Scope,
    issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The name of the key that signed it.
    pub(crate) key: String,
}

impl IssuedFile {
    pub(crate) fn read(file: &[u8]) -> Option<Self> {
        let file: Self = serde_json::from_slice(file).ok()?;
        (file.version == VERSION).then_some(file)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts and numbers are JSON")
    }

    pub(crate) fn empty() -> Self {
        Self {
            version: VERSION,
            credentials: Vec::new(),
        }
    }

    /// Forgets what expired a while ago.
    pub(crate) fn prune(&mut self, now: Timestamp) {
        self.credentials
            .retain(|entry| now.duration_since(entry.expires_at) < SHOWN_AFTER_EXPIRY);
    }
}

impl Entry {
    pub(crate) fn of(claims: &Claims, label: Option<Label>, key: String) -> Self {
        Self {
            id: claims.id,
            audience: claims.audience,
            sandbox: claims.sandbox,
            environment: claims.environment.clone(),
            label,
            scope: claims.scope.clone(),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            key,
        }
    }

    pub(crate) fn claims(&self) -> Claims {
        Claims {
            id: self.id,
            audience: self.audience,
            sandbox: self.sandbox,
            environment: self.environment.clone(),
            scope: self.scope.clone(),
            issued_at: self.issued_at,
            not_before: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

const VERSION: u32 = 1;
/// Somebody may wonder the next day why it does not work any more.
const SHOWN_AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(48);
