//! One environment, compiled: which targets it grants, and how connections to them are treated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::address::AddressClass;
use crate::allowances::Allowances;
use crate::blocklist::{Blocked, Blocklist};
use crate::brokered::{ForeignByHost, ForeignCredentials};
use crate::credential::LeakScan;
use crate::document::{NetworkLevel, RefusedNames};
use crate::host::{DomainName, Host};
use crate::host_ports::{self, HostPorts};
use crate::matcher::{Found, Grant, Matcher, Row};
use crate::pattern::HostPattern;
use crate::pattern::USUAL_PORTS;
use crate::permit::RuleName;
use crate::publish::Publish;
use crate::reason::Reason;
use crate::recording::MessageRecording;
use crate::rules::Rules;
use crate::sandbox::EnvironmentName;
use crate::sizes::{SizeListing, Sizes};
use crate::target::Target;
use crate::trusted;

/// What is done with an allowed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Treatment {
    /// Its requests are read and decided on one by one.
    Intercept,
    /// As [`Intercept`](Self::Intercept), for requests in absolute form.
    Forward,
    /// Relayed unread, because its client pins certificates.
    Tunnel,
    /// Plain TCP, relayed unread.
    Stream,
}

/// What an environment has of the Trusted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrustedList {
    /// Nothing.
    Absent,
    /// Its hosts, for reading and the exceptions of [`trusted_writes`](crate::trusted_writes).
    Read,
    /// Its hosts, for every request (`trusted_writes = true`).
    ReadAndWrite,
}

/// One line of what an environment reaches, with where it comes from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The hosts: a pattern, or `any public host`.
    pub hosts: String,
    /// Where the entry comes from.
    pub rule: RuleName,
    /// What is done with connections to it.
    pub treatment: Treatment,
    /// Its line in the document, from 1, when it is written there.
    pub line: Option<usize>,
}

/// One rule on requests, for people to read.
#[derive(Clone, Debug)]
pub struct RuleEntry {
    /// Its number and its hosts.
    pub rule: RuleName,
    /// True when it allows, false when it denies.
    pub allows: bool,
    /// Which requests: `GET, HEAD of /v1/**`.
    pub requests: String,
}

/// One environment, compiled.
#[derive(Debug)]
pub struct Environment {
    pub(crate) name: EnvironmentName,
    pub(crate) network: NetworkLevel,
    pub(crate) matcher: Matcher,
    /// They win over everything.
    pub(crate) blocklists: Vec<Arc<Blocklist>>,
    pub(crate) host_ports: HostPorts,
    pub(crate) publish: Vec<Publish>,
    pub(crate) trace_context: Vec<HostPattern>,
    pub(crate) include_trusted: bool,
    pub(crate) trusted_writes: bool,
    pub(crate) rules: Rules,
    pub(crate) exceptions: Exceptions,
    pub(crate) nested_namespaces: bool,
    pub(crate) names_below_one_wildcard: Option<usize>,
    /// None where nothing is limited.
    pub(crate) allowances: Option<Allowances>,
    pub(crate) sizes: Sizes,
    pub(crate) leak_scan: LeakScan,
    pub(crate) recording: MessageRecording,
    pub(crate) foreign_credentials: ForeignByHost,
    pub(crate) refused_names: RefusedNames,
    /// What it reaches, in a few words.
    pub(crate) summary: Arc<str>,
}

/// `allowed_addresses`: ranges that are reached although their class is refused.
#[derive(Debug, Default)]
pub(crate) struct Exceptions(pub(crate) Vec<IpNet>);

impl Environment {
    /// Its name.
    pub fn name(&self) -> &EnvironmentName {
        &self.name
    }

    /// Its level.
    pub fn network(&self) -> NetworkLevel {
        self.network
    }

    /// What its sandboxes may do with hosts of the Trusted list.
    pub fn trusted_list(&self) -> TrustedList {
        match (self.include_trusted, self.trusted_writes) {
            (false, _) => TrustedList::Absent,
            (true, false) => TrustedList::Read,
            (true, true) => TrustedList::ReadAndWrite,
        }
    }

    /// Ports of the host's loopback that its sandboxes may reach.
    pub fn host_ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.host_ports.0.keys().copied()
    }

    /// Ports of its sandboxes that are published on the host.
    pub fn publish(&self) -> &[Publish] {
        &self.publish
    }

    /// Whether an origin is told which trace a request belongs to (`trace_context`). Others see neither the client's trace nor ours.
    pub fn passes_trace_context(&self, target: &Target) -> bool {
        self.trace_context.iter().any(|pattern| pattern.matches(target))
    }

    /// Hosts that are told which trace a request belongs to, as they are written.
    pub fn trace_context(&self) -> &[HostPattern] {
        &self.trace_context
    }

    /// True when namespaces may be made inside its sandboxes.
    pub fn nested_namespaces(&self) -> bool {
        self.nested_namespaces
    }

    /// How many different names below one wildcard a sandbox may make the gate resolve; none where the file does not say.
    pub fn names_below_one_wildcard(&self) -> Option<usize> {
        self.names_below_one_wildcard
    }

    /// How much its sandboxes may use; none where nothing is limited.
    pub fn allowances(&self) -> Option<&Allowances> {
        self.allowances.as_ref()
    }

    /// How large requests may be, in the order of the document.
    pub fn sizes(&self) -> impl Iterator<Item = SizeListing> + '_ {
        self.sizes.entries()
    }

    /// What is done about credentials that leave.
    pub fn leak_scan(&self) -> &LeakScan {
        &self.leak_scan
    }

    /// What is written down of its messages besides what always is.
    pub fn recording(&self) -> &MessageRecording {
        &self.recording
    }

    /// What is done with credentials that its sandboxes bring, by host, the narrowest first. Elsewhere they are refused where a
    /// host has a credential or a preset.
    pub fn foreign_credentials(&self) -> impl Iterator<Item = (&HostPattern, ForeignCredentials)> {
        self.foreign_credentials.entries()
    }

    /// What DNS answers for names that are not allowed.
    pub fn refused_names(&self) -> RefusedNames {
        self.refused_names
    }

    /// Its blocklists, those of every environment first.
    pub fn blocklists(&self) -> impl Iterator<Item = &Blocklist> {
        self.blocklists.iter().map(Arc::as_ref)
    }

    /// The entry of a blocklist that names a host: it is refused then, whatever allows it.
    pub fn blocked(&self, host: &Host) -> Option<Blocked> {
        self.blocklists.iter().find_map(|list| list.find(host))
    }

    /// True when the name is allowed at some port.
    pub fn reaches(&self, name: &DomainName) -> bool {
        let host = Host::Name(name.clone());
        if self.blocked(&host).is_some() {
            return false;
        }
        self.network == NetworkLevel::Full
            || self.host_ports.reach(name)
            || self.matcher.names(&host)
            || (self.include_trusted && trusted::matcher().names(&host))
    }

    /// The effective allowlist in the order of the document, the Trusted list last, with where each entry comes from.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let trusted = self.include_trusted.then(|| trusted::matcher().rows());
        let rows = self.matcher.rows().iter().chain(trusted.into_iter().flatten());
        let full = (self.network == NetworkLevel::Full).then(|| Entry {
            hosts: "any public host".into(),
            rule: RuleName::Full,
            treatment: Treatment::Intercept,
            line: None,
        });
        let host_ports = self.host_ports.0.iter().map(|(port, line)| Entry {
            hosts: host_ports::target(*port).to_string(),
            rule: RuleName::HostPort(*port),
            treatment: Treatment::Stream,
            line: line.map(|line| line as usize),
        });
        host_ports.chain(rows.map(Entry::of)).chain(full)
    }

    /// Its rules on requests, in their order.
    pub fn rules(&self) -> impl Iterator<Item = RuleEntry> + '_ {
        self.rules.entries()
    }

    /// Its exceptions for refused addresses, each `ADDRESS/PREFIX`.
    pub fn allowed_addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.exceptions.0.iter().map(ToString::to_string)
    }

    /// What it reaches, in a few words.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Which line grants a target, and how its connections are treated when nothing of them has been read.
    ///
    /// 0. The host's own loopback is a port of `host_ports` or nothing.
    /// 1. The environment's own entries; among those that match, `always_reachable`, `tunnelled_domains`, `tcp`,
    ///    `allowed_domains` in this order.
    /// 2. The Trusted list, at `trusted` and where `include_trusted`.
    /// 3. At `full`, every name at ports 80 and 443. An address that is asked for as a literal needs an entry there too.
    pub(crate) fn grant(&self, target: &Target) -> Result<(RuleName, Treatment), Reason> {
        if let Some(decided) = self.host_ports.grant(target) {
            return decided;
        }
        let own = self.matcher.find(target);
        if let Found::Row(row) = own {
            return Ok((row.rule_name(), row.grant.treatment()));
        }
        let trusted = if self.include_trusted {
            trusted::matcher().find(target)
        } else {
            Found::Nothing
        };
        if let Found::Row(row) = trusted {
            return Ok((row.rule_name(), Treatment::Intercept));
        }
        let full = self.network == NetworkLevel::Full && target.host.name().is_some();
        if full && USUAL_PORTS.contains(&target.port) {
            return Ok((RuleName::Full, Treatment::Intercept));
        }
        let other_port = full || matches!(own, Found::OtherPort) || matches!(trusted, Found::OtherPort);
        Err(self.refuse(target.clone(), other_port))
    }

    fn refuse(&self, target: Target, other_port: bool) -> Reason {
        if other_port {
            Reason::PortNotAllowed { target }
        } else if self.network == NetworkLevel::None {
            Reason::NetworkNone { target }
        } else if target.literal().is_some() {
            Reason::LiteralNotAllowed { target }
        } else {
            Reason::HostNotAllowed { target }
        }
    }
}

impl Exceptions {
    /// True when an exception covers an address of a refused class.
    ///
    /// A range may name private networks in passing. This machine and metadata services are named on purpose or not at all:
    /// loopback only by a range wholly inside loopback, metadata and the machine's own addresses only one by one. Multicast,
    /// broadcast and unspecified addresses have no exception.
    pub(crate) fn cover(&self, address: IpAddr, class: AddressClass) -> bool {
        let address = address.to_canonical();
        self.0
            .iter()
            .any(|range| range.contains(&address) && may_name(range, class))
    }
}

fn may_name(range: &IpNet, class: AddressClass) -> bool {
    match class {
        AddressClass::Multicast | AddressClass::Broadcast | AddressClass::Unspecified => false,
        AddressClass::Loopback => is_loopback(range) || is_one_address(range),
        AddressClass::Metadata | AddressClass::Own => is_one_address(range),
        AddressClass::Public
        | AddressClass::Documentation
        | AddressClass::Private
        | AddressClass::LinkLocal
        | AddressClass::UniqueLocal
        | AddressClass::CarrierShared
        | AddressClass::Benchmark
        | AddressClass::LocalTranslation
        | AddressClass::Reserved => true,
    }
}

fn is_one_address(range: &IpNet) -> bool {
    range.prefix_len() == range.max_prefix_len()
}

fn is_loopback(range: &IpNet) -> bool {
    match range.network() {
        IpAddr::V4(first) => Ipv4Addr::is_loopback(&first) && range.prefix_len() >= 8,
        IpAddr::V6(first) => Ipv6Addr::is_loopback(&first) && is_one_address(range),
    }
}

impl Entry {
    fn of(row: &Row) -> Self {
        Self {
            hosts: row.pattern.to_string(),
            rule: row.rule_name(),
            treatment: row.grant.treatment(),
            line: (row.line > 0).then_some(row.line as usize),
        }
    }
}

impl Row {
    fn rule_name(&self) -> RuleName {
        let pattern = self.pattern.clone();
        match self.grant {
            Grant::AlwaysReachable => RuleName::AlwaysReachable(pattern),
            Grant::Tunnelled => RuleName::Tunnelled(pattern),
            Grant::Tcp => RuleName::Tcp(pattern),
            Grant::Allowed => RuleName::Allowed(pattern),
            Grant::Trusted(category) => RuleName::Trusted {
                category: trusted::list()[usize::from(category)].name,
                pattern,
            },
        }
    }
}

impl Grant {
    fn treatment(self) -> Treatment {
        match self {
            Self::AlwaysReachable | Self::Allowed | Self::Trusted(_) => Treatment::Intercept,
            Self::Tunnelled => Treatment::Tunnel,
            Self::Tcp => Treatment::Stream,
        }
    }
}
