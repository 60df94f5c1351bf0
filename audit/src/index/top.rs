//! Sums: who and what is at the top, what was refused, how much there is.

use std::collections::HashMap;

use jiff::Timestamp;

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
            let stored = self.latest(&filter, &sums).map_err(self.failed())?;
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
        let mut rows: HashMap<String, TopRow> = HashMap::new();
        for sums in self.sums(what.column(), filter)? {
            let is_sent = sent.contains(&Some(sums.kind));
            if sums.group == 0 || !(is_sent || Some(sums.kind) == denied) {
                continue;
            }
            let Some(name) = self.name(what, sums.group)? else {
                continue;
            };
            let row = rows.entry(name).or_insert_with_key(|name| TopRow {
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

    fn name(&self, what: Top, group: i64) -> rusqlite::Result<Option<String>> {
        match what {
            Top::Denied => self.text("place", "target", group),
            Top::Hosts | Top::Uploads => {
                let target = self.text("place", "target", group)?;
                Ok(target.map(|target| host_and_port(&target).0.to_owned()))
            }
            Top::Programs | Top::Credentials => self.text("word", "text", group),
        }
    }

    pub(super) fn sums(&self, column: &str, filter: &Filter) -> rusqlite::Result<Vec<Sums>> {
        match Wanted::of(filter, &self.connection)? {
            Some(wanted) => self.sums_of(column, &wanted),
            None => Ok(Vec::new()),
        }
    }

    /// Whole hours from `tally`, what is left of the first and the last one from `entry`.
    fn sums_of(&self, column: &str, wanted: &Wanted) -> rusqlite::Result<Vec<Sums>> {
        let Wanted { condition, from, to } = wanted;
        let first = from.div_euclid(HOUR) + i64::from(from.rem_euclid(HOUR) != 0); // the first whole hour
        let last = if to.rem_euclid(HOUR) == HOUR - 1 {
            to.div_euclid(HOUR)
        } else {
            to.div_euclid(HOUR) - 1
        };
        let sql = format!(
            "SELECT g, r, kind, sum(n), sum(up), sum(down), max(last) FROM (\
               SELECT {column} AS g, reason AS r, kind, n, up, down, last FROM tally WHERE hour BETWEEN ?1 AND ?2 AND {condition} \
               UNION ALL SELECT {column}, reason, kind, n, up, down, key FROM entry WHERE key BETWEEN ?3 AND ?4 AND {condition} \
               UNION ALL SELECT {column}, reason, kind, n, up, down, key FROM entry WHERE key BETWEEN ?5 AND ?6 AND {condition}\
             ) GROUP BY g, r, kind"
        );
        let (head, tail) = if first > last {
            ((*from, *to), (1, 0)) // no whole hour between
        } else {
            (
                (*from, first.saturating_mul(HOUR).saturating_sub(1)),
                ((last + 1).saturating_mul(HOUR), *to),
            )
        };
        let values = [first, last, head.0, head.1, tail.0, tail.1];
        select(&self.connection, &sql, values, |row| {
            Ok(Sums {
                group: row.get(0)?,
                reason: row.get(1)?,
                kind: row.get(2)?,
                n: row.get(3)?,
                up: row.get(4)?,
                down: row.get(5)?,
                last: row.get(6)?,
            })
        })
    }

    fn latest(&self, filter: &Filter, sums: &Sums) -> rusqlite::Result<Option<Stored>> {
        let Some(mut wanted) = Wanted::of(filter, &self.connection)? else {
            return Ok(None);
        };
        wanted.condition = format!(
            "{} AND place = {} AND reason = {}",
            wanted.condition, sums.group, sums.reason
        );
        (wanted.from, wanted.to) = (sums.last, sums.last);
        Ok(self
            .rows(&wanted, super::Order::NewestFirst, 1)?
            .into_iter()
            .next())
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

pub(super) fn time(key: i64) -> Timestamp {
    Timestamp::from_nanosecond(key.into()).expect("64 bits of nanoseconds are within its range")
}
