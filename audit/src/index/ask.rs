//! Pages of events, and everything known of one.

use std::fmt;
use std::io::BufReader;
use std::num::ParseIntError;
use std::str::FromStr;

use super::entry::{Entry, Found, Stored};
use super::line::{Line, Name, name};
use super::stored::Lines;
use super::wanted::{Wanted, select};
use super::{HOUR, Index, IndexError};
use crate::event::Event;
use crate::filter::Filter;
use crate::query::ReadError;

/// A place in the order of time. As text it goes into an address and comes back. It stays valid as the log grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub(super) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        i64::from_str_radix(text, 16).map(Self)
    }
}

/// In which order events are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The latest first.
    NewestFirst,
    /// As they happened.
    OldestFirst,
}

/// Some events.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order that was asked for.
    pub entries: Vec<Entry>,
    /// What to ask with for those that follow. `None`: there are no more.
    pub next: Option<Cursor>,
}

impl Index {
    /// So many events that are wanted: the first ones in this order, or those that follow `after`.
    pub fn events(
        &self,
        filter: &Filter,
        order: Order,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Page, IndexError> {
        let Some(mut wanted) = Wanted::of(filter, &self.connection).map_err(self.failed())? else {
            return Ok(Page::default());
        };
        match (order, after) {
            (Order::NewestFirst, Some(after)) => wanted.to = wanted.to.min(after.0.saturating_sub(1)),
            (Order::OldestFirst, Some(after)) => wanted.from = wanted.from.max(after.0.saturating_add(1)),
            (_, None) => {}
        }
        let found = self.stored(&wanted, order, most).map_err(self.failed())?;
        let next = found
            .last()
            .filter(|_| found.len() == most)
            .map(|last| Cursor(last.key));
        Ok(Page {
            entries: entries(&found, &mut self.lines())?,
            next,
        })
    }

    /// Everything known of the event of this name. A part of it will do: `3f9a-17` for `3f9ac0ffee00-17`, if no other begins so.
    pub fn event(&self, id: &str) -> Result<Found, IndexError> {
        let mut lines = self.lines();
        let (asked, segment) = self.named(id, &mut lines)?;
        let asked_for_ending = asked.event.closes.is_some();
        let no_such = || IndexError::NoSuchEvent(id.to_owned());
        let begun = asked
            .event
            .closes
            .as_deref()
            .and_then(name)
            .map(|name| self.locate(name, &mut lines))
            .transpose()?;
        let (at, segment) = match begun.flatten() {
            Some((begun, segment)) => (begun, segment),
            None => (asked, segment),
        };
        let stored = self
            .row_of(&at, segment)
            .map_err(self.failed())?
            .ok_or_else(no_such)?;
        let entry = stored.entry(&mut lines)?.ok_or_else(no_such)?;
        self.around(stored, entry, asked_for_ending, &mut lines)
    }

    /// The event of this name, or the only one whose writer's name begins so.
    fn named(&self, id: &str, lines: &mut Lines<'_>) -> Result<(At, i64), IndexError> {
        let no_such = || IndexError::NoSuchEvent(id.to_owned());
        if let Some(exact) = name(id) {
            return self.locate(exact, lines)?.ok_or_else(no_such);
        }
        let (start, seq) = id.rsplit_once('-').ok_or_else(no_such)?;
        let seq: u64 = seq.parse().map_err(|_| no_such())?;
        let sql = "SELECT DISTINCT writer FROM segment WHERE printf('%012x', writer) LIKE ?1 || '%'";
        let is_hex = start.bytes().all(|digit| digit.is_ascii_hexdigit());
        let writers: Vec<i64> = if is_hex {
            select(&self.connection, sql, [start], |row| row.get(0)).map_err(self.failed())?
        } else {
            Vec::new()
        };
        let mut found = Vec::new();
        for writer in writers {
            found.extend(self.locate((writer.unsigned_abs(), seq), lines)?);
        }
        match found.len() {
            0 => Err(no_such()),
            1 => Ok(found.remove(0)),
            _ => Err(IndexError::Ambiguous {
                name: id.to_owned(),
                candidates: found
                    .into_iter()
                    .take(NAMED_CANDIDATES)
                    .map(|(at, _)| at.event.id)
                    .collect(),
            }),
        }
    }

    /// Finds a line by its event's name: from the landmark before it on.
    fn locate(&self, (writer, seq): Name, lines: &mut Lines<'_>) -> Result<Option<(At, i64)>, IndexError> {
        let sql = "SELECT landmark.segment, max(landmark.seq), landmark.offset FROM landmark JOIN segment ON segment.id = landmark.segment \
                   WHERE segment.writer = ?1 AND landmark.seq <= ?2 GROUP BY landmark.segment ORDER BY landmark.seq DESC";
        let (writer, seq_number) = (super::batch::whole(writer), super::batch::whole(seq));
        let marks: Vec<(i64, i64, i64)> =
            select(&self.connection, sql, [writer, seq_number], |row| row.try_into())
                .map_err(self.failed())?;
        for (segment, _, offset) in marks {
            let Some(of) = lines.segment(segment)? else {
                continue;
            };
            let offset = u64::try_from(offset).unwrap_or(0);
            let path = of.path().to_owned();
            let contents = match of.read_from(offset) {
                Ok(contents) => contents,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(ReadError::of(&path)(error).into()),
            };
            if let Some(at) = scan(BufReader::new(contents), offset, seq).map_err(ReadError::of(&path))? {
                return Ok(Some((at, segment)));
            }
        }
        Ok(None)
    }

    fn row_of(&self, at: &At, segment: i64) -> rusqlite::Result<Option<Stored>> {
        let sql = format!(
            "SELECT {} FROM entry WHERE key BETWEEN ?1 AND ?1 + 1000000 AND segment = ?2 AND offset = ?3",
            Stored::COLUMNS
        );
        let values = [at.key, segment, super::batch::whole(at.offset)];
        Ok(select(&self.connection, &sql, values, Stored::read)?
            .into_iter()
            .next())
    }

    fn around(
        &self,
        of: Stored,
        entry: Entry,
        asked_for_ending: bool,
        lines: &mut Lines<'_>,
    ) -> Result<Found, IndexError> {
        let near = if of.who == 0 {
            format!("segment = {}", of.segment)
        } else {
            format!("who = {}", of.who)
        };
        let ask = |condition: String, from: i64, to: i64, order| {
            let wanted = Wanted {
                condition,
                from,
                to,
                days: None,
            };
            self.rows(&wanted, order, NEIGHBOURS).map_err(self.failed())
        };
        let mut before = ask(near.clone(), i64::MIN, of.key - 1, Order::NewestFirst)?;
        before.reverse();
        let after = ask(near.clone(), of.key + 1, i64::MAX, Order::OldestFirst)?;
        let connection = if of.connection == 0 {
            Vec::new()
        } else {
            let writers = "SELECT id FROM segment WHERE writer = (SELECT writer FROM segment WHERE id =";
            let same = format!(
                "who = {} AND connection = {} AND key <> {} AND segment IN ({writers} {}))",
                of.who, of.connection, of.key, of.segment
            );
            let wanted = Wanted {
                condition: same,
                from: of.key.saturating_sub(LONGEST_CONNECTION),
                to: of.key.saturating_add(LONGEST_CONNECTION),
                days: None,
            };
            self.rows(&wanted, Order::OldestFirst, MOST_OF_A_CONNECTION)
                .map_err(self.failed())?
        };
        Ok(Found {
            entry,
            asked_for_ending,
            connection: entries(&connection, lines)?,
            before: entries(&before, lines)?,
            after: entries(&after, lines)?,
        })
    }

    /// Rows that are wanted, hour by hour: `tally` knows which have any.
    pub(super) fn stored(&self, wanted: &Wanted, order: Order, most: usize) -> rusqlite::Result<Vec<Stored>> {
        if wanted.is_all() {
            return self.rows(wanted, order, most);
        }
        let (first, last) = (wanted.from.div_euclid(HOUR), wanted.to.div_euclid(HOUR));
        let Some(days) = &wanted.days else {
            return self.stored_within(wanted, order, (first, last), most);
        };
        let within = [first.div_euclid(24), last.div_euclid(24)];
        let mut days: Vec<i64> = select(&self.connection, days, within, |row| row.get(0))?;
        days.sort_unstable();
        if order == Order::NewestFirst {
            days.reverse();
        }
        let mut found = Vec::new();
        for day in days {
            let hours = (first.max(day * 24), last.min(day * 24 + 23));
            found.extend(self.stored_within(wanted, order, hours, most - found.len())?);
            if found.len() == most {
                break;
            }
        }
        Ok(found)
    }

    fn stored_within(
        &self,
        wanted: &Wanted,
        order: Order,
        (first, last): (i64, i64),
        most: usize,
    ) -> rusqlite::Result<Vec<Stored>> {
        let Wanted {
            condition, from, to, ..
        } = wanted;
        let direction = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        let sql = format!(
            "SELECT DISTINCT hour FROM tally WHERE hour BETWEEN ?1 AND ?2 AND {condition} ORDER BY hour {direction}"
        );
        let mut hours = self.connection.prepare_cached(&sql)?;
        let mut hours = hours.query([first, last])?;
        let mut found = Vec::new();
        while found.len() < most
            && let Some(hour) = hours.next()?
        {
            let start = hour.get::<_, i64>(0)?.saturating_mul(HOUR);
            let within = Wanted {
                condition: condition.clone(),
                from: start.max(*from),
                to: start.saturating_add(HOUR - 1).min(*to),
                days: None,
            };
            found.extend(self.rows(&within, order, most - found.len())?);
        }
        Ok(found)
    }

    pub(super) fn rows(&self, wanted: &Wanted, order: Order, most: usize) -> rusqlite::Result<Vec<Stored>> {
        let Wanted {
            condition, from, to, ..
        } = wanted;
        let direction = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        let columns = Stored::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM entry WHERE key BETWEEN ?1 AND ?2 AND {condition} ORDER BY key {direction} LIMIT ?3"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        select(&self.connection, &sql, [*from, *to, most], Stored::read)
    }
}

/// A line that was found by its name.
struct At {
    key: i64,
    offset: u64,
    event: Event,
}

/// Reads on until the event of this number.
fn scan(mut contents: impl std::io::BufRead, mut offset: u64, seq: u64) -> std::io::Result<Option<At>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = contents.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        if let Some(parsed) = Line::parse(whole) {
            if parsed.seq > seq {
                return Ok(None);
            }
            if parsed.seq == seq {
                let event = str::from_utf8(whole).ok().and_then(Event::parse);
                return Ok(parsed
                    .nanoseconds()
                    .zip(event)
                    .map(|(key, event)| At { key, offset, event }));
            }
        }
        offset += count as u64;
    }
}

fn entries(rows: &[Stored], lines: &mut Lines<'_>) -> Result<Vec<Entry>, IndexError> {
    rows.iter()
        .filter_map(|row| row.entry(lines).transpose())
        .collect()
}

const NEIGHBOURS: usize = 5;
const MOST_OF_A_CONNECTION: usize = 50;
const NAMED_CANDIDATES: usize = 5;
/// Nanoseconds: beyond a day from an event, its connection is not looked for.
const LONGEST_CONNECTION: i64 = 24 * HOUR;
