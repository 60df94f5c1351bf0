//! Traffic: events newest first, filtered, with what is new on top as it happens. Findings are the same, of one kind.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::{Cursor, Entry, Index, IndexError, Order, SandboxRow};
use outwall_audit::query::Filter;

use super::asked::{Asked, Problem};
use super::log::Unanswered;
use super::row::Row;
use super::{Frame, Pages, View, words};

#[derive(Template)]
#[template(path = "traffic.html")]
struct Traffic {
    frame: Frame,
    asked: Asked,
    problems: Vec<Problem>,
    rows: Vec<Row>,
    /// The address of those before.
    older: Option<String>,
    /// The address at which what is new is told; none where the page shows what was before something.
    stream: Option<String>,
    known: Known,
    is_findings: bool,
}

/// What may be filtered by, to choose from.
#[derive(Default)]
struct Known {
    environments: Vec<String>,
    sessions: Vec<String>,
    sandboxes: Vec<String>,
}

/// What one page has.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    next: Option<Cursor>,
    /// Of the last row: what is new is told from it on, since those that are open may end before somebody listens.
    last: Option<Cursor>,
    known: Known,
}

/// `GET /`
pub(super) async fn traffic(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let made = page(&pages, asked, View::Traffic).await;
    pages.answer(made)
}

/// `GET /findings`
pub(super) async fn findings(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref())
        .with("findings", "1")
        .with("denied", "");
    let made = page(&pages, asked, View::Findings).await;
    pages.answer(made)
}

async fn page(pages: &Pages, asked: Asked, view: View) -> Result<Traffic, Unanswered> {
    let is_findings = view == View::Findings;
    let (found, problems) = match asked.filter(Timestamp::now()) {
        Ok(filter) => {
            let (after, lookups) = (asked.after(), asked.has("lookups"));
            let found = pages.log.ask(move |index| find(index, &filter, after, lookups));
            (found.await?, Vec::new())
        }
        Err(problems) => (Found::default(), problems),
    };
    let title = if is_findings { "Findings" } else { "Traffic" };
    let frame = pages.frame(title, view);
    let path = if is_findings { "findings" } else { "" };
    let older = found.next.map(|next| {
        let query = asked.with("after", &next.to_string()).query();
        format!("{}/{path}{query}", frame.base)
    });
    let is_newest = !asked.has("after") && !asked.has("until") && problems.is_empty();
    let stream = is_newest.then(|| {
        let from = found.last.map(|last| last.to_string()).unwrap_or_default();
        format!("{}/stream{}", frame.base, asked.with("from", &from).query())
    });
    Ok(Traffic {
        frame,
        asked,
        problems,
        rows: found.rows,
        older,
        stream,
        known: found.known,
        is_findings,
    })
}

fn find(index: &Index, filter: &Filter, after: Option<Cursor>, lookups: bool) -> Result<Found, IndexError> {
    let (mut entries, mut next) = (Vec::new(), after);
    for _ in 0..MOST_TURNS {
        let page = index.events(filter, Order::NewestFirst, next, ROWS - entries.len())?;
        next = page.next;
        let wanted = |entry: &Entry| lookups || !words::is_noise(entry.event.kind);
        entries.extend(page.entries.into_iter().filter(wanted));
        if next.is_none() || entries.len() >= ROWS {
            break;
        }
    }
    Ok(Found {
        rows: entries.iter().map(Row::of).collect(),
        next,
        last: entries.last().map(|entry| entry.cursor),
        known: Known::of(&index.sandboxes(&Filter::default(), MOST_KNOWN)?),
    })
}

impl Known {
    fn of(rows: &[SandboxRow]) -> Self {
        let distinct = |text: fn(&SandboxRow) -> Option<&String>| {
            let mut texts: Vec<_> = rows.iter().filter_map(text).cloned().collect();
            texts.sort_unstable();
            texts.dedup();
            texts
        };
        Self {
            environments: distinct(|row| row.environment.as_ref()),
            sessions: distinct(|row| row.session.as_ref()),
            sandboxes: distinct(|row| Some(&row.sandbox)),
        }
    }
}

/// Of one page.
pub(super) const ROWS: usize = 50;
/// Pages of the index that are looked at for one of ours, where most are lookups that are not shown.
const MOST_TURNS: usize = 20;
/// Sandboxes to choose from: the latest.
const MOST_KNOWN: usize = 100;
