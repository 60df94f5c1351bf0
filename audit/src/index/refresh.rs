//! Bringing the index up to date with the log.

use std::io::{BufRead as _, BufReader};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::batch::{Batch, whole};
use super::{Index, IndexError, schema};
use crate::event::Kind;
use crate::query::ReadError;
use crate::segment::{self, Contents, Segment};

impl Index {
    /// Reads what was written to the log since.
    pub fn refresh(&mut self) -> Result<(), IndexError> {
        self.refresh_telling(&mut |_| {})
    }

    /// The same, telling now and then how many events were read.
    pub fn refresh_telling(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), IndexError> {
        match self.refresh_once(progress) {
            Err(IndexError::Sqlite { source, .. }) if schema::is_damage(&source) => {
                self.connection = schema::anew(&self.path)?;
                self.refresh_once(progress)
            }
            Err(IndexError::Sqlite { source, .. }) if schema::cannot_write(&source) => {
                self.connection = schema::in_memory(&self.path)?;
                self.refresh_once(progress)
            }
            other => other,
        }
    }

    fn refresh_once(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), IndexError> {
        let path = self.path.clone();
        let failed = || IndexError::of(&path);
        let segments = segment::list(&self.directory).map_err(ReadError::of(&self.directory))?;
        let known = Known::all(&self.connection).map_err(failed())?;
        let is_there = |known: &Known| {
            segments
                .binary_search_by(|segment| segment.stem().cmp(&known.stem))
                .is_ok()
        };
        for gone in known.iter().filter(|known| !is_there(known)) {
            forget(&mut self.connection, &gone.stem).map_err(failed())?;
        }
        let mut events = 0;
        for segment in &segments {
            let known = known.iter().find(|known| known.stem == segment.stem());
            let Ok(length) = segment.length() else { continue }; // removed since it was listed
            match known {
                Some(known) if known.position == length => continue,
                Some(known) if known.position > length => {
                    // Whoever cut it off is found by `verify`; here it is read again.
                    forget(&mut self.connection, &known.stem).map_err(failed())?;
                }
                _ => {}
            }
            Reading {
                index: self,
                segment,
                contents: None,
            }
            .all_lines(&mut |read| {
                events += read;
                progress(events);
            })?;
        }
        Ok(())
    }
}

/// A segment as the index knows it.
struct Known {
    id: i64,
    stem: String,
    position: u64,
}

impl Known {
    fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut all = connection.prepare_cached("SELECT id, stem, position FROM segment ORDER BY stem")?;
        all.query_map([], Self::read)?.collect()
    }

    fn of(stem: &str, transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        let sql = "SELECT id, stem, position FROM segment WHERE stem = ?1";
        if let Some(known) = transaction
            .prepare_cached(sql)?
            .query_row([stem], Self::read)
            .optional()?
        {
            return Ok(known);
        }
        let sql = "INSERT INTO segment (stem, position, unreadable) VALUES (?1, 0, 0)";
        let id = transaction.prepare_cached(sql)?.insert([stem])?;
        Ok(Self {
            id,
            stem: stem.to_owned(),
            position: 0,
        })
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            stem: row.get(1)?,
            position: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        })
    }
}

/// One segment on its way in. Its contents stay open from one transaction to the next, unless somebody else went on meanwhile.
struct Reading<'i> {
    index: &'i mut Index,
    segment: &'i Segment,
    contents: Option<(BufReader<Contents>, u64)>, // and the position
}

impl Reading<'_> {
    fn all_lines(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), IndexError> {
        while self.some_lines(progress)? {}
        Ok(())
    }

    /// Reads some lines in one transaction. Whether there may be more.
    fn some_lines(&mut self, progress: &mut dyn FnMut(u64)) -> Result<bool, IndexError> {
        let path = self.index.path.clone();
        let failed = || IndexError::of(&path);
        let transaction = self
            .index
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed())?;
        let known = Known::of(self.segment.stem(), &transaction).map_err(failed())?;
        let read_error = || ReadError::of(self.segment.path());
        let mut contents = match self.contents.take() {
            Some((contents, position)) if position == known.position => contents,
            _ => BufReader::with_capacity(
                READ_AT_ONCE,
                self.segment.read_from(known.position).map_err(read_error())?,
            ),
        };
        let mut batch = Batch::new(&transaction, known.id);
        let mut position = known.position;
        let mut line = Vec::with_capacity(4096);
        let mut lines = 0;
        while lines < LINES_AT_ONCE {
            line.clear();
            let count = contents.read_until(b'\n', &mut line).map_err(read_error())?;
            let Some(whole_line) = line.strip_suffix(b"\n") else {
                break;
            };
            batch.add(whole_line, position).map_err(failed())?;
            position += count as u64;
            lines += 1;
        }
        let events = batch.events;
        note(&transaction, &known, position, &batch).map_err(failed())?;
        batch.write().map_err(failed())?;
        transaction.commit().map_err(failed())?;
        progress(events);
        self.contents = Some((contents, position));
        Ok(lines == LINES_AT_ONCE)
    }
}

fn note(
    transaction: &Transaction<'_>,
    known: &Known,
    position: u64,
    batch: &Batch<'_>,
) -> rusqlite::Result<()> {
    let sql = "UPDATE segment SET position = ?2, unreadable = unreadable + ?3, writer = coalesce(writer, ?4), \
               first = min(coalesce(first, ?5), coalesce(?5, first)), last = max(coalesce(last, ?6), coalesce(?6, last)) WHERE id = ?1";
    let (first, last) = batch.span.unzip();
    let values = params![
        known.id,
        whole(position),
        whole(batch.unreadable),
        batch.writer.map(whole),
        first,
        last
    ];
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Takes out what is known of a segment.
fn forget(connection: &mut Connection, stem: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT id, coalesce(first, 0), coalesce(last, 0) FROM segment WHERE stem = ?1";
    let found = transaction
        .prepare_cached(sql)?
        .query_row([stem], |row| <(i64, i64, i64)>::try_from(row))
        .optional()?;
    if let Some((id, first, last)) = found {
        let last = last + SLACK;
        keep_endings(&transaction, id, (first, last))?;
        transaction.execute("DELETE FROM unfinished WHERE key IN (SELECT key FROM entry WHERE key BETWEEN ?2 AND ?3 AND segment = ?1)", [id, first, last])?;
        transaction.execute(
            "DELETE FROM entry WHERE key BETWEEN ?2 AND ?3 AND segment = ?1",
            [id, first, last],
        )?;
        transaction.execute("DELETE FROM landmark WHERE segment = ?1", [id])?;
        transaction.execute("DELETE FROM segment WHERE id = ?1", [id])?;
        let (first, last) = (first.div_euclid(super::HOUR), last.div_euclid(super::HOUR));
        sum_up_anew(&transaction, first, last)?;
    }
    transaction.commit()
}

/// What went out in a segment that is gone, and came back in one that is not: the ending is an event of the log all the same, and stands
/// by itself, as it does where the log is indexed anew.
fn keep_endings(transaction: &Transaction<'_>, gone: i64, span: (i64, i64)) -> rusqlite::Result<()> {
    const ELSEWHERE: &str = "key BETWEEN ?2 AND ?3 AND segment = ?1 AND end_segment NOT IN (0, ?1)";
    let span = [gone, span.0, span.1];
    for (out, back) in Kind::ENDINGS.map(|(out, back)| (out.as_str(), back.as_str())) {
        transaction.execute("INSERT OR IGNORE INTO word (text) VALUES (?1)", [back])?;
        let sql = format!(
            "UPDATE entry SET kind = (SELECT id FROM word WHERE text = '{back}') \
             WHERE {ELSEWHERE} AND kind = (SELECT id FROM word WHERE text = '{out}')"
        );
        transaction.execute(&sql, span)?;
    }
    let sql = format!(
        "UPDATE segment SET first = min(first, (SELECT min(key) FROM entry WHERE {ELSEWHERE} AND end_segment = segment.id)) \
         WHERE id IN (SELECT end_segment FROM entry WHERE {ELSEWHERE})"
    );
    transaction.execute(&sql, span)?;
    let sql = format!(
        "UPDATE entry SET segment = end_segment, offset = end_offset, length = end_length, \
         place = 0, method = 0, reason = 0, credential = 0, program = 0 WHERE {ELSEWHERE}"
    );
    transaction.execute(&sql, span)?;
    Ok(())
}

/// Sums of these hours and their days, from the rows.
fn sum_up_anew(transaction: &Transaction<'_>, first: i64, last: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tally WHERE hour BETWEEN ?1 AND ?2", [first, last])?;
    transaction.execute(
        "INSERT INTO tally SELECT key / 3600000000000 AS hour, kind, who, place, method, reason, credential, program, \
         sum(n), sum(up), sum(down), max(key) FROM entry WHERE key >= ?1 * 3600000000000 AND key < (?2 + 1) * 3600000000000 \
         GROUP BY hour, kind, who, place, method, reason, credential, program",
        [first, last],
    )?;
    let (first, last) = (first.div_euclid(24), last.div_euclid(24));
    transaction.execute("DELETE FROM daily WHERE day BETWEEN ?1 AND ?2", [first, last])?;
    for column in ["who", "place", "program", "credential", "0"] {
        let some = if column == "0" {
            String::new()
        } else {
            format!(" AND {column} <> 0")
        };
        let sql = format!(
            "INSERT INTO daily SELECT '{column}', hour / 24 AS day, {column} AS value, kind, reason, sum(n), sum(up), sum(down), max(last) \
             FROM tally WHERE hour BETWEEN ?1 * 24 AND ?2 * 24 + 23{some} GROUP BY day, value, kind, reason"
        );
        transaction.execute(&sql, [first, last])?;
    }
    Ok(())
}

/// As much as a transaction is worth: beyond it, memory grows and others wait.
const LINES_AT_ONCE: u32 = 20_000;
const READ_AT_ONCE: usize = 256 << 10;
/// How far a key may be after its event's time, nanoseconds.
const SLACK: i64 = 1_000_000;
