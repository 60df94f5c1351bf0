//! How a secret is put into a request.

use super::CredentialPlace;

/// One of `inject`. The client's own credential is taken out of every place first; a secret goes where the client had its
/// placeholder, else into the first place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Injection {
    /// `{ header = "x-api-key" }`, `{ header = "authorization", scheme = "Bearer" }`.
    Header {
        /// Lower case.
        name: String,
        /// Written before the secret, with a space.
        scheme: Option<String>,
    },
    /// `{ basic = "USER" }`: `authorization: Basic`, the secret as password.
    Basic {
        /// The user; empty where the service wants none.
        user: String,
    },
    /// `{ query = "key" }`.
    Query(String),
    /// `{ body = "json" }`: wherever a string of a JSON body is the placeholder, or has it within.
    JsonBody,
    /// `{ sign = "aws4" }`: the request is signed again with AWS Signature Version 4.
    Aws4,
}

impl Injection {
    /// Where the secret will stand, which is where a client's own would; none where it goes wherever the placeholder is.
    pub(crate) fn place(&self) -> Option<CredentialPlace> {
        let header = |name: &str| CredentialPlace::Header {
            name: name.to_owned(),
            scheme: None,
        };
        match self {
            Self::Header { name, .. } => Some(header(name)),
            Self::Basic { .. } | Self::Aws4 => Some(header("authorization")),
            Self::Query(name) => Some(CredentialPlace::Query(name.clone())),
            Self::JsonBody => None,
        }
    }

    /// Whether a client's own credential at that place is replaced by this one.
    pub fn is_at(&self, place: &CredentialPlace) -> bool {
        match (self, place) {
            (Self::Header { name, scheme }, CredentialPlace::Header { name: at, scheme: of }) => {
                let same = |of: &String| scheme.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(of));
                name == at && of.as_ref().is_none_or(same)
            }
            (Self::Basic { .. } | Self::Aws4, CredentialPlace::Header { name, .. }) => {
                name == "authorization"
            }
            (Self::Query(name), CredentialPlace::Query(at)) => name == at,
            _ => false,
        }
    }

    /// Whether it replaces what the client sent, so that without a placeholder there is nothing to replace.
    pub(crate) fn needs_placeholder(&self) -> bool {
        matches!(self, Self::JsonBody | Self::Aws4)
    }
}
