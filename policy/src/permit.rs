//! Proofs of a decision to allow. Their fields are private and nothing outside this crate constructs them, so whoever holds
//! one has asked. Cloning any of them costs a reference count.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::allowances::Limit;
use crate::brokered::Brokerage;
use crate::client_certificate::ClientCertificate;
use crate::decision::{Action, Writing};
use crate::environment::Treatment;
use crate::github::{GithubHost, GithubUse};
use crate::host_ports;
use crate::method::Method;
use crate::path::RequestPath;
use crate::pattern::HostPattern;
use crate::sandbox::{EnvironmentName, Sandbox};
use crate::sizes::{SizeLimit, SizeLimits};
use crate::target::{Scheme, Target};

/// Which line of the policy decided. Its text is what an operator finds in the file: `allowed_domains "*.example.com"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleName {
    /// An entry of `always_reachable`.
    AlwaysReachable(HostPattern),
    /// An entry of `tunnelled_domains`.
    Tunnelled(HostPattern),
    /// An entry of `tcp`.
    Tcp(HostPattern),
    /// An entry of `allowed_domains`.
    Allowed(HostPattern),
    /// An entry of the Trusted list.
    Trusted {
        /// Its category.
        category: &'static str,
        /// The entry.
        pattern: HostPattern,
    },
    /// An exception for a request that writes to a host of the Trusted list.
    TrustedWrite {
        /// What it is.
        name: &'static str,
        /// The hosts that it is for.
        pattern: HostPattern,
    },
    /// A port of `host_ports`.
    HostPort(u16),
    /// The level `full`.
    Full,
    /// No line: the environment learns.
    Learn,
    /// Beside the document: somebody let a running sandbox reach it.
    Granted {
        /// The hosts.
        pattern: HostPattern,
        /// By whom, and until when.
        note: Arc<str>,
    },
    /// A rule on requests.
    Rule {
        /// Its place among the environment's rules, from 1.
        number: usize,
        /// The hosts that it names.
        host: HostPattern,
    },
    /// One of `limits`.
    Limit(Limit),
    /// An entry of `sizes`.
    Size(SizeLimit),
    /// A table of `[[github]]`, for a sandbox whose session works there.
    Github(GithubHost),
    /// Where that GitHub led a request that was allowed: a signed URL, a store of LFS.
    GithubStorage(GithubHost),
}

/// Proof that a sandbox may connect to a target.
#[derive(Clone, Debug)]
pub struct ConnectionPermit {
    granted: Arc<Granted>,
}

#[derive(Debug)]
struct Granted {
    sandbox: Sandbox,
    target: Target,
    rule: RuleName,
    treatment: Treatment,
}

/// Proof that a request may be sent, over the connection that it came by.
#[derive(Clone, Debug)]
pub struct RequestPermit {
    connection: ConnectionPermit,
    scheme: Scheme,
    method: Method,
    pub(crate) acts_as: Option<Method>,
    pub(crate) writing: Writing,
    path: RequestPath,
    rule: RuleName,
    sizes: SizeLimits,
    client_certificate: Option<Arc<ClientCertificate>>,
    brokerage: Option<Arc<Brokerage>>,
    github: Option<Arc<GithubUse>>,
}

/// A request that may be sent, inseparable from its permit until it is sent.
#[derive(Debug)]
pub struct Permitted<R> {
    permit: RequestPermit,
    carried: R,
}

/// Proof that an address may be dialled for a connection.
#[derive(Clone, Debug)]
pub struct DialPermit {
    connection: ConnectionPermit,
    address: SocketAddr,
}

/// Proof that the parent proxy may be asked for a connection.
#[derive(Clone, Debug)]
pub struct ParentPermit {
    connection: ConnectionPermit,
    asked_for: Target,
}

impl ConnectionPermit {
    pub(crate) fn new(sandbox: Sandbox, target: Target, rule: RuleName, treatment: Treatment) -> Self {
        Self {
            granted: Arc::new(Granted {
                sandbox,
                target,
                rule,
                treatment,
            }),
        }
    }

    /// Who asked.
    pub fn sandbox(&self) -> &Sandbox {
        &self.granted.sandbox
    }

    /// The environment that allowed it.
    pub fn environment(&self) -> &EnvironmentName {
        &self.granted.sandbox.environment
    }

    /// What may be reached.
    pub fn target(&self) -> &Target {
        &self.granted.target
    }

    /// Which line of the policy allowed it.
    pub fn rule(&self) -> &RuleName {
        &self.granted.rule
    }

    /// Where to dial when it is for a port of the host: nothing is resolved then.
    pub fn host_port(&self) -> Option<[SocketAddr; 2]> {
        match self.granted.rule {
            RuleName::HostPort(port) => Some(host_ports::addresses(port)),
            _ => None,
        }
    }

    /// What may be done with it.
    pub fn treatment(&self) -> Treatment {
        self.granted.treatment
    }
}

impl RequestPermit {
    /// The connection that the request came by.
    pub fn connection(&self) -> &ConnectionPermit {
        &self.connection
    }

    /// Who asked.
    pub fn sandbox(&self) -> &Sandbox {
        self.connection.sandbox()
    }

    /// Where the request goes.
    pub fn target(&self) -> &Target {
        self.connection.target()
    }

    /// The scheme to the origin.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The method to send.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The method that a header asks the origin to take it as, when it is another one.
    pub fn acts_as(&self) -> Option<&Method> {
        self.acts_as.as_ref()
    }

    /// What it carries besides its head.
    pub fn writing(&self) -> Writing {
        self.writing
    }

    /// The path to send: the one that was decided on.
    pub fn path(&self) -> &RequestPath {
        &self.path
    }

    /// The certificate that it is sent with, if there is one for its host and environment. A connection with one is not to be
    /// used for requests without it, nor with another.
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_deref()
    }

    /// What the broker has to do with it; none where its host has neither a credential nor a preset.
    pub fn brokerage(&self) -> Option<&Arc<Brokerage>> {
        self.brokerage.as_ref()
    }

    /// What it does at the GitHub that the sandbox's session works at; none for every other request.
    pub fn github(&self) -> Option<&Arc<GithubUse>> {
        self.github.as_ref()
    }

    /// Which line of the policy allowed it: a rule when the host has rules, else what allowed the connection.
    pub fn rule(&self) -> &RuleName {
        &self.rule
    }

    /// How large the request may be.
    pub fn sizes(&self) -> SizeLimits {
        self.sizes
    }
}

impl<R> Permitted<R> {
    pub(crate) fn new(
        connection: ConnectionPermit,
        action: Action<R>,
        rule: RuleName,
        sizes: SizeLimits,
        (client_certificate, brokerage): (Option<Arc<ClientCertificate>>, Option<Arc<Brokerage>>),
    ) -> Self {
        Self {
            permit: RequestPermit {
                connection,
                scheme: action.scheme,
                method: action.method,
                acts_as: action.acts_as,
                writing: action.writing,
                path: action.path,
                rule,
                sizes,
                client_certificate,
                brokerage,
                github: None,
            },
            carried: action.carried,
        }
    }

    pub(crate) fn from_parts(permit: RequestPermit, carried: R) -> Self {
        Self { permit, carried }
    }

    /// For this use of GitHub, which the broker has nothing to do with: the session's token is put in, or none.
    pub(crate) fn for_github(mut self, used: GithubUse) -> Self {
        self.permit.github = Some(Arc::new(used));
        self.permit.brokerage = None;
        self
    }

    /// The proof.
    pub fn permit(&self) -> &RequestPermit {
        &self.permit
    }

    /// What the action carried.
    pub fn carried(&self) -> &R {
        &self.carried
    }

    /// What the action carried, to be changed on its way out.
    pub fn carried_mut(&mut self) -> &mut R {
        &mut self.carried
    }

    /// Takes the two apart.
    pub fn into_parts(self) -> (RequestPermit, R) {
        (self.permit, self.carried)
    }
}

impl DialPermit {
    pub(crate) fn new(connection: ConnectionPermit, address: SocketAddr) -> Self {
        Self { connection, address }
    }

    /// The address to dial, and no other.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connection that it is for.
    pub fn connection(&self) -> &ConnectionPermit {
        &self.connection
    }
}

impl ParentPermit {
    pub(crate) fn new(connection: ConnectionPermit, asked_for: Target) -> Self {
        Self {
            connection,
            asked_for,
        }
    }

    /// What to ask for, and nothing else: the target by its name, or one of its addresses.
    pub fn asked_for(&self) -> &Target {
        &self.asked_for
    }

    /// The connection that it is for.
    pub fn connection(&self) -> &ConnectionPermit {
        &self.connection
    }
}

impl RuleName {
    /// The pattern that matched, if the line has one.
    pub fn pattern(&self) -> Option<&HostPattern> {
        match self {
            Self::AlwaysReachable(pattern)
            | Self::Tunnelled(pattern)
            | Self::Tcp(pattern)
            | Self::Allowed(pattern)
            | Self::Trusted { pattern, .. }
            | Self::Granted { pattern, .. }
            | Self::TrustedWrite { pattern, .. }
            | Self::Rule { host: pattern, .. } => Some(pattern),
            Self::Full
            | Self::Learn
            | Self::HostPort(_)
            | Self::Limit(_)
            | Self::Size(_)
            | Self::Github(_)
            | Self::GithubStorage(_) => None,
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysReachable(pattern) => write!(f, "always_reachable \"{pattern}\""),
            Self::Tunnelled(pattern) => write!(f, "tunnelled_domains \"{pattern}\""),
            Self::Tcp(pattern) => write!(f, "tcp \"{pattern}\""),
            Self::Allowed(pattern) => write!(f, "allowed_domains \"{pattern}\""),
            Self::Trusted { category, .. } => write!(f, "trusted: {category}"),
            Self::TrustedWrite { name, pattern } => write!(f, "trusted write: {name} at \"{pattern}\""),
            Self::HostPort(port) => write!(f, "host_ports {port}"),
            Self::Full => f.write_str("network = \"full\""),
            Self::Learn => f.write_str("learn"),
            Self::Granted { pattern, note } => write!(f, "granted \"{pattern}\" ({note})"),
            Self::Rule { number, host } => write!(f, "rule {number} for \"{host}\""),
            Self::Limit(limit) => write_bound(f, &limit.as_written(), limit.line),
            Self::Size(limit) => write_bound(f, &limit.as_written(), limit.line),
            Self::Github(host) => write!(f, "github \"{host}\""),
            Self::GithubStorage(host) => write!(f, "github \"{host}\", which led there"),
        }
    }
}

fn write_bound(f: &mut fmt::Formatter<'_>, written: &str, line: Option<u32>) -> fmt::Result {
    match line {
        Some(line) => write!(f, "{written}, line {line}"),
        None => f.write_str(written),
    }
}
