//! What was taken back before its time: `revoked.json`. An entry is forgotten once what it names has expired anyway.

use std::collections::HashMap;

use jiff::Timestamp;
use outwall_policy::SandboxId;
use serde::{Deserialize, Serialize};

use super::claims::Claims;
use super::id::CredentialId;
use super::{CLOCK_SKEW, LONGEST_LIFE};

/// What was taken back before its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// With the moment from which it need not be remembered.
    credentials: HashMap<CredentialId, Timestamp>,
    /// Everything that was issued to a sandbox up to this moment.
    sandboxes: HashMap<SandboxId, Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationsFile {
    version: u32,
    credentials: Vec<CredentialEntry>,
    sandboxes: Vec<SandboxEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialEntry {
    id: CredentialId,
    until: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SandboxEntry {
    sandbox: SandboxId,
    issued_up_to: Timestamp,
}

impl Revocations {
    /// Reads `revoked.json`. None: it is not what we write.
    pub fn read(file: &[u8]) -> Option<Self> {
        let file: RevocationsFile = serde_json::from_slice(file).ok()?;
        let credentials = file.credentials.iter().map(|entry| (entry.id, entry.until));
        let sandboxes = file
            .sandboxes
            .iter()
            .map(|entry| (entry.sandbox, entry.issued_up_to));
        (file.version == 1).then(|| Self {
            credentials: credentials.collect(),
            sandboxes: sandboxes.collect(),
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let credentials = self.credentials.iter();
        let sandboxes = self.sandboxes.iter();
        let mut file = RevocationsFile {
            version: 1,
            credentials: credentials
                .map(|(id, until)| CredentialEntry {
                    id: *id,
                    until: *until,
                })
                .collect(),
            sandboxes: sandboxes
                .map(|(sandbox, at)| SandboxEntry {
                    sandbox: *sandbox,
                    issued_up_to: *at,
                })
                .collect(),
        };
        file.credentials.sort_by_key(|entry| entry.id);
        file.sandboxes.sort_by_key(|entry| entry.sandbox);
        serde_json::to_vec_pretty(&file).expect("texts and numbers are JSON")
    }

    /// Whether what says this was taken back.
    pub fn cover(&self, claims: &Claims) -> bool {
        let by_sandbox = self.sandboxes.get(&claims.sandbox);
        self.credentials.contains_key(&claims.id)
            || by_sandbox.is_some_and(|up_to| claims.issued_at <= *up_to)
    }

    /// Takes back one, which expires by itself at `expires_at`. None: that is not known.
    pub(crate) fn revoke(&mut self, id: CredentialId, expires_at: Option<Timestamp>, now: Timestamp) {
        let latest = now
            .saturating_add(LONGEST_LIFE + CLOCK_SKEW)
            .unwrap_or(Timestamp::MAX);
        self.credentials.insert(id, expires_at.unwrap_or(latest));
    }

    /// Takes back all that were issued to a sandbox until now.
    pub(crate) fn revoke_sandbox(&mut self, sandbox: SandboxId, now: Timestamp) {
        self.sandboxes.insert(sandbox, now);
    }

    /// Forgets what has expired.
    pub(crate) fn prune(&mut self, now: Timestamp) {
        self.credentials.retain(|_, until| *until > now);
        self.sandboxes
            .retain(|_, up_to| now.duration_since(*up_to) <= LONGEST_LIFE + CLOCK_SKEW);
    }
}
