//! How much a sandbox may use: requests, connections and bytes, in all and of each host. The numbers only; the proxy counts.

use std::fmt;
use std::time::Duration;

use crate::amount::Bytes;
use crate::host::Host;
use crate::pattern::HostPattern;
use crate::target::Target;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// Requests a minute.
    Requests,
    /// New connections a minute.
    Connections,
    /// Requests that run at the same time.
    Concurrent,
    /// Bytes an hour that go to origins: heads and bodies of requests, and what tunnels carry.
    Upload,
    /// Bytes an hour that come back.
    Download,
}

/// Whose use is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// All of the sandbox's.
    Sandbox,
    /// What the sandbox uses of one host, by `limits.each_host`.
    Host(Host),
    /// What the sandbox uses of all hosts of a pattern, by an entry of `limits.hosts`.
    Hosts(HostPattern),
}

/// One limit as it is written, for the scope that it is counted in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    pub(crate) scope: LimitScope,
    pub(crate) kind: LimitKind,
    pub(crate) amount: u64,
    /// In the file, from 1.
    pub(crate) line: Option<u32>,
}

/// Why something is more than a limit lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It will fit after this long.
    For(Duration),
    /// It is more than the whole limit, and will never fit.
    Forever,
}

/// An environment's limits, compiled.
#[derive(Clone, Debug, Default)]
pub struct Allowances {
    pub(crate) sandbox: Amounts,
    pub(crate) each_host: Amounts,
    /// In the order of the document.
    pub(crate) hosts: Vec<(HostPattern, Amounts)>,
}

/// An amount and its line, for each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts(pub(crate) [Option<(u64, Option<u32>)>; LimitKind::ALL.len()]);

impl LimitKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Connections,
        Self::Concurrent,
        Self::Upload,
        Self::Download,
    ];

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its key in a policy file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Connections => "connections_per_minute",
            Self::Concurrent => "concurrent_requests",
            Self::Upload => "upload_bytes_per_hour",
            Self::Download => "download_bytes_per_hour",
        }
    }

    /// The time in which an amount that was used up is whole again; none where using ends by itself.
    pub fn period(self) -> Option<Duration> {
        match self {
            Self::Requests | Self::Connections => Some(Duration::from_mins(1)),
            Self::Concurrent => None,
            Self::Upload | Self::Download => Some(Duration::from_hours(1)),
        }
    }

    /// True where the requests have to be read to be counted.
    pub(crate) fn is_of_requests(self) -> bool {
        matches!(self, Self::Requests | Self::Concurrent)
    }
}

impl Allowances {
    /// The sandbox's limit of a kind.
    pub fn of_sandbox(&self, kind: LimitKind) -> Option<Limit> {
        self.sandbox.limit(kind, || LimitScope::Sandbox)
    }

    /// The limit of a kind for a target beside the sandbox's: the first entry of `limits.hosts` that names the target and has
    /// this key, else `limits.each_host`. An entry without a port is for every port.
    pub fn of_host(&self, target: &Target, kind: LimitKind) -> Option<Limit> {
        let mut named = self.hosts.iter().filter(|(pattern, _)| pattern.names(target));
        named
            .find_map(|(pattern, amounts)| amounts.limit(kind, || LimitScope::Hosts(pattern.clone())))
            .or_else(|| {
                self.each_host
                    .limit(kind, || LimitScope::Host(target.host.clone()))
            })
    }

    /// Every limit as it is written, for people to read: whose, and how much.
    pub fn entries(&self) -> impl Iterator<Item = LimitEntry> + '_ {
        let sandbox = [("the sandbox".to_owned(), &self.sandbox)].into_iter();
        let each = [("each host".to_owned(), &self.each_host)].into_iter();
        let hosts = self
            .hosts
            .iter()
            .map(|(pattern, amounts)| (pattern.to_string(), amounts));
        sandbox.chain(each).chain(hosts).flat_map(|(whose, amounts)| {
            LimitKind::ALL.into_iter().filter_map(move |kind| {
                let (amount, line) = amounts.0[kind.index()]?;
                Some(LimitEntry {
                    whose: whose.clone(),
                    limit: kind.in_words(amount),
                    line: line.map(|line| line as usize),
                })
            })
        })
    }
}

/// One limit, for people to read.
#[derive(Clone, Debug)]
pub struct LimitEntry {
    /// `the sandbox`, `each host`, or a pattern.
    pub whose: String,
    /// `600 requests per minute`.
    pub limit: String,
    /// Its line in the document, from 1, when it is written there.
    pub line: Option<usize>,
}

impl Amounts {
    fn limit(&self, kind: LimitKind, scope: impl FnOnce() -> LimitScope) -> Option<Limit> {
        let (amount, line) = self.0[kind.index()]?;
        Some(Limit {
            scope: scope(),
            kind,
            amount,
            line,
        })
    }
}

impl LimitKind {
    fn in_words(self, amount: u64) -> String {
        match self {
            Self::Requests => format!("{amount} requests per minute"),
            Self::Connections => format!("{amount} new connections per minute"),
            Self::Concurrent => format!("{amount} requests at once"),
            Self::Upload => format!("{} of upload per hour", Bytes(amount)),
            Self::Download => format!("{} of download per hour", Bytes(amount)),
        }
    }
}

impl Limit {
    /// Whose use it counts.
    pub fn scope(&self) -> &LimitScope {
        &self.scope
    }

    /// What it counts.
    pub fn kind(&self) -> LimitKind {
        self.kind
    }

    /// How much it lets pass: so many at once, or so many within the kind's period.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// The stable code of a refusal by it.
    pub(crate) fn code(&self) -> &'static str {
        match (&self.scope, self.kind) {
            (LimitScope::Sandbox, LimitKind::Requests) => "sandbox-request-rate",
            (LimitScope::Sandbox, LimitKind::Connections) => "sandbox-connection-rate",
            (LimitScope::Sandbox, LimitKind::Concurrent) => "sandbox-concurrent-requests",
            (LimitScope::Sandbox, LimitKind::Upload) => "sandbox-upload-budget",
            (LimitScope::Sandbox, LimitKind::Download) => "sandbox-download-budget",
            (_, LimitKind::Requests) => "host-request-rate",
            (_, LimitKind::Connections) => "host-connection-rate",
            (_, LimitKind::Concurrent) => "host-concurrent-requests",
            (_, LimitKind::Upload) => "host-upload-budget",
            (_, LimitKind::Download) => "host-download-budget",
        }
    }

    /// The key as it is written in the file: `limits.each_host.requests_per_minute = 120`.
    pub(crate) fn as_written(&self) -> String {
        let amount = match self.kind {
            LimitKind::Requests | LimitKind::Connections | LimitKind::Concurrent => self.amount.to_string(),
            LimitKind::Upload | LimitKind::Download => format!("\"{}\"", Bytes(self.amount)),
        };
        let key = self.kind.key();
        match &self.scope {
            LimitScope::Sandbox => format!("limits.{key} = {amount}"),
            LimitScope::Host(_) => format!("limits.each_host.{key} = {amount}"),
            LimitScope::Hosts(pattern) => format!("limits.hosts \"{pattern}\" {key} = {amount}"),
        }
    }
}

/// `a.test may be sent 120 requests per minute by a sandbox`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.kind.in_words(self.amount);
        match &self.scope {
            LimitScope::Sandbox => write!(f, "the sandbox has {amount}"),
            LimitScope::Host(host) => write!(f, "the sandbox has {amount} for {host}"),
            LimitScope::Hosts(pattern) => write!(f, "the sandbox has {amount} for {pattern}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn amounts(of: &[(LimitKind, u64)]) -> Amounts {
        let mut amounts = Amounts::default();
        for (kind, amount) in of {
            amounts.0[kind.index()] = Some((*amount, None));
        }
        amounts
    }

    fn host_amount(allowances: &Allowances, target: &str, kind: LimitKind) -> Option<u64> {
        let limit = allowances.of_host(&Target::parse(target).unwrap(), kind);
        limit.map(|limit| limit.amount)
    }

    #[test]
    fn each_kind_stands_at_its_place() {
        for (place, kind) in LimitKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), place);
        }
    }

    #[test]
    fn a_named_host_has_its_own_limit_of_a_kind_and_else_that_of_each_host() {
        use LimitKind::{Requests, Upload};
        let allowances = Allowances {
            sandbox: amounts(&[(Requests, 600)]),
            each_host: amounts(&[(Requests, 120), (Upload, 50)]),
            hosts: vec![
                (HostPattern::parse("*.a.test").unwrap(), amounts(&[(Upload, 10)])),
                (
                    HostPattern::parse("x.a.test").unwrap(),
                    amounts(&[(Upload, 20), (Requests, 5)]),
                ),
                (
                    HostPattern::parse("b.test:8443").unwrap(),
                    amounts(&[(Upload, 30)]),
                ),
            ],
        };
        for (target, kind, amount) in [
            ("x.a.test:443", Upload, 10),   // the first entry that has the key
            ("x.a.test:9999", Requests, 5), // at every port
            ("y.a.test:443", Requests, 120),
            ("a.test:443", Upload, 50),
            ("b.test:8443", Upload, 30),
            ("b.test:443", Upload, 50),
        ] {
            assert_eq!(
                host_amount(&allowances, target, kind),
                Some(amount),
                "{target} {kind:?}"
            );
        }
        assert_eq!(host_amount(&allowances, "a.test:443", LimitKind::Download), None);
        assert_eq!(allowances.of_sandbox(Requests).unwrap().amount, 600);
        assert_eq!(allowances.of_sandbox(Upload), None);
    }
}
