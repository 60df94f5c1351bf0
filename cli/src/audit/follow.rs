//! `outwall audit --follow`: every event as it is written.

use std::path::Path;
use std::process::ExitCode;

use outwall_audit::export::{csv, ocsf, one_line, printable_json};
use outwall_audit::index::Outcome;
use outwall_audit::live::{Live, News, POLL_EVERY};
use outwall_audit::query::Filter;

use super::list::Format;
use crate::audit_row::{heading, row_of_news};
use crate::failure::Failure;
use crate::terminal::{Paint, write_out};

/// What there is, when a beginning was asked for; then every event as it comes. Ends only by a signal, or when nobody reads any more.
pub(super) fn follow(directory: &Path, filter: Filter, format: Format) -> Result<ExitCode, Failure> {
    let paint = Paint::for_stdout();
    match format {
        Format::Har => {
            return Err(Failure::new(
                "an HTTP archive is one document, which has no end while the log is followed",
            )
            .hint("leave `--follow` away, or take `--format json`, `ocsf` or `csv`"));
        }
        Format::Table => write_out(&heading(paint))?,
        Format::Csv => write_out(&csv::heading())?,
        Format::Json | Format::Ocsf => {}
    }
    let mut live = Live::new(directory, filter)?;
    loop {
        let news = live.poll()?;
        let text: String = news
            .iter()
            .filter_map(|news| written(news, format, paint))
            .collect();
        if !text.is_empty() {
            write_out(&text)?;
        }
        std::thread::sleep(POLL_EVERY);
    }
}

/// What goes out is written when it goes, and again when it ends.
fn written(news: &News, format: Format, paint: Paint) -> Option<String> {
    let News { event, begun } = news;
    match format {
        Format::Table => row_of_news(news, paint),
        Format::Json | Format::Har => Some(printable_json(&event.line).into_owned() + "\n"),
        Format::Ocsf => Some(one_line(&ocsf::ocsf(event, begun.as_ref())) + "\n"),
        Format::Csv if event.kind.is_ending() => Some(csv::row(
            begun.as_ref().unwrap_or(event),
            Some(event),
            Some(Outcome::of(event)),
        )),
        Format::Csv => Some(csv::row(
            event,
            None,
            event.kind.goes_out().then_some(Outcome::InFlight),
        )),
    }
}
