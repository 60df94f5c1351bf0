//! Sandboxes: those that run, by what their gates say, and those that did, by what the log says.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::SandboxRow;

use super::asked::{Asked, Problem};
use super::log::Unanswered;
use super::state::gates;
use super::{Frame, Pages, View, words};
use crate::amount;

#[derive(Template)]
#[template(path = "sandboxes.html")]
struct Page {
    frame: Frame,
    problems: Vec<Problem>,
    sandboxes: Vec<Sandbox>,
}

pub(super) struct Sandbox {
    pub(super) id: String,
    /// Its timeline.
    pub(super) link: String,
    pub(super) environment: String,
    pub(super) session: String,
    pub(super) session_link: String,
    pub(super) runs: bool,
    pub(super) allowed: String,
    pub(super) denied: String,
    pub(super) findings: String,
    pub(super) up: String,
    pub(super) down: String,
    pub(super) first: String,
    pub(super) last: String,
}

/// `GET /sandboxes`
pub(super) async fn sandboxes(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let made = page(&pages, asked).await;
    pages.answer(made)
}

async fn page(pages: &Pages, asked: Asked) -> Result<Page, Unanswered> {
    let (rows, problems) = match asked.filter(Timestamp::now()) {
        Ok(filter) => {
            let found = pages.log.ask(move |index| index.sandboxes(&filter, MOST));
            (found.await?, Vec::new())
        }
        Err(problems) => (Vec::new(), problems),
    };
    let running = running(pages).await;
    let mut sandboxes: Vec<_> = rows.iter().map(|row| Sandbox::of(row, &running)).collect();
    sandboxes.sort_by_key(|sandbox| !sandbox.runs); // stable: the latest first within
    Ok(Page {
        frame: pages.frame("Sandboxes", View::Sandboxes),
        problems,
        sandboxes,
    })
}

/// The names of sandboxes that gates serve now.
pub(super) async fn running(pages: &Pages) -> Vec<String> {
    let standing = gates(pages).await.into_iter().flat_map(|gate| gate.sandboxes);
    standing.collect()
}

impl Sandbox {
    pub(super) fn of(row: &SandboxRow, running: &[String]) -> Self {
        let timeline =
            |field, value: &str| format!("/timeline{}", Asked::default().with(field, value).query());
        let session = row.session.clone().unwrap_or_default();
        Self {
            id: row.sandbox.clone(),
            link: timeline("sandbox", &row.sandbox),
            environment: row.environment.clone().unwrap_or_default(),
            session_link: timeline("session", &session),
            session,
            runs: running.contains(&row.sandbox),
            allowed: words::number(row.allowed),
            denied: words::number(row.denied),
            findings: words::number(row.findings),
            up: amount(row.bytes_up),
            down: amount(row.bytes_down),
            first: words::second(row.first),
            last: words::second(row.last),
        }
    }
}

/// Sandboxes on a page: the latest.
const MOST: usize = 200;
