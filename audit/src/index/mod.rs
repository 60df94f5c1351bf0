//! The index: questions to a log of millions of events, answered at once.
//!
//! Start at [`Index::open`]. It is one `SQLite` file, `index.sqlite` in the directory of the log, made and brought up to date by whoever
//! asks, from the place on that each segment is indexed to. Several processes may ask and bring it up to date at once. It is not the
//! record: whatever is shown of an event is read from its line in the log, and an index that is damaged, of another version or
//! removed is made anew; where it cannot be written (a full disk, another's log), it is kept in memory.
//!
//! What goes out and how it came back is one [`Entry`].
//!
//! # Asking
//!
//! | question | answer |
//! |---|---|
//! | a page of events, newest or oldest first | [`Index::events`] |
//! | all of them, one after the other | [`Index::walk`], and line by line [`Index::walk_events`] |
//! | everything known of one event | [`Index::event`] |
//! | who or what is at the top | [`Index::top`] |
//! | what was refused, by target and reason | [`Index::denials`] |
//! | which sandboxes there were, and what each did in sum | [`Index::sandboxes`] |
//! | how much there is in a span | [`Index::extent`] |
//! | what is new since the last question | [`crate::live::Live`] |
//!
//! [`Index::refresh`] comes before each question whose answer must have what was written until then; when nothing was, it costs a
//! look at the directory. An [`Index`] is for one thread at a time (open one in each: that takes a millisecond), and every
//! call may wait for the disk: not for an async thread.

mod ask;
mod batch;
mod entry;
mod line;
mod refresh;
mod sandboxes;
mod schema;
mod stored;
mod top;
mod walk;
mod wanted;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use ask::{Cursor, Order, Page};
pub use entry::{Entry, Found, Outcome};
pub use line::read_of_line;
pub use sandboxes::SandboxRow;
pub use top::{Denial, Extent, Top, TopRow};
pub use walk::{Walk, WalkEvents};

use crate::query::ReadError;

/// The index of one log.
#[derive(Debug)]
pub struct Index {
    directory: PathBuf,
    path: PathBuf,
    connection: Connection,
}

/// A question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index cannot be read or written.
    #[error("cannot use the index of the audit log, `{}`", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// It is damaged, and cannot be made anew.
    #[error("cannot remove the damaged index of the audit log, `{}`", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// No event is called so.
    #[error("there is no event `{0}` in the log")]
    NoSuchEvent(String),
    /// Several events are.
    #[error("`{name}` is the start of several events: {}", candidates.join(", "))]
    Ambiguous {
        /// As it was asked for.
        name: String,
        /// Some of them.
        candidates: Vec<String>,
    },
}

impl IndexError {
    fn of(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite {
            path: path.to_owned(),
            source,
        }
    }
}

impl Index {
    /// Opens the index of the log in `directory`, brought up to date. A directory that does not exist has no events.
    pub fn open(directory: &Path) -> Result<Self, IndexError> {
        let mut index = Self::open_as_it_is(directory)?;
        index.refresh()?;
        Ok(index)
    }

    /// The same, as it was left: [`Self::refresh`] comes next.
    pub fn open_as_it_is(directory: &Path) -> Result<Self, IndexError> {
        let path = directory.join(FILE);
        let connection = schema::open(&path)?;
        Ok(Self {
            directory: directory.to_owned(),
            path,
            connection,
        })
    }

    /// Takes everything out. [`Self::refresh`] reads the log from its beginning then.
    pub fn clear(&mut self) -> Result<(), IndexError> {
        match schema::clear(&mut self.connection) {
            Err(error) if schema::is_damage(&error) => {
                self.connection = schema::anew(&self.path)?;
                Ok(())
            }
            other => other.map_err(IndexError::of(&self.path)),
        }
    }

    /// The directory of the log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn failed(&self) -> impl FnOnce(rusqlite::Error) -> IndexError + use<> {
        let path = self.path.clone();
        move |source| IndexError::Sqlite { path, source }
    }
}

const FILE: &str = "index.sqlite";

/// Nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests;
