//! A denial: a reason with what a person needs to understand it and to change it. It needs no proof; only permits do.

use std::fmt;
use std::sync::Arc;

use crate::document::NetworkLevel;
use crate::permit::RuleName;
use crate::reason::Reason;
use crate::sandbox::EnvironmentName;

/// Why something was refused, by whom, and what may be done about it. Its text is one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    facts: Box<Facts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    environment: EnvironmentName,
    level: Option<NetworkLevel>,
    reason: Reason,
    rule: Option<RuleName>,
    allowed: Option<Arc<str>>,
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
                allowed: None,
            }),
        }
    }

    /// Why.
    pub fn reason(&self) -> &Reason {
        &self.facts.reason
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
        None
    }

    /// The option of `outwall run` that would allow it, where there is one: `--allow api.example.com`.
    pub fn run_option(&self) -> Option<String> {
        None
    }

    /// What is allowed instead, in a few words.
    pub fn allowed_instead(&self) -> String {
        String::new()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (environment `{}`)",
            self.facts.reason, self.facts.environment
        )
    }
}
