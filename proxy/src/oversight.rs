//! What the name service of a sandbox is told by policy, and what it tells the audit log.

use std::sync::{Arc, OnceLock};

use outwall_audit::{AuditLog, DnsAnswer};
use outwall_policy::{DomainName, RefusedNames, Sandbox};

use crate::current::CurrentPolicy;
use crate::dns::{Exhausted, Oversight, QueryKind};
use crate::questions::Questions;
use crate::sandbox_gate::SandboxGate;

/// Records the names that a sandbox asks for.
pub(crate) struct Recording {
    policy: Arc<CurrentPolicy>,
    audit: AuditLog,
    sandbox: Sandbox,
    questions: Arc<OnceLock<Arc<dyn Questions>>>,
}

impl Recording {
    pub(crate) fn new(gate: &SandboxGate) -> Self {
        Self {
            policy: Arc::clone(&gate.shared.policy),
            audit: gate.shared.audit.clone(),
            sandbox: gate.sandbox.clone(),
            questions: Arc::clone(&gate.shared.questions),
        }
    }

    fn note(&self, name: &DomainName, answer: DnsAnswer) {
        if let Err(error) = self.audit.dns(&self.sandbox, name.as_str(), answer) {
            tracing::error!(%error, "a lookup could not be recorded");
        }
    }
}

impl Oversight for Recording {
    fn hides(&self, name: &DomainName) -> bool {
        let snapshot = self.policy.load();
        let Ok(environment) = snapshot
            .policy
            .environment(Some(self.sandbox.environment.as_str()))
        else {
            return false; // a connection is told why
        };
        let may_be_asked = self.questions.get().is_some(); // about a connection, which takes an address
        let hidden = environment.refused_names() == RefusedNames::Nxdomain
            && !may_be_asked
            && !snapshot.policy.reaches(&self.sandbox, name);
        if hidden {
            self.note(name, DnsAnswer::NoSuchName);
        }
        hidden
    }

    fn first_seen(&self, name: &DomainName, kind: QueryKind) {
        let answer = match kind {
            QueryKind::A | QueryKind::Aaaa => DnsAnswer::Addresses,
            QueryKind::Other(_) => DnsAnswer::Empty,
        };
        self.note(name, answer);
    }

    fn exhausted(&self, name: &DomainName, _why: &Exhausted) {
        self.note(name, DnsAnswer::Exhausted);
    }
}
