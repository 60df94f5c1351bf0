//! How it goes with a sink, for people, metrics and pages. Nothing depends on it.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use outwall_audit::Event;
use outwall_audit::segment::{self, Segment};
use outwall_policy::audit_sinks::AuditSink;
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, CursorError};
use crate::files::{Lasting, SinkFiles, replace};

/// How it goes with a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// Its kind: the word of the document.
    pub kind: &'static str,
    /// Where its receiver is.
    pub place: String,
    /// How many events of the log it has not got. None: its cursor cannot be read.
    pub lag_events: Option<u64>,
    /// How old the first of them is. None: there is none.
    pub lag: Option<Duration>,
    /// How many it has got, repeats not counted.
    pub delivered: u64,
    /// How many its receiver would not take; they are in a file beside the cursor.
    pub rejected: u64,
    /// When its receiver last took something.
    pub last_success: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<Trouble>,
    /// So many times in a row nothing could be delivered. 0: all is well.
    pub failures: u32,
    /// The process that ships to it. None: none does.
    pub shipped_by: Option<u32>,
}

/// What went wrong, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// As a sentence. Text of the receiver may be in it, escaped.
    pub why: String,
}

/// What the process that ships writes down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) pid: u32,
    pub(crate) last_success: Option<Timestamp>,
    pub(crate) last_error: Option<Trouble>,
    pub(crate) failures: u32,
}

impl Told {
    /// What the one before told, by another process.
    pub(crate) fn go_on(files: &SinkFiles) -> Self {
        let before: Self = read(files);
        Self {
            pid: std::process::id(),
            ..before
        }
    }

    /// For whoever looks. That it cannot be written is no reason not to ship.
    pub(crate) fn write(&self, files: &SinkFiles) {
        let text = serde_json::to_vec(self).expect("text and numbers are JSON");
        if let Err(error) = replace(&files.state(), &text, Lasting::No) {
            tracing::debug!(%error, "the state of a sink cannot be written");
        }
    }

    pub(crate) fn succeeded(&mut self) {
        self.last_success = Some(Timestamp::now());
        self.failures = 0;
    }

    pub(crate) fn failed(&mut self, why: &str) {
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(Trouble {
            at: Timestamp::now(),
            why: why.to_owned(),
        });
    }
}

fn read(files: &SinkFiles) -> Told {
    let text = std::fs::read(files.state()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// How it goes with these sinks of the audit in `directory`. Looks at files only.
pub fn states(directory: &Path, sinks: &[AuditSink]) -> Vec<SinkState> {
    let segments = segment::list(directory).unwrap_or_default();
    sinks
        .iter()
        .map(|sink| state(directory, &segments, sink))
        .collect()
}

fn state(directory: &Path, segments: &[Segment], sink: &AuditSink) -> SinkState {
    let files = SinkFiles::new(directory, sink.name.as_str());
    let cursor = Cursor::read(&files.cursor()).map(Option::unwrap_or_default);
    let told = read(&files);
    let behind = cursor.as_ref().ok().map(|cursor| behind(segments, cursor));
    let (lag_events, oldest) = behind.unzip();
    let cursor = cursor.unwrap_or_default();
    SinkState {
        name: sink.name.to_string(),
        kind: sink.kind(),
        place: sink.place(),
        lag_events,
        lag: oldest.flatten().map(age),
        delivered: cursor.delivered,
        rejected: cursor.rejected,
        last_success: told.last_success,
        last_error: told.last_error,
        failures: told.failures,
        shipped_by: is_held(&files).then_some(told.pid),
    }
}

/// How many events of the log are not acknowledged by this cursor. None: it cannot be read.
pub(crate) fn lag_events(segments: &[Segment], cursor: Result<Option<Cursor>, CursorError>) -> Option<u64> {
    let cursor = cursor.ok()?.unwrap_or_default();
    Some(behind(segments, &cursor).0)
}

fn is_held(files: &SinkFiles) -> bool {
    let lock = File::open(files.lock());
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn age(at: Timestamp) -> Duration {
    Duration::try_from(Timestamp::now().duration_since(at)).unwrap_or_default()
}

/// How many events are not acknowledged, and when the first of them was. Numbers count within a file in steps of one, so that the
/// first and the last line are enough.
fn behind(segments: &[Segment], cursor: &Cursor) -> (u64, Option<Timestamp>) {
    let mut events = 0;
    let mut oldest: Option<Timestamp> = None;
    for segment in segments {
        let position = cursor.positions.get(segment.stem()).copied().unwrap_or(0);
        let Some((first, last)) = ends(segment, position) else {
            continue;
        };
        events += last.seq.saturating_sub(first.seq) + 1;
        let at: Option<Timestamp> = first.at.parse().ok();
        oldest = [oldest, at].into_iter().flatten().min();
    }
    (events, oldest)
}

/// The first line from a position on, and the last one of a file.
fn ends(segment: &Segment, position: u64) -> Option<(Event, Event)> {
    let length = segment.length().ok()?;
    if length <= position {
        return None;
    }
    let mut first = Vec::new();
    let mut contents = BufReader::new(segment.read_from(position).ok()?);
    contents.read_until(b'\n', &mut first).ok()?;
    let first = event(first.strip_suffix(b"\n")?)?;
    let mut tail = Vec::new();
    let from = length.saturating_sub(LONGEST_LINE).max(position);
    segment.read_from(from).ok()?.read_to_end(&mut tail).ok()?;
    let whole = &tail[..tail.iter().rposition(|byte| *byte == b'\n')?];
    let last = whole.rsplit(|byte| *byte == b'\n').find_map(event);
    Some((first.clone(), last.unwrap_or(first)))
}

fn event(line: &[u8]) -> Option<Event> {
    Event::parse(str::from_utf8(line).ok()?)
}

/// A line with all of its texts as long as they can be.
const LONGEST_LINE: u64 = 512 << 10;
