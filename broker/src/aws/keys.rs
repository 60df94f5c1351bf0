//! The real keys, as their source writes them.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

/// An access key id, its secret and, of temporary ones, the session token. Wiped when dropped, and redacted.
pub struct Keys {
    id: Zeroizing<String>,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

/// Why a secret is none for AWS. It never says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// Neither of the two forms.
    #[error(
        "the secret is neither what `aws configure export-credentials` prints nor ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]"
    )]
    Form,
    /// A part that is empty, or has characters that none has.
    #[error("the {0} of the secret is empty, or has characters that none has")]
    Part(&'static str),
}

/// What a `credential_process` prints, and `aws configure export-credentials`:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<String>,
}

impl Keys {
    /// Reads them from a secret: JSON as a `credential_process` prints it, or the parts with `:` between.
    pub fn parse(secret: &[u8]) -> Result<Self, KeysError> {
        let text = std::str::from_utf8(secret).map_err(|_| KeysError::Form)?.trim();
        let keys = if text.starts_with('{') {
            let printed: Printed = serde_json::from_str(text).map_err(|_secret_within| KeysError::Form)?;
            Self::new(
                printed.access_key_id,
                printed.secret_access_key,
                printed.session_token,
            )
        } else {
            let mut parts = text.split(':').map(str::to_owned);
            let (id, secret) = (parts.next(), parts.next());
            let keys = Self::new(
                id.unwrap_or_default(),
                secret.ok_or(KeysError::Form)?,
                parts.next(),
            );
            if parts.next().is_some() {
                return Err(KeysError::Form);
            }
            keys
        };
        keys.check()
    }

    fn new(id: String, secret: String, token: Option<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            token: token.filter(|token| !token.is_empty()).map(Zeroizing::new),
        }
    }

    fn check(self) -> Result<Self, KeysError> {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if self.id.is_empty() || !self.id.bytes().all(is_id) {
            return Err(KeysError::Part("access key id"));
        }
        if self.secret.is_empty() || !self.secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeysError::Part("secret access key"));
        }
        if self
            .token
            .iter()
            .any(|token| !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(KeysError::Part("session token"));
        }
        Ok(self)
    }

    /// Not secret by itself: it stands in every signature.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is to be known to nobody: the secret access key, which is never sent, and the session token, which is.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.secret)
            .chain(&self.token)
            .map(|secret| secret.as_str())
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    /// `AWS4` and the secret: what the key of a day is derived from.
    pub(super) fn seed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([b"AWS4", self.secret.as_bytes()].concat())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys([redacted])")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_printed_and_as_they_are_written() {
        let printed = br#"{"Version": 1, "AccessKeyId": "AKIAREAL", "SecretAccessKey": "secret/key+", "SessionToken": "to/ken==", "Expiration": "2026-01-01T00:00:00Z"}"#;
        for (text, token) in [
            (&printed[..], Some("to/ken==")),
            (b"AKIAREAL:secret/key+:to/ken==", Some("to/ken==")),
            (b"AKIAREAL:secret/key+", None),
        ] {
            let keys = Keys::parse(text).unwrap();
            assert_eq!((keys.id(), keys.token()), ("AKIAREAL", token));
            assert_eq!(*keys.seed(), b"AWS4secret/key+");
            assert!(!format!("{keys:?}").contains("secret/"));
        }
    }

    #[test]
    fn what_are_no_keys_is_refused_and_not_repeated() {
        for wrong in [
            "",
            "AKIAREAL",
            "hunter2",
            "{\"AccessKeyId\": \"hunter2\"}",
            "AKIA:hunter2:t:x",
            ":hunter2",
            "AK IA:hunter2",
            "AKIA:",
            "AKIA:hunter 2",
            "AKIA:hunter2:a b",
        ] {
            let error = Keys::parse(wrong.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{wrong}");
        }
    }
}
