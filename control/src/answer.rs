//! What a gate answers.

use outwall_policy::{EnvironmentName, GrantScope, SandboxId};
use serde::{Deserialize, Serialize};

use crate::VERSION;

/// What a gate answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// How it is.
    Status(Box<Status>),
    /// Its counters, as Prometheus reads them.
    Metrics {
        /// The text.
        text: String,
    },
    /// It was done.
    Done {
        /// The grants that were given or taken back.
        grants: Vec<Grant>,
        /// What is worth knowing, a sentence each.
        notes: Vec<String>,
    },
    /// The gate has no such sandbox or environment: the request is not for it.
    NotMine,
    /// It was not done.
    Refused {
        /// Why.
        error: String,
        /// What to do instead.
        hints: Vec<String>,
    },
}

/// How a gate is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// What it does.
    pub role: Role,
    /// The sandboxes that it serves, as far as they are known by name.
    pub sandboxes: Vec<Standing>,
    /// The policy file; none: the built-in policy.
    pub policy_file: Option<String>,
    /// Over it and the files that it names.
    pub sha256: String,
    /// Since when that is in force, RFC 3339.
    pub since: String,
    /// The newest change to it that does not count.
    pub refused: Option<ChangeRefused>,
    /// What was granted beside it.
    pub grants: Vec<Grant>,
}

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It serves one sandbox of its own.
    Run,
    /// It is a proxy for machines that it did not make.
    Proxy,
    /// It is GitHub for sessions on such machines.
    Github,
}

/// A sandbox that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub id: SandboxId,
    /// Its environment.
    pub environment: EnvironmentName,
}

/// A change of the policy that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRefused {
    /// When, RFC 3339.
    pub at: String,
    /// What is wrong with it.
    pub error: String,
}

/// A host that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The hosts.
    pub hosts: String,
    /// The environment of those who may.
    pub environment: EnvironmentName,
    /// The sandbox, where it is for one alone.
    pub sandbox: Option<SandboxId>,
    /// By whom.
    pub by: String,
    /// Its end, RFC 3339; none: that of the gate.
    pub until: Option<String>,
}

impl Grant {
    /// The sandbox of a scope, if it is for one alone.
    pub fn sandbox_of(scope: &GrantScope) -> Option<SandboxId> {
        match scope {
            GrantScope::Sandbox(id, _) => Some(*id),
            GrantScope::Environment(_) => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Written<A> {
    v: u32,
    #[serde(flatten)]
    answer: A,
}

impl Answer {
    /// Reads a line, without its end. None: it is not an answer of this version.
    pub fn parse(line: &str) -> Option<Self> {
        let written: Written<Self> = serde_json::from_str(line).ok()?;
        (written.v == VERSION).then_some(written.answer)
    }

    /// The line, without its end.
    #[expect(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn to_line(&self) -> String {
        let written = Written {
            v: VERSION,
            answer: self,
        };
        serde_json::to_string(&written).expect("plain data is JSON")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn an_answer_reads_back_as_it_was_said_and_one_of_another_version_is_none() {
        let grant = Grant {
            hosts: "a.test".to_owned(),
            environment: "web".parse().unwrap(),
            sandbox: None,
            by: "by user 1000".to_owned(),
            until: None,
        };
        let status = Status {
            pid: 7,
            role: Role::Run,
            sandboxes: vec![Standing {
                id: "s-7f3a001d".parse().unwrap(),
                environment: "web".parse().unwrap(),
            }],
            policy_file: None,
            sha256: "00".to_owned(),
            since: "2026-05-01T12:00:00Z".to_owned(),
            refused: Some(ChangeRefused {
                at: "2026-05-01T12:00:00Z".to_owned(),
                error: "line 1\nline 2".to_owned(),
            }),
            grants: vec![grant.clone()],
        };
        for answer in [
            Answer::Status(Box::new(status)),
            Answer::NotMine,
            Answer::Metrics {
                text: "a 1\nb 2\n".to_owned(),
            },
            Answer::Done {
                grants: vec![grant],
                notes: vec!["known".to_owned()],
            },
            Answer::Refused {
                error: "no".to_owned(),
                hints: Vec::new(),
            },
        ] {
            let line = answer.to_line();
            assert!(!line.contains('\n'));
            assert_eq!(Answer::parse(&line), Some(answer), "{line}");
            assert_eq!(Answer::parse(&line.replace("\"v\":1", "\"v\":2")), None);
        }
    }
}
