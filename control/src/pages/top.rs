//! Who and what is at the top.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use outwall_audit::index::{Top, TopRow};

use super::asked::{Asked, Problem};
use super::log::Unanswered;
use super::{Frame, Pages, View, words};
use crate::amount;

#[derive(Template)]
#[template(path = "top.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    problems: Vec<Problem>,
    tabs: Vec<Choice>,
    spans: Vec<Choice>,
    /// Of the first column.
    heading: &'static str,
    /// What the bar shows.
    measure: &'static str,
    rows: Vec<Bar>,
}

/// Another view of the same.
struct Choice {
    title: &'static str,
    query: String,
    is_current: bool,
}

struct Bar {
    name: String,
    /// The traffic behind it.
    link: String,
    allowed: String,
    denied: String,
    up: String,
    down: String,
    last: String,
    /// Of the first one's, in percent.
    width: u64,
}

/// `GET /top`
pub(super) async fn top(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let mut asked = Asked::parse(query.as_deref());
    if !asked.has("since") && !asked.has("until") {
        asked = asked.with("since", "24h");
    }
    let made = page(&pages, asked).await;
    pages.answer(made)
}

async fn page(pages: &Pages, asked: Asked) -> Result<Page, Unanswered> {
    let what = Top::ALL
        .into_iter()
        .find(|top| top.as_str() == asked.text("what"))
        .unwrap_or(Top::Hosts);
    let (rows, problems) = match asked.filter(Timestamp::now()) {
        Ok(filter) => {
            let found = pages.log.ask(move |index| index.top(what, &filter, MOST));
            (found.await?, Vec::new())
        }
        Err(problems) => (Vec::new(), problems),
    };
    let most = rows.first().map_or(1, |row| weight(what, row)).max(1);
    let tab = |top: Top| Choice {
        title: title(top),
        query: asked.with("what", top.as_str()).query(),
        is_current: top == what,
    };
    let span = |(text, title): &(&str, &'static str)| Choice {
        title,
        query: asked.with("since", text).with("until", "").query(),
        is_current: asked.text("since") == *text,
    };
    Ok(Page {
        frame: pages.frame("Top", View::Top),
        tabs: Top::ALL.into_iter().map(tab).collect(),
        spans: SPANS.iter().map(span).collect(),
        heading: heading(what),
        measure: measure(what),
        rows: rows.iter().map(|row| Bar::of(what, row, most, &asked)).collect(),
        asked,
        problems,
    })
}

impl Bar {
    fn of(what: Top, row: &TopRow, most: u64, asked: &Asked) -> Self {
        let (field, only_denied) = match what {
            Top::Hosts | Top::Uploads => ("host", ""),
            Top::Denied => ("host", "1"),
            Top::Programs => ("program", ""),
            Top::Credentials => ("credential", ""),
        };
        let link = asked
            .with("what", "")
            .with("denied", only_denied)
            .with(field, &row.name);
        Self {
            name: row.name.clone(),
            link: link.query(),
            allowed: words::number(row.allowed),
            denied: words::number(row.denied),
            up: amount(row.bytes_up),
            down: amount(row.bytes_down),
            last: words::second(row.last),
            width: (u128::from(weight(what, row)) * 100 / u128::from(most))
                .max(1)
                .try_into()
                .unwrap_or(100),
        }
    }
}

fn weight(what: Top, row: &TopRow) -> u64 {
    match what {
        Top::Hosts | Top::Programs | Top::Credentials => row.allowed + row.denied,
        Top::Denied => row.denied,
        Top::Uploads => row.bytes_up,
    }
}

fn title(top: Top) -> &'static str {
    match top {
        Top::Hosts => "Hosts",
        Top::Denied => "Denied",
        Top::Uploads => "Uploads",
        Top::Programs => "Programs",
        Top::Credentials => "Credentials",
    }
}

fn heading(top: Top) -> &'static str {
    match top {
        Top::Hosts | Top::Uploads => "Host",
        Top::Denied => "Target",
        Top::Programs => "Program",
        Top::Credentials => "Credential",
    }
}

fn measure(top: Top) -> &'static str {
    match top {
        Top::Hosts | Top::Programs | Top::Credentials => "allowed and refused",
        Top::Denied => "refused",
        Top::Uploads => "bytes sent",
    }
}

const SPANS: [(&str, &str); 5] = [
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("3650d", "All"),
];
/// Bars of a page.
const MOST: usize = 50;
