//! The policy in force, replaced in one step while connections run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use outwall_policy::Policy;
use tokio::sync::watch;

/// The policy in force. Asked again for every connection, request and dial; never kept.
pub(crate) struct CurrentPolicy {
    snapshot: ArcSwap<Snapshot>,
    generation: AtomicU64,
    changed: watch::Sender<u64>,
}

/// One policy and its number.
pub(crate) struct Snapshot {
    pub(crate) policy: Policy,
    /// Grows with each replacement. Origin connections of an earlier generation are not used again: the addresses that they
    /// lead to were admitted by another policy.
    pub(crate) generation: u64,
}

impl CurrentPolicy {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot {
                policy,
                generation: 0,
            }),
            generation: AtomicU64::new(0),
            changed: watch::channel(0).0,
        }
    }

    /// The policy in force. The guard is for a decision, not to be held while waiting.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Puts `policy` in force and wakes whoever holds a permit of the one before.
    pub(crate) fn replace(&self, policy: Policy) {
        self.changed.send_modify(|newest| {
            *newest += 1;
            self.snapshot.store(Arc::new(Snapshot {
                policy,
                generation: *newest,
            }));
            self.generation.store(*newest, Ordering::Release);
        });
    }

    /// The number of the policy in force, to be compared without a lock.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Wakes when the policy is replaced.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
