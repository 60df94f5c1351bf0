//! Where a service is that gives secrets.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::host::Host;
use crate::target::{Scheme, Target, TargetError};

/// `https://HOST[:PORT][/PATH]`, or `http://` to this machine only: whoever asks shows a secret of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceUrl {
    scheme: Scheme,
    target: Target,
    /// Empty, or begins with a slash and ends without one.
    path: String,
}

/// Why a text is no such URL. The text is not repeated, for a password may be within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ServiceUrlError {
    /// Neither `https://` nor `http://`.
    #[error("it does not begin with `https://`")]
    Scheme,
    /// `http://` to another machine.
    #[error("it is `http://` to another machine, where the gate's own secret could be read on the way")]
    PlainHttp,
    /// `user@`.
    #[error("it has a user name or a password within")]
    UserInfo,
    /// `?` or `#`.
    #[error("it has a query or a fragment")]
    Query,
    /// A path that does not mean one thing.
    #[error("its path is not made of letters, digits, `-`, `.`, `_`, `~` and `/`")]
    Path,
    /// The host or the port.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl ServiceUrl {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        let url = Self::parse_exposed(text)?;
        if url.is_exposed() {
            return Err(ServiceUrlError::PlainHttp);
        }
        Ok(url)
    }

    /// Whether what is said to it could be read on the way: `http://` to another machine.
    pub(crate) fn is_exposed(&self) -> bool {
        self.scheme == Scheme::Http && !is_this_machine(&self.target.host)
    }

    /// The same, of a service that nobody shows a secret: `http://` may lead to other machines.
    pub(crate) fn parse_exposed(text: &str) -> Result<Self, ServiceUrlError> {
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else {
            return Err(ServiceUrlError::Scheme);
        };
        if rest.contains(['?', '#']) {
            return Err(ServiceUrlError::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(ServiceUrlError::UserInfo);
        }
        let target = Target::parse_with_default(authority, scheme.default_port())?;
        let path = path.trim_end_matches('/');
        if !path.is_empty() && !path[1..].split('/').all(is_segment) {
            return Err(ServiceUrlError::Path);
        }
        Ok(Self {
            scheme,
            target,
            path: path.to_owned(),
        })
    }

    /// `https`; `http` to this machine, or without a secret.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What goes before every path of its interface: empty, or begins with a slash and ends without one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host, and the port where it is not the scheme's own: the value of a Host field.
    pub fn authority(&self) -> String {
        let whole = self.target.to_string();
        match whole.rsplit_once(':') {
            Some((host, _)) if self.target.port == self.scheme.default_port() => host.to_owned(),
            Some(_) | None => whole,
        }
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Address(address) => address.is_loopback(),
        Host::Name(name) => name.as_str() == "localhost",
    }
}

/// No empty one, no `.` and `..`, nothing that would have to be encoded.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
}

impl FromStr for ServiceUrl {
    type Err = ServiceUrlError;

    fn from_str(text: &str) -> Result<Self, ServiceUrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn services_are_spoken_to_over_tls_or_on_this_machine() {
        for (text, shown) in [
            ("https://api.github.com", "https://api.github.com"),
            ("https://Vault.Corp.test:8200/", "https://vault.corp.test:8200"),
            ("https://ghe.test:443/api/v3", "https://ghe.test/api/v3"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("http://[::1]:8200/", "http://[::1]:8200"),
            ("http://[::1]", "http://[::1]"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(ServiceUrl::parse(text).unwrap().to_string(), shown);
        }
        for (text, error) in [
            ("http://vault.corp.test:8200", ServiceUrlError::PlainHttp),
            ("http://10.0.0.1:8200", ServiceUrlError::PlainHttp),
            ("http://localhost.evil.test", ServiceUrlError::PlainHttp),
            ("vault.corp.test:8200", ServiceUrlError::Scheme),
            ("https://me:hunter2@vault.test", ServiceUrlError::UserInfo),
            ("https://vault.test/?a=b", ServiceUrlError::Query),
            ("https://vault.test/a/../b", ServiceUrlError::Path),
            ("https://vault.test//a", ServiceUrlError::Path),
            ("https://vault.test/%2e", ServiceUrlError::Path),
        ] {
            assert_eq!(ServiceUrl::parse(text), Err(error), "{text}");
        }
        assert!(matches!(
            ServiceUrl::parse("https://vault.test:0"),
            Err(ServiceUrlError::Target(TargetError::Port))
        ));
    }
}
