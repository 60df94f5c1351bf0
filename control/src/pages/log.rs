//! The log, asked from async code. An index that is still being made is made beside; pages show what it has until then.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use outwall_audit::index::{Index, IndexError};

/// The log of one directory.
#[derive(Clone, Debug)]
pub(super) struct Log {
    directory: PathBuf,
    making: Arc<Making>,
}

/// How far the index is.
#[derive(Debug, Default)]
struct Making {
    is_whole: AtomicBool,
    events: AtomicU64,
}

impl Log {
    /// Of this directory, with a thread that brings its index up to date.
    pub(super) fn new(directory: &Path) -> Self {
        let log = Self {
            directory: directory.to_owned(),
            making: Arc::default(),
        };
        let (directory, making) = (log.directory.clone(), Arc::clone(&log.making));
        std::thread::spawn(move || {
            let progress = &mut |events| making.events.store(events, Ordering::Relaxed);
            let made = Index::open_as_it_is(&directory).and_then(|mut index| index.refresh_telling(progress));
            if let Err(error) = made {
                tracing::warn!(%error, "the index could not be brought up to date"); // pages will say so
            }
            making.is_whole.store(true, Ordering::Release);
        });
        log
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many events were read, while the index is being made.
    pub(super) fn is_being_read(&self) -> Option<u64> {
        let whole = self.making.is_whole.load(Ordering::Acquire);
        (!whole).then(|| self.making.events.load(Ordering::Relaxed))
    }

    /// Asks on a thread that may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let log = self.clone();
        let answered = tokio::task::spawn_blocking(move || question(&log.open()?)).await;
        answered
            .map_err(|_| Unanswered::Panicked)?
            .map_err(Unanswered::Index)
    }

    /// For a thread that may wait.
    pub(super) fn open(&self) -> Result<Index, IndexError> {
        let begun = Instant::now();
        while self.is_being_read().is_some() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.is_being_read().is_some() {
            return Index::open_as_it_is(&self.directory);
        }
        Index::open(&self.directory)
    }
}

/// How long an answer waits for an index that is being made: a small one is made by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// A question without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The log says why.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A defect of ours.
    #[error("this page could not be made; what went wrong is in the terminal")]
    Panicked,
}
