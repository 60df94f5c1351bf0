//! Host and port that a client asked for, before any decision.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::host::{Host, HostError};

/// What a client asked for. Its text is `host:port`, or `[v6]:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The host, in normal form.
    pub host: Host,
    /// The TCP port; never 0 when parsed.
    pub port: u16,
}

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// Why a text is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum TargetError {
    /// The host is not one.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No `:port` where one is needed.
    #[error("the port is missing")]
    NoPort,
    /// Not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

impl Target {
    /// A target of parts that are already nouns.
    pub fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// Reads `host:port`; the port is required, as in a CONNECT request (RFC 9110 section 9.3.6).
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let (host, port) = split(text)?;
        let port = port.ok_or(TargetError::NoPort)?;
        Ok(Self::new(Host::parse(host)?, port))
    }

    /// Reads `host` or `host:port`, as in a Host field. An IPv6 address has brackets here.
    pub fn parse_with_default(text: &str, default_port: u16) -> Result<Self, TargetError> {
        let (host, port) = split(text)?;
        Ok(Self::new(Host::parse(host)?, port.unwrap_or(default_port)))
    }

    /// The literal address asked for, if it is one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.address()
    }
}

impl Scheme {
    /// The port of a target that names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Splits at the one place where a port may begin. `evil.com:443.allowed.com` has no port there, and is refused.
pub(crate) fn split(text: &str) -> Result<(&str, Option<u16>), TargetError> {
    let host_end = if text.starts_with('[') {
        text.find(']').ok_or(HostError::Ipv6)? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(host_end);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(parse_port(port)?))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(HostError::Ipv6.into()), // something between `]` and the end
    }
}

/// Decimal digits only: `str::parse` would take `+443`.
pub(crate) fn parse_port(text: &str) -> Result<u16, TargetError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TargetError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(TargetError::Port),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_is_host_and_port() {
        for (written, normal) in [
            ("Example.com:443", "example.com:443"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[::1]:8443", "[::1]:8443"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("a.test:00080", "a.test:80"),
        ] {
            assert_eq!(Target::parse(written).unwrap().to_string(), normal, "{written}");
        }
        assert_eq!(
            Target::parse_with_default("a.test", 443).unwrap().to_string(),
            "a.test:443"
        );
        assert_eq!(
            Target::parse_with_default("[::1]", 443).unwrap().to_string(),
            "[::1]:443"
        );
        assert_eq!(
            Target::parse_with_default("a.test:80", 443).unwrap().to_string(),
            "a.test:80"
        );
    }

    #[test]
    fn what_is_not_exactly_host_and_port_is_refused() {
        for wrong in [
            "a.test",
            "a.test:",
            ":443",
            "a.test:0",
            "a.test:65536",
            "a.test:+1",
            "a.test:-1",
            "a.test: 1",
            "a.test:1 ",
            "a.test:443:443",
            "evil.com:443.allowed.com",
            "evil.com:443@allowed.com",
            "::1:443",
            "[::1]443",
            "[::1]x:443",
            "[::1",
            "[::1]",
            "a.test:４４３",
            "",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong:?}");
        }
        for wrong in ["", ":443", "a.test:", "::1", "a.test:x"] {
            assert!(Target::parse_with_default(wrong, 443).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_of_a_target_reads_back_as_itself(text in "[a-zA-Z0-9.:\\[\\]]{0,30}|[a-z.]{1,9}:[0-9]{1,6}") {
            if let Ok(target) = Target::parse(&text) {
                prop_assert_eq!(Target::parse(&target.to_string()), Ok(target.clone()));
                prop_assert_eq!(Target::parse_with_default(&target.to_string(), 1), Ok(target));
            }
        }
    }
}
