//! The thread for what happens to the files of a log: a full or old one is followed by the next, checkpoints are signed, finished
//! files are compressed and, where retention says so, removed. None of it is done where something waits to go out.
//!
//! Several gates share a directory. Each rotates its own files; one at a time looks after finished ones (a lock says which).

mod compress;
mod overdue;
mod retention;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use outwall_policy::Durability;

use crate::checkpoint::{self, Statement};
use crate::event::Kind;
use crate::segment;
use crate::shared::{Core, Current, KeeperWaits, State};
use crate::writer::WriteError;

pub(crate) struct Keeper {
    core: Arc<Core>,
    /// When finished files are looked after next.
    tidy_at: Instant,
    /// After a failure: not before.
    not_before: Instant,
    /// What was complained of and did not end yet.
    complaints: Vec<&'static str>,
}

impl Keeper {
    pub(crate) fn start(core: Arc<Core>) -> io::Result<JoinHandle<()>> {
        let now = Instant::now();
        let keeper = Self {
            core,
            tidy_at: now + FIRST_TIDY,
            not_before: now,
            complaints: Vec::new(),
        };
        std::thread::Builder::new()
            .name("outwall-keeper".to_owned())
            .spawn(move || keeper.keep())
    }

    fn keep(mut self) {
        let core = Arc::clone(&self.core);
        let mut state = core.lock();
        while !state.ending {
            state.keeper = KeeperWaits::No;
            let now = Instant::now();
            if now >= self.not_before {
                drop(state);
                if self.work(now).is_err() {
                    self.not_before = now + AFTER_FAILURE; // the disk is full: "going out" is refused, and this can wait
                }
                state = core.lock();
            }
            state = self.wait(&core, state);
        }
    }

    /// Whatever is due.
    fn work(&mut self, now: Instant) -> Result<(), WriteError> {
        let (rotates, signs) = {
            let state = self.core.lock();
            let old = now.duration_since(state.segment.begun) >= state.settings.segment_age;
            let late = now.duration_since(state.checkpointed.at) >= state.settings.checkpoint_every;
            (
                state.is_full() || old && state.writer.written() > 0,
                state.has_many_unsigned() || late && state.unsigned() > 0,
            )
        };
        if rotates {
            self.rotate()?;
            self.tidy_at = now;
        } else if signs {
            self.sign()?;
        }
        if now >= self.tidy_at {
            self.tidy_at = now + TIDY_EVERY;
            self.tidy()?;
        }
        Ok(())
    }

    fn wait<'a>(&self, core: &'a Core, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.ending {
            return state;
        }
        let now = Instant::now();
        let something_new = state.unsigned() > 0;
        let mut until = self.tidy_at;
        if something_new {
            until = until.min(state.checkpointed.at + state.settings.checkpoint_every);
        }
        if state.writer.written() > 0 {
            until = until.min(state.segment.begun + state.settings.segment_age);
        }
        let until = until.max(self.not_before);
        state.keeper = if now < self.not_before {
            KeeperWaits::No
        } else if something_new {
            KeeperWaits::ForAmounts
        } else {
            KeeperWaits::ForAnything
        };
        if state.keeper == KeeperWaits::ForAmounts && (state.is_full() || state.has_many_unsigned()) {
            return state; // since it was looked at
        }
        let waited = core
            .keep
            .wait_timeout(state, until.saturating_duration_since(now));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Goes on in a new file. Until that is there, and the old one is complete, all goes to the old one.
    fn rotate(&mut self) -> Result<(), WriteError> {
        let of = self.core.lock().segment.of.next();
        let next = segment::create_next(&self.core.directory, of, (self.core.clock)())?;
        let path = next.path.clone();
        let switched = self.switch_to(next);
        let Ok(((old, latest), statement)) = switched else {
            let _ = std::fs::remove_file(path); // nothing was written to it
            return switched.map(drop);
        };
        old.sync_data()?;
        segment::finish(&old, latest)?;
        drop(old);
        self.export_soon(statement)
    }

    fn switch_to(&self, next: segment::NewSegment) -> Result<(Completed, Option<Statement>), WriteError> {
        let mut state = self.core.lock();
        let power = state.settings.durability == Durability::Power;
        if power {
            segment::sync_directory(&self.core.directory)?;
        }
        let statement = state.checkpoint(&self.core.key)?;
        state.writer.flush()?;
        if power {
            state.writer.sync()?;
        }
        let old = state.writer.go_on_in(Arc::new(next.file));
        state.segment = Current {
            path: next.path,
            of: next.of,
            begun: Instant::now(),
        };
        Ok((old, statement))
    }

    fn sign(&mut self) -> Result<(), WriteError> {
        let (statement, file) = {
            let mut state = self.core.lock();
            (
                state.checkpoint(&self.core.key)?,
                Arc::clone(state.writer.place()),
            )
        };
        file.sync_data()?; // what a power failure takes must not be missed by a checkpoint that it left
        self.export_soon(statement)
    }

    fn export_soon(&mut self, statement: Option<Statement>) -> Result<(), WriteError> {
        let Some(statement) = statement else { return Ok(()) };
        let exported = export(&self.core, &[statement]);
        self.complain(
            "checkpoint-not-exported",
            exported
                .err()
                .map(|error| format!("a checkpoint could not be written beside the log: {error}")),
        )
    }

    /// Once while it lasts.
    fn complain(&mut self, code: &'static str, of: Option<String>) -> Result<(), WriteError> {
        let known = self.complaints.contains(&code);
        match of {
            Some(message) if !known => {
                self.core.write(Kind::Finding, |line| {
                    line.plain("reason", code);
                    line.text("message", message);
                })?;
                self.complaints.push(code);
            }
            None => self.complaints.retain(|complaint| *complaint != code),
            Some(_) => {}
        }
        Ok(())
    }

    /// Looks after finished files, if no other gate does.
    fn tidy(&mut self) -> Result<(), WriteError> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.core.directory.join(".keeping.lock"))?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let settings = Arc::clone(&self.core.lock().settings);
        if settings.compress {
            let compressed = compress::all(&self.core);
            let failed = compressed
                .err()
                .map(|error| format!("a file of the log could not be compressed: {error}"));
            self.complain("segment-not-compressed", failed)?;
        }
        let waits = retention::apply(&self.core, &settings)?;
        self.complain("retention-waits", waits)
    }
}

/// A file that was followed by the next, and the latest time of a record of it.
type Completed = (Arc<File>, Timestamp);

/// Appends to the file beside the log, and to the one that the policy names.
pub(crate) fn export(core: &Core, statements: &[Statement]) -> io::Result<()> {
    let settings = Arc::clone(&core.lock().settings);
    let elsewhere = settings
        .export_checkpoints
        .as_ref()
        .map(|path| checkpoint::export(path, statements));
    checkpoint::export(&checkpoint::beside(&core.directory), statements)?;
    elsewhere.unwrap_or(Ok(()))
}

/// A command that is over sooner leaves the files of others alone.
const FIRST_TIDY: Duration = Duration::from_secs(2);
const TIDY_EVERY: Duration = Duration::from_mins(5);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
