//! A proxy behind the gate, in networks that have no other way out: what goes through it, and what it is asked for.
//!
//! The parent dials, so the gate cannot dial "that address" any more. What is left of the address rule, and what is not, is in
//! [`Resolve`].

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use crate::host::Host;
use crate::pattern::HostPattern;
use crate::target::{Scheme, Target};

/// `[origins.parent_proxy]`, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentProxy {
    pub(crate) scheme: Scheme,
    pub(crate) target: Target,
    pub(crate) credentials: Option<ParentCredentials>,
    pub(crate) bypass: Bypass,
    pub(crate) resolve: Resolve,
}

/// With whose name the parent is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentCredentials {
    pub(crate) username: String,
    pub(crate) password: SecretSource,
    /// Where the password is named.
    pub(crate) line: Option<u32>,
}

/// Where a secret comes from. A policy never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the gate's own environment.
    Environment(String),
    /// A file, as written: a relative one is relative to the policy file.
    File(String),
}

/// Who says where a name leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resolve {
    /// The parent is asked by name, and resolves it. A name that the gate can resolve as well is refused when any of its
    /// addresses is refused; of one that it cannot, the parent alone knows where it leads.
    #[default]
    Parent,
    /// The gate resolves the name, and asks the parent for an address that was admitted. A name that it cannot resolve is not
    /// reached.
    Gate,
}

/// What is reached without the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bypass {
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) ranges: Vec<IpNet>,
}

impl ParentProxy {
    /// How the proxy itself is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// With whose name it is spoken to, if it asks for one.
    pub fn credentials(&self) -> Option<&ParentCredentials> {
        self.credentials.as_ref()
    }

    /// Who says where names lead.
    pub fn resolve(&self) -> Resolve {
        self.resolve
    }

    /// What is reached without it, as text.
    pub fn bypass(&self) -> impl Iterator<Item = String> + '_ {
        let hosts = self.bypass.hosts.iter().map(ToString::to_string);
        hosts.chain(self.bypass.ranges.iter().map(ToString::to_string))
    }

    /// True when a target is reached without it, as far as its host says.
    pub(crate) fn is_bypassed_for(&self, target: &Target) -> bool {
        let named = |pattern: &HostPattern| pattern.covers_at_any_port(target);
        self.bypass.hosts.iter().any(named)
            || matches!(target.host, Host::Address(address) if self.bypass.covers(address))
    }

    /// True when a name that leads to these addresses is reached without it: when all are in a range that is.
    pub fn is_bypassed_at(&self, addresses: &[IpAddr]) -> bool {
        !addresses.is_empty() && addresses.iter().all(|address| self.bypass.covers(*address))
    }

    /// True when a target is the parent itself, as far as its name or literal address says.
    pub(crate) fn is(&self, target: &Target) -> bool {
        self.target == *target
    }
}

impl ParentCredentials {
    /// The user.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The line of the document that says where the password comes from, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line.map(|line| line as usize)
    }

    /// Where the password comes from.
    pub fn password(&self) -> &SecretSource {
        &self.password
    }
}

impl SecretSource {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(Path::new(file)),
            Self::Environment(_) => None,
        }
    }

    /// The variable of the gate, if it is one.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Environment(name) => Some(name),
            Self::File(_) => None,
        }
    }
}

impl Resolve {
    /// As written: `parent`, `gate`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Gate => "gate",
        }
    }
}

impl Bypass {
    fn covers(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }
}
