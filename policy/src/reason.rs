//! Why something was refused, as data. The code of each reason is stable: it goes into `x-outwall-reason`, the audit log and
//! the metrics, and operators search for it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::address::AddressClass;
use crate::allowances::{Excess, Limit};
use crate::amount::Bytes;
use crate::blocklist::Blocked;
use crate::brokered::BrokerRefusal;
use crate::credential_fault::CredentialFault;
use crate::github::{GithubRefusal, TokenFault};
use crate::method::Method;
use crate::sizes::SizeLimit;
use crate::target::Target;
use crate::trusted_writes::TrustedWrite;

/// Why a connection or a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The sandbox belongs to an environment that the policy in force does not have.
    UnknownEnvironment,
    /// The environment's level is `none`.
    NetworkNone {
        /// What was asked for.
        target: Target,
    },
    /// No entry of the environment names the host.
    HostNotAllowed {
        /// What was asked for.
        target: Target,
    },
    /// A blocklist names the host, or the address that it leads to.
    Blocklisted {
        /// What was asked for.
        target: Target,
        /// The entry.
        blocked: Box<Blocked>,
    },
    /// The host is allowed, and not at this port.
    PortNotAllowed {
        /// What was asked for.
        target: Target,
    },
    /// An address was asked for as a literal, and no entry names it.
    LiteralNotAllowed {
        /// What was asked for.
        target: Target,
    },
    /// A port of the host's loopback that the environment does not have.
    HostPortNotAllowed {
        /// What was asked for.
        target: Target,
    },
    /// The host is allowed, and resolves to (or is) an address of a class that is refused.
    AddressRefused {
        /// What was asked for.
        target: Target,
        /// The address.
        address: IpAddr,
        /// Why it is refused.
        class: AddressClass,
    },
    /// Somebody asked to dial another address or port than the permit is for.
    AddressMismatch {
        /// What the permit is for.
        target: Target,
        /// What was to be dialled.
        address: SocketAddr,
    },
    /// The host is narrowed by rules, and none allows this request.
    RuleRefused {
        /// Where the request was to go.
        target: Target,
        /// Its method.
        method: Method,
        /// Its path, in normal form.
        path: String,
        /// Another way in which an origin may read the path, when that is what was refused.
        read_as: Option<String>,
    },
    /// The Trusted list grants the host for reading, and this request is no reading.
    TrustedWriteRefused {
        /// Where the request was to go.
        target: Target,
        /// Why it is none.
        write: Box<TrustedWrite>,
    },
    /// HTTP was asked for at a host and port that is allowed as plain TCP only.
    StreamOnly {
        /// What was asked for.
        target: Target,
    },
    /// A connection that is to be intercepted speaks neither TLS nor HTTP.
    NotHttp {
        /// What was asked for.
        target: Target,
    },
    /// A request in the clear came where TLS is required.
    PlainConnectionNotAllowed {
        /// What was asked for.
        target: Target,
    },
    /// Two places that must name the same host and port do not.
    Fronting {
        /// What was decided on.
        target: Target,
        /// What was named besides, as far as it may be repeated.
        named: String,
        /// Where: `SNI`, `Host`, `:authority`, `request target`.
        place: &'static str,
    },
    /// What was asked for cannot be read as host and port.
    MalformedTarget {
        /// What is wrong with it.
        what: String,
    },
    /// The request cannot be read safely.
    MalformedRequest {
        /// What is wrong with it.
        what: String,
    },
    /// The host is allowed, and has no address.
    UnresolvedName {
        /// What was asked for.
        target: Target,
    },
    /// The target is one of the gate's own listeners.
    OwnListener {
        /// What was asked for.
        target: Target,
    },
    /// The target is the parent proxy: whoever speaks to it reaches what it reaches.
    ParentProxy {
        /// What was asked for.
        target: Target,
    },
    /// A protocol that the gate does not upgrade to.
    UpgradeRefused {
        /// As the client named it, as far as it may be repeated.
        protocol: String,
    },
    /// Too many different names below one wildcard: a way to carry data out in names.
    TooManyNames {
        /// The wildcard.
        pattern: String,
    },
    /// More than one of the environment's `limits` lets pass.
    OverLimit {
        /// Where it was to go.
        target: Target,
        /// Which limit.
        limit: Box<Limit>,
        /// For how long it is more.
        excess: Excess,
    },
    /// A request that is larger than the environment's `sizes` let pass.
    TooLarge {
        /// Where it was to go.
        target: Target,
        /// Which size.
        limit: SizeLimit,
    },
    /// What looks like a credential was to be sent to a host that did not issue it.
    CredentialLeaving {
        /// Where it was to go.
        target: Target,
        /// The name of its shape.
        shape: String,
        /// Where in the request it is: `the header field "x-key"`.
        place: String,
    },
    /// A body is coded so that nobody can tell whether a credential is in it.
    UnreadableCoding {
        /// Where it was to go.
        target: Target,
        /// What is wrong.
        what: String,
    },
    /// For the credentials in it, or for the one that it was to get.
    Broker(Box<BrokerRefusal>),
    /// The session of the sandbox may not do this at GitHub.
    Github(Box<GithubRefusal>),
    /// A request to the GitHub that the sandbox's session works at cannot be understood.
    GithubNotUnderstood {
        /// Where it was to go.
        target: Target,
        /// What is wrong with it.
        what: String,
    },
    /// The token of a session cannot be used: it may too much, or nothing there.
    GithubToken {
        /// Where it was to go.
        target: Target,
        /// What is wrong with it.
        fault: TokenFault,
    },
    /// GitHub cannot be asked what has to be known before a request is decided on.
    GithubNotAsked {
        /// Where it was to go.
        target: Target,
        /// What went wrong: never with anything of a secret in it.
        why: String,
    },
    /// A limit of the gate is reached.
    LimitReached {
        /// Which one.
        limit: String,
    },
    /// The policy in force grants no longer what was granted.
    Withdrawn {
        /// What had been granted.
        target: Target,
    },
    /// The audit log cannot be written. No record, no request.
    AuditUnavailable,
    /// Who asks cannot be said, or not any longer: something is wrong with the credential that was shown, or none was.
    Credential(CredentialFault),
}

impl From<BrokerRefusal> for Reason {
    fn from(refusal: BrokerRefusal) -> Self {
        Self::Broker(Box::new(refusal))
    }
}

impl Reason {
    /// The stable code, in kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownEnvironment => "unknown-environment",
            Self::NetworkNone { .. } => "network-none",
            Self::HostNotAllowed { .. } => "host-not-allowed",
            Self::Blocklisted { .. } => "blocklisted",
            Self::PortNotAllowed { .. } => "port-not-allowed",
            Self::LiteralNotAllowed { .. } => "literal-not-allowed",
            Self::HostPortNotAllowed { .. } => "host-port-not-allowed",
            Self::AddressRefused { .. } => "address-refused",
            Self::AddressMismatch { .. } => "address-mismatch",
            Self::RuleRefused { .. } => "rule-refused",
            Self::TrustedWriteRefused { .. } => "trusted-write-refused",
            Self::StreamOnly { .. } => "stream-only",
            Self::NotHttp { .. } => "not-http",
            Self::PlainConnectionNotAllowed { .. } => "plain-connection-not-allowed",
            Self::Fronting { .. } => "fronting",
            Self::MalformedTarget { .. } => "malformed-target",
            Self::MalformedRequest { .. } => "malformed-request",
            Self::UnresolvedName { .. } => "unresolved-name",
            Self::OwnListener { .. } => "own-listener",
            Self::ParentProxy { .. } => "parent-proxy",
            Self::UpgradeRefused { .. } => "upgrade-refused",
            Self::TooManyNames { .. } => "too-many-names",
            Self::OverLimit { limit, .. } => limit.code(),
            Self::TooLarge { limit, .. } => limit.part.code(),
            Self::CredentialLeaving { .. } => "credential-leaving",
            Self::UnreadableCoding { .. } => "unreadable-coding",
            Self::Broker(refusal) => refusal.code(),
            Self::Github(refusal) => refusal.code(),
            Self::GithubNotUnderstood { .. } => "github-not-understood",
            Self::GithubToken { .. } => "github-token-unfit",
            Self::GithubNotAsked { .. } => "github-not-asked",
            Self::LimitReached { .. } => "limit-reached",
            Self::Withdrawn { .. } => "withdrawn",
            Self::AuditUnavailable => "audit-unavailable",
            Self::Credential(fault) => fault.code(),
        }
    }

    /// After how many seconds the same may be asked again; none where waiting does not help.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::OverLimit {
                excess: Excess::For(wait),
                ..
            } => Some(seconds(*wait)),
            Self::Credential(CredentialFault::TooManyAttempts) => Some(3),
            _ => None,
        }
    }

    /// What was asked for, where the reason is about one target.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::NetworkNone { target }
            | Self::HostNotAllowed { target }
            | Self::PortNotAllowed { target }
            | Self::Blocklisted { target, .. }
            | Self::LiteralNotAllowed { target }
            | Self::HostPortNotAllowed { target }
            | Self::AddressRefused { target, .. }
            | Self::AddressMismatch { target, .. }
            | Self::RuleRefused { target, .. }
            | Self::TrustedWriteRefused { target, .. }
            | Self::StreamOnly { target }
            | Self::NotHttp { target }
            | Self::PlainConnectionNotAllowed { target }
            | Self::Fronting { target, .. }
            | Self::UnresolvedName { target }
            | Self::OwnListener { target }
            | Self::OverLimit { target, .. }
            | Self::TooLarge { target, .. }
            | Self::ParentProxy { target }
            | Self::CredentialLeaving { target, .. }
            | Self::UnreadableCoding { target, .. }
            | Self::GithubNotUnderstood { target, .. }
            | Self::GithubToken { target, .. }
            | Self::GithubNotAsked { target, .. }
            | Self::Withdrawn { target } => Some(target),
            Self::Broker(refusal) => Some(refusal.target()),
            Self::UnknownEnvironment
            | Self::MalformedTarget { .. }
            | Self::MalformedRequest { .. }
            | Self::UpgradeRefused { .. }
            | Self::TooManyNames { .. }
            | Self::Github(_)
            | Self::LimitReached { .. }
            | Self::AuditUnavailable
            | Self::Credential(_) => None,
        }
    }
}

/// Whole seconds, at least one: whoever comes back then finds room.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The middle of a sentence: "… was refused: `{reason}`".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEnvironment => f.write_str("the policy in force has no such environment"),
            Self::NetworkNone { target } => {
                write!(f, "{target} is not reachable: the environment has no network")
            }
            Self::HostNotAllowed { target } => write!(f, "{} is not on the allowlist", target.host),
            Self::Blocklisted { target, blocked } => {
                write!(f, "{} is refused by {blocked}", target.host)
            }
            Self::PortNotAllowed { target } => {
                write!(f, "{} is allowed, but not at port {}", target.host, target.port)
            }
            Self::LiteralNotAllowed { target } => {
                write!(
                    f,
                    "no entry names the address {target}, and addresses must be named"
                )
            }
            Self::HostPortNotAllowed { target } => {
                write!(
                    f,
                    "port {} of the host is not one that the sandbox may reach",
                    target.port
                )
            }
            Self::AddressRefused {
                target,
                address,
                class,
            } => {
                write!(f, "{target} leads to {address}, which is {class}")
            }
            Self::AddressMismatch { target, address } => {
                write!(f, "the permit for {target} does not cover {address}")
            }
            Self::RuleRefused {
                target,
                method,
                path,
                read_as,
            } => {
                write!(f, "no rule for {} allows {method} {path}", target.host)?;
                match read_as {
                    Some(other) => write!(f, " (which an origin may read as {other})"),
                    None => Ok(()),
                }
            }
            Self::TrustedWriteRefused { target, write } => {
                write!(
                    f,
                    "{} is on the Trusted list for reading, and {write}",
                    target.host
                )
            }
            Self::StreamOnly { target } => {
                write!(f, "{target} is allowed as plain TCP, not for HTTP requests")
            }
            Self::NotHttp { target } => write!(f, "the connection to {target} speaks neither TLS nor HTTP"),
            Self::PlainConnectionNotAllowed { target } => write!(f, "{target} may be reached over TLS only"),
            Self::Fronting { target, named, place } => {
                write!(f, "the connection is for {target}, but {place} names {named}")
            }
            Self::MalformedTarget { what } => write!(f, "the target cannot be read: {what}"),
            Self::MalformedRequest { what } => write!(f, "the request cannot be read: {what}"),
            Self::UnresolvedName { target } => write!(f, "{} has no address", target.host),
            Self::OwnListener { target } => write!(f, "{target} is the gate itself"),
            Self::ParentProxy { target } => write!(f, "{target} is the proxy behind the gate"),
            Self::UpgradeRefused { protocol } => write!(f, "upgrading to {protocol} is refused"),
            Self::TooManyNames { pattern } => {
                write!(f, "too many different names below {pattern} were asked for")
            }
            Self::OverLimit { limit, excess, .. } => match excess {
                Excess::For(wait) => write!(f, "{limit}, and there is room again in {} s", seconds(*wait)),
                Excess::Forever => write!(f, "{limit}, and this is more than all of that"),
            },
            Self::CredentialLeaving { target, shape, place } => leaving(f, target, shape, place),
            Self::UnreadableCoding { target, what } => unreadable(f, target, what),
            Self::TooLarge { target, limit } => write!(
                f,
                "the {} of a request to {} may have {}, and this one has more",
                limit.part,
                target.host,
                Bytes(limit.most)
            ),
            Self::Broker(refusal) => fmt::Display::fmt(refusal, f),
            Self::Github(refusal) => fmt::Display::fmt(refusal, f),
            Self::GithubNotUnderstood { what, .. } => {
                write!(f, "the request to GitHub is not understood: {what}")
            }
            Self::GithubToken { fault, .. } => fmt::Display::fmt(fault, f),
            Self::GithubNotAsked { why, .. } => write!(f, "what the request would do cannot be asked: {why}"),
            Self::LimitReached { limit } => write!(f, "a limit is reached: {limit}"),
            Self::Withdrawn { target } => {
                write!(f, "the policy in force does not grant {target} any longer")
            }
            Self::AuditUnavailable => f.write_str("the audit log cannot be written"),
            Self::Credential(fault) => fmt::Display::fmt(fault, f),
        }
    }
}

fn leaving(f: &mut fmt::Formatter<'_>, target: &Target, shape: &str, place: &str) -> fmt::Result {
    let host = &target.host;
    write!(
        f,
        "{place} has what looks like a credential ({shape}), which {host} did not issue"
    )
}

fn unreadable(f: &mut fmt::Formatter<'_>, target: &Target, what: &str) -> fmt::Result {
    write!(
        f,
        "the body for {} cannot be searched for credentials: {what}",
        target.host
    )
}
