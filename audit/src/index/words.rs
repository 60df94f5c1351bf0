//! Texts that repeat, as numbers. Within one transaction: another process may add words as soon as it ends.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::line::Line;
use crate::filter::host_and_port;

/// Numbers of texts, and of triples of who and places.
pub(super) struct Words<'t> {
    transaction: &'t Connection,
    texts: HashMap<String, i64>,
    places: HashMap<String, i64>,
    who: HashMap<String, i64>,
    key: String,
}

impl<'t> Words<'t> {
    pub(super) fn new(transaction: &'t Connection) -> Self {
        let (texts, places, who) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self {
            transaction,
            texts,
            places,
            who,
            key: String::new(),
        }
    }

    pub(super) fn word(&mut self, text: Option<&str>) -> rusqlite::Result<i64> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(0);
        };
        if let Some(known) = self.texts.get(text) {
            return Ok(*known);
        }
        let found = self.found("SELECT id FROM word WHERE text = ?1", &[&text])?;
        let id = match found {
            Some(id) => id,
            None => self.add("INSERT INTO word (text) VALUES (?1)", &[&text])?,
        };
        self.texts.insert(text.to_owned(), id);
        Ok(id)
    }

    pub(super) fn place(&mut self, target: Option<&str>) -> rusqlite::Result<i64> {
        let Some(target) = target.filter(|target| !target.is_empty()) else {
            return Ok(0);
        };
        if let Some(known) = self.places.get(target) {
            return Ok(*known);
        }
        let id = if let Some(id) = self.found("SELECT id FROM place WHERE target = ?1", &[&target])? {
            id
        } else {
            let (host, port) = host_and_port(target);
            let sql = "INSERT INTO place (target, reversed, port) VALUES (?1, ?2, ?3)";
            self.add(sql, &[&target, &reversed(host), &port])?
        };
        self.places.insert(target.to_owned(), id);
        Ok(id)
    }

    pub(super) fn who(&mut self, line: &Line<'_>) -> rusqlite::Result<i64> {
        let [sandbox, environment, session] = [&line.sandbox, &line.environment, &line.session]
            .map(|field| field.as_ref().map_or("", |text| text.as_str()));
        self.key.clear();
        for part in [sandbox, "\n", environment, "\n", session] {
            self.key.push_str(part);
        }
        if self.key.len() == 2 {
            return Ok(0);
        }
        if let Some(known) = self.who.get(&self.key) {
            return Ok(*known);
        }
        let three = params![sandbox, environment, session];
        let sql = "SELECT id FROM who WHERE sandbox = ?1 AND environment = ?2 AND session = ?3";
        let id = match self.found(sql, three)? {
            Some(id) => id,
            None => self.add(
                "INSERT INTO who (sandbox, environment, session) VALUES (?1, ?2, ?3)",
                three,
            )?,
        };
        self.who.insert(self.key.clone(), id);
        Ok(id)
    }

    fn found(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Option<i64>> {
        self.transaction
            .prepare_cached(sql)?
            .query_row(values, |row| row.get(0))
            .optional()
    }

    fn add(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<i64> {
        self.transaction.prepare_cached(sql)?.insert(values)
    }
}

/// `com.example.api` of `api.example.com`: all names below one are one range. An address stays as it is.
pub(super) fn reversed(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    host.rsplit('.').collect::<Vec<_>>().join(".")
}
