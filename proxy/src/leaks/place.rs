//! Where in a request something was found, in words that repeat nothing of it.

use std::fmt;

use outwall_policy::credential::Part;

/// A place in what a sandbox sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Path,
    /// By its name, where that can be told.
    Query(Option<String>),
    /// By its name.
    Header(String),
    /// The name itself.
    HeaderName,
    Trailer(String),
    /// At this byte, decoded.
    Body(u64),
    /// At this byte of a message.
    Message(u64),
}

impl Place {
    /// A query parameter. Its name is repeated only where it cannot be a secret itself.
    pub(crate) fn query(name: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.');
        let told = (1..=24).contains(&name.len()) && name.bytes().all(plain);
        Self::Query(told.then(|| name.to_owned()))
    }

    pub(crate) fn part(&self) -> Part {
        match self {
            Self::Body(_) | Self::Message(_) => Part::Body,
            _ => Part::Head,
        }
    }

    /// Where credentials are presented to whoever accepts them.
    pub(crate) fn presents_credentials(&self) -> bool {
        matches!(self, Self::Header(name) if matches!(name.as_str(), "authorization" | "cookie"))
    }

    /// The same without what differs from one request to the next.
    pub(crate) fn kind(&self) -> Self {
        match self {
            Self::Body(_) => Self::Body(0),
            Self::Message(_) => Self::Message(0),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("the path"),
            Self::Query(Some(name)) => write!(f, "the query parameter \"{name}\""),
            Self::Query(None) => f.write_str("a query parameter"),
            Self::Header(name) => write!(f, "the header field \"{name}\""),
            Self::HeaderName => f.write_str("the name of a header field"),
            Self::Trailer(name) => write!(f, "the trailer field \"{name}\""),
            Self::Body(at) => write!(f, "the body at byte {at}"),
            Self::Message(at) => write!(f, "a WebSocket message at byte {at}"),
        }
    }
}
