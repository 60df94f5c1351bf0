//! What a sandbox's environment looks for, compiled once per policy.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use outwall_policy::credential::LeakScan;

use super::repeats::Repeats;
use crate::dlp::Shapes;
use crate::sandbox_gate::SandboxGate;

/// The scans of one sandbox.
#[derive(Default)]
pub(crate) struct Leaks {
    current: Mutex<Option<(u64, Arc<CompiledScan>)>>,
    pub(super) repeats: Repeats,
}

/// What an environment does, with what it looks for.
pub(crate) struct CompiledScan {
    scan: LeakScan,
    pub(super) shapes: Arc<Shapes>,
}

impl Deref for CompiledScan {
    type Target = LeakScan;

    fn deref(&self) -> &LeakScan {
        &self.scan
    }
}

impl Leaks {
    /// The scan under the policy in force. An environment that is gone has every scan it can have.
    pub(super) fn current(&self, gate: &SandboxGate) -> Arc<CompiledScan> {
        let snapshot = gate.shared.policy.load();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, compiled)) = &*current
            && *generation == snapshot.generation
        {
            return Arc::clone(compiled);
        }
        let name = gate.sandbox.environment.as_str();
        let environment = snapshot.policy.environment(Some(name));
        let scan = environment.map_or_else(|_gone| LeakScan::default(), |known| known.leak_scan().clone());
        let placeholders = gate.brokering.placeholders(gate);
        let shown = placeholders.all().iter();
        let scan = scan.with_placeholders(shown.map(|shown| (&*shown.credential, shown.text.as_str())));
        let compiled = Arc::new(CompiledScan {
            shapes: Shapes::of(&scan),
            scan,
        });
        *current = Some((snapshot.generation, Arc::clone(&compiled)));
        compiled
    }
}
