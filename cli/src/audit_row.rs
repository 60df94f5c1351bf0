//! One line of `outwall audit` for people: what an event says, in seven columns.

use outwall_audit::index::{Entry, Outcome};
use outwall_audit::live::News;
use outwall_audit::{Event, Kind};
use outwall_control::{occurrence, request};

use crate::terminal::{Paint, printable};

/// The columns. The last takes what it needs.
const HEADING: [&str; 7] = [
    "TIME (UTC)",
    "EVENT",
    "SANDBOX",
    "DECISION",
    "STATUS",
    "WHY",
    "WHAT",
];
/// Fixed, so that a row can be written before the next is known.
const WIDTHS: [usize; 7] = [19, 16, 10, 8, 7, 34, 0];

/// The heading of the table.
pub(crate) fn heading(paint: Paint) -> String {
    format!("{}\n", paint.bold(&aligned(&HEADING.map(str::to_owned))))
}

/// The row of an entry; none for those that only a program wants (lookups).
pub(crate) fn row(entry: &Entry, paint: Paint) -> Option<String> {
    let Entry {
        event,
        ending,
        outcome,
        ..
    } = entry;
    let shown = !is_for_programs(event);
    shown.then(|| written(event, event, ending.as_ref(), *outcome, paint))
}

/// The row of what is new in a log that is followed: what goes out has one when it goes, and one when it ends.
pub(crate) fn row_of_news(news: &News, paint: Paint) -> Option<String> {
    let News { event, begun } = news;
    if is_for_programs(event) {
        return None;
    }
    if event.kind.is_ending() {
        let sent = begun.as_ref().unwrap_or(event);
        return Some(written(event, sent, Some(event), Some(Outcome::of(event)), paint));
    }
    let outcome = event.kind.goes_out().then_some(Outcome::InFlight);
    Some(written(event, event, None, outcome, paint))
}

fn is_for_programs(event: &Event) -> bool {
    matches!(event.kind, Kind::Dns | Kind::Checkpoint | Kind::Unknown)
}

/// The row of `event`, which is about what `sent` says.
fn written(
    event: &Event,
    sent: &Event,
    ending: Option<&Event>,
    outcome: Option<Outcome>,
    paint: Paint,
) -> String {
    let cells = [
        time(&event.at),
        event.id.clone(),
        event.sandbox.clone().unwrap_or_else(|| "-".to_owned()),
        decision(sent).to_owned(),
        status(ending, outcome),
        why(sent),
        what(sent, ending),
    ]
    .map(|cell| printable(&cell).into_owned());
    let line = aligned(&cells);
    match event.kind {
        Kind::Denied => format!("{}\n", paint.red(&line)),
        Kind::Finding | Kind::Repaired | Kind::PolicyRefused => format!("{}\n", paint.yellow(&line)),
        _ => line + "\n",
    }
}

fn aligned(cells: &[String; 7]) -> String {
    crate::table::line(cells, &WIDTHS)
}

/// The same of a moment.
pub(crate) fn time_of(at: jiff::Timestamp) -> String {
    time(&format!("{at:.0}"))
}

/// `2026-05-01 12:00:00` of an RFC 3339 time in UTC.
fn time(at: &str) -> String {
    at.get(..19).unwrap_or(at).replace('T', " ")
}

fn decision(event: &Event) -> &'static str {
    match event.kind {
        Kind::ExchangeGoingOut | Kind::ConnectionGoingOut | Kind::PublishedCameIn => "allow",
        Kind::Denied => "deny",
        Kind::Finding => "finding",
        Kind::SegmentRemoved => "removed",
        _ => "-",
    }
}

/// What the origin answered; else how it ended, `open` while it goes on, `unknown` when nobody will say.
fn status(ending: Option<&Event>, outcome: Option<Outcome>) -> String {
    let status = ending.and_then(|ending| ending.status);
    let outcome = || outcome.map_or("-", Outcome::as_str).to_owned();
    status.map_or_else(outcome, |status| status.to_string())
}

/// The reason of a refusal or a finding, else the rule that allowed.
fn why(event: &Event) -> String {
    let allowed_by = event.rule.as_ref().filter(|_| event.kind != Kind::Denied);
    event
        .reason
        .as_ref()
        .or(allowed_by)
        .cloned()
        .unwrap_or_else(|| "-".to_owned())
}

fn what(event: &Event, ending: Option<&Event>) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    match event.kind {
        Kind::ExchangeGoingOut
        | Kind::ConnectionGoingOut
        | Kind::ExchangeCameBack
        | Kind::ConnectionCameBack => request(event) + &at_github(event) + &failure(ending),
        Kind::Denied => match &event.client {
            Some(client) => format!("{client}: {}", text(&event.message)),
            None => request(event) + &at_github(event),
        },
        Kind::PublishedCameIn | Kind::PublishedEnded => occurrence(event) + &failure(ending),
        Kind::GrantMade => format!("granted: {} ({})", text(&event.target), text(&event.message)),
        Kind::Checkpoint => format!(
            "checkpoint of record {} signed",
            event.last_seq.unwrap_or_default()
        ),
        Kind::SegmentRemoved => format!("log file removed: {}", text(&event.message)),
        Kind::Repaired => {
            format!(
                "log repaired: {} bytes cut off `{}`",
                event.bytes_removed.unwrap_or(0),
                text(&event.file)
            )
        }
        _ => occurrence(event),
    }
}

/// What went wrong, if anything did.
fn failure(ending: Option<&Event>) -> String {
    let error = ending.and_then(|ending| ending.error.as_ref());
    error.map(|error| format!("  ({error})")).unwrap_or_default()
}

/// `  [git-receive-pack: update refs/heads/outwall/x of acme/app]`, for what a session does at GitHub.
fn at_github(event: &Event) -> String {
    let Some(github) = &event.github else {
        return String::new();
    };
    let operation = github.operation.as_deref().unwrap_or_default();
    match github.actions.as_slice() {
        [] => format!("  [{operation}]"),
        [one] if one == operation => format!("  [{operation}]"),
        [one] => format!("  [{operation}: {one}]"),
        [one, others @ ..] => format!("  [{operation}: {one}, and {} more]", others.len()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    fn event(fields: &str) -> Event {
        let line = format!(
            r#"{{"v":1,"seq":1,"at":"2026-05-01T12:00:00.123456789Z","sandbox":"s-0a0b0c0d",{fields}}}"#
        );
        Event::parse(&line).unwrap()
    }

    fn sent() -> Event {
        event(
            r#""id":"a-1","kind":"exchange.going_out","target":"pypi.org:443","scheme":"https","method":"GET","path":"/simple/six/","rule":"trusted: Python""#,
        )
    }

    fn of(event: Event, ending: Option<Event>, outcome: Option<Outcome>) -> String {
        let entry = Entry {
            cursor: "0".parse().unwrap(),
            event,
            ending,
            outcome,
        };
        row(&entry, Paint::plain()).unwrap_or_default()
    }

    #[test]
    fn a_request_and_its_answer_are_one_row() {
        let answered =
            event(r#""id":"a-2","kind":"exchange.came_back","for":"a-1","outcome":"complete","status":200"#);
        assert_eq!(
            of(sent(), Some(answered), Some(Outcome::Complete)),
            "2026-05-01 12:00:00  a-1               s-0a0b0c0d  allow     200      trusted: Python                     GET https://pypi.org/simple/six/\n"
        );
    }

    #[test]
    fn what_a_session_does_at_github_is_in_its_row() {
        let push = event(
            r#""id":"a-1","kind":"exchange.going_out","target":"github.com:443","scheme":"https","method":"POST","path":"/acme/app/git-receive-pack","rule":"github","github":{"repository":"github.com/acme/app","operation":"git-receive-pack","actions":["update refs/heads/outwall/x of acme/app"],"details":[]}"#,
        );
        let row = of(push, None, Some(Outcome::InFlight));
        assert!(
            row.ends_with("/git-receive-pack  [git-receive-pack: update refs/heads/outwall/x of acme/app]\n"),
            "{row}"
        );
    }

    #[test]
    fn a_followed_request_has_a_row_when_it_goes_and_one_when_it_ends() {
        let news = |event, begun| row_of_news(&News { event, begun }, Paint::plain()).unwrap();
        let gone = news(sent(), None);
        let ended =
            event(r#""id":"a-2","kind":"exchange.came_back","for":"a-1","outcome":"failed","error":"reset""#);
        let ended = news(ended, Some(sent()));
        assert!(
            gone.contains("open ") && gone.ends_with("GET https://pypi.org/simple/six/\n"),
            "{gone}"
        );
        assert!(
            ended.contains("failed ") && ended.ends_with("GET https://pypi.org/simple/six/  (reset)\n"),
            "{ended}"
        );
    }

    #[test]
    fn a_request_without_an_answer_is_open_or_its_outcome_is_unknown() {
        assert!(of(sent(), None, Some(Outcome::InFlight)).contains("allow     open "));
        assert!(of(sent(), None, Some(Outcome::Unknown)).contains("allow     unknown "));
    }

    #[test]
    fn a_refusal_says_its_reason_and_cannot_forge_a_row() {
        let denied = event(
            r#""id":"a-3","kind":"denied","target":"example.com:443","rule":"x","reason":"host-not-allowed","scheme":"https","method":"GET","path":"/\n\u001b[2Jforged""#,
        );
        assert_eq!(
            of(denied, None, None),
            "2026-05-01 12:00:00  a-3               s-0a0b0c0d  deny      -        host-not-allowed                    GET https://example.com/\\n\\x1b[2Jforged\n"
        );
    }

    #[test]
    fn a_connection_that_was_refused_before_any_request_says_so() {
        let denied =
            event(r#""id":"a-4","kind":"denied","target":"example.com:22","reason":"port-not-allowed""#);
        let row = of(denied, None, None);
        assert!(row.ends_with("connect example.com:22\n"), "{row}");
    }
}
