//! The name of a credential.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// What a credential is called in the policy, on the command line and in records: `[a-z0-9][a-z0-9_-]{0,63}`. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName(Arc<str>);

/// Why a text is not the name of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a name for a credential, which is 1 to 64 of a-z, 0-9, `_` and `-`, a letter or digit first"
)]
pub struct CredentialNameError(String);

impl CredentialName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialName {
    type Err = CredentialNameError;

    fn from_str(text: &str) -> Result<Self, CredentialNameError> {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(of_name);
        let rest = text
            .bytes()
            .all(|byte| of_name(byte) || matches!(byte, b'_' | b'-'));
        if first && rest && text.len() <= MAX_LENGTH {
            Ok(Self(text.into()))
        } else {
            Err(CredentialNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

const MAX_LENGTH: usize = 64;
