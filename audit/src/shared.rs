//! What all clones of a log share: the one lock, and the threads for what may be late ([`crate::flusher`]) and for what happens to
//! files ([`crate::keeping`]).

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use outwall_policy::{AuditSettings, Durability, SandboxId};

use crate::checkpoint::{SigningKey, Stated, Statement};
use crate::clock::Clock;
use crate::dns::Lookups;
use crate::event::{EventId, Kind};
use crate::fields::Fields;
use crate::flood::{Counted, Floods, Frequent};
use crate::group_commit::GroupCommit;
use crate::keeping::{self, Keeper};
use crate::log::LogCounts;
use crate::segment::{self, NewSegment, SegmentOf};
use crate::writer::{WriteError, Writer};
use crate::{flusher, repair};

/// What all clones of a log, and every [`crate::Recorded`], share.
pub(crate) struct Shared {
    core: Arc<Core>,
    pub(crate) lookups: Mutex<Lookups>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share too; it does not keep [`Shared`] alive.
pub(crate) struct Core {
    pub(crate) directory: PathBuf,
    pub(crate) key: SigningKey,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    group_commit: GroupCommit,
    /// The flusher is wanted.
    pub(crate) flush: Condvar,
    /// The keeper is wanted.
    pub(crate) keep: Condvar,
}

pub(crate) struct State {
    pub(crate) writer: Writer<Arc<File>>,
    pub(crate) segment: Current,
    pub(crate) settings: Arc<AuditSettings>,
    pub(crate) floods: Floods,
    pub(crate) checkpointed: Checkpointed,
    /// The flusher waits to be woken, and not for time to pass.
    pub(crate) flusher_sleeps: bool,
    pub(crate) keeper: KeeperWaits,
    pub(crate) ending: bool,
}

/// The file that is being written.
pub(crate) struct Current {
    pub(crate) path: PathBuf,
    pub(crate) of: SegmentOf,
    pub(crate) begun: Instant,
}

/// The newest checkpoint.
pub(crate) struct Checkpointed {
    /// Its own record.
    pub(crate) seq: u64,
    pub(crate) at: Instant,
}

/// What the keeper waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeeperWaits {
    /// It is at work, or was called.
    No,
    /// For an amount to be reached; it knows when time is up.
    ForAmounts,
    /// For anything to be written: no time is running.
    ForAnything,
}

impl Shared {
    /// Of a new file. Nothing that may be late is written before [`Self::start_threads`].
    pub(crate) fn new(
        directory: &Path,
        new: NewSegment,
        key: SigningKey,
        settings: Arc<AuditSettings>,
        clock: Clock,
    ) -> Self {
        let now = Instant::now();
        let writer = new.of.writer;
        let state = State {
            writer: Writer::new(Arc::new(new.file), writer, clock),
            segment: Current {
                path: new.path,
                of: new.of,
                begun: now,
            },
            settings,
            floods: Floods::default(),
            checkpointed: Checkpointed { seq: 0, at: now },
            flusher_sleeps: false,
            keeper: KeeperWaits::No,
            ending: false,
        };
        Self {
            core: Arc::new(Core {
                directory: directory.to_owned(),
                key,
                clock,
                state: Mutex::new(state),
                group_commit: GroupCommit::default(),
                flush: Condvar::new(),
                keep: Condvar::new(),
            }),
            lookups: Mutex::default(),
            threads: Mutex::default(),
        }
    }

    pub(crate) fn start_threads(&self) -> io::Result<()> {
        let mut threads = lock(&self.threads);
        threads.push(flusher::start(Arc::clone(&self.core))?);
        threads.push(Keeper::start(Arc::clone(&self.core))?);
        Ok(())
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// In the file when it returns.
    pub(crate) fn write(
        &self,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        self.core.write(kind, fields)
    }

    /// The same, if its sandbox keeps to the pace of such events. If not, `None`: it is counted, and the count is written later.
    pub(crate) fn write_or_count(
        &self,
        event: Frequent<'_>,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<Option<EventId>, WriteError> {
        let mut state = self.core.lock();
        if state.floods.admit(event, Instant::now()) {
            return self.core.write_in(state, event.kind, fields).map(Some);
        }
        self.core.wake_flusher(state);
        Ok(None)
    }

    /// Writes the last event of a sandbox, after what was counted of it.
    pub(crate) fn write_last(
        &self,
        sandbox: SandboxId,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        let mut state = self.core.lock();
        let counted = state.floods.end(sandbox);
        state.append_counts(&counted);
        self.core.write_in(state, kind, fields)
    }

    /// Writes what waits, and what is counted so far.
    pub(crate) fn flush(&self) -> Result<(), WriteError> {
        let mut state = self.core.lock();
        let counted = state.floods.take();
        state.append_counts(&counted);
        state.writer.flush()
    }

    /// In the file at most 100 ms later.
    pub(crate) fn append(&self, kind: Kind, fields: impl FnOnce(&mut Fields<'_>)) {
        let mut state = self.core.lock();
        state.writer.append(kind, fields);
        self.core.call_keeper(&mut state);
        if state.writer.waiting() > MOST_WAITING {
            let _ = state.writer.flush(); // on failure it goes on waiting
        } else {
            self.core.wake_flusher(state);
        }
    }

    pub(crate) fn note_repairs(&self, repaired: &[repair::Repaired]) -> Result<(), WriteError> {
        for one in repaired {
            let name = one.path.file_name().unwrap_or_default().to_string_lossy();
            self.write(Kind::Repaired, |line| {
                line.text("file", name);
                line.number("bytes_removed", one.bytes_removed);
            })?;
        }
        Ok(())
    }

    /// Is kept so from here on.
    pub(crate) fn keep_as(&self, settings: AuditSettings) {
        let mut state = self.core.lock();
        state.settings = Arc::new(settings);
        state.keeper = KeeperWaits::No;
        drop(state);
        self.core.keep.notify_one();
    }

    /// The file that is being written.
    pub(crate) fn path(&self) -> PathBuf {
        self.core.lock().segment.path.clone()
    }

    fn end(&self) -> Result<(), WriteError> {
        self.flush()?;
        let statement = {
            let mut state = self.core.lock();
            let statement = state.checkpoint(&self.core.key)?;
            if state.settings.durability == Durability::Power {
                state.writer.sync()?;
            }
            statement
        };
        let (file, latest) = {
            let state = self.core.lock();
            (Arc::clone(state.writer.place()), state.writer.latest())
        };
        let _ = segment::finish(&file, latest); // else the next open looks at the file, and does it
        if let Some(statement) = statement {
            let _ = keeping::export(&self.core, &[statement]); // it is in the chain too, and nobody is there to be told
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.lock().ending = true;
        self.core.flush.notify_one();
        self.core.keep.notify_one();
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join();
        }
        let _ = self.end(); // what cannot be written was refused or may be late
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("directory", &self.core.directory)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// In the file when it returns.
    pub(crate) fn write(
        &self,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        self.write_in(self.lock(), kind, fields)
    }

    fn write_in(
        &self,
        mut state: MutexGuard<'_, State>,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        let id = state.writer.write(kind, fields)?;
        self.call_keeper(&mut state);
        let durability = state.settings.durability;
        drop(state); // others may write while this one waits for the disk
        if durability == Durability::Power {
            self.group_commit.wait_for(id.seq, || self.sync_all_so_far())?;
        }
        Ok(id)
    }

    pub(crate) fn counts(&self) -> LogCounts {
        let state = self.lock();
        LogCounts {
            records: state.writer.last_written(),
            waiting_bytes: state.writer.waiting() as u64,
            syncs: self.group_commit.syncs(),
        }
    }

    /// Syncs the file, and says up to which record. What is in files before it was synced when they were complete.
    fn sync_all_so_far(&self) -> (u64, io::Result<()>) {
        let (file, up_to) = {
            let state = self.lock();
            (Arc::clone(state.writer.place()), state.writer.last_written())
        };
        (up_to, file.sync_data())
    }

    /// If what it waits for is there.
    pub(crate) fn call_keeper(&self, state: &mut State) {
        let wanted = match state.keeper {
            KeeperWaits::No => false,
            KeeperWaits::ForAnything => true,
            KeeperWaits::ForAmounts => state.is_full() || state.has_many_unsigned(),
        };
        if wanted {
            state.keeper = KeeperWaits::No;
            self.keep.notify_one();
        }
    }

    fn wake_flusher(&self, mut state: MutexGuard<'_, State>) {
        if state.flusher_sleeps {
            state.flusher_sleeps = false;
            drop(state);
            self.flush.notify_one();
        }
    }
}

impl State {
    pub(crate) fn append_counts(&mut self, counted: &[Counted]) {
        for counted in counted {
            self.writer.append(counted.kind, |line| counted.write(line));
        }
    }

    /// Records since the newest checkpoint.
    pub(crate) fn unsigned(&self) -> u64 {
        self.writer.head().0 - self.checkpointed.seq
    }

    pub(crate) fn has_many_unsigned(&self) -> bool {
        self.unsigned() >= self.settings.checkpoint_every_events
    }

    pub(crate) fn is_full(&self) -> bool {
        self.writer.written() >= self.settings.segment_size
    }

    /// Signs the last record, and writes that down as the next: what is signed is in the file. None: there is nothing new.
    pub(crate) fn checkpoint(&mut self, key: &SigningKey) -> Result<Option<Statement>, WriteError> {
        if self.unsigned() == 0 {
            return Ok(None);
        }
        self.writer.flush()?;
        let (seq, hash) = self.writer.head();
        let stem = segment::Segment::named(&self.segment.path);
        let about = (self.writer.id(), stem.stem());
        let statement = Statement::sign(key, Stated::Reached, about, (seq, &hash));
        self.writer
            .write(statement.event(), |line| statement.write(line))?;
        self.checkpointed = Checkpointed {
            seq: seq + 1,
            at: Instant::now(),
        };
        Ok(Some(statement))
    }
}

/// What a panic can interrupt is a line that is not closed, and the writer drops that.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_WAITING: usize = 64 << 10;
