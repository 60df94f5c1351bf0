//! Some thousand lines of one segment on their way into the tables.
//!
//! An ending is put into the row of what it ends while that still waits in the same batch, which it mostly does; else the row is
//! updated.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::line::{Line, Name, Text};
use super::words::Words;
use crate::event::Kind;

/// A row of `entry`.
#[derive(Default)]
struct Row {
    key: i64,
    offset: i64,
    length: i64,
    groups: Groups,
    connection: i64,
    n: i64,
    ending: Ending,
}

/// What events are filtered and summed up by, beside time.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Groups {
    kind: i64,
    who: i64,
    place: i64,
    method: i64,
    reason: i64,
    credential: i64,
    program: i64,
}

/// An ending; all zero for none.
#[derive(Clone, Copy, Default)]
struct Ending {
    outcome: i64,
    status: i64,
    up: i64,
    down: i64,
    duration: i64,
    segment: i64,
    offset: i64,
    length: i64,
}

#[derive(Default)]
struct Sums {
    n: i64,
    up: i64,
    down: i64,
    last: i64,
}

/// What waits to be written, of one segment.
pub(super) struct Batch<'t> {
    transaction: &'t Connection,
    words: Words<'t>,
    segment: i64,
    rows: Vec<Row>,
    /// What went out and waits in `rows`, at that place.
    waiting: HashMap<Name, usize>,
    tally: HashMap<(i64, Groups), Sums>,
    landmarks: Vec<(u64, u64)>,
    /// The earliest and the latest key.
    pub(super) span: Option<(i64, i64)>,
    /// Of the first event.
    pub(super) writer: Option<u64>,
    pub(super) events: u64,
    pub(super) unreadable: u64,
}

impl<'t> Batch<'t> {
    pub(super) fn new(transaction: &'t Connection, segment: i64) -> Self {
        Self {
            transaction,
            words: Words::new(transaction),
            segment,
            rows: Vec::new(),
            waiting: HashMap::new(),
            tally: HashMap::new(),
            landmarks: Vec::new(),
            span: None,
            writer: None,
            events: 0,
            unreadable: 0,
        }
    }

    /// Takes one line, without its newline, that begins at `offset`.
    pub(super) fn add(&mut self, line: &[u8], offset: u64) -> rusqlite::Result<()> {
        let parsed = Line::parse(line).and_then(|line| Some((line.nanoseconds()?, line)));
        let Some((key, parsed)) = parsed else {
            self.unreadable += 1;
            return Ok(());
        };
        self.events += 1;
        let name = parsed.name();
        if self.writer.is_none() {
            self.writer = name.map(|(writer, _)| writer);
        }
        if offset == 0 || parsed.seq % LANDMARK_EVERY == 1 {
            self.landmarks.push((parsed.seq, offset));
        }
        self.span = Some(
            self.span
                .map_or((key, key), |(first, last)| (first.min(key), last.max(key))),
        );
        match parsed.closes() {
            Some(closes) => self.end(closes, &parsed, key, (whole(offset), length(line))),
            None => self.begin(name, &parsed, key, (whole(offset), length(line))),
        }
    }

    fn begin(
        &mut self,
        name: Option<Name>,
        line: &Line<'_>,
        key: i64,
        place: (i64, i64),
    ) -> rusqlite::Result<()> {
        let row = self.row(line, key, place)?;
        if let (true, Some(name)) = (goes_out(&line.kind), name) {
            self.waiting.insert(name, self.rows.len());
        }
        self.count(row.key, row.groups, row.n, 0, 0);
        self.rows.push(row);
        Ok(())
    }

    fn row(&mut self, line: &Line<'_>, key: i64, (offset, length): (i64, i64)) -> rusqlite::Result<Row> {
        let groups = Groups {
            kind: self.words.word(Some(&line.kind))?,
            who: self.words.who(line)?,
            place: self.words.place(line.place())?,
            method: self.words.word(line.method.as_ref().map(Text::as_str))?,
            reason: self.words.word(line.reason.as_ref().map(Text::as_str))?,
            credential: self.words.word(line.credential.as_ref().map(Text::as_str))?,
            program: self.words.word(line.program())?,
        };
        let (connection, n) = (
            whole(line.connection.unwrap_or(0)),
            whole(line.repeated.unwrap_or(1)),
        );
        Ok(Row {
            key,
            offset,
            length,
            groups,
            connection,
            n,
            ending: Ending::default(),
        })
    }

    fn end(&mut self, closes: Name, line: &Line<'_>, key: i64, place: (i64, i64)) -> rusqlite::Result<()> {
        let outcome = line.outcome.as_ref().map_or("ended", Text::as_str);
        let ending = Ending {
            outcome: self.words.word(Some(outcome))?,
            status: line.status.unwrap_or(0).into(),
            up: whole(line.bytes_up.unwrap_or(0)),
            down: whole(line.bytes_down.unwrap_or(0)),
            duration: whole(line.duration_us.unwrap_or(0)),
            segment: self.segment,
            offset: place.0,
            length: place.1,
        };
        if let Some(at) = self.waiting.remove(&closes) {
            let (key, groups) = (self.rows[at].key, self.rows[at].groups);
            self.rows[at].ending = ending;
            self.count(key, groups, 0, ending.up, ending.down);
            return Ok(());
        }
        if self.finish_earlier(closes, ending)? {
            return Ok(());
        }
        // What it ends is not there (any more): it has a row of its own.
        let mut row = self.row(line, key, place)?;
        row.ending = ending;
        self.count(row.key, row.groups, row.n, ending.up, ending.down);
        self.rows.push(row);
        Ok(())
    }

    /// Whether what it ends has a row already.
    fn finish_earlier(&mut self, closes: Name, ending: Ending) -> rusqlite::Result<bool> {
        let (writer, seq) = (whole(closes.0), whole(closes.1));
        let mut unfinished = self
            .transaction
            .prepare_cached("DELETE FROM unfinished WHERE writer = ?1 AND seq = ?2 RETURNING key")?;
        let Some(key) = unfinished
            .query_row([writer, seq], |row| row.get::<_, i64>(0))
            .optional()?
        else {
            return Ok(false);
        };
        let sql = "UPDATE entry SET outcome = ?2, status = ?3, up = ?4, down = ?5, duration = ?6, end_segment = ?7, end_offset = ?8, \
                   end_length = ?9 WHERE key = ?1 RETURNING kind, who, place, method, reason, credential, program";
        let mut update = self.transaction.prepare_cached(sql)?;
        let values = params![
            key,
            ending.outcome,
            ending.status,
            ending.up,
            ending.down,
            ending.duration,
            ending.segment,
            ending.offset,
            ending.length
        ];
        let groups = update.query_row(values, Groups::read).optional()?;
        if let Some(groups) = groups {
            self.count(key, groups, 0, ending.up, ending.down);
        }
        Ok(groups.is_some())
    }

    fn count(&mut self, last: i64, groups: Groups, n: i64, up: i64, down: i64) {
        let key = (last.div_euclid(super::HOUR), groups);
        self.tally
            .entry(key)
            .or_default()
            .add(&Sums { n, up, down, last });
    }

    /// Puts all of it into the tables.
    pub(super) fn write(mut self) -> rusqlite::Result<()> {
        self.write_rows()?;
        self.write_landmarks()?;
        self.write_tally()?;
        self.write_daily()
    }

    fn write_rows(&mut self) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
        let mut insert = self.transaction.prepare_cached(sql)?;
        for row in &mut self.rows {
            // Two events of one nanosecond: the later comes right after the earlier.
            while insert.execute(row.values(self.segment))? == 0 {
                row.key += 1;
            }
        }
        let mut unfinished = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO unfinished VALUES (?1, ?2, ?3)")?;
        for ((writer, seq), at) in &self.waiting {
            unfinished.execute([whole(*writer), whole(*seq), self.rows[*at].key])?;
        }
        Ok(())
    }

    fn write_landmarks(&self) -> rusqlite::Result<()> {
        let mut insert = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO landmark VALUES (?1, ?2, ?3)")?;
        for (seq, offset) in &self.landmarks {
            insert.execute([self.segment, whole(*seq), whole(*offset)])?;
        }
        Ok(())
    }

    fn write_tally(&self) -> rusqlite::Result<()> {
        let sql = "INSERT INTO tally VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO UPDATE SET \
                   n = n + excluded.n, up = up + excluded.up, down = down + excluded.down, last = max(last, excluded.last)";
        let mut upsert = self.transaction.prepare_cached(sql)?;
        for ((hour, groups), sums) in &self.tally {
            let Groups {
                kind,
                who,
                place,
                method,
                reason,
                credential,
                program,
            } = *groups;
            upsert.execute([
                *hour, kind, who, place, method, reason, credential, program, sums.n, sums.up, sums.down,
                sums.last,
            ])?;
        }
        Ok(())
    }
}

impl Batch<'_> {
    fn write_daily(&self) -> rusqlite::Result<()> {
        let mut daily: HashMap<(&str, i64, i64, i64, i64), Sums> = HashMap::new();
        for ((hour, groups), sums) in &self.tally {
            for (column, value) in groups.alone() {
                let key = (column, hour.div_euclid(24), value, groups.kind, groups.reason);
                daily.entry(key).or_default().add(sums);
            }
        }
        let sql = "INSERT INTO daily VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET \
                   n = n + excluded.n, up = up + excluded.up, down = down + excluded.down, last = max(last, excluded.last)";
        let mut upsert = self.transaction.prepare_cached(sql)?;
        for ((column, day, value, kind, reason), sums) in &daily {
            upsert.execute(params![
                column, day, value, kind, reason, sums.n, sums.up, sums.down, sums.last
            ])?;
        }
        Ok(())
    }
}

impl Sums {
    fn add(&mut self, more: &Self) {
        self.n += more.n;
        self.up = self.up.saturating_add(more.up);
        self.down = self.down.saturating_add(more.down);
        self.last = self.last.max(more.last);
    }
}

impl Row {
    /// In the order of the columns.
    fn values(&self, segment: i64) -> [i64; 21] {
        let Groups {
            kind,
            who,
            place,
            method,
            reason,
            credential,
            program,
        } = self.groups;
        let end = &self.ending;
        [
            self.key,
            segment,
            self.offset,
            self.length,
            kind,
            who,
            place,
            method,
            reason,
            credential,
            program,
            self.connection,
            self.n,
            end.outcome,
            end.status,
            end.up,
            end.down,
            end.duration,
            end.segment,
            end.offset,
            end.length,
        ]
    }
}

impl Groups {
    /// The columns of `daily` that it counts for.
    fn alone(self) -> impl Iterator<Item = (&'static str, i64)> {
        let columns = [
            ("who", self.who),
            ("place", self.place),
            ("program", self.program),
            ("credential", self.credential),
        ];
        let some = columns.into_iter().filter(|(_, value)| *value != 0);
        some.chain([("0", 0)])
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get(0)?,
            who: row.get(1)?,
            place: row.get(2)?,
            method: row.get(3)?,
            reason: row.get(4)?,
            credential: row.get(5)?,
            program: row.get(6)?,
        })
    }
}

/// What may have an ending.
fn goes_out(kind: &str) -> bool {
    Kind::ENDINGS.iter().any(|(out, _)| out.as_str() == kind)
}

fn length(line: &[u8]) -> i64 {
    whole(line.len() as u64)
}

/// `SQLite`'s numbers have a sign. What is beyond (no counter of ours gets there) counts as the largest.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const LANDMARK_EVERY: u64 = 256;
