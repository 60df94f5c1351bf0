//! Who asks: the sandbox and the environment it was started from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::github::SessionRepository;

/// The name of one sandbox: `s-` and eight lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxId([u8; 4]);

/// The name of an environment: `[a-z0-9][a-z0-9_-]{0,63}`. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName(Arc<str>);

/// Who asks. Identity is where a connection arrived, or a credential that only we can issue; never something that the sandbox
/// can make up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sandbox {
    /// The sandbox.
    pub id: SandboxId,
    /// The environment that it was started from.
    pub environment: EnvironmentName,
    /// Whether it is one sandbox and no other.
    pub identity: Identity,
    /// Where its session works; none for one without a repository.
    pub repository: Option<Arc<SessionRepository>>,
}

/// Whether who asks is known to be one sandbox and no other. Nothing that belongs to somebody (a secret, a client certificate) is
/// used for whom that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// It arrived where one sandbox alone can, or showed a credential of its own.
    Own,
    /// Anybody who can reach a proxy that is open to those without a credential. All of them are one sandbox in the records.
    Anonymous,
}

/// Why a text is not the name of a sandbox or of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not `s-` and eight lower-case hexadecimal digits.
    #[error("`{0}` is not a sandbox id, which is `s-` and eight lower-case hexadecimal digits")]
    SandboxId(String),
    /// Not `[a-z0-9][a-z0-9_-]{0,63}`.
    #[error(
        "`{0}` is not an environment name, which is 1 to 64 of a-z, 0-9, `_` and `-`, a letter or digit first"
    )]
    Environment(String),
}

impl Sandbox {
    /// A sandbox with an identity of its own.
    pub fn new(id: SandboxId, environment: EnvironmentName) -> Self {
        Self {
            id,
            environment,
            identity: Identity::Own,
            repository: None,
        }
    }

    /// The same, whose session works there.
    #[must_use]
    pub fn working_at(self, repository: SessionRepository) -> Self {
        Self {
            repository: Some(Arc::new(repository)),
            ..self
        }
    }

    /// Whoever can reach a proxy that asks for no credential.
    pub fn anonymous(id: SandboxId, environment: EnvironmentName) -> Self {
        Self {
            id,
            environment,
            identity: Identity::Anonymous,
            repository: None,
        }
    }
}

impl SandboxId {
    /// The id made of four bytes, which the caller took from a random source.
    pub fn from_random(random: [u8; 4]) -> Self {
        Self(random)
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s-{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SandboxId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.strip_prefix("s-")
            .filter(|hex| hex.len() == 8 && hex.bytes().all(lower_hex))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| NameError::SandboxId(text.to_owned()))
    }
}

impl TryFrom<String> for SandboxId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<SandboxId> for String {
    fn from(id: SandboxId) -> Self {
        id.to_string()
    }
}

impl EnvironmentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// So that maps keyed by name are asked with plain text. `Hash` and `Ord` of the two agree.
impl std::borrow::Borrow<str> for EnvironmentName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = text.len() <= 64
            && text.bytes().next().is_some_and(alphanumeric)
            && text.bytes().all(|b| alphanumeric(b) || b == b'_' || b == b'-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(NameError::Environment(text.to_owned()))
        }
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_sandbox_id_reads_back_what_it_wrote() {
        let id = SandboxId::from_random([0x7f, 0x3a, 0, 0x1d]);
        assert_eq!(id.to_string(), "s-7f3a001d");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_sandbox_id_has_one_spelling() {
        for wrong in [
            "",
            "7f3a001d",
            "s-7F3A001D",
            "s-7f3a001",
            "s-+f3a001d",
            "s-7f3a001d0",
        ] {
            assert!(wrong.parse::<SandboxId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_environment_name_is_a_plain_word() {
        for right in ["default", "web-2", "a", "0_x"] {
            assert_eq!(right.parse::<EnvironmentName>().unwrap().as_str(), right);
        }
        for wrong in ["", "Web", "-a", "a b", "a.b", "a\n", &"a".repeat(65)] {
            assert!(wrong.parse::<EnvironmentName>().is_err(), "{wrong}");
        }
    }
}
