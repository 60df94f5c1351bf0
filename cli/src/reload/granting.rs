//! Grants of a running gate: what widens is recorded before it counts, what narrows counts before it is recorded.

use std::time::Duration;

use outwall_audit::GrantEvent;
use outwall_policy::{EnvironmentName, HostPattern, SandboxId};

use super::Reloader;
use crate::failure::{Explain, Failure};
use crate::grants::Given;

impl Reloader {
    /// Lets sandboxes reach hosts, from their next request on.
    pub(crate) fn grant(&self, given: Given) -> Result<(), Failure> {
        let mut now = self.now();
        now.grants.room()?;
        let note = given.note();
        self.audit()
            .grant_made(event(&given, &note))
            .explain("the grant cannot be recorded, so it does not count")?;
        now.grants.give(given);
        self.put_in_force(&now);
        drop(now);
        self.bell().ring();
        Ok(())
    }

    /// Takes grants back; tunnels that they allowed end. Returns those that there were.
    pub(crate) fn revoke(
        &self,
        hosts: &HostPattern,
        environment: &EnvironmentName,
        sandbox: Option<SandboxId>,
    ) -> Vec<Given> {
        let mut now = self.now();
        let ended = now.grants.take_back(hosts, environment, sandbox);
        self.put_in_force(&now);
        drop(now);
        self.record_end(&ended, "revoked");
        ended
    }

    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.now().grants.next_expiry()
    }

    pub(super) fn expire_grants(&self) {
        let mut now = self.now();
        let ended = now.grants.take_expired();
        if ended.is_empty() {
            return;
        }
        self.put_in_force(&now);
        drop(now);
        self.record_end(&ended, "expired");
    }

    fn record_end(&self, ended: &[Given], outcome: &str) {
        for given in ended {
            let note = given.note();
            if let Err(error) = self.audit().grant_ended(event(given, &note), outcome) {
                tracing::error!(%error, "the end of a grant could not be recorded");
            }
        }
    }
}

fn event<'a>(given: &'a Given, note: &'a str) -> GrantEvent<'a> {
    GrantEvent {
        hosts: &given.hosts,
        scope: &given.scope,
        environment: &given.environment,
        message: note,
    }
}
