//! CSV (RFC 4180), one row for each entry, for a spreadsheet that must not obey it.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end may be run as a formula; so it gets an apostrophe in front (the
//! advice of OWASP, "CSV Injection"). What would steer a terminal is written as `\uXXXX`, so a row is one line.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::event::Event;
use crate::fields::obeys_a_terminal;
use crate::filter::host_and_port;
use crate::index::Outcome;

/// The names of the columns, with the end of the line.
pub fn heading() -> String {
    COLUMNS.join(",") + END
}

/// The row of an event, with how it ended.
pub fn row(event: &Event, ending: Option<&Event>, outcome: Option<Outcome>) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let number = |field: Option<u64>| field.map(|number| number.to_string()).unwrap_or_default();
    let end = ending.unwrap_or(event);
    let place = event
        .target
        .as_deref()
        .or(event.name.as_deref())
        .unwrap_or_default();
    let (host, port) = host_and_port(place);
    let process = event.process.as_ref();
    let cells: [String; COLUMNS.len()] = [
        event.at.clone(),
        event.id.clone(),
        event.kind.as_str().to_owned(),
        text(&event.environment),
        text(&event.session),
        text(&event.sandbox),
        number(event.connection),
        process
            .and_then(|process| process.executable.clone())
            .unwrap_or_default(),
        text(&event.decision),
        text(&event.rule),
        text(&event.reason),
        text(&event.message),
        text(&event.remedy),
        text(&event.scheme),
        text(&event.method),
        host.to_owned(),
        number(port.map(u64::from)),
        text(&event.path),
        text(&event.credential),
        text(&event.client),
        text(if end.address.is_some() {
            &end.address
        } else {
            &event.address
        }),
        text(&event.protocol),
        event
            .tls
            .as_ref()
            .and_then(|tls| tls.sni.clone())
            .unwrap_or_default(),
        event
            .answer
            .clone()
            .or_else(|| event.repeated.map(|times| format!("{times} times")))
            .unwrap_or_default(),
        ending.map(|ending| ending.at.clone()).unwrap_or_default(),
        outcome.map_or_else(|| text(&event.outcome), |outcome| outcome.as_str().to_owned()),
        number(end.status.map(u64::from)),
        number(end.bytes_up),
        number(end.bytes_down),
        number(end.duration_us),
        text(&end.error),
    ];
    cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",") + END
}

fn cell(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_special = |character| matches!(character, ',' | '"') || obeys_a_terminal(character);
    if !is_formula && !text.contains(is_special) && text.trim() == text {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push('"');
    if is_formula {
        quoted.push('\'');
    }
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\"\""),
            _ if obeys_a_terminal(character) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

const COLUMNS: [&str; 31] = [
    "at",
    "id",
    "kind",
    "environment",
    "session",
    "sandbox",
    "connection",
    "program",
    "decision",
    "rule",
    "reason",
    "message",
    "remedy",
    "scheme",
    "method",
    "host",
    "port",
    "path",
    "credential",
    "client",
    "address",
    "protocol",
    "sni",
    "answer",
    "ended",
    "outcome",
    "status",
    "bytes_up",
    "bytes_down",
    "duration_us",
    "error",
];
/// RFC 4180, section 2, 1.
const END: &str = "\r\n";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_a_row_is_always_one_line() {
        for (text, written) in [
            ("plain/path?x=*", "plain/path?x=*"),
            ("a,b \"c\"", "\"a,b \"\"c\"\"\""),
            ("=HYPERLINK(\"//x\")", "\"'=HYPERLINK(\"\"//x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\\u0009=1\""),
            (
                "a\r\n=1\u{1b}[2J\u{202e}",
                "\"a\\u000d\\u000a=1\\u001b[2J\\u202e\"",
            ),
            (" x", "\" x\""),
            ("1=2", "1=2"),
        ] {
            assert_eq!(cell(text), written);
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_and_the_end_of_what_went_out() {
        let line = r#"{"v":1,"seq":1,"id":"a-1","at":"2026-05-01T12:00:00.000000000Z","kind":"exchange.going_out","target":"[::1]:443","method":"GET","path":"/a"}"#;
        let end = r#"{"v":1,"seq":2,"id":"a-2","at":"2026-05-01T12:00:01.000000000Z","kind":"exchange.came_back","for":"a-1","outcome":"complete","status":200,"bytes_up":0,"bytes_down":9,"duration_us":1000000,"address":"[::1]:8443"}"#;
        let (event, end) = (Event::parse(line).unwrap(), Event::parse(end).unwrap());
        let row = row(&event, Some(&end), Some(Outcome::Complete));
        assert_eq!(row.matches(',').count(), heading().matches(',').count());
        assert_eq!(
            row,
            "2026-05-01T12:00:00.000000000Z,a-1,exchange.going_out,,,,,,,,,,,,GET,::1,443,/a,,,[::1]:8443,,,,2026-05-01T12:00:01.000000000Z,complete,200,0,9,1000000,\r\n"
        );
    }
}
