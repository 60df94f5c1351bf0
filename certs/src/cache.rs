//! The leaves in use: bounded, one mint per host at a time.
//!
//! Sixteen shards by hash of the host, each a map and a clock hand (second chance): a leaf asked for again survives the hand once, so
//! a flood of hosts asked for once passes through without driving out those in use.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::sign::CertifiedKey;

#[derive(Default)]
pub(crate) struct LeafCache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    minted: AtomicU64,
    known: AtomicU64,
}

/// What became of the leaves that were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeafCounts {
    /// Made for who asked.
    pub minted: u64,
    /// There already.
    pub known: u64,
    /// Places that are taken in the cache.
    pub cached: u64,
}

#[derive(Default)]
struct Shard {
    slots: HashMap<Arc<str>, Arc<Slot>>,
    clock: VecDeque<Arc<str>>, // the keys of `slots`, in the order of the hand
}

#[derive(Default)]
struct Slot {
    minted: Mutex<Option<Minted>>, // held while minting: that is the single flight
    asked_again: AtomicBool,
}

struct Minted {
    leaf: Arc<CertifiedKey>,
    at: Instant,
}

impl LeafCache {
    /// The leaf for `host` if one is here and young enough. No allocation.
    pub(crate) fn known(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let slot = Arc::clone(lock(self.shard(host)).slots.get(host)?);
        slot.asked_again.store(true, Relaxed);
        let minted = lock(&slot.minted);
        let young = minted.as_ref().filter(|minted| minted.is_young())?;
        self.known.fetch_add(1, Relaxed);
        Some(Arc::clone(&young.leaf))
    }

    pub(crate) fn counts(&self) -> LeafCounts {
        let cached = self.shards.iter().map(|shard| lock(shard).slots.len() as u64);
        LeafCounts {
            minted: self.minted.load(Relaxed),
            known: self.known.load(Relaxed),
            cached: cached.sum(),
        }
    }

    /// The leaf for `host`, from `mint` when none is here. Others that ask for the same host wait for it; those that ask for another do not.
    pub(crate) fn obtain<E>(
        &self,
        host: &str,
        mint: impl FnOnce() -> Result<Arc<CertifiedKey>, E>,
    ) -> Result<Arc<CertifiedKey>, E> {
        let slot = lock(self.shard(host)).slot(host);
        let mut minted = lock(&slot.minted);
        if let Some(known) = minted.as_ref().filter(|minted| minted.is_young()) {
            self.known.fetch_add(1, Relaxed);
            return Ok(Arc::clone(&known.leaf));
        }
        let leaf = mint()?;
        self.minted.fetch_add(1, Relaxed);
        *minted = Some(Minted {
            leaf: Arc::clone(&leaf),
            at: Instant::now(),
        });
        Ok(leaf)
    }

    fn shard(&self, host: &str) -> &Mutex<Shard> {
        let hash = self.hasher.hash_one(host);
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("less than SHARDS")]
    }
}

impl Shard {
    fn slot(&mut self, host: &str) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(host) {
            return Arc::clone(slot);
        }
        if self.clock.len() >= LEAVES_PER_SHARD {
            self.evict_one();
        }
        let (key, slot) = (Arc::<str>::from(host), Arc::<Slot>::default());
        self.clock.push_back(Arc::clone(&key));
        self.slots.insert(key, Arc::clone(&slot));
        slot
    }

    /// Ends: every step clears a mark or evicts.
    fn evict_one(&mut self) {
        while let Some(key) = self.clock.pop_front() {
            if self
                .slots
                .get(&key)
                .is_some_and(|slot| slot.asked_again.swap(false, Relaxed))
            {
                self.clock.push_back(key);
            } else {
                self.slots.remove(&key);
                return;
            }
        }
    }
}

impl Minted {
    fn is_young(&self) -> bool {
        self.at.elapsed() < MAXIMUM_AGE
    }
}

/// A panic while minting leaves the slot empty, so going on with a poisoned lock is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;
const LEAVES_PER_SHARD: usize = 256; // 4096 in all, about 1 kB each
const MAXIMUM_AGE: Duration = Duration::from_hours(24 * 30); // a leaf is good for 90 days from its minting

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn some_leaf() -> Arc<CertifiedKey> {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&der).unwrap();
        Arc::new(CertifiedKey::new(Vec::new(), signer))
    }

    #[test]
    fn many_that_ask_for_one_host_at_once_cause_one_mint() {
        let (cache, leaf, mints) = (LeafCache::default(), some_leaf(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    cache.obtain("a.test", || {
                        mints.fetch_add(1, Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                        Ok::<_, ()>(Arc::clone(&leaf))
                    })
                });
            }
        });
        assert_eq!(mints.into_inner(), 1);
    }

    #[test]
    fn a_failed_mint_is_not_remembered() {
        let (cache, leaf) = (LeafCache::default(), some_leaf());
        assert!(cache.obtain("a.test", || Err("no")).is_err());
        assert!(cache.known("a.test").is_none());
        assert!(cache.obtain("a.test", || Ok::<_, ()>(leaf)).is_ok());
        assert!(cache.known("a.test").is_some());
    }

    #[test]
    fn a_flood_of_hosts_stays_bounded_and_leaves_the_one_in_use() {
        let (cache, leaf) = (LeafCache::default(), some_leaf());
        cache
            .obtain("used.test", || Ok::<_, ()>(Arc::clone(&leaf)))
            .unwrap();
        for n in 0..3 * SHARDS * LEAVES_PER_SHARD {
            cache
                .obtain(&format!("{n}.test"), || Ok::<_, ()>(Arc::clone(&leaf)))
                .unwrap();
            assert!(cache.known("used.test").is_some());
        }
        let kept: usize = cache.shards.iter().map(|shard| lock(shard).slots.len()).sum();
        let queued: usize = cache.shards.iter().map(|shard| lock(shard).clock.len()).sum();
        assert_eq!(
            (kept, queued),
            (SHARDS * LEAVES_PER_SHARD, SHARDS * LEAVES_PER_SHARD)
        );
        assert!(cache.known("0.test").is_none());
    }
}
