//! A denial: a reason with what a person needs to understand it and to change it. It needs no proof; only permits do.

use std::fmt;
use std::net::IpAddr;

use crate::address::{AddressClass, classify};
use crate::allowances::{Excess, Limit};
use crate::document::NetworkLevel;
use crate::environment::Environment;
use crate::host::Host;
use crate::host_ports::is_host;
use crate::permit::RuleName;
use crate::reason::Reason;
use crate::sandbox::EnvironmentName;
use crate::sizes::SizeLimit;
use crate::target::Target;
use crate::trusted_writes;

/// Why something was refused, by whom, and what may be done about it. Its text is one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    facts: Box<Facts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    environment: EnvironmentName,
    /// Only where the policy itself refused.
    level: Option<NetworkLevel>,
    reason: Reason,
    rule: Option<RuleName>,
    allowed_instead: Option<String>,
}

impl Denial {
    /// A refusal that is not the policy's own: fronting, a malformed request, a limit. The policy's own come from deciding.
    pub fn new(environment: &EnvironmentName, reason: Reason) -> Self {
        Self {
            facts: Box::new(Facts {
                environment: environment.clone(),
                level: None,
                reason,
                rule: None,
                allowed_instead: None,
            }),
        }
    }

    /// More than one of an environment's `limits` lets pass; the proxy counts.
    pub fn over_limit(environment: &EnvironmentName, target: Target, limit: Limit, excess: Excess) -> Self {
        let rule = Some(RuleName::Limit(limit.clone()));
        let limit = Box::new(limit);
        let reason = Reason::OverLimit {
            target,
            limit,
            excess,
        };
        Self::by_rule(environment, reason, rule)
    }

    /// A request of which a part is larger than its permit says.
    pub fn too_large(environment: &EnvironmentName, target: Target, limit: SizeLimit) -> Self {
        let rule = Some(RuleName::Size(limit));
        Self::by_rule(environment, Reason::TooLarge { target, limit }, rule)
    }

    fn by_rule(environment: &EnvironmentName, reason: Reason, rule: Option<RuleName>) -> Self {
        let mut denial = Self::new(environment, reason);
        denial.facts.rule = rule;
        denial
    }

    pub(crate) fn of(environment: &Environment, reason: Reason, rule: Option<RuleName>) -> Self {
        let allowed_instead = match &reason {
            Reason::RuleRefused { target, .. } => Some(format!(
                "for {}: {}",
                target.host,
                environment.rules.allowed(target)
            )),
            Reason::TrustedWriteRefused { target, .. } => Some(format!(
                "for {}: {}",
                target.host,
                trusted_writes::allowed(target)
            )),
            _ => Some(environment.summary().to_owned()),
        };
        Self {
            facts: Box::new(Facts {
                environment: environment.name.clone(),
                level: Some(environment.network),
                reason,
                rule,
                allowed_instead,
            }),
        }
    }

    /// The same for another reason.
    pub(crate) fn because(mut self, reason: Reason) -> Self {
        self.facts.reason = reason;
        self
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        &self.facts.reason
    }

    /// The stable code of the reason.
    pub fn code(&self) -> &'static str {
        self.facts.reason.code()
    }

    /// The environment that refused.
    pub fn environment(&self) -> &EnvironmentName {
        &self.facts.environment
    }

    /// The line of the policy that refused, when one did: most denials are for want of a line.
    pub fn rule(&self) -> Option<&RuleName> {
        self.facts.rule.as_ref()
    }

    /// What an operator changes, with the TOML line; none when no line would help.
    pub fn remedy(&self) -> Option<String> {
        let environment = &self.facts.environment;
        let lines = self.lines()?;
        let flag = self
            .run_option()
            .map(|option| {
                format!(
                    ", or run with {option}, or let who runs now: outwall policy allow {}",
                    option.trim_start_matches("--allow ")
                )
            })
            .unwrap_or_default();
        Some(match lines {
            Lines::Keys(keys) => format!("under [environments.{environment}], {keys}{flag}"),
            Lines::Table(table) => table,
        })
    }

    /// The option of `outwall run` that would allow it, where there is one: `--allow api.example.com`.
    pub fn run_option(&self) -> Option<String> {
        if let Reason::HostPortNotAllowed { target } = &self.facts.reason {
            return Some(format!("--host-port {}", target.port));
        }
        let (Reason::HostNotAllowed { target }
        | Reason::PortNotAllowed { target }
        | Reason::LiteralNotAllowed { target }
        | Reason::TrustedWriteRefused { target, .. }) = &self.facts.reason
        else {
            return None;
        };
        if !matches!(exception_for(&target.host), Exception::NotNeeded) {
            return None; // an option names hosts; an address that is refused for itself needs a line of its own
        }
        match self.facts.level? {
            NetworkLevel::Trusted | NetworkLevel::Custom => Some(format!("--allow {}", pattern_for(target))),
            NetworkLevel::None | NetworkLevel::Full => None,
        }
    }

    /// What is allowed instead, in a few words; empty where the question makes no sense.
    pub fn allowed_instead(&self) -> &str {
        self.facts.allowed_instead.as_deref().unwrap_or_default()
    }

    fn lines(&self) -> Option<Lines> {
        let environment = &self.facts.environment;
        match &self.facts.reason {
            Reason::NetworkNone { target }
            | Reason::HostNotAllowed { target }
            | Reason::LiteralNotAllowed { target } => self.allow(target).map(Lines::Keys),
            Reason::HostPortNotAllowed { target } => {
                Some(Lines::Keys(format!("add to host_ports = [{}]", target.port)))
            }
            Reason::StreamOnly { target } if is_host(&target.host) => None, // by CONNECT it is
            Reason::PortNotAllowed { target } => Some(Lines::Keys(self.allow_port(target))),
            Reason::AddressRefused { address, class, .. } => allow_address(*address, *class).map(Lines::Keys),
            Reason::RuleRefused {
                target,
                method,
                path,
                read_as,
            } => Some(Lines::Table(format!(
                "add a rule{}: [[environments.{environment}.rules]] host = \"{}\", methods = [\"{method}\"], paths = [{}], action = \"allow\"",
                self.before_rule(),
                target.host,
                quoted([Some(path), read_as.as_ref()]),
            ))),
            Reason::TrustedWriteRefused { target, .. } => Some(Lines::Keys(self.allow_writes(target))),
            Reason::StreamOnly { target } => Some(Lines::Keys(format!(
                "add \"{target}\" to allowed_domains and take it out of tcp"
            ))),
            Reason::NotHttp { target } => Some(Lines::Keys(format!("add \"{target}\" to tcp"))),
            Reason::TooManyNames { pattern } => Some(Lines::Keys(format!(
                "name the hosts that are needed instead of \"{pattern}\", or raise limits.names_below_one_wildcard (1000 where the file does not say)"
            ))),
            Reason::Blocklisted { blocked, .. } => Some(Lines::Table(format!(
                "take {} out of {} (line {}), or the list out of blocklists",
                blocked.entry, blocked.list, blocked.line
            ))),
            Reason::OverLimit { limit, excess, .. } => Some(Lines::Keys(format!(
                "raise {}{}",
                limit.as_written(),
                match excess {
                    Excess::For(_) => ", or wait",
                    Excess::Forever => "",
                }
            ))),
            Reason::CredentialLeaving { target, shape, .. } => Some(Lines::Keys(format!(
                "if it may go there, add {{ shape = \"{shape}\", hosts = [\"{}\"] }} to dlp.except",
                pattern_for(target)
            ))),
            Reason::UnreadableCoding { .. } => Some(Lines::Keys(
                "dlp.action = \"report\" sends what cannot be read; or let the client send gzip, deflate, br, zstd or no coding"
                    .to_owned(),
            )),
            Reason::TooLarge { limit, .. } => Some(Lines::Keys(format!("raise {}", limit.as_written()))),
            Reason::UnknownEnvironment => Some(Lines::Table(format!(
                "define it again: [environments.{environment}] network = \"trusted\""
            ))),
            Reason::Broker(refusal) => Some(Lines::Table(refusal.remedy(environment))),
            Reason::Github(refusal) => Some(Lines::Table(refusal.remedy())),
            Reason::GithubNotUnderstood { .. } => Some(Lines::Table("use git, gh or git-lfs as usual: what the gate cannot read it does not send".to_owned())),
            Reason::Credential(fault) => fault.remedy(Some(environment)).map(Lines::Table),
            Reason::GithubToken { fault, .. } => Some(Lines::Table(fault.remedy())),
            Reason::GithubNotAsked { .. } => Some(Lines::Table(
                "ask again; `outwall credential check NAME` says whether the session's credential can be had".to_owned(),
            )),
            Reason::AddressMismatch { .. }
            | Reason::PlainConnectionNotAllowed { .. }
            | Reason::Fronting { .. }
            | Reason::MalformedTarget { .. }
            | Reason::MalformedRequest { .. }
            | Reason::UnresolvedName { .. }
            | Reason::OwnListener { .. }
            | Reason::ParentProxy { .. }
            | Reason::UpgradeRefused { .. }
            | Reason::LimitReached { .. }
            | Reason::Withdrawn { .. }
            | Reason::AuditUnavailable => None,
        }
    }

    fn allow(&self, target: &Target) -> Option<String> {
        let pattern = pattern_for(target);
        let allow = match self.facts.level {
            Some(NetworkLevel::Custom) | None => format!("add to allowed_domains = [\"{pattern}\"]"),
            Some(NetworkLevel::Trusted) => {
                format!("network = \"custom\", include_trusted = true, allowed_domains = [\"{pattern}\"]")
            }
            Some(NetworkLevel::None) => format!("network = \"custom\", allowed_domains = [\"{pattern}\"]"),
            Some(NetworkLevel::Full) => format!("add to always_reachable = [\"{pattern}\"]"),
        };
        match exception_for(&target.host) {
            Exception::NotNeeded => Some(allow),
            Exception::Line(line) => Some(format!("{allow}, and {line}")),
            Exception::Never => None,
        }
    }

    fn allow_port(&self, target: &Target) -> String {
        match self.facts.level {
            Some(NetworkLevel::None) => format!("add to always_reachable = [\"{target}\"]"),
            Some(NetworkLevel::Full) => {
                format!(
                    "add to always_reachable = [\"{target}\"] for HTTP, to tcp = [\"{target}\"] for other protocols"
                )
            }
            Some(NetworkLevel::Trusted) => format!(
                "network = \"custom\", include_trusted = true, allowed_domains = [\"{target}\"] for HTTP, tcp = [\"{target}\"] for other protocols"
            ),
            Some(NetworkLevel::Custom) | None => {
                format!(
                    "add to allowed_domains = [\"{target}\"] for HTTP, to tcp = [\"{target}\"] for other protocols"
                )
            }
        }
    }

    /// For this host by an entry of its own, or for the whole list.
    fn allow_writes(&self, target: &Target) -> String {
        let pattern = pattern_for(target);
        let entry = match self.facts.level {
            Some(NetworkLevel::Trusted) => {
                format!("network = \"custom\", include_trusted = true, allowed_domains = [\"{pattern}\"]")
            }
            Some(NetworkLevel::None | NetworkLevel::Full | NetworkLevel::Custom) | None => {
                format!("add to allowed_domains = [\"{pattern}\"]")
            }
        };
        format!("{entry} for this host, or trusted_writes = true for all of the Trusted list")
    }

    fn before_rule(&self) -> String {
        match &self.facts.rule {
            Some(RuleName::Rule { number, .. }) => format!(" before rule {number}"),
            Some(_) | None => String::new(),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "environment `{}` refused this: {}",
            self.facts.environment, self.facts.reason
        )?;
        match &self.facts.rule {
            Some(rule) => write!(f, " ({rule})"),
            None => Ok(()),
        }
    }
}

enum Lines {
    /// Keys of the environment's table.
    Keys(String),
    /// A table of its own.
    Table(String),
}

/// Paths as a TOML list has them; a normal form has no quotation mark and no backslash.
fn quoted(paths: [Option<&String>; 2]) -> String {
    let quoted: Vec<String> = paths
        .into_iter()
        .flatten()
        .map(|path| format!("\"{path}\""))
        .collect();
    quoted.join(", ")
}

/// The shortest pattern that covers a target.
fn pattern_for(target: &Target) -> String {
    if crate::pattern::USUAL_PORTS.contains(&target.port) {
        target.host.to_string()
    } else {
        target.to_string()
    }
}

/// What a host that is written as an address needs besides an entry.
enum Exception {
    NotNeeded,
    Line(String),
    Never,
}

fn exception_for(host: &Host) -> Exception {
    let Host::Address(address) = host else {
        return Exception::NotNeeded;
    };
    match classify(*address) {
        class if !class.is_refused() => Exception::NotNeeded,
        class => allow_address(*address, class).map_or(Exception::Never, Exception::Line),
    }
}

fn allow_address(address: IpAddr, class: AddressClass) -> Option<String> {
    match class {
        AddressClass::Multicast | AddressClass::Broadcast | AddressClass::Unspecified => None,
        _ => {
            let address = address.to_canonical();
            let bits = if address.is_ipv4() { 32 } else { 128 };
            Some(format!("add to allowed_addresses = [\"{address}/{bits}\"]"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{Checked, Policy, PolicyDocument};

    fn denial(url: &str) -> Denial {
        let policy = Policy::compile(&PolicyDocument::default()).unwrap();
        match policy.check(None, "GET", url).unwrap() {
            Checked::Deny(denial) => denial,
            Checked::Allow { rule, .. } => panic!("{url} is allowed by {rule}"),
        }
    }

    #[test]
    fn the_remedy_for_a_special_address_is_the_whole_remedy() {
        let metadata = denial("http://169.254.169.254/");
        assert_eq!(metadata.run_option(), None, "--allow alone would not open it");
        assert!(
            metadata
                .remedy()
                .unwrap()
                .contains("allowed_addresses = [\"169.254.169.254/32\"]")
        );
        assert_eq!(denial("http://255.255.255.255/").remedy(), None, "never dialled");
        let public = denial("http://1.1.1.1/");
        assert_eq!(public.run_option().as_deref(), Some("--allow 1.1.1.1"));
        assert!(!public.remedy().unwrap().contains("allowed_addresses"));
    }
}
