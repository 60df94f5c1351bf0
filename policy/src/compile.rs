//! From the document to what it means. Everything that is written either takes effect or is an error: nothing is ignored.
//! As many mistakes as possible are named at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use crate::document::{
    COMMAND_LINE, DocumentErrors, EnvironmentDocument, LimitsDocument, NetworkLevel, OriginsDocument, Place,
    PolicyDocument, Problem, RuleDocument, Warning, Written,
};
use crate::environment::{Environment, Exceptions};
use crate::glob::Glob;
use crate::host::Host;
use crate::matcher::{Grant, Matcher};
use crate::method::Method;
use crate::origins::{Origins, StaticAddress};
use crate::pattern::{HostPattern, Hosts, PatternError};
use crate::policy::Policy;
use crate::rules::{Rule, Rules};
use crate::sandbox::EnvironmentName;
use crate::shared_storage;
use crate::target::{Target, TargetError};
use crate::trusted;

impl Policy {
    /// What a document means, or everything that is wrong with it.
    pub fn compile(document: &PolicyDocument) -> Result<Self, DocumentErrors> {
        let mut compiler = Compiler::new(&document.origin);
        let implied;
        let document = if document.environments.is_empty() {
            implied = with_implied_environment(document);
            &implied
        } else {
            document
        };
        let environments: BTreeMap<EnvironmentName, Environment> = document
            .environments
            .iter()
            .map(|(name, written)| (name.clone(), compiler.environment(name, written)))
            .collect();
        let origins = compiler.origins(&document.origins);
        let default_environment = match compiler.default_environment(document) {
            Some(name) if compiler.problems.is_empty() => name,
            Some(_) | None => return Err(DocumentErrors::new(compiler.problems)),
        };
        compiler.warnings.sort_by_key(|warning| warning.problem().line());
        Ok(Self {
            environments: Arc::new(environments),
            default_environment,
            origins: Arc::new(origins),
            own_addresses: Vec::new(),
            warnings: compiler.warnings,
        })
    }
}

fn with_implied_environment(document: &PolicyDocument) -> PolicyDocument {
    let mut implied = document.clone();
    implied.add_implied_environment();
    implied
}

struct Compiler {
    origin: Arc<str>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

/// Lists of patterns, by key.
struct Lists {
    always: Vec<(HostPattern, Place)>,
    tunnelled: Vec<(HostPattern, Place)>,
    tcp: Vec<(HostPattern, Place)>,
    allowed: Vec<(HostPattern, Place)>,
}

impl Compiler {
    fn new(origin: &Arc<str>) -> Self {
        Self {
            origin: Arc::clone(origin),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// None is always with a problem.
    fn default_environment(&mut self, document: &PolicyDocument) -> Option<EnvironmentName> {
        let known: Vec<&str> = document
            .environments
            .keys()
            .map(EnvironmentName::as_str)
            .collect();
        let Some(name) = document.default_name() else {
            let remedy = format!(
                "write default_environment = \"NAME\" at the top, with one of {}",
                known.join(", ")
            );
            self.problem(
                Place::Line(1),
                "the file has several environments and no `default_environment`",
                remedy,
            );
            return None;
        };
        let found = document
            .environments
            .get_key_value(name)
            .map(|(name, _)| name.clone());
        if found.is_none() {
            let place = document
                .default_environment
                .as_ref()
                .map_or(Place::Implied, |written| written.place);
            self.problem(
                place,
                format!("`default_environment` is \"{name}\", and there is no [environments.{name}]"),
                format!("write one of {}, or add that table", known.join(", ")),
            );
        }
        found
    }

    fn environment(&mut self, name: &EnvironmentName, written: &EnvironmentDocument) -> Environment {
        let level = written.level();
        self.check_level(name, written);
        if let Some(limits) = &written.limits {
            self.refuse_limits(limits);
        }
        let lists = Lists {
            always: self.patterns("always_reachable", &written.always_reachable),
            tunnelled: self.patterns("tunnelled_domains", &written.tunnelled_domains),
            tcp: self.tcp(&written.tcp),
            allowed: self.patterns("allowed_domains", &written.allowed_domains),
        };
        let exceptions = self.exceptions(&written.allowed_addresses);
        self.check_tunnels(level, name, &lists);
        self.check_literals(&lists, &exceptions);
        let include_trusted = level == NetworkLevel::Trusted
            || level == NetworkLevel::Custom
                && written.include_trusted.as_ref().is_some_and(|flag| flag.value);
        let rules = self.rules(&written.rules, &lists);
        let summary = summary(level, include_trusted, &lists).into();
        Environment {
            name: name.clone(),
            network: level,
            matcher: lists.compile(),
            include_trusted,
            rules,
            exceptions,
            nested_namespaces: written.nested_namespaces.as_ref().is_some_and(|flag| flag.value),
            refused_names: written
                .refused_names
                .as_ref()
                .map(|word| word.value)
                .unwrap_or_default(),
            summary,
        }
    }

    /// `allowed_domains` and `include_trusted` belong to `custom`, `tunnelled_domains` and `tcp` to a level that they extend.
    fn check_level(&mut self, name: &EnvironmentName, written: &EnvironmentDocument) {
        let level = written.level();
        if level == NetworkLevel::Custom {
            return;
        }
        if let Some(place) = written.allowed_domains_at {
            let remedy = match level {
                NetworkLevel::Trusted => "write network = \"custom\" and include_trusted = true to have both",
                NetworkLevel::Full => {
                    "leave it out: \"full\" reaches every public host; or write network = \"custom\""
                }
                NetworkLevel::None | NetworkLevel::Custom => "write network = \"custom\"",
            };
            let what =
                format!("`allowed_domains` has no effect at network = \"{level}\" in [environments.{name}]");
            self.problem(place, what, remedy);
        }
        if let Some(flag) = &written.include_trusted {
            let what =
                format!("`include_trusted` has no effect at network = \"{level}\" in [environments.{name}]");
            self.problem(flag.place, what, "leave it out, or write network = \"custom\"");
        }
    }

    fn check_tunnels(&mut self, level: NetworkLevel, name: &EnvironmentName, lists: &Lists) {
        for (key, list) in [("tunnelled_domains", &lists.tunnelled), ("tcp", &lists.tcp)] {
            for (pattern, place) in list {
                let fits = match level {
                    NetworkLevel::Custom | NetworkLevel::Full => true,
                    NetworkLevel::Trusted => trusted::matcher().covers(pattern),
                    NetworkLevel::None => false,
                };
                if !fits {
                    let what = format!(
                        "\"{pattern}\" in `{key}` is more than network = \"{level}\" reaches in [environments.{name}]"
                    );
                    self.problem(
                        *place,
                        what,
                        "write network = \"custom\" (and include_trusted = true to keep the Trusted list)",
                    );
                }
                if let Some((always, _)) = lists.always.iter().find(|(always, _)| always.overlaps(pattern)) {
                    let what = format!(
                        "\"{pattern}\" in `{key}` is also in `always_reachable` (\"{always}\"), whose hosts are always intercepted"
                    );
                    self.problem(*place, what, "take it out of one of the two");
                }
            }
        }
    }

    fn check_literals(&mut self, lists: &Lists, exceptions: &Exceptions) {
        for (pattern, place) in [&lists.always, &lists.tunnelled, &lists.tcp, &lists.allowed]
            .into_iter()
            .flatten()
        {
            let Hosts::Literal(address) = pattern.hosts else {
                continue;
            };
            let class = crate::address::classify(address);
            if class.is_refused() && !exceptions.cover(address, class) {
                let what = format!("\"{pattern}\" is {class}, which is refused whatever names it");
                self.warn(
                    *place,
                    what,
                    format!("add \"{address}\" to allowed_addresses as well, if it is meant"),
                );
            }
        }
    }

    fn patterns(&mut self, key: &str, written: &[Written<String>]) -> Vec<(HostPattern, Place)> {
        let mut patterns = Vec::with_capacity(written.len());
        for text in written {
            if let Some(pattern) = self.pattern(key, text) {
                self.check_storage(&pattern, text.place);
                patterns.push((pattern, text.place));
            }
        }
        patterns
    }

    fn pattern(&mut self, key: &str, text: &Written<String>) -> Option<HostPattern> {
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

    fn tcp(&mut self, written: &[Written<String>]) -> Vec<(HostPattern, Place)> {
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

    fn exceptions(&mut self, written: &[Written<String>]) -> Exceptions {
        let mut ranges = Vec::with_capacity(written.len());
        for text in written {
            match parse_range(&text.value) {
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

    fn rules(&mut self, written: &[RuleDocument], lists: &Lists) -> Rules {
        Rules::new(written.iter().filter_map(|rule| self.rule(rule, lists)).collect())
    }

    fn rule(&mut self, written: &RuleDocument, lists: &Lists) -> Option<Rule> {
        let host = self.pattern("host", &written.host);
        let methods = written
            .methods
            .iter()
            .filter_map(|method| self.method(method))
            .collect();
        let paths = written.paths.iter().filter_map(|path| self.glob(path)).collect();
        let host = host?;
        self.check_rule_is_enforced(&host, written.host.place, lists);
        Some(Rule {
            host,
            methods,
            paths,
            allow: written.allow,
        })
    }

    /// A rule narrows requests, and nobody reads the requests in a tunnel.
    fn check_rule_is_enforced(&mut self, host: &HostPattern, place: Place, lists: &Lists) {
        let unread = lists.tunnelled.iter().chain(&lists.tcp);
        for (pattern, _) in unread.filter(|(pattern, _)| pattern.overlaps(host)) {
            let what = format!(
                "the rule for \"{host}\" cannot be enforced on \"{pattern}\", which is relayed unread"
            );
            let remedy =
                "take the host out of tunnelled_domains and tcp, or give the rule another port or host";
            self.problem(place, what, remedy);
        }
    }

    fn method(&mut self, text: &Written<String>) -> Option<Method> {
        let upper = text.value.to_ascii_uppercase();
        match Method::parse(&text.value) {
            Ok(method) if upper == text.value => return Some(method),
            Ok(_) | Err(_) => {}
        }
        let what = format!("\"{}\" in `methods` is no method", text.value.escape_debug());
        let remedy = match Method::parse(&upper) {
            Ok(_) => format!("write \"{upper}\": methods have upper case"),
            Err(_) => "write one such as \"GET\"".to_owned(),
        };
        self.problem(text.place, what, remedy);
        None
    }

    fn glob(&mut self, text: &Written<String>) -> Option<Glob> {
        match Glob::parse(&text.value) {
            Ok(glob) => Some(glob),
            Err(remedy) => {
                let what = format!(
                    "\"{}\" in `paths` would never match as meant",
                    text.value.escape_debug()
                );
                self.problem(text.place, what, remedy.to_string());
                None
            }
        }
    }

    fn refuse_limits(&mut self, limits: &LimitsDocument) {
        let asked = [
            limits
                .requests_per_minute
                .as_ref()
                .map(|limit| format!("{} requests a minute", limit.value)),
            limits
                .upload_bytes_per_hour
                .as_ref()
                .map(|limit| format!("{} bytes an hour", limit.value)),
        ];
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        let what = format!("`limits` are not enforced by this version ({})", asked.join(", "));
        self.problem(
            limits.place,
            what,
            "leave them out, so that nobody relies on them",
        );
    }

    fn origins(&mut self, written: &OriginsDocument) -> Origins {
        if let Some(parent) = &written.parent_proxy {
            self.refuse_parent_proxy(parent);
        }
        let mut origins = Origins {
            extra_roots: written
                .extra_roots
                .iter()
                .map(|path| PathBuf::from(&path.value))
                .collect(),
            resolver: written.resolver.as_ref().and_then(|text| self.resolver(text)),
            ..Origins::default()
        };
        let mut seen = HashMap::new();
        for (host, address) in &written.hosts {
            self.static_host(host, address, &mut origins, &mut seen);
        }
        for path in written.extra_roots.iter().filter(|path| path.value.is_empty()) {
            self.problem(
                path.place,
                "\"\" in `extra_roots` is no file",
                "write the path of a PEM file",
            );
        }
        origins
    }

    fn static_host(
        &mut self,
        host: &Written<String>,
        address: &Written<String>,
        origins: &mut Origins,
        seen: &mut HashMap<HostPattern, Place>,
    ) {
        let Some(pattern) = self.pattern("hosts", host) else {
            return;
        };
        let Some(fixed) = parse_static_address(&address.value) else {
            let what = format!(
                "\"{}\" is no address for \"{}\"",
                address.value.escape_debug(),
                host.value
            );
            self.problem(
                address.place,
                what,
                "write an address, with or without port: \"127.0.0.1:8443\", \"[::1]:8443\"",
            );
            return;
        };
        if seen.insert(pattern.clone(), host.place).is_some() {
            self.problem(
                host.place,
                format!("\"{pattern}\" has two static addresses"),
                "leave one of them",
            );
        }
        let host_named = match pattern.hosts {
            Hosts::Exactly(name) => Host::Name(name),
            Hosts::Literal(ip) => Host::Address(ip),
            Hosts::Below(_) => {
                let what = format!(
                    "\"{}\" in `hosts` is a wildcard, and a static address is for one host",
                    host.value
                );
                self.problem(host.place, what, "name each host");
                return;
            }
        };
        match pattern.port {
            Some(port) => {
                origins.at_port.insert(Target::new(host_named, port), fixed);
            }
            None => {
                origins.at_any_port.insert(host_named, fixed);
            }
        }
    }

    fn resolver(&mut self, text: &Written<String>) -> Option<SocketAddr> {
        let address = parse_static_address(&text.value);
        if address.is_none() {
            let what = format!(
                "`resolver` is \"{}\", which is no address",
                text.value.escape_debug()
            );
            self.problem(
                text.place,
                what,
                "write the address of a DNS server: \"10.0.0.53:53\"",
            );
        }
        address.map(|address| SocketAddr::new(address.ip, address.port.unwrap_or(53)))
    }

    fn refuse_parent_proxy(&mut self, text: &Written<String>) {
        let authority = text
            .value
            .strip_prefix("http://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        if authority.is_none_or(|authority| Target::parse(authority).is_err()) {
            let what = format!(
                "`parent_proxy` is \"{}\", which is no proxy",
                text.value.escape_debug()
            );
            self.problem(text.place, what, "write \"http://HOST:PORT\"");
            return;
        }
        let what = format!(
            "`parent_proxy` is \"{}\", and parent proxies are not supported by this version",
            text.value
        );
        self.problem(
            text.place,
            what,
            "leave it out, and let the gate reach origins directly",
        );
    }

    fn problem(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        let problem = Problem::new(self.locate(place), what, remedy);
        self.problems.push(problem);
    }

    fn warn(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        let problem = Problem::new(self.locate(place), what, remedy);
        self.warnings.push(Warning(problem));
    }

    fn locate(&self, place: Place) -> (Arc<str>, Option<u32>) {
        match place {
            Place::Line(_) | Place::Implied => (Arc::clone(&self.origin), place.line()),
            Place::CommandLine => (COMMAND_LINE.into(), None),
        }
    }
}

impl Lists {
    fn compile(self) -> Matcher {
        let lists = [
            (self.always, Grant::AlwaysReachable),
            (self.tunnelled, Grant::Tunnelled),
            (self.tcp, Grant::Tcp),
            (self.allowed, Grant::Allowed),
        ];
        let mut matcher = Matcher::with_capacity(lists.iter().map(|(list, _)| list.len()).sum());
        for (list, grant) in lists {
            for (pattern, place) in list {
                matcher.insert(pattern, grant, place.line().unwrap_or(0));
            }
        }
        matcher
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

/// A range without stray bits: `10.20.1.0/16` is a slip of the pen, and nobody knows which way.
fn parse_range(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address.to_canonical()));
    }
    let range: IpNet = text.parse().ok()?;
    let mapped = matches!(range.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    (range.addr() == range.network() && !mapped).then_some(range) // mapped addresses are matched as IPv4
}

fn parse_static_address(text: &str) -> Option<StaticAddress> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some(StaticAddress { ip, port: None });
    }
    let address: SocketAddr = text
        .parse()
        .ok()
        .filter(|address: &SocketAddr| address.port() != 0)?;
    Some(StaticAddress {
        ip: address.ip(),
        port: Some(address.port()),
    })
}

/// What an environment reaches, in a few words, for refusals.
fn summary(level: NetworkLevel, include_trusted: bool, lists: &Lists) -> String {
    let mut parts = Vec::new();
    if level == NetworkLevel::Full {
        parts.push("any public host at ports 80 and 443".to_owned());
    }
    let own: Vec<&HostPattern> = [&lists.allowed, &lists.tunnelled, &lists.tcp, &lists.always]
        .into_iter()
        .flatten()
        .map(|(pattern, _)| pattern)
        .collect();
    if !own.is_empty() {
        parts.push(few(&own));
    }
    if include_trusted {
        parts.push(
            "the Trusted list (package registries, version control and the like; `outwall policy show`)"
                .to_owned(),
        );
    }
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join(", and ")
    }
}

fn few(patterns: &[impl Display]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = patterns.iter().take(SHOWN).map(ToString::to_string).collect();
    match patterns.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
