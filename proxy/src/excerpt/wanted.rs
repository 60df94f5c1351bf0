//! What a sandbox's environment has recorded, with what is masked in that, compiled once per policy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use outwall_policy::brokered::Injection;
use outwall_policy::{MessageRecording, Policy};

use crate::dlp::Shapes;
use crate::sandbox_gate::SandboxGate;

/// What one sandbox has recorded.
#[derive(Default)]
pub(crate) struct Excerpts {
    current: Mutex<Option<(u64, Arc<Wanted>)>>,
}

/// What is recorded, and what is masked in it.
pub(super) struct Wanted {
    pub(super) recording: MessageRecording,
    /// All that credentials look like, and the placeholders of this sandbox.
    pub(super) shapes: Arc<Shapes>,
    /// Fields that the policy puts credentials into, in lower case.
    pub(super) credential_fields: BTreeSet<String>,
}

impl Excerpts {
    /// What is recorded under the policy in force; none where nothing is.
    pub(super) fn current(&self, gate: &SandboxGate) -> Option<Arc<Wanted>> {
        let snapshot = gate.shared.policy.load();
        let name = gate.sandbox.environment.as_str();
        let environment = snapshot.policy.environment(Some(name)).ok()?;
        if environment.recording().is_nothing() {
            return None;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, wanted)) = &*current
            && *generation == snapshot.generation
        {
            return Some(Arc::clone(wanted));
        }
        let placeholders = gate.brokering.placeholders(gate);
        let shown = placeholders.all().iter();
        let shown = shown.map(|shown| (&*shown.credential, shown.text.as_str()));
        let scan = environment.leak_scan().for_masking().with_placeholders(shown);
        let wanted = Arc::new(Wanted {
            recording: environment.recording().clone(),
            shapes: Shapes::of(&scan),
            credential_fields: credential_fields(&snapshot.policy),
        });
        *current = Some((snapshot.generation, Arc::clone(&wanted)));
        Some(wanted)
    }
}

fn credential_fields(policy: &Policy) -> BTreeSet<String> {
    let ways = policy
        .credentials()
        .iter()
        .flat_map(|credential| credential.inject());
    let fields = ways.filter_map(|way| match way {
        Injection::Header { name, .. } => Some(name.clone()),
        Injection::Basic { .. } | Injection::Query(_) | Injection::JsonBody | Injection::Aws4 => None,
    });
    fields.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of the known shapes alone.
    pub(crate) fn wanted() -> Wanted {
        Wanted {
            recording: MessageRecording::default(),
            shapes: Shapes::known(),
            credential_fields: BTreeSet::new(),
        }
    }
}
