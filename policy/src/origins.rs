//! How the gate itself reaches origins: `[origins]`, compiled.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::target::Target;

/// `[origins]`, compiled.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub(crate) extra_roots: Vec<PathBuf>,
    pub(crate) at_any_port: HashMap<Host, StaticAddress>,
    pub(crate) at_port: HashMap<Target, StaticAddress>,
    pub(crate) resolver: Option<SocketAddr>,
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

    /// Every file that is named here, as written: what it holds is part of the policy.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.extra_roots()
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
