//! What a sandbox, or all sandboxes of a session, did: in the order in which it happened, repeats as one step.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::{Cursor, Entry, Index, IndexError, Order};
use outwall_audit::query::Filter;

use super::asked::{Asked, Problem};
use super::log::Unanswered;
use super::row::Row;
use super::sandboxes::{Sandbox, running};
use super::{Frame, Pages, View};
use crate::amount;

#[derive(Template)]
#[template(path = "timeline.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    problems: Vec<Problem>,
    sandboxes: Vec<Sandbox>,
    steps: Vec<Step>,
    later: Option<String>,
    /// This is not the beginning.
    from_start: bool,
}

/// One thing, or the same several times without another between.
struct Step {
    row: Row,
    /// Where another day begins.
    day: Option<String>,
    times: usize,
    until: String,
    statuses: String,
    moved: (u64, u64),
    /// What makes another the same.
    key: String,
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    next: Option<Cursor>,
    sandboxes: Vec<outwall_audit::index::SandboxRow>,
}

/// `GET /timeline?sandbox=…` or `?session=…`
pub(super) async fn timeline(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let made = page(&pages, asked).await;
    pages.answer(made)
}

async fn page(pages: &Pages, asked: Asked) -> Result<Page, Unanswered> {
    let (found, problems) = match asked.filter(Timestamp::now()) {
        Ok(filter) => {
            let after = asked.after();
            (
                pages.log.ask(move |index| find(index, &filter, after)).await?,
                Vec::new(),
            )
        }
        Err(problems) => (Found::default(), problems),
    };
    let frame = pages.frame("Timeline", View::Sandboxes);
    let later = found.next.map(|next| {
        let query = asked.with("after", &next.to_string()).query();
        format!("{}/timeline{query}", frame.base)
    });
    let running = running(pages).await;
    Ok(Page {
        frame,
        from_start: !asked.has("after"),
        asked,
        problems,
        sandboxes: found
            .sandboxes
            .iter()
            .map(|row| Sandbox::of(row, &running))
            .collect(),
        steps: steps(&found.entries),
        later,
    })
}

fn find(index: &Index, filter: &Filter, after: Option<Cursor>) -> Result<Found, IndexError> {
    let page = index.events(filter, Order::OldestFirst, after, MOST)?;
    Ok(Found {
        entries: page.entries,
        next: page.next,
        sandboxes: index.sandboxes(filter, MOST_SANDBOXES)?,
    })
}

fn steps(entries: &[Entry]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for entry in entries {
        let step = Step::of(entry);
        match steps.last_mut() {
            Some(last) if last.key == step.key => last.again(step),
            last => {
                let is_same_day = last.is_some_and(|last| last.until.get(..10) == step.until.get(..10));
                let day = step.until.get(..10).filter(|_| !is_same_day).map(str::to_owned);
                steps.push(Step { day, ..step });
            }
        }
    }
    steps
}

impl Step {
    fn of(entry: &Entry) -> Self {
        let row = Row::of(entry);
        let ended = entry.ending.as_ref().unwrap_or(&entry.event);
        Self {
            day: None,
            times: 1,
            until: row.time.clone(),
            statuses: row.status.clone(),
            moved: (ended.bytes_up.unwrap_or(0), ended.bytes_down.unwrap_or(0)),
            key: key(entry, &row),
            row,
        }
    }

    fn again(&mut self, other: Self) {
        self.times += 1;
        self.until = other.until;
        self.moved = (self.moved.0 + other.moved.0, self.moved.1 + other.moved.1);
        if !other.statuses.is_empty() && !self.statuses.split(", ").any(|known| known == other.statuses) {
            self.statuses = format!("{}, {}", self.statuses, other.statuses);
        }
    }

    fn bytes(&self) -> String {
        match self.moved {
            (0, 0) => String::new(),
            (up, down) => format!("{} up, {} down", amount(up), amount(down)),
        }
    }
}

/// The same to whoever looks: the same decision about the same host by the same rule or reason, and the same at GitHub.
fn key(entry: &Entry, row: &Row) -> String {
    let event = &entry.event;
    let target = event.target.as_deref().unwrap_or(&row.what);
    let method = event.method.as_deref().unwrap_or_default();
    let github = row.github.as_deref().unwrap_or_default();
    [
        event.kind.as_str(),
        &row.sandbox,
        target,
        method,
        &row.why,
        github,
    ]
    .join("\n")
}

/// Entries of a page.
const MOST: usize = 400;
/// Of a session.
const MOST_SANDBOXES: usize = 20;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn log(events: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mut lines = String::new();
        for (number, (kind, fields)) in events.iter().enumerate() {
            let seq = number + 1;
            writeln!(
                lines,
                r#"{{"v":1,"seq":{seq},"id":"00000000002a-{seq}","at":"2026-05-01T12:00:{seq:02}.000000000Z","kind":"{kind}","sandbox":"s-0a0b0c0d",{fields}}}"#
            )
            .unwrap();
        }
        let name = "2026-05-01T12-00-00Z-1-00000000002a.jsonl";
        std::fs::write(directory.path().join(name), lines).unwrap();
        directory
    }

    #[test]
    fn repeats_are_one_step_until_something_else_happens() {
        let get = |path: &str| {
            format!(r#""target":"a.test:443","scheme":"https","method":"GET","path":"{path}","rule":"r""#)
        };
        let denied = r#""target":"b.test:443","reason":"host-not-allowed""#;
        let directory = log(&[
            ("exchange.going_out", &get("/1")),
            (
                "exchange.came_back",
                r#""for":"00000000002a-1","outcome":"complete","status":200,"bytes_up":1,"bytes_down":2"#,
            ),
            ("exchange.going_out", &get("/2")),
            (
                "exchange.came_back",
                r#""for":"00000000002a-3","outcome":"complete","status":404,"bytes_up":3,"bytes_down":4"#,
            ),
            ("denied", denied),
            ("exchange.going_out", &get("/3")),
        ]);
        let index = Index::open(directory.path()).unwrap();
        let found = find(&index, &Filter::default(), None).unwrap();
        let steps = steps(&found.entries);
        let told: Vec<_> = steps
            .iter()
            .map(|step| (step.times, step.statuses.as_str(), step.row.tone))
            .collect();
        assert_eq!(
            told,
            [(2, "200, 404", "allow"), (1, "", "deny"), (1, "unknown", "allow")]
        );
        assert_eq!([steps[0].bytes(), steps[1].bytes()], ["4 B up, 6 B down", ""]);
        assert_eq!(
            (steps[0].day.as_deref(), steps[1].day.as_deref()),
            (Some("2026-05-01"), None)
        );
        assert_eq!(found.sandboxes[0].allowed, 3);
        assert_eq!(found.sandboxes[0].denied, 1);
    }
}
