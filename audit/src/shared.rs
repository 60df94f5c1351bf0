//! What all clones of a log share: the one lock, and the thread for what may be late.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use outwall_policy::SandboxId;

use crate::dns::Lookups;
use crate::event::{EventId, Fields, Kind};
use crate::flood::{Counted, Floods, Frequent};
use crate::log::Durability;
use crate::writer::{WriteError, Writer};
use crate::{repair, segment};

/// What all clones of a log, and every [`crate::Recorded`], share.
pub(crate) struct Shared {
    core: Arc<Core>,
    pub(crate) lookups: Mutex<Lookups>,
    flusher: Mutex<Option<JoinHandle<()>>>,
    file: File,
    pub(crate) path: PathBuf,
    durability: Durability,
}

/// What the flusher shares too; it does not keep [`Shared`] alive.
struct Core {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    writer: Writer<File>,
    floods: Floods,
    /// The flusher waits to be woken, and not for time to pass.
    flusher_sleeps: bool,
    ending: bool,
}

impl Shared {
    /// Of a new file. Nothing that may be late is written before [`Self::start_flusher`].
    pub(crate) fn new(new: segment::NewSegment, durability: Durability) -> io::Result<Self> {
        let file = new.file.try_clone()?;
        let state = State {
            writer: Writer::new(new.file, new.writer),
            floods: Floods::default(),
            flusher_sleeps: false,
            ending: false,
        };
        Ok(Self {
            core: Arc::new(Core {
                state: Mutex::new(state),
                wake: Condvar::new(),
            }),
            lookups: Mutex::default(),
            flusher: Mutex::new(None),
            file,
            path: new.path,
            durability,
        })
    }

    pub(crate) fn start_flusher(&self) -> io::Result<()> {
        *lock(&self.flusher) = Some(self.core.start_flusher()?);
        Ok(())
    }

    /// In the file when it returns.
    pub(crate) fn write(
        &self,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        self.write_in(&mut self.core.lock(), kind, fields)
    }

    /// The same, if its sandbox keeps to the pace of such events. If not, `None`: it is counted, and the count is written later.
    pub(crate) fn write_or_count(
        &self,
        event: Frequent<'_>,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<Option<EventId>, WriteError> {
        let mut state = self.core.lock();
        if state.floods.admit(event, Instant::now()) {
            return self.write_in(&mut state, event.kind, fields).map(Some);
        }
        self.wake_flusher(state);
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
        self.write_in(&mut state, kind, fields)
    }

    fn write_in(
        &self,
        state: &mut State,
        kind: Kind,
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> Result<EventId, WriteError> {
        let id = state.writer.write(kind, fields)?;
        if self.durability == Durability::Power {
            state.writer.sync()?;
        }
        Ok(id)
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
        if state.writer.waiting() > MOST_WAITING {
            let _ = state.writer.flush(); // on failure it goes on waiting
        } else {
            self.wake_flusher(state);
        }
    }

    fn wake_flusher(&self, mut state: MutexGuard<'_, State>) {
        if state.flusher_sleeps {
            state.flusher_sleeps = false;
            drop(state);
            self.core.wake.notify_one();
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
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.lock().ending = true;
        self.core.wake.notify_one();
        if let Some(flusher) = lock(&self.flusher).take() {
            let _ = flusher.join();
        }
        if self.flush().is_ok() {
            let _ = segment::finish(&self.file); // else the next open looks at the file, and does it
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn start_flusher(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let core = Arc::clone(self);
        std::thread::Builder::new()
            .name("outwall-audit".to_owned())
            .spawn(move || core.flush_from_time_to_time())
    }

    /// Sleeps while nothing waits; else writes after [`LATENESS`]. Under load it wakes at that pace and finds little to do,
    /// since every "going out" takes along what waits.
    fn flush_from_time_to_time(&self) {
        let mut state = self.lock();
        while !state.ending {
            if state.writer.waiting() == 0 && state.floods.is_empty() {
                state.flusher_sleeps = true;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.flusher_sleeps = false;
            let waited = self
                .wake
                .wait_timeout_while(state, LATENESS, |state| !state.ending);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.writer.flush().is_err() {
                continue; // it goes on waiting, "going out" is refused, and counts are not piled upon it
            }
            let counted = state.floods.take_due(Instant::now());
            state.append_counts(&counted);
            let _ = state.writer.flush();
        }
    }
}

impl State {
    fn append_counts(&mut self, counted: &[Counted]) {
        for counted in counted {
            self.writer.append(counted.kind, |line| counted.write(line));
        }
    }
}

/// What a panic can interrupt is a line that is not closed, and the writer drops that.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LATENESS: Duration = Duration::from_millis(50);
const MOST_WAITING: usize = 64 << 10;
