//! Patterns of hosts, as written in a policy: `example.com`, `*.example.com`, `10.0.0.1`, each with an optional `:port`.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::host::{DomainName, Host, HostError};
use crate::target::{self, Target, TargetError};

/// A host, or every host below a name, at one port or at the usual ones. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    pub(crate) hosts: Hosts,
    pub(crate) port: Option<u16>,
}

/// The part of a pattern before the port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Hosts {
    /// This name.
    Exactly(DomainName),
    /// Every name below this one, at any depth, and not this one.
    Below(DomainName),
    /// This address, asked for as a literal.
    Literal(IpAddr),
}

/// Why a text is no pattern of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PatternError {
    /// `https://example.com/`.
    #[error("a pattern is a host, not a URL")]
    Url,
    /// `*` alone.
    #[error("`*` alone names every host")]
    Everything,
    /// `a.*.com`, `*a.com`, `*.10.0.0.1`.
    #[error("a wildcard is `*.` before a name, and nowhere else")]
    Wildcard,
    /// The host or the port is wrong.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl HostPattern {
    /// Reads a pattern. An IPv6 address with a port has brackets.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.contains('/') {
            return Err(PatternError::Url);
        }
        let (host, port) = split(text)?;
        let hosts = match host.strip_prefix('*') {
            None if host.contains('*') => return Err(PatternError::Wildcard),
            None => Hosts::from(Host::parse(host).map_err(TargetError::Host)?),
            Some("") => return Err(PatternError::Everything),
            Some(rest) => Hosts::Below(below(rest)?),
        };
        Ok(Self { hosts, port })
    }

    /// True when the target's host is one of these and its port is this one, or 80 or 443 when none is written.
    pub fn matches(&self, target: &Target) -> bool {
        self.hosts.contain(&target.host) && self.covers_port(target.port)
    }

    /// True when the target's host is one of these, at this port, or at every port when none is written: as what narrows is read.
    pub(crate) fn names(&self, target: &Target) -> bool {
        self.hosts.contain(&target.host) && self.port.is_none_or(|port| port == target.port)
    }

    /// Grows as fewer targets match: one host before many, a longer name before a shorter, one port before the usual ones.
    pub(crate) fn narrowness(&self) -> (bool, usize, bool) {
        let length = match &self.hosts {
            Hosts::Exactly(name) | Hosts::Below(name) => name.as_str().len(),
            Hosts::Literal(_) => 0,
        };
        (!self.is_wildcard(), length, self.port.is_some())
    }

    /// True for `*.x`, which stands for any number of names.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.hosts, Hosts::Below(_))
    }

    /// The host; for a wildcard the name that all its hosts are below.
    pub(crate) fn host(&self) -> Host {
        match &self.hosts {
            Hosts::Exactly(name) | Hosts::Below(name) => Host::Name(name.clone()),
            Hosts::Literal(address) => Host::Address(*address),
        }
    }

    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// As [`matches`](Self::matches), where a pattern without port is one for every port.
    pub(crate) fn covers_at_any_port(&self, target: &Target) -> bool {
        self.hosts.contain(&target.host) && self.port.is_none_or(|own| own == target.port)
    }

    pub(crate) fn covers_port(&self, port: u16) -> bool {
        self.port.map_or(USUAL_PORTS.contains(&port), |own| own == port)
    }
}

/// The ports of a pattern that names none: those of HTTP and of HTTPS.
pub(crate) const USUAL_PORTS: [u16; 2] = [80, 443];

impl Hosts {
    pub(crate) fn contain(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exactly(own), Host::Name(name)) => own == name,
            (Self::Below(own), Host::Name(name)) => is_below(name.as_str(), own.as_str()),
            (Self::Literal(own), Host::Address(address)) => own == address,
            (Self::Exactly(_) | Self::Below(_), Host::Address(_)) | (Self::Literal(_), Host::Name(_)) => {
                false
            }
        }
    }
}

impl From<Host> for Hosts {
    fn from(host: Host) -> Self {
        match host {
            Host::Name(name) => Self::Exactly(name),
            Host::Address(address) => Self::Literal(address),
        }
    }
}

impl HostPattern {
    /// True when some host at some port is of both. A pattern without port counts here for every port.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let ports = match (self.port, other.port) {
            (Some(own), Some(other)) => own == other,
            (None, _) | (_, None) => true,
        };
        ports && self.hosts.overlaps(&other.hosts)
    }
}

impl Hosts {
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exactly(a), Self::Exactly(b)) => a == b,
            (Self::Exactly(name), Self::Below(base)) | (Self::Below(base), Self::Exactly(name)) => {
                is_below(name.as_str(), base.as_str())
            }
            (Self::Below(a), Self::Below(b)) => {
                a == b || is_below(a.as_str(), b.as_str()) || is_below(b.as_str(), a.as_str())
            }
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Literal(_), Self::Exactly(_) | Self::Below(_))
            | (Self::Exactly(_) | Self::Below(_), Self::Literal(_)) => false,
        }
    }
}

/// True when `name` ends in `.base`.
pub(crate) fn is_below(name: &str, base: &str) -> bool {
    name.strip_suffix(base)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// An IPv6 address may stand without brackets where no port follows.
fn split(text: &str) -> Result<(&str, Option<u16>), TargetError> {
    let bare_v6 = !text.starts_with('[') && text.bytes().filter(|b| *b == b':').count() > 1;
    if bare_v6 {
        return Ok((text, None));
    }
    target::split(text)
}

fn below(rest: &str) -> Result<DomainName, PatternError> {
    let base = rest.strip_prefix('.').ok_or(PatternError::Wildcard)?;
    if base.contains('*') {
        return Err(PatternError::Wildcard);
    }
    match Host::parse(base) {
        Ok(Host::Name(name)) => Ok(name),
        Ok(Host::Address(_)) | Err(HostError::Ipv4LookAlike) => Err(PatternError::Wildcard),
        Err(error) => Err(TargetError::Host(error).into()),
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Exactly(name) => write!(f, "{name}")?,
            Hosts::Below(name) => write!(f, "*.{name}")?,
            Hosts::Literal(IpAddr::V6(address)) if self.port.is_some() => write!(f, "[{address}]")?,
            Hosts::Literal(address) => write!(f, "{address}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_is_a_host_or_everything_below_a_name() {
        for (pattern, matched, not_matched) in [
            (
                "a.test",
                &["a.test:80", "a.test:443"][..],
                &["a.test:22", "b.a.test:443", "xa.test:443"][..],
            ),
            (
                "*.a.test",
                &["b.a.test:443", "c.b.a.test:80"],
                &["a.test:443", "xa.test:443", "b.a.test:22"],
            ),
            ("a.test:22", &["a.test:22"], &["a.test:443", "b.a.test:22"]),
            ("*.a.test:22", &["b.a.test:22"], &["b.a.test:443"]),
            ("192.0.2.1", &["192.0.2.1:443"], &["192.0.2.2:443", "a.test:443"]),
            ("::1", &["[::1]:443"], &["[::2]:443"]),
            ("[::1]:22", &["[::1]:22"], &["[::1]:443"]),
        ] {
            let pattern = HostPattern::parse(pattern).unwrap();
            for target in matched {
                assert!(
                    pattern.matches(&Target::parse(target).unwrap()),
                    "{pattern} should match {target}"
                );
            }
            for target in not_matched {
                assert!(
                    !pattern.matches(&Target::parse(target).unwrap()),
                    "{pattern} should not match {target}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, error) in [
            ("https://a.test", PatternError::Url),
            ("a.test/", PatternError::Url),
            ("*", PatternError::Everything),
            ("*:443", PatternError::Everything),
            ("*.*", PatternError::Wildcard),
            ("*.*.test", PatternError::Wildcard),
            ("a.*.test", PatternError::Wildcard),
            ("*a.test", PatternError::Wildcard),
            ("**.test", PatternError::Wildcard),
            ("*.127.0.0.1", PatternError::Wildcard),
            ("*.0x7f", PatternError::Wildcard),
            ("*.", PatternError::Target(TargetError::Host(HostError::Empty))),
            ("a.test:", PatternError::Target(TargetError::Port)),
            ("a.test:*", PatternError::Target(TargetError::Port)),
            (
                "a.test\0",
                PatternError::Target(TargetError::Host(HostError::Character)),
            ),
        ] {
            assert_eq!(HostPattern::parse(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_of_a_pattern_reads_back_as_itself(text in "(\\*\\.)?[a-zA-Z0-9.:\\[\\]]{0,20}") {
            if let Ok(pattern) = HostPattern::parse(&text) {
                prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }
    }
}
