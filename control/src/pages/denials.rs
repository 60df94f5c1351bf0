//! What was refused, by target and reason, each with what would let it pass.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::Denial;

use super::asked::{Asked, Problem};
use super::log::Unanswered;
use super::suggestion::Suggestion;
use super::{Frame, Pages, View, words};

#[derive(Template)]
#[template(path = "denials.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    problems: Vec<Problem>,
    denials: Vec<Refused>,
    total: String,
}

/// Refusals of one target for one reason.
struct Refused {
    target: String,
    reason: String,
    times: String,
    last: String,
    message: String,
    remedy: String,
    environment: String,
    suggestion: Option<Suggestion>,
    /// The latest of them.
    latest: Option<String>,
    /// All of them, in an address.
    all: String,
}

/// `GET /denials`
pub(super) async fn denials(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let made = page(&pages, asked).await;
    pages.answer(made)
}

async fn page(pages: &Pages, asked: Asked) -> Result<Page, Unanswered> {
    let (denials, problems) = match asked.filter(Timestamp::now()) {
        Ok(filter) => {
            let found = pages.log.ask(move |index| index.denials(&filter, MOST));
            (found.await?, Vec::new())
        }
        Err(problems) => (Vec::new(), problems),
    };
    let total = denials.iter().map(|denial| denial.times).sum();
    let file = pages.sources.policy_file.as_deref();
    Ok(Page {
        frame: pages.frame("Denials", View::Denials),
        denials: denials
            .iter()
            .map(|denial| Refused::of(denial, &asked, file))
            .collect(),
        asked,
        problems,
        total: words::count(total, "refusal"),
    })
}

impl Refused {
    fn of(denial: &Denial, asked: &Asked, policy_file: Option<&str>) -> Self {
        let latest = denial.latest.as_ref().map(|entry| &entry.event);
        let text = |field: fn(&outwall_audit::Event) -> Option<&String>| {
            latest.and_then(field).cloned().unwrap_or_default()
        };
        let target = denial.target.clone();
        let all = asked
            .with("denied", "1")
            .with("reason", &denial.reason)
            .with("host", target.as_deref().unwrap_or_default());
        Self {
            target: target.unwrap_or_else(|| "no target, or many that are only counted".to_owned()),
            reason: denial.reason.clone(),
            times: words::number(denial.times),
            last: words::second(denial.last),
            message: text(|event| event.message.as_ref()),
            remedy: text(|event| event.remedy.as_ref()),
            environment: text(|event| event.environment.as_ref()),
            suggestion: latest.and_then(|event| Suggestion::of(event, policy_file)),
            latest: latest.map(|event| event.id.clone()),
            all: all.query(),
        }
    }
}

/// Groups on a page: the most frequent.
const MOST: usize = 100;
