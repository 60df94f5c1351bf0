//! The path of a request in one normal form.

use std::fmt;

use thiserror::Error;

/// A path in normal form, without the query. It is what rules are asked about and what is sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestPath {
    text: Box<str>,
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PathError {
    /// It does not begin with `/`, and is not `*`.
    #[error("the path does not begin with `/`")]
    Start,
}

impl RequestPath {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if !text.starts_with('/') {
            return Err(PathError::Start);
        }
        Ok(Self { text: text.into() })
    }

    /// The path to send.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
