//! From the document to what it means. Everything that is written either takes effect or is an error: nothing is ignored.
//! As many mistakes as possible are named at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use crate::blocklist::Blocklist;
use crate::document::{
    COMMAND_LINE, DocumentErrors, EnvironmentDocument, NetworkLevel, Place, PolicyDocument, Problem, Warning,
    Written,
};
use crate::environment::{Environment, Exceptions};
use crate::host_ports::{self, HostPorts};
use crate::matcher::{Grant, Matcher};
use crate::pattern::{HostPattern, Hosts};
use crate::policy::Policy;
use crate::sandbox::EnvironmentName;
use crate::trusted;

mod blocklists;
mod bounds;
mod client_certificates;
mod credentials;
mod dlp;
mod github;
mod lists;
mod origins;
mod parent_proxy;
mod recording;
mod rules;

impl Policy {
    /// What a document means, or everything that is wrong with it.
    pub fn compile(document: &PolicyDocument) -> Result<Self, DocumentErrors> {
        let mut compiler = Compiler::new(document);
        compiler.blocklists_everywhere(document);
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
        let origins = compiler.origins(&document.origins, &environments);
        let brokered = compiler.brokered(&document.credentials, &environments);
        let githubs = compiler.githubs(&document.githubs, &brokered);
        let anonymous_environment = compiler.anonymous_environment(document);
        let default_environment = match compiler.default_environment(document) {
            Some(name) if compiler.problems.is_empty() => name,
            Some(_) | None => return Err(DocumentErrors::new(compiler.problems)),
        };
        compiler.warnings.sort_by_key(|warning| warning.problem().line());
        Ok(Self {
            environments: Arc::new(environments),
            default_environment,
            anonymous_environment,
            origins: Arc::new(origins),
            brokered,
            githubs,
            gate: document.gate.clone(),
            audit: Arc::new(document.audit.clone()),
            blocklist_files: document.blocklists().map(PathBuf::from).collect(),
            own_addresses: Vec::new(),
            warnings: compiler.warnings,
            grants: Arc::default(),
            learns: None,
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
    blocklist_contents: BTreeMap<String, Arc<Blocklist>>,
    /// The blocklists of every environment.
    everywhere: Vec<Arc<Blocklist>>,
    /// Credentials that `[[github]]` names.
    of_sessions: Vec<String>,
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
    fn new(document: &PolicyDocument) -> Self {
        Self {
            origin: Arc::clone(&document.origin),
            blocklist_contents: document.blocklist_contents.clone(),
            everywhere: Vec::new(),
            of_sessions: document
                .githubs
                .iter()
                .filter_map(|github| github.credential.as_ref().map(|name| name.value.clone()))
                .collect(),
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

    /// None is with a problem where one is written.
    fn anonymous_environment(&mut self, document: &PolicyDocument) -> Option<EnvironmentName> {
        let Written { value: name, place } = document.proxy.anonymous_environment.as_ref()?;
        let mut known = document.environments.keys();
        let found = known.find(|known| known.as_str() == name).cloned();
        if found.is_none() {
            let known: Vec<&str> = document
                .environments
                .keys()
                .map(EnvironmentName::as_str)
                .collect();
            self.problem(
                *place,
                format!("clients without a credential are to have the environment \"{name}\", and there is no [environments.{name}]"),
                format!("write one of {}, or leave it out: then they are refused", known.join(", ")),
            );
        }
        found
    }

    fn environment(&mut self, name: &EnvironmentName, written: &EnvironmentDocument) -> Environment {
        let level = written.level();
        self.check_level(name, written);
        let lists = Lists {
            always: self.patterns("always_reachable", &written.always_reachable),
            tunnelled: self.patterns("tunnelled_domains", &written.tunnelled_domains),
            tcp: self.tcp(&written.tcp),
            allowed: self.patterns("allowed_domains", &written.allowed_domains),
        };
        let trace_context = self.patterns("trace_context", &written.trace_context);
        let host_ports = self.host_ports(&written.host_ports);
        let publish = self.publish(&written.publish);
        let exceptions = self.exceptions(&written.allowed_addresses);
        self.check_tunnels(level, name, &lists);
        self.check_literals(&lists, &exceptions);
        let include_trusted = level == NetworkLevel::Trusted
            || level == NetworkLevel::Custom
                && written.include_trusted.as_ref().is_some_and(|flag| flag.value);
        let trusted_writes = self.trusted_writes(name, written, include_trusted);
        let rules = self.rules(&written.rules, &lists);
        let allowances = self.allowances(&written.limits, &lists);
        let sizes = self.sizes(&written.sizes, &lists);
        let blocklists = [self.everywhere.clone(), self.blocklists(&written.blocklists)].concat();
        let summary = summary(level, include_trusted, &lists, &host_ports).into();
        let leak_scan = self.leak_scan(&written.dlp);
        let recording = self.recording(&written.recording);
        let foreign_credentials = self.foreign_credentials(&written.foreign_credentials);
        let environment = Environment {
            name: name.clone(),
            network: level,
            matcher: lists.matcher(),
            blocklists,
            host_ports,
            publish,
            trace_context: trace_context.into_iter().map(|(pattern, _)| pattern).collect(),
            include_trusted,
            trusted_writes,
            rules,
            exceptions,
            nested_namespaces: written.nested_namespaces.as_ref().is_some_and(|flag| flag.value),
            names_below_one_wildcard: written
                .limits
                .names_below_one_wildcard
                .as_ref()
                .map(|limit| usize::try_from(limit.value).unwrap_or(usize::MAX)),
            allowances,
            sizes,
            leak_scan,
            recording,
            foreign_credentials,
            refused_names: written
                .refused_names
                .as_ref()
                .map(|word| word.value)
                .unwrap_or_default(),
            summary,
        };
        self.check_rules_apply(&environment, written);
        self.check_blocked(&environment, &lists);
        environment
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

    /// `trusted_writes` belongs to an environment that has the Trusted list.
    fn trusted_writes(
        &mut self,
        name: &EnvironmentName,
        written: &EnvironmentDocument,
        include_trusted: bool,
    ) -> bool {
        let Some(flag) = &written.trusted_writes else {
            return false;
        };
        if !include_trusted {
            let what =
                format!("`trusted_writes` has no effect without the Trusted list in [environments.{name}]");
            self.problem(
                flag.place,
                what,
                "leave it out, or write network = \"trusted\", or network = \"custom\" and include_trusted = true",
            );
        }
        flag.value
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
    /// Hosts whose connections are relayed unread.
    fn unread(&self) -> impl Iterator<Item = &(HostPattern, Place)> {
        self.tunnelled.iter().chain(&self.tcp)
    }

    fn matcher(&self) -> Matcher {
        let lists = [
            (&self.always, Grant::AlwaysReachable),
            (&self.tunnelled, Grant::Tunnelled),
            (&self.tcp, Grant::Tcp),
            (&self.allowed, Grant::Allowed),
        ];
        let mut matcher = Matcher::with_capacity(lists.iter().map(|(list, _)| list.len()).sum());
        for (list, grant) in lists {
            for (pattern, place) in list {
                matcher.insert(pattern.clone(), grant, place.line().unwrap_or(0));
            }
        }
        matcher
    }
}

/// What an environment reaches, in a few words, for refusals.
fn summary(level: NetworkLevel, include_trusted: bool, lists: &Lists, host_ports: &HostPorts) -> String {
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
    let host_ports: Vec<_> = host_ports
        .0
        .keys()
        .map(|port| host_ports::target(*port))
        .collect();
    if !host_ports.is_empty() {
        parts.push(few(&host_ports));
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
