//! What a page is asked for: the filters in its address, so that an address shows the same to whoever opens it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use outwall_audit::index::Cursor;
use outwall_audit::query::{Filter, Hosts};

use crate::moment::moment;

/// The fields of an address that we know, as they were written. Empty ones are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked(BTreeMap<&'static str, String>);

/// A field that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) field: &'static str,
    pub(super) value: String,
    pub(super) why: String,
}

impl Asked {
    /// Reads the part of an address after the `?`. What we do not know is left out; of a field that is there twice the last counts.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if let Some(known) = FIELDS.iter().find(|known| **known == name) {
                asked.set(known, value.trim());
            }
        }
        asked
    }

    fn set(&mut self, field: &'static str, value: &str) {
        let value: String = value.chars().take(LONGEST).collect();
        if value.is_empty() {
            self.0.remove(field);
        } else {
            self.0.insert(field, value);
        }
    }

    /// The same with one field of another value; an empty one takes it out.
    pub(super) fn with(&self, field: &'static str, value: &str) -> Self {
        let mut asked = self.clone();
        asked.set(field, value);
        asked
    }

    /// What was written.
    pub(super) fn text(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// Of a box to tick.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Whether something is filtered by, beside those that are always seen.
    pub(super) fn has_more(&self) -> bool {
        ["session", "method", "reason", "credential", "program", "until"]
            .iter()
            .any(|field| self.has(field))
    }

    /// As it goes into an address: with its `?`, or nothing.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0);
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }

    /// As the log is asked.
    pub(super) fn filter(&self, now: Timestamp) -> Result<Filter, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut at = |field| {
            self.read(field, &mut problems, |text| {
                moment(text, now).map_err(|error| error.to_string())
            })
        };
        let (since, until) = (at("since"), at("until"));
        let hosts = self.read("host", &mut problems, |text| {
            Hosts::parse(text).map_err(|error| {
                format!("{error}; write `example.com`, `*.example.com` or `example.com:8443`")
            })
        });
        let text = |field| self.0.get(field).cloned();
        let filter = Filter {
            denied: self.has("denied"),
            findings: self.has("findings"),
            environment: text("environment"),
            session: text("session"),
            sandbox: text("sandbox"),
            hosts,
            method: text("method"),
            reason: text("reason"),
            credential: text("credential"),
            program: text("program"),
            since,
            until,
        };
        if problems.is_empty() {
            Ok(filter)
        } else {
            Err(problems)
        }
    }

    /// Where in the log to go on.
    pub(super) fn after(&self) -> Option<Cursor> {
        self.0.get("after")?.parse().ok()
    }

    fn read<T>(
        &self,
        field: &'static str,
        problems: &mut Vec<Problem>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.0.get(field)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(why) => {
                let value = text.clone();
                problems.push(Problem { field, value, why });
                None
            }
        }
    }
}

/// Characters of a value.
const LONGEST: usize = 300;

const FIELDS: [&str; 16] = [
    "after",
    "credential",
    "denied",
    "environment",
    "findings",
    "from",
    "host",
    "lookups",
    "method",
    "program",
    "reason",
    "sandbox",
    "session",
    "since",
    "until",
    "what",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was_without_what_is_empty_or_unknown() {
        let asked = Asked::parse(Some("host=*.a.test&denied=1&method=&x=y&session=a%23b+c"));
        assert_eq!(asked.query(), "?denied=1&host=*.a.test&session=a%23b+c");
        assert_eq!(Asked::parse(asked.query().strip_prefix('?')), asked);
        assert_eq!(
            asked.with("denied", "").with("session", "").query(),
            "?host=*.a.test"
        );
        assert_eq!(Asked::parse(None).query(), "");
    }

    #[test]
    fn fields_become_a_filter_and_those_that_cannot_be_read_are_named() {
        let now = "2026-05-02T12:00:00Z".parse().unwrap();
        let filter = Asked::parse(Some("host=a.test&since=1h&findings=1"))
            .filter(now)
            .unwrap();
        assert_eq!(filter.since.unwrap().to_string(), "2026-05-02T11:00:00Z");
        assert!(filter.findings && !filter.denied && filter.hosts.is_some());
        let problems = Asked::parse(Some("host=https://a/&since=soon"))
            .filter(now)
            .unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["since", "host"]);
        assert!(problems[0].why.contains("90m"), "{problems:?}");
    }
}
