//! [`Filter`]: which events are wanted. One meaning for lists, sums, formats and what is followed.

use std::fmt;

use jiff::Timestamp;
use outwall_policy::{HostPattern, PatternError};

use crate::event::{Event, Kind};

/// Which events are wanted. The default wants all.
///
/// What an event does not have, it does not match: a lookup has no method. An ending is wanted when what it ends is, which only
/// who has both can say ([`crate::index`], [`crate::live`]).
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only refusals; with `findings`, either.
    pub denied: bool,
    /// Only findings; with `denied`, either.
    pub findings: bool,
    /// Only of this environment.
    pub environment: Option<String>,
    /// Only of sessions of this name: the whole (`github.com/acme/app#outwall/fix`), its branch, or its repository with or without
    /// the host.
    pub session: Option<String>,
    /// Only of sandboxes whose id begins so (`s-7f3a` finds `s-7f3a001d`).
    pub sandbox: Option<String>,
    /// Only about these hosts: what was sent there, refused, or looked up.
    pub hosts: Option<Hosts>,
    /// Only requests of this method, in any case.
    pub method: Option<String>,
    /// Only refusals and findings with this code.
    pub reason: Option<String>,
    /// Only with this credential.
    pub credential: Option<String>,
    /// Only of programs with this executable: its path, or the last part of it.
    pub program: Option<String>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether an event is wanted, by what it says itself.
    pub fn wants(&self, event: &Event) -> bool {
        self.wants_kind(event.kind)
            && same(self.environment.as_deref(), event.environment.as_deref())
            && self.wants_session(event.session.as_deref())
            && self.wants_sandbox(event.sandbox.as_deref())
            && self.wants_place(event.target.as_deref().or(event.name.as_deref()))
            && self.wants_method(event.method.as_deref())
            && same(self.reason.as_deref(), event.reason.as_deref())
            && same(self.credential.as_deref(), event.credential.as_deref())
            && self.wants_program(
                event
                    .process
                    .as_ref()
                    .and_then(|process| process.executable.as_deref()),
            )
            && self.wants_time(&event.at)
    }

    pub(crate) fn wants_kind(&self, kind: Kind) -> bool {
        match (self.denied, self.findings) {
            (false, false) => true,
            (denied, findings) => (denied && kind == Kind::Denied) || (findings && kind == Kind::Finding),
        }
    }

    pub(crate) fn wants_session(&self, session: Option<&str>) -> bool {
        let Some(wanted) = self.session.as_deref() else {
            return true;
        };
        let Some(session) = session else { return false };
        let (repository, branch) = session.split_once('#').unwrap_or((session, ""));
        let without_host = repository.split_once('/').map_or("", |(_, name)| name);
        [session, repository, branch, without_host].contains(&wanted)
    }

    pub(crate) fn wants_sandbox(&self, sandbox: Option<&str>) -> bool {
        self.sandbox
            .as_deref()
            .is_none_or(|wanted| sandbox.is_some_and(|sandbox| sandbox.starts_with(wanted)))
    }

    pub(crate) fn wants_place(&self, place: Option<&str>) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| place.is_some_and(|place| hosts.contain(place)))
    }

    pub(crate) fn wants_method(&self, method: Option<&str>) -> bool {
        self.method
            .as_deref()
            .is_none_or(|wanted| method.is_some_and(|method| method.eq_ignore_ascii_case(wanted)))
    }

    pub(crate) fn wants_program(&self, program: Option<&str>) -> bool {
        self.program.as_deref().is_none_or(|wanted| {
            program.is_some_and(|program| program == wanted || program.rsplit('/').next() == Some(wanted))
        })
    }

    fn wants_time(&self, at: &str) -> bool {
        let begins = self.since.is_none_or(|since| at >= at_text(since).as_str());
        begins && self.until.is_none_or(|until| at < at_text(until).as_str())
    }
}

fn same(wanted: Option<&str>, is: Option<&str>) -> bool {
    wanted.is_none() || wanted == is
}

/// A time as events have it.
pub(crate) fn at_text(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// A host, or every host below a name, at one port or at any: `example.com`, `*.example.com`, `10.0.0.1:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// `*.` was written before it.
    pub(crate) below: bool,
    /// Canonical: lower case, punycode, no brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Hosts {
    /// Reads what an operator writes, as a policy file has it; here no port means every port.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = HostPattern::parse(text)?;
        let written = pattern.to_string();
        let host = match pattern.port() {
            Some(port) => written.strip_suffix(&format!(":{port}")).unwrap_or(&written),
            None => &written,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let below = host.strip_prefix("*.");
        Ok(Self {
            below: below.is_some(),
            host: below.unwrap_or(host).to_owned(),
            port: pattern.port(),
        })
    }

    /// Whether a target (`host:port`), or a name that was looked up, is one of these.
    pub(crate) fn contain(&self, place: &str) -> bool {
        let (host, port) = host_and_port(place);
        let host = host.to_ascii_lowercase();
        let is_host = if self.below {
            host.strip_suffix(&self.host)
                .is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        } else {
            host == self.host
        };
        is_host && (self.port.is_none() || self.port == port)
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.below { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The parts of a target; a name that was looked up has no port.
pub(crate) fn host_and_port(place: &str) -> (&str, Option<u16>) {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
        _ => (place, None),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_in_a_policy_and_no_port_is_any_port() {
        let contain = |hosts: &str, place: &str| Hosts::parse(hosts).unwrap().contain(place);
        assert!(contain("Example.com", "example.com:8443") && contain("example.com", "example.com"));
        assert!(
            !contain("example.com", "a.example.com:443") && !contain("example.com:80", "example.com:443")
        );
        assert!(contain("*.example.com", "a.b.example.com:443"));
        assert!(
            !contain("*.example.com", "example.com:443") && !contain("*.example.com", "badexample.com:443")
        );
        assert!(
            contain("::1", "[::1]:443")
                && contain("[::1]:443", "[::1]:443")
                && !contain("[::1]:80", "[::1]:443")
        );
        assert!(Hosts::parse("https://example.com/").is_err() && Hosts::parse("*").is_err());
    }

    #[test]
    fn a_session_is_named_by_its_whole_its_branch_or_its_repository() {
        let session = Some("github.com/acme/app#outwall/fix");
        let wants = |wanted: &str| {
            Filter {
                session: Some(wanted.to_owned()),
                ..Filter::default()
            }
            .wants_session(session)
        };
        for named in [
            "github.com/acme/app#outwall/fix",
            "outwall/fix",
            "github.com/acme/app",
            "acme/app",
        ] {
            assert!(wants(named), "{named}");
        }
        for other in ["app", "fix", "github.com/acme/app#outwall", "github.com", ""] {
            assert!(!wants(other), "{other}");
        }
    }
}
