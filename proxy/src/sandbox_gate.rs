//! The gate as one sandbox has it: shared is what all share, the rest is its own. Nothing of one sandbox is reachable from another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use outwall_audit::Asked;
use outwall_policy::{ConnectionDecision, Denial, Environment, Opening, Reason, Sandbox, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::allowance::Ledger;
use crate::askers::Inquiry;
use crate::brokering::Brokering;
use crate::client_gate::ClientGate;
use crate::connection::Accepted;
use crate::dialer::Dialer;
use crate::distinct_names::{DistinctNames, TooManyNames};
use crate::dns::NameTable;
use crate::draining::Draining;
use crate::excerpt::Excerpts;
use crate::gate::Shared;
use crate::github::AtGithub;
use crate::leaks::Leaks;
use crate::limits::Limits;
use crate::listener::Host;
use crate::origins::{Origins, SandboxTls};

/// The gate as one sandbox has it.
pub(crate) struct SandboxGate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sandbox: Sandbox,
    pub(crate) dialer: Dialer,
    /// Names of synthetic addresses; none where connections are not captured.
    pub(crate) names: Option<Arc<NameTable>>,
    /// Where the gate itself listens for this sandbox.
    pub(crate) own_listeners: Vec<SocketAddr>,
    /// One permit per connection.
    pub(crate) room: Arc<Semaphore>,
    /// One permit per exchange.
    exchanges: Arc<Semaphore>,
    pub(crate) draining: Draining,
    /// One per lane.
    origins: Vec<Arc<Origins>>,
    refusals: Mutex<Pace>,
    distinct_names: DistinctNames,
    /// What was used of the environment's limits.
    pub(crate) ledger: Ledger,
    pub(crate) leaks: Leaks,
    pub(crate) excerpts: Excerpts,
    pub(crate) brokering: Brokering,
    pub(crate) at_github: AtGithub,
    /// Finds out which program made a connection; none where that cannot be told.
    pub(crate) inquiry: Option<Inquiry>,
}

impl SandboxGate {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sandbox: Sandbox,
        names: Option<Arc<NameTable>>,
        own_listeners: Vec<SocketAddr>,
        inquiry: Option<Inquiry>,
    ) -> Arc<Self> {
        let limits = shared.limits.clone();
        let tls = Arc::new(SandboxTls::default());
        let dialer = Dialer::new(
            Arc::clone(&shared.policy),
            (Arc::clone(&shared.resolvers), Arc::clone(&shared.doors)),
            Arc::clone(&tls),
            limits.connect_address,
        );
        let origins = shared.lanes.runtimes().map(|lane| {
            let origins = Origins::new(
                dialer.clone(),
                Arc::clone(&tls),
                limits.clone(),
                Arc::clone(&shared.metrics),
            );
            origins.sweep_on(lane);
            origins
        });
        Arc::new(Self {
            origins: origins.collect(),
            dialer,
            shared,
            sandbox,
            names,
            own_listeners,
            room: Arc::new(Semaphore::new(limits.connections)),
            exchanges: Arc::new(Semaphore::new(limits.exchanges)),
            draining: Draining::new(),
            refusals: Mutex::new(Pace::new(&limits)),
            distinct_names: DistinctNames::new(&limits),
            ledger: Ledger::new(),
            leaks: Leaks::default(),
            excerpts: Excerpts::default(),
            brokering: Brokering::default(),
            at_github: AtGithub::default(),
            inquiry,
        })
    }

    /// The origins as the connections of one lane reach them.
    pub(crate) fn origins(&self, lane: usize) -> &Arc<Origins> {
        &self.origins[lane]
    }

    /// The policy in force decides. What it allows may be one name too many below a wildcard.
    pub(crate) fn decide_now(
        &self,
        target: &Target,
        opening: Opening,
    ) -> (ConnectionDecision, Option<TooManyNames>) {
        let snapshot = self.shared.policy.load();
        let decision = snapshot.policy.decide_connection(&self.sandbox, target, opening);
        let Some(permit) = decision.permit() else {
            return (decision, None);
        };
        if snapshot.policy.static_address(target).is_some() {
            return (decision, None); // it is not resolved
        }
        let environment = snapshot
            .policy
            .environment(Some(self.sandbox.environment.as_str()));
        let limit = environment.ok().and_then(Environment::names_below_one_wildcard);
        let too_many = self.distinct_names.count(permit, limit).err();
        (decision, too_many)
    }

    /// Records a refusal, with the connection that it was in, if it was in one.
    pub(crate) fn denied_within(&self, denial: &Denial, asked: Asked<'_>) {
        tracing::debug!(sandbox = %self.sandbox.id, %denial, "refused");
        self.shared.metrics.denial(denial.code());
        if let Err(error) = self.shared.audit.denied(&self.sandbox, denial, asked) {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// A refusal that is the gate's own, not the policy's.
    pub(crate) fn denial(&self, reason: Reason) -> Denial {
        Denial::new(&self.sandbox.environment, reason)
    }

    /// Whether one more refusal may be answered inside TLS, which costs a mint and a handshake.
    pub(crate) fn may_refuse_inside_tls(&self) -> bool {
        self.refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now())
    }

    /// Room for one more exchange, if there is any: overload is told to who causes it and not shared by all.
    pub(crate) fn room_for_exchange(&self) -> Result<OwnedSemaphorePermit, Denial> {
        let room = Arc::clone(&self.exchanges).try_acquire_owned();
        let limit = || format!("{} requests at once", self.shared.limits.exchanges);
        room.map_err(|_full| self.denial(Reason::LimitReached { limit: limit() }))
    }

    /// Resolves when the gate is to drain.
    pub(crate) async fn drained(&self) {
        self.draining.given().await;
    }

    /// Tells listeners and connections to finish.
    pub(crate) fn start_draining(&self) {
        self.draining.give();
    }
}

impl Host for SandboxGate {
    type Accepted = Accepted;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    async fn drained(&self) {
        self.drained().await;
    }

    async fn serve(self: Arc<Self>, accepted: Accepted) {
        ClientGate::accepted(self, &accepted).serve(accepted).await;
    }
}

/// So many per second, with one second's worth at once.
struct Pace {
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        let per_second = f64::from(limits.refusals_per_second);
        Self {
            per_second,
            left: per_second,
            since: Instant::now(),
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = (self.left + passed * self.per_second).min(self.per_second);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn refusals_have_a_pace_and_a_burst() {
        let limits = Limits {
            refusals_per_second: 2,
            ..Limits::default()
        };
        let mut pace = Pace::new(&limits);
        let start = Instant::now();
        assert!(pace.take(start) && pace.take(start));
        assert!(!pace.take(start));
        assert!(pace.take(start + Duration::from_millis(600)));
    }
}
