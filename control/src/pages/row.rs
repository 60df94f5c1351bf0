//! One event as a row of a table.

use outwall_audit::Event;
use outwall_audit::index::{Entry, Outcome};
use outwall_audit::live::News;

use super::words::{self, Tone};
use crate::amount;

/// What the columns show. Text of the sandbox is in it: templates escape.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) time: String,
    pub(super) tone: &'static str,
    pub(super) decision: &'static str,
    pub(super) what: String,
    pub(super) github: Option<String>,
    pub(super) error: Option<String>,
    pub(super) status: String,
    pub(super) why: String,
    pub(super) sandbox: String,
    pub(super) up: String,
    pub(super) down: String,
    pub(super) took: String,
}

impl Row {
    /// Of what the log answered.
    pub(super) fn of(entry: &Entry) -> Self {
        Self::new(&entry.event, entry.ending.as_ref(), entry.outcome)
    }

    /// Of what is new: an ending is the row of what it ends.
    pub(super) fn of_news(news: &News) -> Self {
        let News { event, begun } = news;
        if event.kind.is_ending() {
            let begun = begun.as_ref().unwrap_or(event);
            return Self::new(begun, Some(event), Some(Outcome::of(event)));
        }
        let outcome = event.kind.goes_out().then_some(Outcome::InFlight);
        Self::new(event, None, outcome)
    }

    fn new(event: &Event, ending: Option<&Event>, outcome: Option<Outcome>) -> Self {
        let ended = ending.unwrap_or(event);
        let some_bytes = |count: Option<u64>| count.map(amount).unwrap_or_default();
        Self {
            id: event.id.clone(),
            at: event.at.clone(),
            time: words::time(&event.at),
            tone: Tone::of(event.kind).class(),
            decision: words::decision(event.kind),
            what: cut(words::what(event)),
            github: words::at_github(event).map(cut),
            error: ended.error.clone().map(cut),
            status: words::status(outcome, ending),
            why: words::why(event),
            sandbox: event.sandbox.clone().unwrap_or_default(),
            up: some_bytes(ended.bytes_up),
            down: some_bytes(ended.bytes_down),
            took: ended.duration_us.map(words::span).unwrap_or_default(),
        }
    }
}

/// The whole is on the event's own page.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Characters of a cell.
const LONGEST: usize = 240;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn event(seq: u64, fields: &str) -> Event {
        let line = format!(
            r#"{{"v":1,"seq":{seq},"id":"00000000002a-{seq}","at":"2026-05-01T12:00:00.123456789Z",{fields}}}"#
        );
        Event::parse(&line).unwrap()
    }

    #[test]
    fn an_ending_takes_the_row_of_what_it_ends() {
        let begun = event(
            1,
            r#""kind":"exchange.going_out","target":"a.test:443","scheme":"https","method":"GET","path":"/""#,
        );
        let ending = event(
            2,
            r#""kind":"exchange.came_back","for":"00000000002a-1","outcome":"complete","status":204,"bytes_up":1,"duration_us":5"#,
        );
        let open = Row::of_news(&News {
            event: begun.clone(),
            begun: None,
        });
        let ended = Row::of_news(&News {
            event: ending,
            begun: Some(begun),
        });
        assert_eq!(
            (open.id.as_str(), open.status.as_str()),
            ("00000000002a-1", "open")
        );
        assert_eq!(
            (ended.id, ended.status, ended.up),
            (open.id, "204".to_owned(), "1 B".to_owned())
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = event(1, &format!(r#""kind":"finding","message":"{}""#, "ü".repeat(500)));
        let row = Row::of_news(&News {
            event: long,
            begun: None,
        });
        assert_eq!(row.what.chars().count(), LONGEST + 1);
    }
}
