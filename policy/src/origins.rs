//! How the gate itself reaches origins: `[origins]`, compiled.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::client_certificate::ClientCertificate;
use crate::host::Host;
use crate::parent_proxy::{ParentCredentials, ParentProxy, SecretSource};
use crate::target::Target;

/// `[origins]`, compiled.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub(crate) extra_roots: Vec<PathBuf>,
    pub(crate) at_any_port: HashMap<Host, StaticAddress>,
    pub(crate) at_port: HashMap<Target, StaticAddress>,
    pub(crate) resolver: Option<SocketAddr>,
    pub(crate) client_certificates: Vec<Arc<ClientCertificate>>,
    pub(crate) parent_proxy: Option<ParentProxy>,
}

/// A static address; without a port, the target's is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaticAddress {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

impl Origins {
    /// Files with further root certificates, as written: relative ones are relative to the policy file.
    pub fn extra_roots(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.extra_roots.iter().map(PathBuf::as_path)
    }

    /// The files that are named here and hold no secret, as written.
    pub fn public_files(&self) -> impl Iterator<Item = &Path> {
        let certificates = self.client_certificates.iter().map(|shown| shown.certificate());
        self.extra_roots().chain(certificates)
    }

    /// The files that are named here and that no sandbox may read, as written.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.client_certificates.iter().map(|shown| shown.key());
        let credentials = self.parent_proxy().and_then(ParentProxy::credentials);
        let password = credentials.map(ParentCredentials::password);
        keys.chain(password.and_then(SecretSource::file))
    }

    /// The certificates that are shown to origins, in the order of the document.
    pub fn client_certificates(&self) -> &[Arc<ClientCertificate>] {
        &self.client_certificates
    }

    /// The proxy that origins are reached through.
    pub fn parent_proxy(&self) -> Option<&ParentProxy> {
        self.parent_proxy.as_ref()
    }

    /// The DNS server to ask; none means the system's.
    pub fn resolver(&self) -> Option<SocketAddr> {
        self.resolver
    }

    /// The static address of a target, if it has one: `host:port` counts before `host`.
    pub fn static_address(&self, target: &Target) -> Option<SocketAddr> {
        let found = self
            .at_port
            .get(target)
            .or_else(|| self.at_any_port.get(&target.host))?;
        Some(SocketAddr::new(found.ip, found.port.unwrap_or(target.port)))
    }
}
