//! What a question is answered with: [`Entry`], and everything known of one in [`Found`].

use rusqlite::Row;

use super::ask::Cursor;
use super::stored::Lines;
use super::{Index, IndexError};
use crate::event::{Event, Kind};

/// One thing that happened: an event, with its ending where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place in the order of time.
    pub cursor: Cursor,
    /// What happened: for a request, that it was about to go out.
    pub event: Event,
    /// How it ended, for what goes out and has ended.
    pub ending: Option<Event>,
    /// The same in a word; `None` for what has no ending.
    pub outcome: Option<Outcome>,
}

/// How something that went out, or came in to a published port, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its writer lives and has not said: it goes on.
    InFlight,
    /// Its writer is dead and has not said. It may have reached the origin or not.
    Unknown,
    /// It ended as it should.
    Complete,
    /// Something went wrong.
    Failed,
    /// The gate gave it up before its end.
    Aborted,
}

impl Outcome {
    /// For people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "open",
            Self::Unknown => "unknown",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }

    /// As an ending says it. A word of a later version is not known.
    pub fn of(ending: &Event) -> Self {
        match ending.outcome.as_deref() {
            Some("complete") => Self::Complete,
            Some("failed") => Self::Failed,
            Some("aborted") => Self::Aborted,
            _ => Self::Unknown,
        }
    }
}

impl Kind {
    /// What goes out, and what its ending is.
    pub(super) const ENDINGS: [(Self, Self); 3] = [
        (Self::ExchangeGoingOut, Self::ExchangeCameBack),
        (Self::ConnectionGoingOut, Self::ConnectionCameBack),
        (Self::PublishedCameIn, Self::PublishedEnded),
    ];

    /// Whether an ending follows.
    pub fn goes_out(self) -> bool {
        Self::ENDINGS.iter().any(|(out, _)| *out == self)
    }

    /// Whether it is such an ending.
    pub fn is_ending(self) -> bool {
        Self::ENDINGS.iter().any(|(_, back)| *back == self)
    }
}

/// Everything known of one event.
#[derive(Clone, Debug)]
pub struct Found {
    /// It, or what it ends.
    pub entry: Entry,
    /// It was asked for by the name of its ending.
    pub asked_for_ending: bool,
    /// Others in the same connection, the oldest first.
    pub connection: Vec<Entry>,
    /// What its sandbox did right before, the oldest first; for an event of no sandbox, what its writer wrote.
    pub before: Vec<Entry>,
    /// What it did right after.
    pub after: Vec<Entry>,
}

/// A row of `entry`, as far as an answer needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) key: i64,
    pub(super) segment: i64,
    offset: i64,
    length: i64,
    pub(super) who: i64,
    pub(super) connection: i64,
    end_segment: i64,
    end_offset: i64,
    end_length: i64,
}

impl Stored {
    /// In the order of [`Self::read`].
    pub(super) const COLUMNS: &'static str =
        "key, segment, offset, length, who, connection, end_segment, end_offset, end_length";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            segment: row.get(1)?,
            offset: row.get(2)?,
            length: row.get(3)?,
            who: row.get(4)?,
            connection: row.get(5)?,
            end_segment: row.get(6)?,
            end_offset: row.get(7)?,
            end_length: row.get(8)?,
        })
    }

    /// With its lines. `None`: they are not in the log any more, or are not what was indexed.
    pub(super) fn entry(&self, lines: &mut Lines<'_>) -> Result<Option<Entry>, IndexError> {
        let Some(event) = at(lines, self.segment, self.offset, self.length)? else {
            return Ok(None);
        };
        let ending = match self.end_segment {
            0 => None,
            // An orphan of a removed segment is its own ending.
            segment if segment == self.segment && self.end_offset == self.offset => Some(event.clone()),
            segment => at(lines, segment, self.end_offset, self.end_length)?,
        };
        let outcome = match &ending {
            Some(ending) => Some(Outcome::of(ending)),
            None if event.kind.goes_out() => Some(unfinished(&event, lines)?),
            None => None,
        };
        Ok(Some(Entry {
            cursor: Cursor(self.key),
            event,
            ending,
            outcome,
        }))
    }
}

fn at(lines: &mut Lines<'_>, segment: i64, offset: i64, length: i64) -> Result<Option<Event>, IndexError> {
    let (Ok(offset), Ok(length)) = (u64::try_from(offset), usize::try_from(length)) else {
        return Ok(None);
    };
    lines.event(segment, offset, length)
}

fn unfinished(event: &Event, lines: &mut Lines<'_>) -> Result<Outcome, IndexError> {
    let writer = event.id.rsplit_once('-').map_or("", |(writer, _)| writer);
    Ok(if lines.is_writing(writer)? {
        Outcome::InFlight
    } else {
        Outcome::Unknown
    })
}

impl Index {
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines::new(&self.directory, &self.connection)
    }
}
