//! Sandboxes, and what each did in sum.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;

use super::top::time;
use super::wanted::select;
use super::{Index, IndexError};
use crate::event::Kind;
use crate::filter::Filter;

/// What one sandbox did, in one environment and session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRow {
    /// Its id.
    pub sandbox: String,
    /// Its environment.
    pub environment: Option<String>,
    /// Its session, where it works at a repository.
    pub session: Option<String>,
    /// How often something was let out.
    pub allowed: u64,
    /// How often something was refused.
    pub denied: u64,
    /// How many findings there are.
    pub findings: u64,
    /// Bytes to origins.
    pub bytes_up: u64,
    /// Bytes from origins.
    pub bytes_down: u64,
    /// Its first event, whatever is wanted.
    pub first: Timestamp,
    /// Its last one of those that are wanted.
    pub last: Timestamp,
}

impl Index {
    /// The sandboxes of what is wanted, the one that did something last first.
    pub fn sandboxes(&self, filter: &Filter, most: usize) -> Result<Vec<SandboxRow>, IndexError> {
        self.sandbox_rows(filter, most).map_err(self.failed())
    }

    fn sandbox_rows(&self, filter: &Filter, most: usize) -> rusqlite::Result<Vec<SandboxRow>> {
        let sent = [
            self.word_of(Kind::ExchangeGoingOut)?,
            self.word_of(Kind::ConnectionGoingOut)?,
        ];
        let (denied, finding) = (self.word_of(Kind::Denied)?, self.word_of(Kind::Finding)?);
        let mut rows: HashMap<i64, SandboxRow> = HashMap::new();
        for sums in self
            .sums("who", filter)?
            .into_iter()
            .filter(|sums| sums.group != 0)
        {
            let row = rows
                .entry(sums.group)
                .or_insert_with(|| SandboxRow::empty(time(sums.last)));
            let kind = Some(sums.kind);
            let n = sums.n.unsigned_abs();
            if sent.contains(&kind) {
                row.allowed += n;
            } else if kind == denied {
                row.denied += n;
            } else if kind == finding {
                row.findings += n;
            }
            row.bytes_up += sums.up.unsigned_abs();
            row.bytes_down += sums.down.unsigned_abs();
            row.last = row.last.max(time(sums.last));
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_unstable_by_key(|(_, row)| Reverse(row.last));
        let mut named = Vec::new();
        for (who, row) in rows {
            if named.len() == most {
                break;
            }
            named.extend(self.named_sandbox(who, row)?);
        }
        Ok(named)
    }

    /// `None`: the events are of an environment only, and of no sandbox.
    fn named_sandbox(&self, who: i64, mut row: SandboxRow) -> rusqlite::Result<Option<SandboxRow>> {
        let sql = "SELECT sandbox, environment, session, (SELECT min(key) FROM entry WHERE who = ?1) FROM who WHERE id = ?1";
        let found: Vec<(String, String, String, Option<i64>)> =
            select(&self.connection, sql, [who], |row| row.try_into())?;
        let Some((sandbox, environment, session, first)) = found.into_iter().next() else {
            return Ok(None);
        };
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        row.sandbox = sandbox;
        row.environment = some(environment);
        row.session = some(session);
        row.first = first.map_or(row.last, time);
        Ok(Some(row).filter(|row| !row.sandbox.is_empty()))
    }
}

impl SandboxRow {
    fn empty(last: Timestamp) -> Self {
        Self {
            sandbox: String::new(),
            environment: None,
            session: None,
            allowed: 0,
            denied: 0,
            findings: 0,
            bytes_up: 0,
            bytes_down: 0,
            first: last,
            last,
        }
    }
}
