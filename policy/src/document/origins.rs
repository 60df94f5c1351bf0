//! `[origins]`, as written.

use std::fmt;

use super::{Place, Written};
use crate::parent_proxy::Resolve;

/// `[origins]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginsDocument {
    pub(crate) extra_roots: Vec<Written<String>>,
    pub(crate) hosts: Vec<(Written<String>, Written<String>)>,
    pub(crate) resolver: Option<Written<String>>,
    pub(crate) client_certificates: Vec<ClientCertificateDocument>,
    pub(crate) parent_proxy: Option<ParentProxyDocument>,
}

/// `[[origins.client_certificates]]`.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificateDocument {
    pub(crate) place: Place,
    pub(crate) hosts: Vec<Written<String>>,
    pub(crate) certificate: Written<String>,
    pub(crate) key: Written<String>,
    pub(crate) environments: Vec<Written<String>>,
}

/// `parent_proxy = "URL"`, or `[origins.parent_proxy]`.
#[derive(Clone, Debug)]
pub(crate) struct ParentProxyDocument {
    pub(crate) url: Written<ProxyUrl>,
    pub(crate) username: Option<Written<String>>,
    pub(crate) password: Option<Written<SecretDocument>>,
    pub(crate) bypass: Vec<Written<String>>,
    pub(crate) resolve: Option<Written<Resolve>>,
}

/// A URL that may hold a password, although it must not.
#[derive(Clone)]
pub(crate) struct ProxyUrl(pub(crate) String);

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(..)")
    }
}

/// Where a secret comes from: never the secret itself.
#[derive(Clone, Debug)]
pub(crate) enum SecretDocument {
    /// `{ env = "NAME" }`.
    Environment(String),
    /// `{ file = "PATH" }`.
    File(String),
}
