//! What one sandbox sees instead of secrets.

use std::sync::{Arc, Mutex, PoisonError};

use outwall_broker::placeholder::Placeholders;

use crate::sandbox_gate::SandboxGate;

/// The placeholders of one sandbox, made once per policy.
#[derive(Default)]
pub(crate) struct Brokering {
    current: Mutex<Option<(u64, Arc<Placeholders>)>>,
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
