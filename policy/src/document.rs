//! The policy as written. No decision is made on it: [`Policy::compile`](crate::Policy::compile) gives what it means.
//! Start at [`PolicyDocument`]; `read` turns TOML into it, `problem` is what is said about mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::allowances::LimitKind;
use crate::audit_settings::AuditSettings;
use crate::blocklist::Blocklist;
use crate::credential::LeakAction;
use crate::gate_settings::GateSettings;
use crate::learning::Unlisted;
use crate::sandbox::EnvironmentName;
use crate::sizes::SizedPart;

mod credentials;
mod github;
mod origins;
mod problem;
mod read;

pub(crate) use credentials::{CredentialDocument, ForeignDocument, PlaceholderDocument};
pub(crate) use github::{GithubDocument, SessionsDocument};
pub(crate) use origins::{ClientCertificateDocument, OriginsDocument, ParentProxyDocument, SecretDocument};
pub use problem::{DocumentErrors, Problem, Warning};

/// The file as written: its keys are known and of the right type. Its default is no file at all: one environment, `default`,
/// at the level `trusted`.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    pub(crate) origin: Arc<str>,
    pub(crate) default_environment: Option<Written<String>>,
    pub(crate) environments: BTreeMap<EnvironmentName, EnvironmentDocument>,
    pub(crate) origins: OriginsDocument,
    pub(crate) proxy: ProxyDocument,
    pub(crate) gate: GateSettings,
    pub(crate) audit: AuditSettings,
    pub(crate) credentials: Vec<CredentialDocument>,
    pub(crate) githubs: Vec<GithubDocument>,
    /// Paths of files.
    pub(crate) blocklists: Vec<Written<String>>,
    /// What those files hold, by path as it is written.
    pub(crate) blocklist_contents: BTreeMap<String, Arc<Blocklist>>,
}

/// `[environments.NAME]`. The keys of DESIGN.md section 3.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnvironmentDocument {
    pub(crate) network: Option<Written<NetworkLevel>>,
    pub(crate) allowed_domains_at: Option<Place>,
    pub(crate) allowed_domains: Vec<Written<String>>,
    pub(crate) include_trusted: Option<Written<bool>>,
    pub(crate) trusted_writes: Option<Written<bool>>,
    pub(crate) allowed_addresses: Vec<Written<String>>,
    pub(crate) always_reachable: Vec<Written<String>>,
    pub(crate) tunnelled_domains: Vec<Written<String>>,
    pub(crate) trace_context: Vec<Written<String>>,
    pub(crate) tcp: Vec<Written<String>>,
    pub(crate) host_ports: Vec<Written<u64>>,
    pub(crate) publish: Vec<Written<String>>,
    pub(crate) rules: Vec<RuleDocument>,
    pub(crate) blocklists: Vec<Written<String>>,
    pub(crate) limits: LimitsDocument,
    pub(crate) sizes: Vec<SizeDocument>,
    pub(crate) dlp: DlpDocument,
    pub(crate) recording: RecordingDocument,
    pub(crate) foreign_credentials: Vec<ForeignDocument>,
    pub(crate) nested_namespaces: Option<Written<bool>>,
    pub(crate) refused_names: Option<Written<RefusedNames>>,
}

/// `[[environments.NAME.rules]]`.
#[derive(Clone, Debug)]
pub(crate) struct RuleDocument {
    pub(crate) host: Written<String>,
    pub(crate) methods: Vec<Written<String>>,
    pub(crate) paths: Vec<Written<String>>,
    pub(crate) allow: bool,
}

/// `[environments.NAME.limits]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitsDocument {
    pub(crate) sandbox: AmountsDocument,
    pub(crate) each_host: AmountsDocument,
    pub(crate) hosts: Vec<HostLimitsDocument>,
    pub(crate) names_below_one_wildcard: Option<Written<u64>>,
}

/// The keys of a limit's scope, each by its kind's place in [`LimitKind::ALL`].
#[derive(Clone, Debug, Default)]
pub(crate) struct AmountsDocument(pub(crate) [Option<Written<u64>>; LimitKind::ALL.len()]);

/// `[[environments.NAME.limits.hosts]]`.
#[derive(Clone, Debug)]
pub(crate) struct HostLimitsDocument {
    pub(crate) host: Written<String>,
    pub(crate) amounts: AmountsDocument,
}

/// `[[environments.NAME.sizes]]`.
#[derive(Clone, Debug)]
pub(crate) struct SizeDocument {
    pub(crate) place: Place,
    pub(crate) host: Option<Written<String>>,
    pub(crate) methods: Vec<Written<String>>,
    /// By the part's place in [`SizedPart::ALL`].
    pub(crate) most: [Option<Written<u64>>; SizedPart::ALL.len()],
}

/// `[environments.NAME.dlp]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct DlpDocument {
    pub(crate) action: Option<Written<LeakAction>>,
    pub(crate) patterns: Vec<DlpPatternDocument>,
    pub(crate) except: Vec<DlpExceptionDocument>,
}

/// `[environments.NAME.record]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordingDocument {
    pub(crate) request_headers: Vec<Written<String>>,
    pub(crate) response_headers: Vec<Written<String>>,
    pub(crate) request_bodies: Option<Written<u64>>,
    pub(crate) response_bodies: Option<Written<u64>>,
}

/// One of `dlp.patterns`.
#[derive(Clone, Debug)]
pub(crate) struct DlpPatternDocument {
    pub(crate) name: Written<String>,
    pub(crate) regex: Written<String>,
    pub(crate) hosts: Vec<Written<String>>,
}

/// One of `dlp.except`.
#[derive(Clone, Debug)]
pub(crate) struct DlpExceptionDocument {
    pub(crate) shape: Written<String>,
    pub(crate) hosts: Vec<Written<String>>,
}

/// `[proxy]`: what concerns `outwall proxy` alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyDocument {
    pub(crate) anonymous_environment: Option<Written<String>>,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// Where something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file, from 1.
    Line(u32),
    CommandLine,
    /// Nowhere: it is the default.
    Implied,
}

/// How much of the network an environment reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetworkLevel {
    /// Nothing, but `always_reachable`.
    None,
    /// The Trusted list.
    #[default]
    Trusted,
    /// Any public host.
    Full,
    /// `allowed_domains`, and the Trusted list when `include_trusted`.
    Custom,
}

/// What DNS answers for names that are not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RefusedNames {
    /// A synthetic address as for all others, so that the client learns why in its own protocol.
    #[default]
    Answer,
    /// NXDOMAIN.
    Nxdomain,
}

/// What the command line changes in one environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--network`: replaces the level, and with it the lists that the new level cannot have (see
    /// [`PolicyDocument::with_overrides`]).
    pub network: Option<NetworkLevel>,
    /// `--allow`, each as written.
    pub allow: Vec<String>,
    /// `--host-port`: added to what the document says, at every level.
    pub host_ports: Vec<u16>,
    /// True allows namespaces inside the sandbox; false leaves what the document says.
    pub nested_namespaces: bool,
    /// `--learn`: for who puts the policy in force, see [`Policy::learning`](crate::Policy::learning). No document can say it.
    pub unlisted: Unlisted,
    /// `--anonymous`: replaces `[proxy] anonymous_environment`.
    pub anonymous: AnonymousClients,
}

/// Which environment clients of a proxy have that show no credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnonymousClients {
    /// What the document says; where it says nothing they are refused.
    #[default]
    AsWritten,
    /// The default one.
    InDefault,
    /// This one.
    In(EnvironmentName),
}

/// Not one of the four levels.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a network level: none, trusted, full or custom")]
pub struct UnknownLevel(String);

impl Default for PolicyDocument {
    fn default() -> Self {
        Self::empty(&"no policy file".into())
    }
}

impl PolicyDocument {
    /// Reads a document; `origin` is the name of the file, for errors. Every mistake of syntax, or else every wrong key and
    /// type, is reported at once.
    pub fn parse(text: &str, origin: &str) -> Result<Self, DocumentErrors> {
        read::read(text, origin)
    }

    /// The document with what the command line changes in one environment (none: the default one).
    ///
    /// 1. `network` replaces the level. `custom` keeps every list. `full` drops `allowed_domains` and `include_trusted`,
    ///    which it covers; `trusted` and `none` drop `tunnelled_domains` and `tcp` as well, which they refuse. Where there is
    ///    no Trusted list any more, `trusted_writes` is dropped.
    /// 2. `allow` with `trusted` means `custom` with `include_trusted` and these; with `custom` it adds these; with `none` or
    ///    `full` it is an error.
    pub fn with_overrides(
        &self,
        environment: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Self, DocumentErrors> {
        let mut document = self.clone();
        let Some(environment) = document.environment_to_change(environment)? else {
            return Ok(document); // compiling names what is wrong with it
        };
        if let Some(level) = overrides.network {
            environment.replace_network(level);
        }
        let result = environment.allow(&overrides.allow);
        let host_ports = overrides.host_ports.iter();
        environment
            .host_ports
            .extend(host_ports.map(|port| Written::on_command_line(u64::from(*port))));
        if overrides.nested_namespaces {
            environment.nested_namespaces = Some(Written::on_command_line(true));
        }
        document.give_to_anonymous(&overrides.anonymous);
        result.map(|()| document)
    }

    fn give_to_anonymous(&mut self, clients: &AnonymousClients) {
        let name = match clients {
            AnonymousClients::AsWritten => return,
            AnonymousClients::InDefault => self.default_name().map(str::to_owned),
            AnonymousClients::In(name) => Some(name.to_string()),
        };
        self.proxy.anonymous_environment = name.map(Written::on_command_line);
    }

    /// The files with names to block that it names, as written, each once: relative ones are relative to the policy file.
    pub fn blocklists(&self) -> impl Iterator<Item = &str> {
        let own = self.environments.values().flat_map(|written| &written.blocklists);
        let all: BTreeSet<&str> = self
            .blocklists
            .iter()
            .chain(own)
            .map(|path| path.value.as_str())
            .collect();
        all.into_iter()
    }

    /// Adds what a file of [`Self::blocklists`] holds. A document compiles only with all of them.
    pub fn add_blocklist(&mut self, path: &str, contents: Blocklist) {
        self.blocklist_contents
            .insert(path.to_owned(), Arc::new(contents));
    }

    /// The name of the environment that is meant when none is named: `default_environment`, else the only one there is, else
    /// `default`. None when there are several and none of these decides.
    pub(crate) fn default_name(&self) -> Option<&str> {
        if let Some(written) = &self.default_environment {
            return Some(&written.value);
        }
        let mut names = self.environments.keys();
        match (names.next(), names.next()) {
            (None, _) => Some(DEFAULT),
            (Some(only), None) => Some(only.as_str()),
            (Some(_), Some(_)) => None,
        }
    }

    fn empty(origin: &Arc<str>) -> Self {
        Self {
            origin: Arc::clone(origin),
            default_environment: None,
            environments: BTreeMap::new(),
            origins: OriginsDocument::default(),
            proxy: ProxyDocument::default(),
            gate: GateSettings::default(),
            audit: AuditSettings::default(),
            credentials: Vec::new(),
            githubs: Vec::new(),
            blocklists: Vec::new(),
            blocklist_contents: BTreeMap::new(),
        }
    }

    fn environment_to_change(
        &mut self,
        name: Option<&str>,
    ) -> Result<Option<&mut EnvironmentDocument>, DocumentErrors> {
        self.add_implied_environment();
        let Some(name) = name.or(self.default_name()).map(str::to_owned) else {
            return Ok(None);
        };
        if !self.environments.contains_key(name.as_str()) {
            let known: Vec<&str> = self.environments.keys().map(EnvironmentName::as_str).collect();
            let what = format!("there is no environment `{name}`");
            return Err(command_line_error(
                what,
                format!("the environments are: {}", known.join(", ")),
            ));
        }
        Ok(self.environments.get_mut(name.as_str()))
    }

    /// A document without environments has one: `default`, at `trusted`.
    pub(crate) fn add_implied_environment(&mut self) {
        if self.environments.is_empty() {
            let name = DEFAULT.parse().expect("`default` is a valid name");
            self.environments.insert(name, EnvironmentDocument::default());
        }
    }
}

const DEFAULT: &str = "default";

impl EnvironmentDocument {
    pub(crate) fn level(&self) -> NetworkLevel {
        self.network
            .as_ref()
            .map(|written| written.value)
            .unwrap_or_default()
    }

    fn replace_network(&mut self, level: NetworkLevel) {
        self.network = Some(Written::on_command_line(level));
        if level != NetworkLevel::Custom {
            self.allowed_domains.clear();
            self.allowed_domains_at = None;
            self.include_trusted = None;
        }
        if matches!(level, NetworkLevel::None | NetworkLevel::Trusted) {
            self.tunnelled_domains.clear();
            self.tcp.clear();
        }
        let has_the_list = level == NetworkLevel::Trusted
            || level == NetworkLevel::Custom && self.include_trusted.as_ref().is_some_and(|flag| flag.value);
        if !has_the_list {
            self.trusted_writes = None;
        }
    }

    fn allow(&mut self, domains: &[String]) -> Result<(), DocumentErrors> {
        let Some(first) = domains.first() else {
            return Ok(());
        };
        match self.level() {
            NetworkLevel::Custom => {}
            NetworkLevel::Trusted => {
                self.network = Some(Written::on_command_line(NetworkLevel::Custom));
                self.include_trusted = Some(Written::on_command_line(true));
            }
            level @ (NetworkLevel::None | NetworkLevel::Full) => {
                let what = format!("`--allow {first}` adds nothing to the level `{level}`");
                return Err(command_line_error(what, allow_remedy(level)));
            }
        }
        self.allowed_domains_at.get_or_insert(Place::CommandLine);
        self.allowed_domains
            .extend(domains.iter().cloned().map(Written::on_command_line));
        Ok(())
    }
}

fn allow_remedy(level: NetworkLevel) -> &'static str {
    match level {
        NetworkLevel::Full => "leave out `--allow`: `full` reaches every public host",
        NetworkLevel::None | NetworkLevel::Trusted | NetworkLevel::Custom => {
            "use `--network custom --allow …` for these hosts only, or `--network trusted --allow …` for these besides the Trusted list"
        }
    }
}

fn command_line_error(what: String, remedy: impl Into<String>) -> DocumentErrors {
    let problem = Problem::new((COMMAND_LINE.into(), None), what, remedy);
    DocumentErrors::new(vec![problem])
}

pub(crate) const COMMAND_LINE: &str = "command line";

impl<T> Written<T> {
    fn on_command_line(value: T) -> Self {
        Self {
            value,
            place: Place::CommandLine,
        }
    }
}

impl Place {
    /// The line in the file, if it is there.
    pub(crate) fn line(self) -> Option<u32> {
        match self {
            Self::Line(line) => Some(line),
            Self::CommandLine | Self::Implied => None,
        }
    }
}

impl NetworkLevel {
    /// As written: `none`, `trusted`, `full`, `custom`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Trusted => "trusted",
            Self::Full => "full",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for NetworkLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NetworkLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        [Self::None, Self::Trusted, Self::Full, Self::Custom]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
