//! What one sandbox sees instead of secrets, and what masks those in what comes back to it.

use std::sync::{Arc, Mutex, PoisonError};

use outwall_broker::placeholder::Placeholders;

use crate::sandbox_gate::SandboxGate;
use crate::scrub::Scrubbers;

/// The placeholders of one sandbox, made once per policy, and the scrubbers, made once per secret.
#[derive(Default)]
pub(crate) struct Brokering {
    current: Mutex<Option<(u64, Arc<Placeholders>)>>,
    pub(super) scrubbers: Scrubbers,
}

impl Brokering {
    /// Those under the policy in force.
    pub(crate) fn placeholders(&self, gate: &SandboxGate) -> Arc<Placeholders> {
        let snapshot = gate.shared.policy.load();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, known)) = &*current
            && *generation == snapshot.generation
        {
            return Arc::clone(known);
        }
        let key = &gate.shared.secrets.placeholders;
        let made = Arc::new(Placeholders::new(
            key,
            &gate.sandbox,
            snapshot.policy.credentials(),
        ));
        *current = Some((snapshot.generation, Arc::clone(&made)));
        made
    }
}
