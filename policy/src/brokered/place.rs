//! Where in a request credentials stand.

use std::fmt;

/// A place of a request in which something counts as a credential. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialPlace {
    /// A header; with a scheme only where its value begins with that scheme and a space, without regard to case.
    Header {
        /// Lower case.
        name: String,
        /// `Bearer`, `Basic`, `token` and the like.
        scheme: Option<String>,
    },
    /// An item of a list in a header that begins with this: `Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.…`.
    Listed {
        /// Of the header, in lower case.
        header: String,
        /// What comes before the credential.
        prefix: String,
    },
    /// A parameter of the query, by its name after decoding.
    Query(String),
    /// A cookie, by its name; `*` is any.
    Cookie(String),
    /// A member of a body that is a form or JSON, at the top level: what OAuth sends (RFC 6749).
    Body(String),
    /// A body of `multipart/form-data` as a whole: an upload signed by the fields of its form.
    Multipart,
}

impl CredentialPlace {
    /// Whether the body has to be read for it.
    pub fn is_in_body(&self) -> bool {
        match self {
            Self::Body(_) | Self::Multipart => true,
            Self::Header { .. } | Self::Listed { .. } | Self::Query(_) | Self::Cookie(_) => false,
        }
    }
}

impl fmt::Display for CredentialPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, scheme: None } => write!(f, "the header {name}"),
            Self::Header {
                name,
                scheme: Some(scheme),
            } => write!(f, "the header {name} ({scheme})"),
            Self::Listed { header, prefix } => write!(f, "{prefix}… in the header {header}"),
            Self::Query(name) => write!(f, "the parameter {name} of the query"),
            Self::Cookie(name) if name == "*" => f.write_str("a cookie"),
            Self::Cookie(name) => write!(f, "the cookie {name}"),
            Self::Body(name) => write!(f, "`{name}` in the body"),
            Self::Multipart => f.write_str("a form with files (multipart/form-data)"),
        }
    }
}
