//! The clients of a proxy that many sandboxes share: who each is, and the gate that it has.
//!
//! Who a connection is from is what a credential says that the broker verified; without one, it is one of the anonymous, if the
//! policy in force has an environment for them. Each sandbox has a gate of its own, made when it is first seen and dropped when the
//! last of its credentials is over and nothing runs any more. A gate is bounded, and their number is.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use outwall_audit::Asked;
use outwall_broker::scoped::{Presented, Refused, ScopedToken, Unreadable, Verifier};
use outwall_policy::{CredentialFault, Denial, Identity, Reason, Sandbox, SandboxId};
use tokio::sync::Semaphore;

use crate::connection::Accepted;
use crate::draining::Draining;
use crate::gate::Shared;
use crate::listener::Host;
use crate::pass::{Pass, Shown};
use crate::peers::Peers;
use crate::sandbox_gate::SandboxGate;

/// How the clients of a shared proxy are known.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Verifies what they show.
    pub verifier: Arc<Verifier>,
    /// What those are called in the records that show nothing. Whether any are served, the policy says; none where nobody is served
    /// without a credential, whatever it says.
    pub anonymous: Option<SandboxId>,
}

/// The clients of a shared proxy.
pub(crate) struct Clientele {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clients: Clients,
    pub(crate) peers: Arc<Peers>,
    /// One permit per connection.
    pub(crate) room: Arc<Semaphore>,
    own_listeners: Vec<SocketAddr>,
    known: Mutex<Known>,
    pub(crate) draining: Draining,
}

#[derive(Default)]
struct Known {
    /// What was verified before, by the digest of its text.
    shown: HashMap<[u8; 32], (Arc<Shown>, Arc<SandboxGate>)>,
    gates: HashMap<Sandbox, Arc<SandboxGate>>,
    /// Since when it cannot be told whether anything was revoked.
    unavailable_since: Option<Instant>,
}

/// Why it is not known who a client is, or why it is served no further.
#[derive(Debug)]
pub(crate) struct Unidentified(pub(crate) Reason);

impl Unidentified {
    /// Whether it shows something that nobody who was given a credential for this would.
    pub(crate) fn is_wrong(&self) -> bool {
        use CredentialFault::{NotOurs, OtherDoor};
        matches!(self.0, Reason::Credential(NotOurs | OtherDoor))
    }
}

impl From<CredentialFault> for Unidentified {
    fn from(fault: CredentialFault) -> Self {
        Self(Reason::Credential(fault))
    }
}

impl Clientele {
    pub(crate) fn new(shared: Arc<Shared>, clients: Clients, own_listeners: Vec<SocketAddr>) -> Arc<Self> {
        Arc::new(Self {
            peers: Peers::new(&shared.limits),
            room: Arc::new(Semaphore::new(shared.limits.shared_connections)),
            clients,
            own_listeners,
            known: Mutex::default(),
            draining: Draining::new(),
            shared,
        })
    }

    /// Who shows this, and its gate.
    pub(crate) fn identify(
        &self,
        shown: &Result<Presented, Unreadable>,
    ) -> Result<(Arc<SandboxGate>, Pass), Unidentified> {
        match shown {
            Ok(Presented::Token(token)) => self.by_credential(token),
            Ok(Presented::Nothing) => self.anonymous(),
            Err(unreadable) => {
                tracing::debug!(%unreadable, "a credential could not be read");
                Err(CredentialFault::NotOurs.into())
            }
        }
    }

    fn anonymous(&self) -> Result<(Arc<SandboxGate>, Pass), Unidentified> {
        let environment = self.shared.policy.load().policy.anonymous_environment().cloned();
        let (id, environment) = self
            .clients
            .anonymous
            .zip(environment)
            .ok_or(CredentialFault::Missing)?;
        let sandbox = Sandbox::anonymous(id, environment);
        let gate = self.gate(&mut self.lock(), &sandbox, "clients without a credential")?;
        Ok((gate, Pass::Nothing))
    }

    /// A signature is verified once for each text; whether it still counts, every time.
    pub(crate) fn by_credential(
        &self,
        token: &ScopedToken,
    ) -> Result<(Arc<SandboxGate>, Pass), Unidentified> {
        let before = self.lock().shown.get(&token.digest()).cloned();
        if let Some((shown, gate)) = before {
            shown.check()?;
            return Ok((gate, Pass::Credential(shown)));
        }
        let verified = self.clients.verifier.verify(token, Timestamp::now());
        let credential = verified.map_err(|refused| {
            report_unavailable(&refused);
            refused.fault()
        })?;
        let mut known = self.lock();
        let name = format!("credential {}", credential.claims().id);
        let gate = self.gate(&mut known, credential.sandbox(), &name)?;
        let digest = *credential.digest();
        let shown = || Shown::new(credential, Arc::clone(&self.clients.verifier));
        let (shown, gate) = known
            .shown
            .entry(digest)
            .or_insert_with(|| (Arc::new(shown()), gate))
            .clone();
        Ok((gate, Pass::Credential(shown)))
    }

    /// The gate of a sandbox, made if it has none.
    fn gate(&self, known: &mut Known, sandbox: &Sandbox, by: &str) -> Result<Arc<SandboxGate>, Unidentified> {
        if let Some(gate) = known.gates.get(sandbox) {
            return Ok(Arc::clone(gate));
        }
        if known.gates.len() >= self.shared.limits.sandboxes {
            let limit = format!("{} sandboxes at once", self.shared.limits.sandboxes);
            return Err(Unidentified(Reason::LimitReached { limit }));
        }
        if let Err(error) = self.shared.audit.sandbox_started(sandbox, by) {
            tracing::error!(%error, "a sandbox could not be recorded");
            return Err(Unidentified(Reason::AuditUnavailable));
        }
        let own = self.own_listeners.clone();
        let gate = SandboxGate::new(Arc::clone(&self.shared), sandbox.clone(), None, own, None);
        if self.draining.is_given() {
            gate.start_draining();
        }
        known.gates.insert(sandbox.clone(), Arc::clone(&gate));
        Ok(gate)
    }

    /// Looks now and then at what runs, until nobody has the clientele any more.
    pub(crate) async fn watch(clientele: Weak<Self>) {
        let mut pace = tokio::time::interval(LOOKS);
        loop {
            pace.tick().await;
            match clientele.upgrade() {
                Some(clientele) => clientele.look(Timestamp::now(), Instant::now()),
                None => return,
            }
        }
    }

    /// Ends what is over, and forgets who is gone.
    fn look(&self, now: Timestamp, instant: Instant) {
        let mut known = self.lock();
        let snapshot = self.clients.verifier.snapshot();
        let unavailable = snapshot.is_err();
        let since = known.unavailable_since.filter(|_| unavailable);
        known.unavailable_since = unavailable.then(|| since.unwrap_or(instant));
        let patient = since
            .is_none_or(|since| instant.duration_since(since) < self.shared.limits.credentials_unavailable);
        if let (Err(error), None) = (&snapshot, since) {
            tracing::error!(%error, "credentials cannot be verified");
        }
        let fault = |shown: &Shown| match &snapshot {
            Ok(snapshot) => snapshot
                .standing(shown.credential(), now)
                .err()
                .map(|refused| refused.fault()),
            Err(_) if patient => None,
            Err(_) => Some(CredentialFault::Unavailable),
        };
        known.shown.retain(|_, (shown, gate)| match fault(shown) {
            None => true,
            Some(fault) => {
                self.end(shown, gate, fault);
                false
            }
        });
        self.forget_gone(&mut known);
    }

    fn end(&self, shown: &Shown, gate: &SandboxGate, fault: CredentialFault) {
        let was_idle = self.is_idle(gate); // what is told to end may be gone the next moment
        shown.end(fault);
        if was_idle {
            return;
        }
        let denial = Denial::new(&gate.sandbox.environment, Reason::Credential(fault));
        gate.denied_within(&denial, Asked::default()); // says why the records of what ran have no end
    }

    /// Those whose credentials are over and who have no connection. The anonymous may come back at any time.
    fn forget_gone(&self, known: &mut Known) {
        let showing: HashSet<_> = known.shown.values().map(|(_, gate)| Arc::as_ptr(gate)).collect();
        known.gates.retain(|sandbox, gate| {
            let comes_back = sandbox.identity == Identity::Anonymous || showing.contains(&Arc::as_ptr(gate));
            let stays = comes_back || !self.is_idle(gate);
            if !stays && let Err(error) = self.shared.audit.sandbox_ended(sandbox, OVER) {
                tracing::error!(%error, "the end of a sandbox could not be recorded");
            }
            stays
        });
    }

    fn is_idle(&self, gate: &SandboxGate) -> bool {
        gate.room.available_permits() == self.shared.limits.connections
    }

    /// Whether anybody who shows a good credential would be served.
    pub(crate) fn is_ready(&self) -> bool {
        self.clients.verifier.snapshot().is_ok()
    }

    /// Tells listeners and the connections of all sandboxes to finish.
    pub(crate) fn start_draining(&self) {
        self.draining.give(); // before those are told that are there
        for gate in self.lock().gates.values() {
            gate.start_draining();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Clientele {
    type Accepted = Accepted;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    async fn drained(&self) {
        self.draining.given().await;
    }

    async fn serve(self: Arc<Self>, accepted: Accepted) {
        if let Err(error) = self.receive(accepted).await {
            error.log();
        }
    }
}

fn report_unavailable(refused: &Refused) {
    if let Refused::Unavailable(error) = refused {
        tracing::error!(%error, "credentials cannot be verified");
    }
}

/// How a sandbox ends whose end nobody sees.
const OVER: &str = "its credentials are over";
/// How often what runs is looked at: what a revoked credential may go on for. A new request is looked at by itself, at once.
const LOOKS: Duration = Duration::from_millis(200);
