//! Events about the policy itself: it changed, a change was refused, somebody granted a host beside it.

use outwall_policy::{EnvironmentName, GrantScope, HostPattern, Sandbox, Target};

use crate::event::{EventId, Kind};
use crate::fields::Fields;
use crate::log::{AuditLog, who};
use crate::mask::MaskedText;
use crate::writer::WriteError;

/// A policy that took over, or that was refused.
#[derive(Clone, Copy, Debug)]
pub struct PolicyEvent<'a> {
    /// The file; none for the built-in policy.
    pub file: Option<&'a str>,
    /// SHA-256 over the file and the files that it names, in hexadecimal digits; none where they cannot be read.
    pub sha256: Option<&'a str>,
    /// What is different, or what is wrong.
    pub message: &'a str,
}

/// A grant that was given, or that ended.
#[derive(Clone, Copy, Debug)]
pub struct GrantEvent<'a> {
    /// The hosts.
    pub hosts: &'a HostPattern,
    /// Who may use it.
    pub scope: &'a GrantScope,
    /// The environment of those who may.
    pub environment: &'a EnvironmentName,
    /// By whom and until when.
    pub message: &'a str,
}

impl AuditLog {
    /// Records that another policy is in force.
    pub fn policy_changed(&self, event: PolicyEvent<'_>) -> Result<EventId, WriteError> {
        self.shared().write(Kind::PolicyChanged, |line| event.write(line))
    }

    /// Records that a new policy does not count, and that the one before stays in force.
    pub fn policy_refused(&self, event: PolicyEvent<'_>) -> Result<EventId, WriteError> {
        self.shared().write(Kind::PolicyRefused, |line| event.write(line))
    }

    /// Records that somebody let running sandboxes reach a host. On an error nothing may be granted.
    pub fn grant_made(&self, event: GrantEvent<'_>) -> Result<EventId, WriteError> {
        self.shared().write(Kind::GrantMade, |line| event.write(line))
    }

    /// Records that a grant is over: `expired` or `revoked`.
    pub fn grant_ended(&self, event: GrantEvent<'_>, outcome: &str) -> Result<EventId, WriteError> {
        self.shared().write(Kind::GrantEnded, |line| {
            event.write(line);
            line.text("outcome", outcome);
        })
    }

    /// Records that a person is asked whether a sandbox may reach a target.
    pub fn question_asked(&self, sandbox: &Sandbox, target: &Target) -> Result<EventId, WriteError> {
        self.shared().write(Kind::QuestionAsked, |line| {
            who(line, sandbox);
            line.text("target", target);
        })
    }

    /// Records what was answered, or why nobody was: a word.
    pub fn question_answered(
        &self,
        sandbox: &Sandbox,
        target: &Target,
        answer: &str,
    ) -> Result<EventId, WriteError> {
        self.shared().write(Kind::QuestionAnswered, |line| {
            who(line, sandbox);
            line.text("target", target);
            line.text("outcome", answer);
        })
    }
}

impl PolicyEvent<'_> {
    fn write(&self, line: &mut Fields<'_>) {
        line.maybe("file", self.file);
        line.maybe("sha256", self.sha256);
        line.text("message", MaskedText(self.message));
    }
}

impl GrantEvent<'_> {
    fn write(&self, line: &mut Fields<'_>) {
        line.plain("environment", self.environment.as_str());
        if let GrantScope::Sandbox(id, _) = self.scope {
            line.text("sandbox", id);
        }
        line.text("target", self.hosts);
        line.text("message", self.message);
    }
}
