//! Grants: hosts that somebody let running sandboxes reach, beside what the document says.
//!
//! A grant widens one environment or one sandbox by an entry like those of `allowed_domains`. It is asked last, so that whatever
//! denies (a rule on requests, the class of an address) denies what was granted too. It knows no clock: whoever gave it takes it
//! back by putting a policy without it in force.

use std::sync::Arc;

use thiserror::Error;

use crate::blocklist::Blocked;
use crate::document::NetworkLevel;
use crate::environment::Treatment;
use crate::host::{DomainName, Host};
use crate::host_ports::is_host;
use crate::pattern::{HostPattern, Hosts};
use crate::permit::RuleName;
use crate::policy::{Policy, UnknownEnvironment};
use crate::sandbox::{EnvironmentName, Sandbox, SandboxId};
use crate::target::Target;
use crate::{shared_storage, trusted};

/// A host, or the hosts below a wildcard, that somebody let reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostGrant {
    pattern: HostPattern,
    scope: GrantScope,
    note: Arc<str>,
}

/// Who may use a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantScope {
    /// Every sandbox of an environment.
    Environment(EnvironmentName),
    /// One sandbox of that environment.
    Sandbox(SandboxId, EnvironmentName),
}

/// Why a grant may not be given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// No such environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// The environment is to reach nothing.
    #[error("environment `{0}` is at network = \"none\", which promises that nothing is reached")]
    NetworkNone(EnvironmentName),
    /// The host's loopback is reached by `host_ports` alone.
    #[error("\"{0}\" is the host's loopback, whose ports are granted when a sandbox starts")]
    HostPort(HostPattern),
    /// A blocklist names the hosts, and nothing beats a blocklist.
    #[error("\"{hosts}\" is refused by {blocked}, whatever allows it")]
    Blocklisted {
        /// The hosts.
        hosts: HostPattern,
        /// The entry.
        blocked: Box<Blocked>,
    },
}

impl HostGrant {
    /// A grant; `note` says by whom and until when, for the audit and for refusals.
    pub fn new(pattern: HostPattern, scope: GrantScope, note: &str) -> Self {
        Self {
            pattern,
            scope,
            note: note.into(),
        }
    }

    /// The hosts.
    pub fn pattern(&self) -> &HostPattern {
        &self.pattern
    }

    /// Who may use it.
    pub fn scope(&self) -> &GrantScope {
        &self.scope
    }

    fn covers(&self, sandbox: &Sandbox, target: &Target) -> bool {
        self.is_for(sandbox) && self.pattern.matches(target)
    }

    fn is_for(&self, sandbox: &Sandbox) -> bool {
        match &self.scope {
            GrantScope::Environment(name) => *name == sandbox.environment,
            GrantScope::Sandbox(id, name) => *id == sandbox.id && *name == sandbox.environment,
        }
    }

    fn rule_name(&self) -> RuleName {
        RuleName::Granted {
            pattern: self.pattern.clone(),
            note: Arc::clone(&self.note),
        }
    }
}

impl Policy {
    /// The same policy with these grants, and none of those before.
    #[must_use]
    pub fn with_grants(&self, grants: impl IntoIterator<Item = HostGrant>) -> Self {
        Self {
            grants: grants.into_iter().collect(),
            ..self.clone()
        }
    }

    /// True when the name is reached at some port: by the sandbox's environment, or by a grant.
    pub fn reaches(&self, sandbox: &Sandbox, name: &DomainName) -> bool {
        let environment = self.environments.get(sandbox.environment.as_str());
        let host = Host::Name(name.clone());
        let granted = |grant: &HostGrant| grant.is_for(sandbox) && grant.pattern.hosts.contain(&host);
        environment.is_some_and(|environment| {
            let may_be_granted = environment.blocked(&host).is_none();
            let beside = self.learns(sandbox) || self.grants.iter().any(granted);
            environment.reaches(name) || may_be_granted && beside
        })
    }

    /// Which grant lets this sandbox reach the target. Its requests are read.
    pub(crate) fn granted(&self, sandbox: &Sandbox, target: &Target) -> Option<(RuleName, Treatment)> {
        let grant = self.grants.iter().find(|grant| grant.covers(sandbox, target))?;
        Some((grant.rule_name(), Treatment::Intercept))
    }

    /// What somebody should know before these hosts are granted to an environment, a sentence each. A level `none` is opened only
    /// by who says so: `although_none`.
    pub fn foresee_grant(
        &self,
        environment: &EnvironmentName,
        pattern: &HostPattern,
        although_none: bool,
    ) -> Result<Vec<String>, GrantError> {
        let environment = self.environment(Some(environment.as_str()))?;
        if environment.network == NetworkLevel::None && !although_none {
            return Err(GrantError::NetworkNone(environment.name.clone()));
        }
        if is_host(&pattern.host()) && !pattern.is_wildcard() {
            return Err(GrantError::HostPort(pattern.clone()));
        }
        if let Some(blocked) = environment.blocked(&pattern.host()) {
            return Err(GrantError::Blocklisted {
                hosts: pattern.clone(),
                blocked: Box::new(blocked),
            });
        }
        let trusted = environment.include_trusted && trusted::matcher().covers(pattern);
        let mut known = Vec::new();
        if environment.matcher.covers(pattern) || trusted && environment.trusted_writes {
            known.push(format!("\"{pattern}\" was allowed already"));
        } else if trusted {
            known.push(format!(
                "\"{pattern}\" was allowed already for reading; from here on it may be written to as well"
            ));
        }
        if environment.rules.may_name(pattern) {
            known.push(format!(
                "rules of environment `{}` go on to narrow which requests",
                environment.name
            ));
        }
        known.extend(self.foresee_address(environment, pattern));
        known.extend(foresee_storage(pattern));
        Ok(known)
    }

    fn foresee_address(&self, environment: &crate::Environment, pattern: &HostPattern) -> Option<String> {
        let Hosts::Literal(address) = pattern.hosts else {
            return None;
        };
        let class = self.classify(address);
        let refused = class.is_refused() && !environment.exceptions.cover(address, class);
        refused.then(|| {
            format!("\"{pattern}\" is {class}, which stays refused until `allowed_addresses` of the policy file names it")
        })
    }
}

fn foresee_storage(pattern: &HostPattern) -> Option<String> {
    let Hosts::Below(base) = &pattern.hosts else {
        return None;
    };
    if !base.as_str().contains('.') {
        return Some(format!("\"{pattern}\" covers a whole top-level domain"));
    }
    shared_storage::is_below(base.as_str()).then(|| {
        format!(
            "\"{pattern}\" covers storage and servers that anybody can rent, so data can leave through it"
        )
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::{
        Action, ConnectionDecision, Method, Opening, PolicyDocument, RequestDecision, RequestPath, Scheme,
    };

    fn policy(text: &str) -> Policy {
        Policy::compile(&PolicyDocument::parse(text, "test.toml").unwrap()).unwrap()
    }

    fn sandbox(id: u8) -> Sandbox {
        Sandbox::new(SandboxId::from_random([id; 4]), "a".parse().unwrap())
    }

    fn decided(policy: &Policy, who: u8, target: &str) -> Result<String, &'static str> {
        let target = Target::parse(target).unwrap();
        match policy.decide_connection(&sandbox(who), &target, Opening::Unread) {
            ConnectionDecision::Deny(denial) => Err(denial.code()),
            ConnectionDecision::Intercept(permit) => Ok(permit.rule().to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn grant(pattern: &str, scope: GrantScope) -> HostGrant {
        HostGrant::new(HostPattern::parse(pattern).unwrap(), scope, "by user 1000")
    }

    fn to_first() -> GrantScope {
        GrantScope::Sandbox(sandbox(1).id, "a".parse().unwrap())
    }

    const CUSTOM: &str = "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"own.test\"]\n\
        [[environments.a.rules]]\nhost = \"ruled.test\"\nmethods = [\"GET\"]\naction = \"allow\"\n";

    #[test]
    fn a_grant_is_for_its_hosts_and_its_environment_and_is_gone_when_it_is_taken_back() {
        let before = policy(CUSTOM);
        let granted = before.with_grants([grant("new.test", GrantScope::Environment("a".parse().unwrap()))]);
        assert_eq!(
            decided(&granted, 1, "new.test:443").unwrap(),
            "granted \"new.test\" (by user 1000)"
        );
        assert_eq!(decided(&granted, 1, "new.test:22"), Err("host-not-allowed"));
        assert_eq!(decided(&granted, 1, "x.new.test:443"), Err("host-not-allowed"));
        assert_eq!(
            decided(&granted, 1, "own.test:443").unwrap(),
            "allowed_domains \"own.test\""
        );
        assert_eq!(decided(&before, 1, "new.test:443"), Err("host-not-allowed"));
        let other = before.with_grants([grant("new.test", GrantScope::Environment("b".parse().unwrap()))]);
        assert_eq!(decided(&other, 1, "new.test:443"), Err("host-not-allowed"));
        assert_eq!(
            decided(&granted.with_grants([]), 1, "new.test:443"),
            Err("host-not-allowed")
        );
    }

    #[test]
    fn a_granted_host_of_the_trusted_list_may_be_written_to() {
        let before = policy("[environments.a]\n");
        let granted = before.with_grants([grant("pypi.org", to_first())]);
        let put = |policy: &Policy, who: u8| {
            let target = Target::parse("pypi.org:443").unwrap();
            let ConnectionDecision::Intercept(via) =
                policy.decide_connection(&sandbox(who), &target, Opening::Unread)
            else {
                panic!("it is on the list")
            };
            let path = RequestPath::parse("/legacy/").unwrap();
            let action = Action::new(Scheme::Https, target, Method::parse("POST").unwrap(), path, ());
            match policy.decide_request(&via, action) {
                RequestDecision::Allow(permitted) => Ok(permitted.permit().rule().to_string()),
                RequestDecision::Deny(denial, ()) => Err(denial.code()),
                RequestDecision::Understand(_) => unreachable!("no session"),
            }
        };
        assert_eq!(put(&granted, 1).unwrap(), "granted \"pypi.org\" (by user 1000)");
        assert_eq!(put(&granted, 2), Err("trusted-write-refused"));
        assert_eq!(put(&before, 1), Err("trusted-write-refused"));
        let known = before.foresee_grant(
            &"a".parse().unwrap(),
            &HostPattern::parse("pypi.org").unwrap(),
            false,
        );
        assert!(known.unwrap()[0].ends_with("it may be written to as well"));
    }

    #[test]
    fn a_grant_to_one_sandbox_is_not_another_ones() {
        let granted = policy(CUSTOM).with_grants([grant("new.test", to_first())]);
        assert!(decided(&granted, 1, "new.test:443").is_ok());
        assert_eq!(decided(&granted, 2, "new.test:443"), Err("host-not-allowed"));
        let elsewhere = GrantScope::Sandbox(sandbox(1).id, "b".parse().unwrap());
        let granted = policy(CUSTOM).with_grants([grant("new.test", elsewhere)]);
        assert_eq!(decided(&granted, 1, "new.test:443"), Err("host-not-allowed"));
    }

    #[test]
    fn a_permit_by_grant_is_withdrawn_with_the_grant() {
        let before = policy(CUSTOM);
        let granted = before.with_grants([grant("new.test", to_first())]);
        let target = Target::parse("new.test:443").unwrap();
        let ConnectionDecision::Intercept(permit) =
            granted.decide_connection(&sandbox(1), &target, Opening::Unread)
        else {
            panic!("not granted")
        };
        assert!(granted.still_grants(&permit));
        assert!(granted.admit(&permit, "203.0.113.1:443".parse().unwrap()).is_ok());
        assert!(
            granted
                .admit(&permit, "169.254.169.254:443".parse().unwrap())
                .is_err()
        );
        assert!(!before.still_grants(&permit));
    }

    #[test]
    fn what_should_be_known_before_is_said() {
        let foreseen = |text: &str, pattern: &str, although_none: bool| {
            let pattern = HostPattern::parse(pattern).unwrap();
            policy(text)
                .foresee_grant(&"a".parse().unwrap(), &pattern, although_none)
                .map(|known| known.join("; "))
        };
        let blocked = |pattern: &str| {
            let text = format!("blocklists = [\"ads.hosts\"]\n{CUSTOM}");
            let mut document = PolicyDocument::parse(&text, "test.toml").unwrap();
            document.add_blocklist("ads.hosts", crate::Blocklist::parse(b"ads.test\n", "ads.hosts"));
            let pattern = HostPattern::parse(pattern).unwrap();
            let policy = Policy::compile(&document).unwrap();
            policy.foresee_grant(&"a".parse().unwrap(), &pattern, false)
        };
        assert_eq!(foreseen(CUSTOM, "new.test", false), Ok(String::new()));
        assert!(
            foreseen(CUSTOM, "own.test", false)
                .unwrap()
                .contains("allowed already")
        );
        assert!(foreseen(CUSTOM, "ruled.test", false).unwrap().contains("narrow"));
        assert!(
            foreseen(CUSTOM, "*.amazonaws.com", false)
                .unwrap()
                .contains("anybody can rent")
        );
        assert!(
            foreseen(CUSTOM, "10.0.0.1", false)
                .unwrap()
                .contains("allowed_addresses")
        );
        assert!(matches!(
            blocked("host.outwall.internal:5432"),
            Err(GrantError::HostPort(_))
        ));
        assert!(matches!(blocked("ads.test"), Err(GrantError::Blocklisted { .. })));
        assert!(matches!(
            blocked("*.ads.test"),
            Err(GrantError::Blocklisted { .. })
        ));
        assert!(blocked("*.test").is_ok() && blocked("new.test").is_ok());
        let none = "[environments.a]\nnetwork = \"none\"\n";
        assert!(matches!(
            foreseen(none, "new.test", false),
            Err(GrantError::NetworkNone(_))
        ));
        assert_eq!(foreseen(none, "new.test", true), Ok(String::new()));
    }
}
