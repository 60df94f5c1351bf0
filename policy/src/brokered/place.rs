//! Where in a request credentials stand.

use std::fmt;

/// A place of a request in which something counts as a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialPlace {
    /// A header; with a scheme only where its value begins with that scheme and a space, without regard to case.
    Header {
        /// Lower case.
        name: String,
        /// `Bearer`, `Basic`, `token` and the like.
        scheme: Option<String>,
    },
    /// A parameter of the query, by its name after decoding.
    Query(String),
    /// A cookie, by its name; `*` is any.
    Cookie(String),
    /// A member of a body that is a form or JSON, at the top level: what OAuth sends (RFC 6749).
    Body(String),
}

impl fmt::Display for CredentialPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, scheme: None } => write!(f, "the header {name}"),
            Self::Header {
                name,
                scheme: Some(scheme),
            } => write!(f, "the header {name} ({scheme})"),
            Self::Query(name) => write!(f, "the parameter {name} of the query"),
            Self::Cookie(name) if name == "*" => f.write_str("a cookie"),
            Self::Cookie(name) => write!(f, "the cookie {name}"),
            Self::Body(name) => write!(f, "`{name}` in the body"),
        }
    }
}
