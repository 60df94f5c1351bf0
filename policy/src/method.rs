//! The method of a request: a token of RFC 9110 section 5.6.2, compared with its case.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// A request method. The registered ones cost no allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Spelling);

#[derive(Clone)]
enum Spelling {
    Registered(&'static str),
    Other(Arc<str>),
}

/// The text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not an HTTP method")]
pub struct MethodError(String);

impl Method {
    /// `GET`, for those who need one without parsing.
    pub const GET: Self = Self(Spelling::Registered("GET"));

    /// Reads a method. `get` is a method too, and another one than `GET`.
    pub fn parse(text: &str) -> Result<Self, MethodError> {
        if let Some(registered) = REGISTERED.iter().find(|known| **known == text) {
            return Ok(Self(Spelling::Registered(registered)));
        }
        let token = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_token_byte);
        if token {
            Ok(Self(Spelling::Other(text.into())))
        } else {
            Err(MethodError(text.chars().take(LONGEST).collect()))
        }
    }

    /// The method as it is sent.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Spelling {
    fn as_str(&self) -> &str {
        match self {
            Self::Registered(text) => text,
            Self::Other(text) => text,
        }
    }
}

impl PartialEq for Spelling {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Spelling {}

impl std::hash::Hash for Spelling {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        Self::parse(text)
    }
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Longer than any registered method, short enough for every log line.
const LONGEST: usize = 64;

/// The most frequent first.
const REGISTERED: [&str; 9] = [
    "GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_keeps_its_case() {
        assert_eq!(Method::parse("GET"), Ok(Method::GET));
        assert_ne!(Method::parse("get"), Ok(Method::GET));
        assert_eq!(
            Method::parse("PROPFIND").map(|m| m.to_string()),
            Ok("PROPFIND".into())
        );
    }

    #[test]
    fn what_is_no_token_is_no_method() {
        for wrong in ["", "GE T", "GET\r\n", "GET\0", "GÉT", "A/B", &"A".repeat(65)] {
            assert!(Method::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
