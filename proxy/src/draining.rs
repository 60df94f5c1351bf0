//! The order to finish: given once, and heard by all that serve for a gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The order to finish. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Draining(Arc<Order>);

struct Order {
    /// For who looks at every poll.
    given: AtomicBool,
    told: watch::Sender<bool>,
}

impl Draining {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Order {
            given: AtomicBool::new(false),
            told: watch::channel(false).0,
        }))
    }

    /// Whether it was given.
    pub(crate) fn is_given(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Gives it.
    pub(crate) fn give(&self) {
        self.0.given.store(true, Ordering::Release); // before they wake and look
        self.0.told.send_replace(true);
    }

    /// Resolves when it was given.
    pub(crate) async fn given(&self) {
        let mut told = self.0.told.subscribe();
        if told.wait_for(|given| *given).await.is_err() {
            std::future::pending::<()>().await; // nobody is left who could give it
        }
    }

    /// Resolves when it is given from here on.
    pub(crate) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut told = self.0.told.subscribe();
        async move {
            let _ = told.changed().await;
        }
    }
}
