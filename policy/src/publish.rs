//! Ports of a sandbox that clients of the host reach, as they are written: `3000`, `3000:8080`, `3000:0.0.0.0:8080`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// `PORT[:[ADDRESS:]HOSTPORT]`: a port of the sandbox, and where the host finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The port inside.
    pub port: u16,
    /// None: both addresses of the loopback.
    pub address: Option<IpAddr>,
    /// 0: whichever is free.
    pub host_port: u16,
}

/// Not a port to publish.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not PORT, PORT:HOSTPORT or PORT:ADDRESS:HOSTPORT, such as 3000, 3000:8080 or 3000:0.0.0.0:8080"
)]
pub struct PublishError(String);

impl FromStr for Publish {
    type Err = PublishError;

    fn from_str(text: &str) -> Result<Self, PublishError> {
        read(text).ok_or_else(|| PublishError(text.escape_debug().to_string()))
    }
}

fn read(text: &str) -> Option<Publish> {
    let (port, place) = match text.split_once(':') {
        Some((port, place)) => (port, Some(place)),
        None => (text, None),
    };
    let port = number(port).filter(|port| *port > 0)?;
    let (address, host_port) = match place.map(|place| place.rsplit_once(':').ok_or(place)) {
        None => (None, port),
        Some(Err(host_port)) => (None, number(host_port)?),
        Some(Ok((address, host_port))) => (Some(literal(address)?), number(host_port)?),
    };
    Some(Publish {
        port,
        address,
        host_port,
    })
}

/// Digits only: `str::parse` would take `+80`.
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "{}:[{address}]:{}", self.port, self.host_port),
            Some(IpAddr::V4(address)) => write!(f, "{}:{address}:{}", self.port, self.host_port),
            None if self.host_port == self.port => write!(f, "{}", self.port),
            None => write!(f, "{}:{}", self.port, self.host_port),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_port_is_published_on_loopback_unless_an_address_is_named() {
        for (text, port, address, host_port) in [
            ("3000", 3000, None, 3000),
            ("3000:8080", 3000, None, 8080),
            ("3000:0", 3000, None, 0),
            ("3000:0.0.0.0:80", 3000, Some("0.0.0.0"), 80),
            ("3000:[::1]:80", 3000, Some("::1"), 80),
        ] {
            let read: Publish = text.parse().unwrap();
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(
                read,
                Publish {
                    port,
                    address,
                    host_port
                }
            );
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_port_to_publish_is_refused() {
        for wrong in [
            "",
            "0",
            "x",
            "+80",
            "70000",
            "3000:",
            "3000:x",
            "3000:host:80",
            "3000:1.2.3.4:",
            "3000:::1:80",
            ":80",
            "3000:80:90",
        ] {
            assert!(wrong.parse::<Publish>().is_err(), "{wrong}");
        }
    }
}
