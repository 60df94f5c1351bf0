//! The gate as one client connection has it: its sandbox's gate, and what each of its records says of the connection.
//!
//! Refusals and findings are recorded here and nowhere else, so none that belongs to a connection is without it.

use std::ops::Deref;
use std::sync::Arc;

use outwall_audit::{Asked, GoingOut, Recorded, Within};
use outwall_policy::{ConnectionDecision, ConnectionPermit, Denial, Opening, Reason, Target};

use crate::distinct_names::TooManyNames;
use crate::error::Error;
use crate::lanes::Seat;
use crate::sandbox_gate::SandboxGate;

/// The gate as one client connection has it.
pub(crate) struct ClientGate {
    gate: Arc<SandboxGate>,
    seat: Seat,
}

impl Deref for ClientGate {
    type Target = SandboxGate;

    fn deref(&self) -> &SandboxGate {
        &self.gate
    }
}

impl ClientGate {
    pub(crate) fn new(gate: Arc<SandboxGate>, seat: Seat) -> Arc<Self> {
        Arc::new(Self { gate, seat })
    }

    /// Whether it is of this sandbox.
    pub(crate) fn is_of(&self, gate: &Arc<SandboxGate>) -> bool {
        Arc::ptr_eq(&self.gate, gate)
    }

    /// What its records say of the connection.
    pub(crate) fn within(&self) -> Within<'_> {
        Within::connection(self.seat.connection)
    }

    /// The policy in force decides; what it allows is refused all the same when it is one name too many below a wildcard.
    /// Every way to a connection goes through here, before anything is resolved.
    pub(crate) fn decide_now(&self, target: &Target, opening: Opening) -> ConnectionDecision {
        let (decision, too_many) = self.gate.decide_now(target, opening);
        match too_many {
            None => decision,
            Some(too_many) => ConnectionDecision::Deny(self.too_many_names(too_many)),
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
    pub(crate) fn record_connection(&self, permit: &ConnectionPermit) -> Result<Recorded, Error> {
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
