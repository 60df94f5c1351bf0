//! The gate as one client connection has it: its sandbox's gate, and what each of its records says of the connection.
//!
//! Refusals and findings are recorded here and nowhere else, so none that belongs to a connection is without it.

use std::ops::Deref;
use std::sync::Arc;

use outwall_audit::{Asked, GoingOut, Recorded, Within};
use outwall_policy::{ConnectionDecision, ConnectionPermit, Denial, Opening, Reason, Target};

use crate::askers::{Answer, Made};
use crate::connection::{Accepted, Door};
use crate::distinct_names::TooManyNames;
use crate::error::Error;
use crate::lanes::Seat;
use crate::sandbox_gate::SandboxGate;

/// The gate as one client connection has it.
pub(crate) struct ClientGate {
    gate: Arc<SandboxGate>,
    seat: Seat,
    /// Which program made it; none where that is not looked for.
    asker: Option<Arc<Answer>>,
}

impl Deref for ClientGate {
    type Target = SandboxGate;

    fn deref(&self) -> &SandboxGate {
        &self.gate
    }
}

impl ClientGate {
    /// Of a client of which no program is looked for.
    pub(crate) fn new(gate: Arc<SandboxGate>, seat: Seat) -> Arc<Self> {
        let asker = None;
        Arc::new(Self { gate, seat, asker })
    }

    /// Of a connection that was just accepted. Which program made it is found out from here on, if somebody knows.
    pub(crate) fn accepted(gate: Arc<SandboxGate>, accepted: &Accepted) -> Arc<Self> {
        let inquiry = gate.inquiry.as_ref();
        let asker = inquiry.and_then(|inquiry| Some(inquiry.ask(made(accepted)?)));
        let seat = accepted.seat;
        Arc::new(Self { gate, seat, asker })
    }

    /// Waits until it is known which program made the connection, in bounded time: to be awaited before the first record of it.
    pub(crate) async fn know_asker(&self) {
        if let Some(asker) = &self.asker {
            asker.known().await;
        }
    }

    /// Whether it is of this sandbox.
    pub(crate) fn is_of(&self, gate: &Arc<SandboxGate>) -> bool {
        Arc::ptr_eq(&self.gate, gate)
    }

    /// What its records say of the connection.
    pub(crate) fn within(&self) -> Within<'_> {
        let process = self.asker.as_ref().map(|asker| asker.process());
        Within::connection(self.seat.connection).by(process)
    }

    /// The policy in force decides; what it allows is refused all the same when it is one name too many below a wildcard.
    /// Every way to a connection goes through here, before anything is resolved.
    pub(crate) async fn decide_now(&self, target: &Target, opening: Opening) -> ConnectionDecision {
        let (decision, too_many) = self.gate.decide_now(target, opening);
        match too_many {
            None => decision,
            Some(too_many) => {
                self.know_asker().await;
                ConnectionDecision::Deny(self.too_many_names(too_many))
            }
        }
    }

    fn too_many_names(&self, too_many: TooManyNames) -> Denial {
        let TooManyNames {
            pattern,
            limit,
            first,
        } = too_many;
        if first {
            let message = format!(
                "connections to {limit} different names below {pattern} were allowed, and further names are refused: \
                 this is how data is carried out in names"
            );
            self.found("too-many-names", &message);
        }
        self.denial(Reason::TooManyNames { pattern })
    }

    /// No record, no connection.
    pub(crate) async fn record_connection(&self, permit: &ConnectionPermit) -> Result<Recorded, Error> {
        self.know_asker().await;
        self.record(GoingOut::connection(permit))
    }

    /// No record, no sending.
    pub(crate) fn record(&self, what: GoingOut<'_>) -> Result<Recorded, Error> {
        let recorded = self.shared.audit.going_out(what.within(self.within()));
        recorded.map_err(|error| {
            self.shared.metrics.unrecorded();
            error.into()
        })
    }

    /// Records what security people should look at.
    pub(crate) fn found(&self, code: &str, message: &str) {
        self.found_in(code, message, Asked::default());
    }

    /// The same of something within a request.
    pub(crate) fn found_in(&self, code: &str, message: &str, asked: Asked<'_>) {
        self.shared.metrics.finding(code);
        let asked = Asked {
            within: self.within(),
            ..asked
        };
        if let Err(error) = self.shared.audit.finding_in(&self.sandbox, code, message, asked) {
            tracing::error!(%error, "a finding could not be recorded");
        }
    }

    /// Records a refusal. It stands whether or not it can be written: nothing leaves either way.
    pub(crate) fn denied(&self, denial: &Denial, asked: Asked<'_>) {
        let asked = Asked {
            within: self.within(),
            ..asked
        };
        self.gate.denied_within(denial, asked);
    }
}

/// A connection as its client sees it.
fn made(accepted: &Accepted) -> Option<Made> {
    let from = accepted.stream.peer_addr().ok()?;
    let to = match accepted.door {
        Door::Captured { original } => original,
        Door::Explicit | Door::HostPort { .. } => accepted.stream.local_addr().ok()?,
    };
    Some(Made { from, to })
}
