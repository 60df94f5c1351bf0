//! Learning: sandboxes of one environment also reach what is on no list, and only for want of a line that allows it.
//!
//! It is asked last, behind everything that refuses by name: blocklists, the parent proxy, GitHub's rules, the ports of the host. It
//! is no level: what is classified (private addresses, metadata, the machine's own), ruled on (rules, the Trusted list's being for
//! reading) or searched (credentials that leave) is so as without it. Beside the document, as grants are: no file can ask for it.

use thiserror::Error;

use crate::document::NetworkLevel;
use crate::environment::Treatment;
use crate::permit::RuleName;
use crate::policy::{Policy, UnknownEnvironment};
use crate::reason::Reason;
use crate::sandbox::{EnvironmentName, Sandbox};

/// What is done with hosts and ports that are on no list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// They are refused.
    #[default]
    Refuse,
    /// `--learn`: they are reached, by the rule `learn`.
    Learn,
}

/// Why an environment cannot learn.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LearnError {
    /// No such environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// The environment is to reach nothing.
    #[error(
        "environment `{0}` is at network = \"none\", which promises that nothing is reached: there is nothing to learn"
    )]
    NetworkNone(EnvironmentName),
}

impl Policy {
    /// The same policy, in which sandboxes of this environment (none: the default one) are refused nothing only because no line
    /// allows it.
    pub fn learning(&self, environment: Option<&str>) -> Result<Self, LearnError> {
        let environment = self.environment(environment)?;
        if environment.network == NetworkLevel::None {
            return Err(LearnError::NetworkNone(environment.name.clone()));
        }
        Ok(Self {
            learns: Some(environment.name.clone()),
            ..self.clone()
        })
    }

    /// True when sandboxes of that environment learn.
    pub(crate) fn learns(&self, sandbox: &Sandbox) -> bool {
        self.learns.as_ref() == Some(&sandbox.environment)
    }

    /// What is refused for this reason alone is learned. Its requests are read.
    pub(crate) fn learned(&self, sandbox: &Sandbox, refused: &Reason) -> Option<(RuleName, Treatment)> {
        let unlisted = matches!(
            refused,
            Reason::HostNotAllowed { .. } | Reason::PortNotAllowed { .. } | Reason::LiteralNotAllowed { .. }
        );
        (unlisted && self.learns(sandbox)).then_some((RuleName::Learn, Treatment::Intercept))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::{
        Action, Blocklist, ConnectionDecision, ConnectionPermit, Method, Opening, PolicyDocument,
        RequestDecision, RequestPath, SandboxId, Scheme, Target,
    };

    const FILE: &str = r#"
default_environment = "a"
[environments.a]
network = "custom"
include_trusted = true
allowed_domains = ["ruled.test", "listed.test"]
tcp = ["db.test:5432"]
host_ports = [5432]
blocklists = ["bad.hosts"]
[[environments.a.rules]]
host = "ruled.test"
methods = ["GET"]
action = "allow"
[environments.b]
network = "custom"
[environments.none]
network = "none"
"#;

    fn policy() -> Policy {
        let mut document = PolicyDocument::parse(FILE, "test.toml").unwrap();
        document.add_blocklist("bad.hosts", Blocklist::parse(b"bad.test\n", "bad.hosts"));
        let mut policy = Policy::compile(&document).unwrap();
        policy.refuse_addresses(["203.0.113.77".parse().unwrap()]);
        policy
    }

    fn connect(policy: &Policy, environment: &str, target: &str) -> Result<ConnectionPermit, &'static str> {
        let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), environment.parse().unwrap());
        match policy.decide_connection(&sandbox, &Target::parse(target).unwrap(), Opening::Unread) {
            ConnectionDecision::Deny(denial) => Err(denial.code()),
            ConnectionDecision::Intercept(permit)
            | ConnectionDecision::Tunnel(permit)
            | ConnectionDecision::Stream(permit)
            | ConnectionDecision::Forward(permit) => Ok(permit),
        }
    }

    fn rule(policy: &Policy, environment: &str, target: &str) -> Result<String, &'static str> {
        connect(policy, environment, target).map(|permit| permit.rule().to_string())
    }

    fn request(policy: &Policy, method: &str, target: &str) -> Result<String, &'static str> {
        let permit = connect(policy, "a", target)?;
        let action = Action::new(
            Scheme::Https,
            Target::parse(target).unwrap(),
            Method::parse(method).unwrap(),
            RequestPath::parse("/x").unwrap(),
            (),
        );
        match policy.decide_request(&permit, action) {
            RequestDecision::Allow(permitted) => Ok(permitted.permit().rule().to_string()),
            RequestDecision::Deny(denial, ()) => Err(denial.code()),
            RequestDecision::Understand(_) => Err("github"),
        }
    }

    #[test]
    fn what_is_on_no_list_is_learned_and_what_is_on_one_is_not() {
        let (before, learning) = (policy(), policy().learning(None).unwrap());
        for (target, reason) in [
            ("new.test:443", "host-not-allowed"),
            ("listed.test:8443", "port-not-allowed"),
            ("198.51.100.7:443", "literal-not-allowed"),
        ] {
            assert_eq!(rule(&before, "a", target), Err(reason));
            assert_eq!(rule(&learning, "a", target).unwrap(), "learn");
        }
        assert_eq!(
            rule(&learning, "a", "listed.test:443").unwrap(),
            "allowed_domains \"listed.test\""
        );
        assert_eq!(
            rule(&learning, "a", "db.test:5432").unwrap(),
            "tcp \"db.test:5432\""
        );
        assert_eq!(request(&learning, "POST", "new.test:443").unwrap(), "learn");
    }

    #[test]
    fn what_is_refused_for_another_reason_stays_refused() {
        let learning = policy().learning(Some("a")).unwrap();
        assert_eq!(rule(&learning, "a", "bad.test:443"), Err("blocklisted"));
        assert_eq!(
            rule(&learning, "a", "host.outwall.internal:22"),
            Err("host-port-not-allowed")
        );
        assert_eq!(request(&learning, "POST", "ruled.test:443"), Err("rule-refused"));
        assert_eq!(
            request(&learning, "PUT", "pypi.org:443"),
            Err("trusted-write-refused")
        );
        let learned = connect(&learning, "a", "new.test:443").unwrap();
        for refused in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "203.0.113.77"] {
            let address = format!("{refused}:443").parse().unwrap();
            assert_eq!(
                learning.admit(&learned, address).unwrap_err().code(),
                "address-refused",
                "{refused}"
            );
        }
        assert!(
            learning
                .admit(&learned, "93.184.216.34:443".parse().unwrap())
                .is_ok()
        );
    }

    #[test]
    fn only_one_environment_learns_and_never_one_without_network() {
        let learning = policy().learning(Some("a")).unwrap();
        assert_eq!(rule(&learning, "b", "new.test:443"), Err("host-not-allowed"));
        assert_eq!(
            rule(&policy().learning(Some("b")).unwrap(), "b", "new.test:443").unwrap(),
            "learn"
        );
        assert!(matches!(
            policy().learning(Some("none")),
            Err(LearnError::NetworkNone(_))
        ));
        assert!(matches!(
            policy().learning(Some("c")),
            Err(LearnError::Environment(_))
        ));
    }

    #[test]
    fn what_was_learned_ends_with_learning() {
        let (before, learning) = (policy(), policy().learning(None).unwrap());
        let learned = connect(&learning, "a", "new.test:443").unwrap();
        assert!(learning.still_grants(&learned));
        assert!(!before.still_grants(&learned));
        assert!(!before.with_grants([]).still_grants(&learned));
        assert!(
            learning.with_grants([]).still_grants(&learned),
            "grants stand beside it"
        );
    }
}
