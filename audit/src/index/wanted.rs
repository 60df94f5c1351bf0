//! A [`Filter`] as a condition on `entry` and on `tally`, which have the same columns for what is filtered by.

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row};

use super::words::reversed;
use crate::event::Kind;
use crate::filter::{Filter, Hosts};

/// What is wanted, and from when until when.
#[derive(Debug)]
pub(super) struct Wanted {
    /// SQL, of numbers of ours only. `1` for all.
    pub(super) condition: String,
    /// The first key.
    pub(super) from: i64,
    /// The last one.
    pub(super) to: i64,
    /// SQL for the days that have anything of one thing that is wanted, where there is such a thing.
    pub(super) days: Option<String>,
}

impl Wanted {
    /// `None` when nothing can be wanted: no event has such a host, such a sandbox.
    pub(super) fn of(filter: &Filter, connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let from = filter.since.map_or(i64::MIN, nanoseconds);
        let to = filter
            .until
            .map_or(i64::MAX, |until| nanoseconds(until).saturating_sub(1));
        let (mut parts, mut days) = (Vec::new(), None);
        for part in [
            kinds(filter, connection)?,
            who(filter, connection)?,
            filter
                .hosts
                .as_ref()
                .map(|hosts| places(hosts, connection))
                .transpose()?,
            word("method", filter.method.as_deref(), connection, |text| {
                filter.wants_method(Some(text))
            })?,
            word("reason", filter.reason.as_deref(), connection, |text| {
                filter.reason.as_deref() == Some(text)
            })?,
            word("credential", filter.credential.as_deref(), connection, |text| {
                filter.credential.as_deref() == Some(text)
            })?,
            word("program", filter.program.as_deref(), connection, |text| {
                filter.wants_program(Some(text))
            })?,
        ]
        .into_iter()
        .flatten()
        {
            if part.values.is_empty() {
                return Ok(None);
            }
            let list = part.list(connection)?;
            days = days.or_else(|| part.days(&list));
            parts.push(part.condition(&list));
        }
        let condition = if parts.is_empty() {
            "1".to_owned()
        } else {
            parts.join(" AND ")
        };
        Ok(Some(Self {
            condition,
            from,
            to,
            days,
        }))
    }

    /// Whether everything within the time is wanted.
    pub(super) fn is_all(&self) -> bool {
        self.condition == "1"
    }
}

/// A column, and its values that are wanted.
struct Among {
    column: &'static str,
    values: Vec<i64>,
}

impl Among {
    /// What may stand in `IN (…)`. Many are put into a table: `SQLite` would make one of them for each hour that it looks at.
    fn list(&self, connection: &Connection) -> rusqlite::Result<String> {
        let Self { column, values } = self;
        let list = values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        if values.len() <= MOST_LOOKUPS {
            return Ok(list);
        }
        connection.execute_batch(&format!(
            "CREATE TEMP TABLE IF NOT EXISTS wanted_{column} (id INTEGER PRIMARY KEY); DELETE FROM temp.wanted_{column}"
        ))?;
        let sql = format!("INSERT INTO temp.wanted_{column} SELECT value FROM json_each(?1)");
        connection.execute(&sql, [format!("[{list}]")])?;
        Ok(format!("SELECT id FROM temp.wanted_{column}"))
    }

    fn condition(&self, list: &str) -> String {
        // So many look-ups in an index cost more than reading an hour's rows: `+` keeps SQLite from it.
        let plus = if self.values.len() > MOST_LOOKUPS { "+" } else { "" };
        let column = self.column;
        // The second part is what makes an index usable that has no row for 0.
        format!("{plus}{column} IN ({list}) AND {column} <> 0")
    }

    /// `None`: `daily` has no such thing.
    fn days(&self, list: &str) -> Option<String> {
        let column = self.column;
        // What has many values is rarely rare.
        let has =
            ["place", "who", "program", "credential"].contains(&column) && self.values.len() <= MOST_LOOKUPS;
        has.then(|| format!("SELECT DISTINCT day FROM daily WHERE column = '{column}' AND value IN ({list}) AND day BETWEEN ?1 AND ?2"))
    }
}

fn kinds(filter: &Filter, connection: &Connection) -> rusqlite::Result<Option<Among>> {
    if !filter.denied && !filter.findings {
        return Ok(None);
    }
    let kinds = [Kind::Denied, Kind::Finding]
        .into_iter()
        .filter(|kind| filter.wants_kind(*kind));
    let mut values = Vec::new();
    for kind in kinds {
        values.extend(select(
            connection,
            "SELECT id FROM word WHERE text = ?1",
            [kind.as_str()],
            |row| row.get::<_, i64>(0),
        )?);
    }
    Ok(Some(Among {
        column: "kind",
        values,
    }))
}

fn who(filter: &Filter, connection: &Connection) -> rusqlite::Result<Option<Among>> {
    if filter.environment.is_none() && filter.session.is_none() && filter.sandbox.is_none() {
        return Ok(None);
    }
    let all: Vec<(i64, String, String, String)> = select(
        connection,
        "SELECT id, environment, session, sandbox FROM who",
        [],
        |row| row.try_into(),
    )?;
    let wanted = all.into_iter().filter(|(_, environment, session, sandbox)| {
        filter
            .environment
            .as_ref()
            .is_none_or(|wanted| wanted == environment)
            && filter.wants_session(
                Some(session)
                    .filter(|session| !session.is_empty())
                    .map(String::as_str),
            )
            && filter.wants_sandbox(
                Some(sandbox)
                    .filter(|sandbox| !sandbox.is_empty())
                    .map(String::as_str),
            )
    });
    Ok(Some(Among {
        column: "who",
        values: wanted.map(|(id, ..)| id).collect(),
    }))
}

fn places(hosts: &Hosts, connection: &Connection) -> rusqlite::Result<Among> {
    let name = reversed(&hosts.host);
    let (first, last) = if hosts.below {
        (format!("{name}."), format!("{name}/"))
    } else {
        (name.clone(), name)
    };
    let sql = if hosts.below {
        "SELECT id FROM place WHERE reversed > ?1 AND reversed < ?2 AND (?3 IS NULL OR port = ?3)"
    } else {
        "SELECT id FROM place WHERE reversed = ?1 AND ?2 = ?2 AND (?3 IS NULL OR port = ?3)"
    };
    let values = select(connection, sql, (first, last, hosts.port), |row| row.get(0))?;
    Ok(Among {
        column: "place",
        values,
    })
}

fn word(
    column: &'static str,
    wanted: Option<&str>,
    connection: &Connection,
    fits: impl Fn(&str) -> bool,
) -> rusqlite::Result<Option<Among>> {
    if wanted.is_none() {
        return Ok(None);
    }
    let all: Vec<(i64, String)> = select(connection, "SELECT id, text FROM word", [], |row| row.try_into())?;
    let values = all
        .into_iter()
        .filter(|(_, text)| fits(text))
        .map(|(id, _)| id)
        .collect();
    Ok(Some(Among { column, values }))
}

pub(super) fn select<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map(values, |row| read(row))?
        .collect()
}

fn nanoseconds(at: Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

const MOST_LOOKUPS: usize = 200;
