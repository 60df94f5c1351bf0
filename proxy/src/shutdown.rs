//! Draining: nothing new is accepted, what runs may end, what does not end in time is cut off.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::clientele::Clientele;
use crate::dns::NameTable;
use crate::listener::{Doorway, TcpDoor, serve};
use crate::published::{Publication, Published, WayIn};
use crate::sandbox_gate::SandboxGate;

/// Listeners that serve one sandbox. Dropped, they end at once; [`ServeHandle::drain`] lets what runs finish.
pub struct ServeHandle {
    served: Served,
    listeners: Vec<JoinHandle<()>>,
    /// What runs beside the listeners and ends with them: the name service, the watch over credentials.
    beside: Vec<JoinHandle<()>>,
}

enum Served {
    Sandbox(Arc<SandboxGate>),
    Clientele(Arc<Clientele>),
}

impl ServeHandle {
    pub(crate) fn new(
        gate: Arc<SandboxGate>,
        listeners: Vec<JoinHandle<()>>,
        name_service: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            served: Served::Sandbox(gate),
            listeners,
            beside: name_service,
        }
    }

    pub(crate) fn of_clientele(
        clientele: Arc<Clientele>,
        listeners: Vec<JoinHandle<()>>,
        watching: JoinHandle<()>,
    ) -> Self {
        Self {
            served: Served::Clientele(clientele),
            listeners,
            beside: vec![watching],
        }
    }

    /// The names that this sandbox has asked for, and the addresses that stand for them; none where nothing is captured.
    pub fn names(&self) -> Option<&Arc<NameTable>> {
        match &self.served {
            Served::Sandbox(gate) => gate.names.as_ref(),
            Served::Clientele(_) => None,
        }
    }

    /// Lets clients of the host reach a port of the sandbox. Within a Tokio runtime.
    pub fn publish(&mut self, publication: Publication, way: Arc<dyn WayIn>) -> std::io::Result<()> {
        let Served::Sandbox(gate) = &self.served else {
            return Err(std::io::ErrorKind::Unsupported.into()); // clients of a shared proxy have no network of ours
        };
        let (published, listener) = Published::new(gate, publication, way)?;
        let doorway = Doorway::Explicit; // its clients know where they come: the door says no more
        let door = TcpDoor { listener, doorway };
        self.listeners.push(tokio::spawn(serve(published, door)));
        Ok(())
    }

    /// Accepts nothing new and returns when all connections have ended, at the latest after [`crate::Limits::drain`].
    pub async fn drain(mut self) {
        match &self.served {
            Served::Sandbox(gate) => gate.start_draining(),
            Served::Clientele(clientele) => clientele.start_draining(),
        }
        for listener in &mut self.listeners {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
    }
}

impl Drop for ServeHandle {
    fn drop(&mut self) {
        for task in self.listeners.iter().chain(&self.beside) {
            task.abort();
        }
    }
}
