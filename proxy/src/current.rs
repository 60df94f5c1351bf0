//! What is in force, replaced in one step while connections run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use outwall_policy::Policy;
use tokio::sync::watch;

use crate::trust::{InForce, OriginTrust};

/// The policy in force, and what goes with it. Asked again for every connection, request and dial; never kept.
pub(crate) struct CurrentPolicy {
    snapshot: ArcSwap<Snapshot>,
    generation: AtomicU64,
    changed: watch::Sender<u64>,
}

/// One policy, whom it takes for origins, and its number.
pub(crate) struct Snapshot {
    pub(crate) policy: Policy,
    pub(crate) trust: OriginTrust,
    /// Grows with each replacement. Origin connections of an earlier generation are not used again: the addresses that they
    /// lead to, and the certificates that were shown, were admitted by another policy.
    pub(crate) generation: u64,
}

impl CurrentPolicy {
    pub(crate) fn new(first: InForce) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot::new(first, 0)),
            generation: AtomicU64::new(0),
            changed: watch::channel(0).0,
        }
    }

    /// What is in force. The guard is for a decision, not to be held while waiting.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// What is in force, for what must go by one policy while it waits.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts `next` in force and wakes whoever holds a permit of the one before.
    pub(crate) fn replace(&self, next: InForce) {
        self.changed.send_modify(|newest| {
            *newest += 1;
            self.snapshot.store(Arc::new(Snapshot::new(next, *newest)));
            self.generation.store(*newest, Ordering::Release);
        });
    }

    /// The number of what is in force, to be compared without a lock.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Wakes when it is replaced.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Snapshot {
    fn new(in_force: InForce, generation: u64) -> Self {
        let InForce { policy, trust, .. } = in_force;
        Self {
            policy,
            trust,
            generation,
        }
    }
}
