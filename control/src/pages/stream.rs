//! What is new, as it happens: server-sent events, each a row of the table as the page has it.
//!
//! | event | data |
//! |---|---|
//! | `row` | a `<tr>`; one that the page has already, by its id, is replaced |
//! | `skipped` | how many rows were left out, since more came than anybody reads |
//! | `stale` | there is more between the page and now than is told here: load the page again |

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Said, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use jiff::Timestamp;
use outwall_audit::index::{Cursor, IndexError, Order};
use outwall_audit::live::{Live, News, POLL_EVERY};
use outwall_audit::query::Filter;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;

use super::asked::Asked;
use super::log::Log;
use super::row::Row;
use super::{Pages, words};

/// Pages that are told at once.
pub(super) const MOST_STREAMS: usize = 24;
/// Rows that are told at once.
const MOST_ROWS: usize = 60;
/// Entries that are told again when somebody begins to listen.
const MOST_AGAIN: usize = 300;

#[derive(Template)]
#[template(path = "row.html")]
struct RowAlone<'r> {
    row: &'r Row,
    base: &'r str,
}

/// `GET /stream`
pub(super) async fn stream(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let Ok(filter) = asked.filter(Timestamp::now()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(room) = Arc::clone(&pages.streams).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (to, from) = mpsc::channel(MOST_ROWS);
    let teller = Teller {
        log: pages.log.clone(),
        filter,
        lookups: asked.has("lookups"),
        base: pages.base().to_owned(),
        to,
    };
    let since = asked.text("from").parse().ok();
    std::thread::spawn(move || {
        let _room = room;
        if let Err(error) = teller.tell(since) {
            tracing::warn!(%error, "what is new in the log cannot be told");
        }
    });
    Sse::new(receive(from, pages.stopping.subscribe()))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}

/// What is told, until nobody tells any more or the server stops.
fn receive(
    from: Receiver<Said>,
    stopping: watch::Receiver<bool>,
) -> impl futures_util::Stream<Item = Result<Said, Infallible>> {
    stream::unfold((from, stopping), |(mut from, mut stopping)| async move {
        let said = tokio::select! {
            said = from.recv() => said,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        said.map(|said| (Ok(said), (from, stopping)))
    })
}

/// Reads the log on a thread of its own, for one page.
struct Teller {
    log: Log,
    filter: Filter,
    lookups: bool,
    base: String,
    to: Sender<Said>,
}

impl Teller {
    /// What the page may not have, then what comes, until nobody listens.
    fn tell(&self, since: Option<Cursor>) -> Result<(), IndexError> {
        let from_now = Filter {
            since: None,
            ..self.filter.clone()
        };
        let mut live = Live::new(self.log.directory(), from_now)?;
        if self.log.is_being_read().is_none() {
            self.tell_again(since)?;
        }
        while !self.to.is_closed() {
            let news = live.poll()?;
            let mut rows: Vec<_> = news
                .iter()
                .filter(|news| self.is_shown(news))
                .map(Row::of_news)
                .collect();
            let skipped = rows.len().saturating_sub(MOST_ROWS);
            if skipped > 0 {
                rows.drain(..skipped);
                self.say(
                    Said::default()
                        .event("skipped")
                        .data(words::number(skipped as u64)),
                );
            }
            for row in &rows {
                self.say_row(row);
            }
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }

    fn is_shown(&self, news: &News) -> bool {
        self.lookups || !words::is_noise(news.event.kind)
    }

    /// Entries from the last that the page has on: some have ended since, and some are new.
    fn tell_again(&self, since: Option<Cursor>) -> Result<(), IndexError> {
        let page = self
            .log
            .open()?
            .events(&self.filter, Order::OldestFirst, since, MOST_AGAIN)?;
        if page.next.is_some() && since.is_some() {
            self.say(Said::default().event("stale").data("1"));
            return Ok(());
        }
        let shown = |kind| self.lookups || !words::is_noise(kind);
        for entry in page.entries.iter().filter(|entry| shown(entry.event.kind)) {
            self.say_row(&Row::of(entry));
        }
        Ok(())
    }

    fn say_row(&self, row: &Row) {
        let alone = RowAlone {
            row,
            base: &self.base,
        };
        match alone.render() {
            Ok(text) => self.say(Said::default().event("row").data(text.replace(['\n', '\r'], " "))),
            Err(error) => tracing::error!(%error, "a row could not be made"),
        }
    }

    fn say(&self, said: Said) {
        let _ = self.to.blocking_send(said); // nobody listens: the loop ends
    }
}
