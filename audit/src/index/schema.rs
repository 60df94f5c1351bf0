//! The tables, and a file that has them: an old, foreign or damaged one is made anew, since everything in it is in the log.
//!
//! An event is a row of `entry`, and so is a pair of "going out" and "came back": the ending is in the row of what it ends. A row is
//! numbered by its nanoseconds since 1970 (one more where two events have the same), so that the rows are in the order of time, and
//! every index is, within one value. Texts that repeat are numbers into `word`, `who` and `place`; 0 is none.
//!
//! `tally` has the sums of each hour for each combination of what is filtered by. It answers "top", and says which hours have
//! anything that is wanted. `daily` has those of each day by one thing alone, and says which days have it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::IndexError;

/// Opens the index at `path`, or one in memory where none can be written (a copy of a log that is only to be
/// read, or no directory at all).
pub(super) fn open(path: &Path) -> Result<Connection, IndexError> {
    match open_file(path) {
        Ok(connection) => Ok(connection),
        Err(error) if is_damage(&error) => anew(path),
        Err(error) if cannot_write(&error) => in_memory(path),
        Err(error) => Err(IndexError::of(path)(error)),
    }
}

/// One for this process alone.
pub(super) fn in_memory(path: &Path) -> Result<Connection, IndexError> {
    Connection::open_in_memory()
        .and_then(prepare)
        .map_err(IndexError::of(path))
}

/// In the place of a damaged one.
pub(super) fn anew(path: &Path) -> Result<Connection, IndexError> {
    remove(path)?;
    open_file(path).map_err(IndexError::of(path))
}

/// Takes everything out.
pub(super) fn clear(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    drop_all(&transaction)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Whether the file is no database, or not a whole one.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether there is no place to write it to: nobody must go without an answer because the disk is full.
pub(super) fn cannot_write(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::DiskFull)
    )
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    // Made here, for the owner only; SQLite gives its other files the mode of this one.
    let made = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    if let Err(error) = made
        && !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        )
    {
        let cannot = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        return Err(rusqlite::Error::SqliteFailure(cannot, Some(error.to_string())));
    }
    prepare(Connection::open(path)?)
}

/// Again, while another process does the same: `SQLite` does not wait by itself where it changes the journal's mode.
fn patiently<T>(mut ask: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn prepare(mut connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "page_size", PAGE)?; // of a new file
    patiently(|| connection.pragma_update(None, "journal_mode", "wal"))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        clear(&mut connection)?;
    }
    Ok(connection)
}

fn drop_all(connection: &Connection) -> rusqlite::Result<()> {
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TABLE \"{}\"", name.replace('"', "\"\"")))?;
    }
    Ok(())
}

/// Another process that has it open goes on with what it has, and finds the new one when it opens it again.
fn remove(path: &Path) -> Result<(), IndexError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(IndexError::Remove {
                    path: path.to_owned(),
                    source: error,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// To be counted up with every change to the tables, or to what is put in them.
const VERSION: i64 = 3;

/// How long one process waits for another that is writing.
const PATIENCE: Duration = Duration::from_mins(2);
/// Bytes: what is near each other is read with fewer requests from a disk that has nothing of it in memory.
const PAGE: i64 = 16 << 10;
/// Negative: KiB and not pages.
const CACHE_KIB: i64 = -(64 << 10);
const MAPPED: i64 = 4 << 30;

const TABLES: &str = "
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    stem TEXT NOT NULL UNIQUE,
    writer INTEGER,               -- of its first event
    position INTEGER NOT NULL,    -- uncompressed bytes that are indexed
    unreadable INTEGER NOT NULL,  -- lines that are no events
    first INTEGER,                -- the earliest key
    last INTEGER                  -- the latest key
) STRICT;
CREATE INDEX segment_writer ON segment (writer);

-- Every so manieth line of a segment: how an event is found by its name.
CREATE TABLE landmark (
    segment INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (segment, seq)
) WITHOUT ROWID, STRICT;

CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE who (
    id INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,    -- '' for none, as below
    session TEXT NOT NULL,
    sandbox TEXT NOT NULL,
    UNIQUE (sandbox, environment, session)
) STRICT;

CREATE TABLE place (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL UNIQUE,  -- host:port, or a name that was looked up
    reversed TEXT NOT NULL,       -- com.example.api: what is below a name is one range
    port INTEGER                  -- none for a name
) STRICT;
CREATE INDEX place_reversed ON place (reversed);

CREATE TABLE entry (
    key INTEGER PRIMARY KEY,      -- nanoseconds since 1970
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,      -- without the newline
    kind INTEGER NOT NULL,        -- a word, as method, reason, credential, program and outcome
    who INTEGER NOT NULL,
    place INTEGER NOT NULL,
    method INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    program INTEGER NOT NULL,
    connection INTEGER NOT NULL,  -- 0 for none
    n INTEGER NOT NULL,           -- how many events this one stands for
    outcome INTEGER NOT NULL,     -- 0: has not ended, as far as the log says
    status INTEGER NOT NULL,      -- 0 for none, as in the rest
    up INTEGER NOT NULL,
    down INTEGER NOT NULL,
    duration INTEGER NOT NULL,    -- microseconds
    end_segment INTEGER NOT NULL, -- where the ending is; 0 for none
    end_offset INTEGER NOT NULL,
    end_length INTEGER NOT NULL
) STRICT;
CREATE INDEX entry_who ON entry (who);
CREATE INDEX entry_place ON entry (place) WHERE place <> 0;
CREATE INDEX entry_reason ON entry (reason) WHERE reason <> 0;

-- What went out and has not come back.
CREATE TABLE unfinished (
    writer INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (writer, seq)
) WITHOUT ROWID, STRICT;

CREATE TABLE tally (
    hour INTEGER NOT NULL,        -- key / 3.6e12
    kind INTEGER NOT NULL,
    who INTEGER NOT NULL,
    place INTEGER NOT NULL,
    method INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    program INTEGER NOT NULL,
    n INTEGER NOT NULL,
    up INTEGER NOT NULL,
    down INTEGER NOT NULL,
    last INTEGER NOT NULL,        -- the latest key
    PRIMARY KEY (hour, kind, who, place, method, reason, credential, program)
) WITHOUT ROWID, STRICT;

-- The sums of each day by one thing alone: what is asked of everything, and which days have a thing at all.
CREATE TABLE daily (
    column TEXT NOT NULL,         -- who, place, program, credential; '0' for all together
    day INTEGER NOT NULL,         -- hour / 24
    value INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    n INTEGER NOT NULL,
    up INTEGER NOT NULL,
    down INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (column, value, day, kind, reason)
) WITHOUT ROWID, STRICT;
";
