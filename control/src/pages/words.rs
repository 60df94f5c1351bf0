//! What an event says, in words.

use jiff::Timestamp;
use outwall_audit::index::Outcome;
use outwall_audit::{Event, Kind};

use crate::occurrence::{occurrence, request};

/// The sort of an event, by which it is coloured. The word is always there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something was let out.
    Allow,
    /// Something was refused.
    Deny,
    /// Something to look at.
    Finding,
    /// The rest.
    Note,
}

impl Tone {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::ExchangeGoingOut
            | Kind::ExchangeCameBack
            | Kind::ConnectionGoingOut
            | Kind::ConnectionCameBack
            | Kind::PublishedCameIn
            | Kind::PublishedEnded => Self::Allow,
            Kind::Denied => Self::Deny,
            Kind::Finding | Kind::Repaired | Kind::PolicyRefused => Self::Finding,
            _ => Self::Note,
        }
    }

    /// The name of its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Finding => "finding",
            Self::Note => "note",
        }
    }
}

/// Whether an event is of those that come by themselves and hide the others.
pub(super) fn is_noise(kind: Kind) -> bool {
    matches!(kind, Kind::Dns | Kind::Checkpoint)
}

/// One word for what an event is.
pub(super) fn decision(kind: Kind) -> &'static str {
    match kind {
        Kind::ExchangeGoingOut
        | Kind::ExchangeCameBack
        | Kind::ConnectionGoingOut
        | Kind::ConnectionCameBack => "allow",
        Kind::PublishedCameIn | Kind::PublishedEnded => "came in",
        Kind::Denied => "deny",
        Kind::Finding => "finding",
        Kind::Dns => "lookup",
        Kind::SandboxStarted | Kind::SandboxEnded => "sandbox",
        Kind::GateStarted | Kind::GateStopped => "gate",
        Kind::PolicyChanged | Kind::PolicyRefused => "policy",
        Kind::GrantMade | Kind::GrantEnded => "grant",
        Kind::QuestionAsked | Kind::QuestionAnswered => "question",
        Kind::PortPublished => "port",
        Kind::CredentialIssued | Kind::CredentialRevoked | Kind::CredentialKeyRotated => "credential",
        _ => "record",
    }
}

/// What an event is about, in one line.
pub(super) fn what(event: &Event) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let message = || text(&event.message);
    match event.kind {
        Kind::ExchangeGoingOut
        | Kind::ConnectionGoingOut
        | Kind::ExchangeCameBack
        | Kind::ConnectionCameBack => request(event),
        Kind::Denied => match (&event.repeated, &event.client) {
            (Some(times), _) => format!("{times} more refusals, counted and not recorded one by one"),
            (None, Some(client)) => format!("{client}: {}", message()),
            (None, None) => request(event),
        },
        Kind::GrantMade => format!("granted {}: {}", text(&event.target), message()),
        Kind::Repaired => format!(
            "log repaired: {} bytes cut off {}",
            event.bytes_removed.unwrap_or(0),
            text(&event.file)
        ),
        Kind::Checkpoint => format!(
            "checkpoint of {} up to record {}",
            text(&event.writer),
            event.last_seq.unwrap_or(0)
        ),
        Kind::SegmentRemoved => format!("file of the log removed: {}", text(&event.file)),
        Kind::Dns => format!("{}: {}", text(&event.name), text(&event.answer)),
        Kind::Finding | Kind::Unknown => match &event.target {
            Some(target) => format!("{target}: {}", message()),
            None => message(),
        },
        _ => occurrence(event),
    }
}

/// What a request does at the GitHub of its session: `git-receive-pack: update refs/heads/outwall/x of acme/app`.
pub(super) fn at_github(event: &Event) -> Option<String> {
    let github = event.github.as_ref()?;
    let operation = github.operation.as_deref().unwrap_or_default();
    Some(match github.actions.as_slice() {
        [] => operation.to_owned(),
        [one] if one == operation => one.clone(),
        actions => format!("{operation}: {}", actions.join("; ")),
    })
}

/// The reason of a refusal or a finding, else the rule that allowed.
pub(super) fn why(event: &Event) -> String {
    let allowed_by = event.rule.as_ref().filter(|_| event.kind != Kind::Denied);
    event.reason.as_ref().or(allowed_by).cloned().unwrap_or_default()
}

/// How something ended, in a word: the origin's status where there is one.
pub(super) fn status(outcome: Option<Outcome>, ending: Option<&Event>) -> String {
    let said = ending.and_then(|ending| ending.status);
    match (outcome, said) {
        (None, _) => String::new(),
        (Some(Outcome::Complete), Some(status)) => status.to_string(),
        (Some(outcome), Some(status)) => format!("{status}, {}", outcome.as_str()),
        (Some(outcome), None) => outcome.as_str().to_owned(),
    }
}

/// `2026-05-01 12:00:00.123` of an event's time; what is no time is shown as it is.
pub(super) fn time(at: &str) -> String {
    at.get(..23).unwrap_or(at).replace('T', " ")
}

/// The same of a moment, to the second.
pub(super) fn second(at: Timestamp) -> String {
    let text = format!("{at:.0}");
    text.trim_end_matches('Z').replace('T', " ")
}

/// `850 µs`, `12 ms`, `3.4 s`, `2 min 5 s` of microseconds.
pub(super) fn span(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        60_000_000..3_600_000_000 => format!("{} min {} s", micros / 60_000_000, micros / 1_000_000 % 60),
        _ => format!("{} h {} min", micros / 3_600_000_000, micros / 60_000_000 % 60),
    }
}

/// `1,234,567`.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 event`, `2 events`.
pub(super) fn count(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(number),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [850, 12_345, 3_450_000, 125_000_000, 7_260_000_000].map(span),
            ["850 µs", "12 ms", "3.4 s", "2 min 5 s", "2 h 1 min"]
        );
        assert_eq!(count(1, "event") + &count(2, "event"), "1 event2 events");
    }

    #[test]
    fn an_event_is_a_line() {
        let event = |fields: &str| {
            Event::parse(&format!(
                r#"{{"v":1,"seq":1,"id":"00000000002a-1","at":"2026-05-01T12:00:00.123456789Z",{fields}}}"#
            ))
            .unwrap()
        };
        let sent = event(
            r#""kind":"exchange.going_out","target":"a.test:443","scheme":"https","method":"GET","path":"/x","rule":"r""#,
        );
        assert_eq!(what(&sent), "GET https://a.test/x");
        assert_eq!(
            (why(&sent).as_str(), time(&sent.at).as_str()),
            ("r", "2026-05-01 12:00:00.123")
        );
        let refused = event(r#""kind":"denied","target":"a.test:22","reason":"port-not-allowed","rule":"r""#);
        assert_eq!(
            (what(&refused), why(&refused)),
            ("connect a.test:22".to_owned(), "port-not-allowed".to_owned())
        );
        let push = event(
            r#""kind":"exchange.going_out","github":{"repository":"github.com/a/b","operation":"git-receive-pack","actions":["update refs/heads/x of a/b"]}"#,
        );
        assert_eq!(
            at_github(&push).unwrap(),
            "git-receive-pack: update refs/heads/x of a/b"
        );
    }

    #[test]
    fn an_ending_is_a_status_and_whatever_went_wrong_beside() {
        let ending = Event::parse(
            r#"{"v":1,"seq":2,"id":"00000000002a-2","at":"2026-05-01T12:00:00Z","kind":"exchange.came_back","status":200}"#,
        )
        .unwrap();
        assert_eq!(status(Some(Outcome::Complete), Some(&ending)), "200");
        assert_eq!(status(Some(Outcome::Aborted), Some(&ending)), "200, aborted");
        assert_eq!(status(Some(Outcome::InFlight), None), "open");
        assert_eq!(status(None, None), "");
    }
}
