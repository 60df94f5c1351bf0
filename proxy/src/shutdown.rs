//! Draining: nothing new is accepted, what runs may end, what does not end in time is cut off.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::dns::NameTable;
use crate::sandbox_gate::SandboxGate;

/// Listeners that serve one sandbox. Dropped, they end at once; [`ServeHandle::drain`] lets what runs finish.
pub struct ServeHandle {
    gate: Arc<SandboxGate>,
    listeners: Vec<JoinHandle<()>>,
    name_service: Vec<JoinHandle<()>>,
}

impl ServeHandle {
    pub(crate) fn new(
        gate: Arc<SandboxGate>,
        listeners: Vec<JoinHandle<()>>,
        name_service: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            gate,
            listeners,
            name_service,
        }
    }

    /// The names that this sandbox has asked for, and the addresses that stand for them; none where nothing is captured.
    pub fn names(&self) -> Option<&Arc<NameTable>> {
        self.gate.names.as_ref()
    }

    /// Accepts nothing new and returns when all connections have ended, at the latest after [`crate::Limits::drain`].
    pub async fn drain(mut self) {
        self.gate.start_draining();
        for listener in &mut self.listeners {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
    }
}

impl Drop for ServeHandle {
    fn drop(&mut self) {
        for task in self.listeners.iter().chain(&self.name_service) {
            task.abort();
        }
    }
}
