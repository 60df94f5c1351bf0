//! Sums: who and what is at the top, what was refused, how much there is.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Params, params};

use super::entry::{Entry, Stored};
use super::wanted::{Wanted, select};
use super::{HOUR, Index, IndexError};
use crate::event::Kind;
use crate::filter::{Filter, host_and_port};

/// What is put in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Top {
    /// Hosts, by how often something was sent or was to be sent there.
    Hosts,
    /// Targets that were refused, by how often.
    Denied,
    /// Hosts, by bytes sent to them.
    Uploads,
    /// Programs in sandboxes, by how often they asked.
    Programs,
    /// Credentials, by how often they were used.
    Credentials,
}

impl Top {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Hosts,
        Self::Denied,
        Self::Uploads,
        Self::Programs,
        Self::Credentials,
    ];

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Denied => "denied",
            Self::Uploads => "uploads",
            Self::Programs => "programs",
            Self::Credentials => "credentials",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Hosts | Self::Denied | Self::Uploads => "place",
            Self::Programs => "program",
            Self::Credentials => "credential",
        }
    }
}

/// One of those at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRow {
    /// The host, the target, the program, the credential. Text of a sandbox: sanitise before showing.
    pub name: String,
    /// How often something was let out.
    pub allowed: u64,
    /// How often something was refused.
    pub denied: u64,
    /// Bytes to origins.
    pub bytes_up: u64,
    /// Bytes from origins.
    pub bytes_down: u64,
    /// When last.
    pub last: Timestamp,
}

/// Refusals of one target for one reason.
#[derive(Clone, Debug)]
pub struct Denial {
    /// `host:port`; none where it could not be read, or where many are only counted.
    pub target: Option<String>,
    /// The reason's code.
    pub reason: String,
    /// How often.
    pub times: u64,
    /// When last.
    pub last: Timestamp,
    /// The latest of them, with its remedy.
    pub latest: Option<Entry>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many events; what went out and how it ended is one.
    pub events: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// Files of the log, in all.
    pub segments: u64,
    /// Lines in all of them that are no events: damage, and `verify` says where.
    pub unreadable: u64,
}

/// Sums of one group and kind.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) group: i64,
    reason: i64,
    pub(super) kind: i64,
    pub(super) n: i64,
    pub(super) up: i64,
    pub(super) down: i64,
    pub(super) last: i64,
}

impl Index {
    /// The first `most` of what is wanted, with their numbers.
    pub fn top(&self, what: Top, filter: &Filter, most: usize) -> Result<Vec<TopRow>, IndexError> {
        let mut rows: Vec<_> = self
            .top_rows(what, filter)
            .map_err(self.failed())?
            .into_values()
            .collect();
        let weight = |row: &TopRow| match what {
            Top::Hosts | Top::Programs | Top::Credentials => row.allowed + row.denied,
            Top::Denied => row.denied,
            Top::Uploads => row.bytes_up,
        };
        rows.retain(|row| weight(row) > 0);
        rows.sort_unstable_by(|one, other| {
            weight(other)
                .cmp(&weight(one))
                .then_with(|| one.name.cmp(&other.name))
        });
        rows.truncate(most);
        Ok(rows)
    }

    /// What was refused, the most frequent first.
    pub fn denials(&self, filter: &Filter, most: usize) -> Result<Vec<Denial>, IndexError> {
        let filter = Filter {
            denied: true,
            findings: false,
            ..filter.clone()
        };
        let mut sums = self.sums("place", &filter).map_err(self.failed())?;
        sums.sort_unstable_by_key(|sums| (-sums.n, -sums.last));
        sums.truncate(most);
        let mut lines = self.lines();
        let mut denials = Vec::with_capacity(sums.len());
        for sums in sums {
            let stored = self.latest(&sums).map_err(self.failed())?;
            denials.push(Denial {
                target: self.text("place", "target", sums.group).map_err(self.failed())?,
                reason: self
                    .text("word", "text", sums.reason)
                    .map_err(self.failed())?
                    .unwrap_or_default(),
                times: sums.n.unsigned_abs(),
                last: time(sums.last),
                latest: stored
                    .map(|stored| stored.entry(&mut lines))
                    .transpose()?
                    .flatten(),
            });
        }
        Ok(denials)
    }

    /// How much of what is wanted there is.
    pub fn extent(&self, filter: &Filter) -> Result<Extent, IndexError> {
        let extent = || {
            let sql = "SELECT count(*), coalesce(sum(unreadable), 0) FROM segment";
            let (segments, unreadable): (i64, i64) =
                self.connection.query_row(sql, [], |row| row.try_into())?;
            let mut extent = Extent {
                segments: segments.unsigned_abs(),
                unreadable: unreadable.unsigned_abs(),
                ..Extent::default()
            };
            let Some(wanted) = Wanted::of(filter, &self.connection)? else {
                return Ok(extent);
            };
            for sums in self.sums_of("0", &wanted)? {
                extent.events += sums.n.unsigned_abs();
                extent.last = extent.last.max(Some(time(sums.last)));
            }
            extent.first = self.stored_first(&wanted)?.map(time);
            Ok(extent)
        };
        extent().map_err(self.failed())
    }

    fn top_rows(&self, what: Top, filter: &Filter) -> rusqlite::Result<HashMap<String, TopRow>> {
        let denied = self.word_of(Kind::Denied)?;
        let sent = [
            self.word_of(Kind::ExchangeGoingOut)?,
            self.word_of(Kind::ConnectionGoingOut)?,
        ];
        let names = self.names(what)?;
        let mut rows: HashMap<String, TopRow> = HashMap::new();
        for sums in self.sums(what.column(), filter)? {
            let is_sent = sent.contains(&Some(sums.kind));
            if sums.group == 0 || !(is_sent || Some(sums.kind) == denied) {
                continue;
            }
            let Some(name) = names.get(&sums.group) else {
                continue;
            };
            let row = rows.entry(name.clone()).or_insert_with_key(|name| TopRow {
                name: name.clone(),
                allowed: 0,
                denied: 0,
                bytes_up: 0,
                bytes_down: 0,
                last: time(sums.last),
            });
            *(if is_sent {
                &mut row.allowed
            } else {
                &mut row.denied
            }) += sums.n.unsigned_abs();
            row.bytes_up += sums.up.unsigned_abs();
            row.bytes_down += sums.down.unsigned_abs();
            row.last = row.last.max(time(sums.last));
        }
        Ok(rows)
    }

    /// All names at once: one by one they would take longer than the sums.
    fn names(&self, what: Top) -> rusqlite::Result<HashMap<i64, String>> {
        let sql = match what {
            Top::Denied | Top::Hosts | Top::Uploads => "SELECT id, target FROM place",
            Top::Programs | Top::Credentials => "SELECT id, text FROM word",
        };
        let names: Vec<(i64, String)> = select(&self.connection, sql, [], |row| row.try_into())?;
        let is_host = matches!(what, Top::Hosts | Top::Uploads);
        let name = |text: String| {
            if is_host {
                host_and_port(&text).0.to_owned()
            } else {
                text
            }
        };
        Ok(names.into_iter().map(|(id, text)| (id, name(text))).collect())
    }

    pub(super) fn sums(&self, column: &str, filter: &Filter) -> rusqlite::Result<Vec<Sums>> {
        match Wanted::of(filter, &self.connection)? {
            Some(wanted) => self.sums_of(column, &wanted),
            None => Ok(Vec::new()),
        }
    }

    /// Whole days from `daily` where nothing but time narrows, whole hours from `tally`, what is left of the first and the last
    /// one from `entry`.
    fn sums_of(&self, column: &str, wanted: &Wanted) -> rusqlite::Result<Vec<Sums>> {
        let mut sums = Summing::default();
        let (from, to) = (wanted.from, wanted.to);
        match whole(from, to, 24 * HOUR).filter(|_| wanted.is_all()) {
            Some(days) => {
                let sql = "SELECT value, reason, kind, n, up, down, last FROM daily WHERE column = ?1 AND day BETWEEN ?2 AND ?3";
                sums.add(&self.connection, sql, params![column, days.first, days.last])?;
                self.sum_hours(column, wanted, (from, days.before()), &mut sums)?;
                self.sum_hours(column, wanted, (days.after(), to), &mut sums)?;
            }
            None => self.sum_hours(column, wanted, (from, to), &mut sums)?,
        }
        Ok(sums.0.into_values().collect())
    }

    fn sum_hours(
        &self,
        column: &str,
        wanted: &Wanted,
        (from, to): (i64, i64),
        sums: &mut Summing,
    ) -> rusqlite::Result<()> {
        let condition = &wanted.condition;
        let rows = format!(
            "SELECT {column}, reason, kind, n, up, down, key FROM entry WHERE key BETWEEN ?1 AND ?2 AND {condition}"
        );
        let Some(hours) = whole(from, to, HOUR) else {
            return sums.add(&self.connection, &rows, [from, to]);
        };
        let tally = format!(
            "SELECT {column}, reason, kind, n, up, down, last FROM tally WHERE hour BETWEEN ?1 AND ?2 AND {condition}"
        );
        sums.add(&self.connection, &tally, [hours.first, hours.last])?;
        sums.add(&self.connection, &rows, [from, hours.before()])?;
        sums.add(&self.connection, &rows, [hours.after(), to])
    }

    /// The row of the latest one of these sums.
    fn latest(&self, sums: &Sums) -> rusqlite::Result<Option<Stored>> {
        let wanted = Wanted {
            condition: format!("place = {} AND reason = {}", sums.group, sums.reason),
            from: sums.last,
            to: sums.last,
            days: None,
        };
        let rows = self.rows(&wanted, super::Order::NewestFirst, 1)?;
        Ok(rows.into_iter().next())
    }

    fn stored_first(&self, wanted: &Wanted) -> rusqlite::Result<Option<i64>> {
        Ok(self
            .stored(wanted, super::Order::OldestFirst, 1)?
            .first()
            .map(|first| first.key))
    }

    pub(super) fn word_of(&self, kind: Kind) -> rusqlite::Result<Option<i64>> {
        Ok(select(
            &self.connection,
            "SELECT id FROM word WHERE text = ?1",
            [kind.as_str()],
            |row| row.get(0),
        )?
        .pop())
    }

    fn text(&self, table: &str, column: &str, id: i64) -> rusqlite::Result<Option<String>> {
        let sql = format!("SELECT {column} FROM {table} WHERE id = ?1");
        Ok(select(&self.connection, &sql, [id], |row| row.get(0))?.pop())
    }
}

/// Sums by group, reason and kind. Put together here: `SQLite` would sort for it.
#[derive(Default)]
struct Summing(HashMap<(i64, i64, i64), Sums>);

impl Summing {
    fn add(&mut self, connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let (group, reason, kind) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sums = self.0.entry((group, reason, kind)).or_insert(Sums {
                group,
                reason,
                kind,
                n: 0,
                up: 0,
                down: 0,
                last: i64::MIN,
            });
            sums.n += row.get::<_, i64>(3)?;
            sums.up = sums.up.saturating_add(row.get(4)?);
            sums.down = sums.down.saturating_add(row.get(5)?);
            sums.last = sums.last.max(row.get(6)?);
        }
        Ok(())
    }
}

/// Hours, or days, that a span has whole.
struct Whole {
    first: i64,
    last: i64,
    unit: i64,
}

fn whole(from: i64, to: i64, unit: i64) -> Option<Whole> {
    let first = from.div_euclid(unit) + i64::from(from.rem_euclid(unit) != 0);
    let last = to.div_euclid(unit) - i64::from(to.rem_euclid(unit) != unit - 1);
    (first <= last).then_some(Whole { first, last, unit })
}

impl Whole {
    /// The last key before them.
    fn before(&self) -> i64 {
        self.first.saturating_mul(self.unit).saturating_sub(1)
    }

    /// The first key after them.
    fn after(&self) -> i64 {
        (self.last + 1).saturating_mul(self.unit)
    }
}

pub(super) fn time(key: i64) -> Timestamp {
    Timestamp::from_nanosecond(key.into()).expect("64 bits of nanoseconds are within its range")
}
