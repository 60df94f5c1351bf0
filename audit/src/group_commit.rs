//! `durability = "power"`: an fsync for all who wait, and not one for each.
//!
//! Whoever comes first syncs for everybody who has written by then; who comes while that runs is in the next. So a record never
//! waits for more than two, and a busy gate pays for few.

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::shared::lock;
use crate::writer::WriteError;

#[derive(Default)]
pub(crate) struct GroupCommit {
    synced: Mutex<Synced>,
    done: Condvar,
}

#[derive(Default)]
struct Synced {
    /// Every record up to this one is on the disk.
    up_to: u64,
    /// These are in the file, and nobody knows what of them is on the disk: their fsync failed, and a later one that succeeds says
    /// nothing about them.
    lost: Option<RangeInclusive<u64>>,
    somebody_syncs: bool,
    syncs: u64,
}

impl GroupCommit {
    /// How often it was waited for the disk.
    pub(crate) fn syncs(&self) -> u64 {
        lock(&self.synced).syncs
    }

    /// Until the record is on the disk. `sync` syncs, and says up to which record.
    pub(crate) fn wait_for(
        &self,
        record: u64,
        sync: impl Fn() -> (u64, io::Result<()>),
    ) -> Result<(), WriteError> {
        let mut synced = lock(&self.synced);
        loop {
            if synced.lost.as_ref().is_some_and(|lost| lost.contains(&record)) {
                return Err(io::Error::other("the disk did not take it").into());
            }
            if synced.up_to >= record {
                return Ok(());
            }
            if synced.somebody_syncs {
                synced = self.done.wait(synced).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            synced.somebody_syncs = true;
            drop(synced);
            let (up_to, result) = sync();
            synced = lock(&self.synced);
            synced.somebody_syncs = false;
            synced.syncs += 1;
            if result.is_err() {
                let first = synced
                    .lost
                    .as_ref()
                    .map_or(synced.up_to + 1, |lost| *lost.start());
                synced.lost = Some(first.max(synced.up_to + 1)..=up_to);
            }
            synced.up_to = up_to.max(synced.up_to);
            self.done.notify_all();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn many_who_wait_share_a_sync_and_none_returns_before_it_is_covered() {
        let (commit, written, on_disk, syncs) = (
            GroupCommit::default(),
            AtomicU64::new(0),
            AtomicU64::new(0),
            AtomicU64::new(0),
        );
        let sync = || {
            let up_to = written.load(Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            on_disk.fetch_max(up_to, Ordering::SeqCst);
            syncs.fetch_add(1, Ordering::SeqCst);
            (up_to, Ok(()))
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let record = written.fetch_add(1, Ordering::SeqCst) + 1;
                        commit.wait_for(record, sync).unwrap();
                        assert!(on_disk.load(Ordering::SeqCst) >= record);
                    }
                });
            }
        });
        assert!(syncs.load(Ordering::SeqCst) < 320, "shared");
    }

    #[test]
    fn what_an_fsync_failed_for_is_refused_whatever_a_later_one_says() {
        let commit = GroupCommit::default();
        assert!(commit.wait_for(1, || (1, Ok(()))).is_ok());
        let fails = || (3, Err(io::ErrorKind::StorageFull.into()));
        assert!(commit.wait_for(2, fails).is_err());
        assert!(commit.wait_for(4, || (4, Ok(()))).is_ok());
        assert!(
            commit.wait_for(3, || (4, Ok(()))).is_err(),
            "it was in the failed one"
        );
        assert!(commit.wait_for(1, || (4, Ok(()))).is_ok());
    }
}
