//! `host_ports`: single ports of the host's loopback, which a sandbox reaches by a name of their own. Everything else on
//! loopback stays refused, whatever name leads there.
//!
//! The name means this and nothing else: it is never resolved, no other entry grants it, and only the two loopback addresses
//! at the granted port are dialled for it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::environment::Treatment;
use crate::host::{DomainName, Host};
use crate::permit::RuleName;
use crate::reason::Reason;
use crate::target::Target;

/// The name of the host's loopback inside a sandbox.
pub const HOST: &str = "host.outwall.internal";

/// Ports that an environment may have at most: each takes two sockets in a sandbox.
pub(crate) const MOST: usize = 32;

/// The ports of one environment, each with its line where it is written in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostPorts(pub(crate) BTreeMap<u16, Option<u32>>);

impl HostPorts {
    /// What is decided about a target; nothing when it is not the host's loopback.
    pub(crate) fn grant(&self, target: &Target) -> Option<Result<(RuleName, Treatment), Reason>> {
        if !is_host(&target.host) {
            return None;
        }
        Some(if self.0.contains_key(&target.port) {
            Ok((RuleName::HostPort(target.port), Treatment::Stream))
        } else {
            let target = target.clone();
            Err(Reason::HostPortNotAllowed { target })
        })
    }

    pub(crate) fn reach(&self, name: &DomainName) -> bool {
        name.as_str() == HOST && !self.0.is_empty()
    }
}

/// True for the name that stands for the host's loopback.
pub fn is_host(host: &Host) -> bool {
    host.name().is_some_and(|name| name.as_str() == HOST)
}

/// The target of a port of the host.
#[expect(clippy::missing_panics_doc, reason = "the name is a constant")]
pub fn target(port: u16) -> Target {
    Target::new(Host::parse(HOST).expect("it is a name"), port)
}

/// Where a port of the host is: on either loopback address.
pub(crate) fn addresses(port: u16) -> [SocketAddr; 2] {
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    [at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into())]
}
