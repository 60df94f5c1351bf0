//! Lists of hosts and of addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Compiler;
use crate::address::{AddressClass, classify};
use crate::document::{Place, Written};
use crate::environment::Exceptions;
use crate::host_ports::{self, HostPorts};
use crate::pattern::{HostPattern, Hosts, PatternError};
use crate::publish::Publish;
use crate::shared_storage;
use crate::target::TargetError;

impl Compiler {
    pub(super) fn patterns(&mut self, key: &str, written: &[Written<String>]) -> Vec<(HostPattern, Place)> {
        let mut patterns = Vec::with_capacity(written.len());
        for text in written {
            if let Some(pattern) = self.pattern(key, text) {
                self.check_storage(&pattern, text.place);
                self.check_is_no_host_port(key, &pattern, text.place);
                patterns.push((pattern, text.place));
            }
        }
        patterns
    }

    pub(super) fn tcp(&mut self, written: &[Written<String>]) -> Vec<(HostPattern, Place)> {
        let patterns = self.patterns("tcp", written);
        for (pattern, place) in &patterns {
            if pattern.port().is_none() {
                let what = format!("\"{pattern}\" in `tcp` names no port");
                self.problem(
                    *place,
                    what,
                    format!("write host and port, such as \"{pattern}:5432\""),
                );
            }
        }
        patterns
    }

    pub(super) fn host_ports(&mut self, written: &[Written<u64>]) -> HostPorts {
        let mut ports = HostPorts::default();
        for number in written {
            match u16::try_from(number.value) {
                Ok(port) => drop(ports.0.insert(port, number.place.line())),
                Err(_) => self.problem(
                    number.place,
                    format!("{} in `host_ports` is no port", number.value),
                    "write ports from 1 to 65535: host_ports = [5432]",
                ),
            }
        }
        if let (true, Some(last)) = (ports.0.len() > host_ports::MOST, written.last()) {
            let what = format!("`host_ports` has {} ports", ports.0.len());
            self.problem(last.place, what, format!("leave at most {}", host_ports::MOST));
        }
        ports
    }

    pub(super) fn publish(&mut self, written: &[Written<String>]) -> Vec<Publish> {
        let mut ports = Vec::with_capacity(written.len());
        for text in written {
            match text.value.parse() {
                Ok(publish) => ports.push(publish),
                Err(error) => {
                    let what = format!("{error}, in `publish`");
                    self.problem(
                        text.place,
                        what,
                        "write such as publish = [\"3000\", \"8000:8080\"]",
                    );
                }
            }
        }
        ports
    }

    /// The name of the host's loopback means `host_ports` and nothing else.
    pub(super) fn check_is_no_host_port(&mut self, key: &str, pattern: &HostPattern, place: Place) {
        if matches!(&pattern.hosts, Hosts::Exactly(name) if name.as_str() == host_ports::HOST) {
            let what = format!("\"{pattern}\" in `{key}` has no effect: it is the host's loopback");
            self.problem(
                place,
                what,
                "write the port in host_ports = [5432]; it is relayed unread",
            );
        }
    }

    pub(super) fn exceptions(&mut self, written: &[Written<String>]) -> Exceptions {
        let mut ranges = Vec::with_capacity(written.len());
        for text in written {
            match parse_range(&text.value) {
                Some(range) if has_no_exception(&range) => self.problem(
                    text.place,
                    format!("\"{range}\" in `allowed_addresses` is nobody's address, and is always refused"),
                    "leave it out",
                ),
                Some(range) => ranges.push(range),
                None => self.problem(
                    text.place,
                    format!("\"{}\" in `allowed_addresses` is no range of addresses", text.value.escape_debug()),
                    "write an address and a prefix length with no bits after it, such as \"10.20.0.0/16\" or \"fd00::/8\"",
                ),
            }
        }
        Exceptions(ranges)
    }

    pub(super) fn pattern(&mut self, key: &str, text: &Written<String>) -> Option<HostPattern> {
        match HostPattern::parse(&text.value) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let what = format!("\"{}\" in `{key}` is no host: {error}", text.value.escape_debug());
                self.problem(text.place, what, pattern_remedy(error));
                None
            }
        }
    }

    fn check_storage(&mut self, pattern: &HostPattern, place: Place) {
        let Hosts::Below(base) = &pattern.hosts else {
            return;
        };
        if !base.as_str().contains('.') {
            let what = format!("\"{pattern}\" covers a whole top-level domain");
            self.warn(place, what, "name the domains that are needed");
        } else if shared_storage::is_below(base.as_str()) {
            let what = format!(
                "\"{pattern}\" covers storage and servers that anybody can rent, so data can leave through it"
            );
            self.warn(
                place,
                what,
                "name the hosts that are needed, such as your own bucket's",
            );
        }
    }
}

fn pattern_remedy(error: PatternError) -> &'static str {
    match error {
        PatternError::Url => {
            "write the host only, without scheme and path: \"example.com\"; paths go into rules"
        }
        PatternError::Everything => "write network = \"full\" to reach every public host",
        PatternError::Wildcard => {
            "write \"*.example.com\" for every name below example.com, \"example.com\" for itself"
        }
        PatternError::Target(TargetError::Port | TargetError::NoPort) => {
            "write a port from 1 to 65535 after the host, or none: \"example.com:8443\""
        }
        PatternError::Target(TargetError::Host(_)) => {
            "write a name or an address: \"example.com\", \"*.example.com\", \"192.0.2.1\""
        }
    }
}

/// True when [`Exceptions::cover`] would say no for every address of the range.
fn has_no_exception(range: &IpNet) -> bool {
    let class = classify(range.network());
    let never = matches!(
        class,
        AddressClass::Multicast | AddressClass::Broadcast | AddressClass::Unspecified
    );
    never && classify(range.broadcast()) == class
}

/// A range without stray bits: `10.20.1.0/16` is a slip of the pen, and nobody knows which way.
pub(super) fn parse_range(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let range: IpNet = text.parse().ok()?;
    let mapped = matches!(range.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    (range.addr() == range.network() && !mapped).then_some(range) // mapped addresses are matched as IPv4
}
