//! What the index wants of a line, read without copying it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// The fields that the index has columns for. What else is in the line is skipped.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) environment: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) session: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) sandbox: Option<Text<'a>>,
    #[serde(borrow)]
    target: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) method: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) credential: Option<Text<'a>>,
    #[serde(borrow)]
    process: Option<Program<'a>>,
    #[serde(borrow, rename = "for")]
    closes: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) outcome: Option<Text<'a>>,
    pub(super) connection: Option<u64>,
    pub(super) status: Option<u16>,
    pub(super) bytes_up: Option<u64>,
    pub(super) bytes_down: Option<u64>,
    pub(super) duration_us: Option<u64>,
    pub(super) repeated: Option<u64>,
}

/// `Option<Cow<str>>` would be copied always: serde borrows a `Cow` only where it stands by itself.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Deserialize)]
struct Program<'a> {
    #[serde(borrow)]
    executable: Option<Text<'a>>,
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event's name as two numbers: its writer, and its how manieth.
pub(super) type Name = (u64, u64);

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Nanoseconds since 1970; `None` for what is no time, or one that 64 bits cannot say.
    pub(super) fn nanoseconds(&self) -> Option<i64> {
        let at: Timestamp = self.at.parse().ok()?;
        at.as_nanosecond().try_into().ok()
    }

    pub(super) fn name(&self) -> Option<Name> {
        name(&self.id)
    }

    /// What it ends.
    pub(super) fn closes(&self) -> Option<Name> {
        name(self.closes.as_ref()?.as_str())
    }

    /// Where it went or wanted to go, or the name that it looked up.
    pub(super) fn place(&self) -> Option<&str> {
        self.target.as_ref().or(self.name.as_ref()).map(Text::as_str)
    }

    pub(super) fn program(&self) -> Option<&str> {
        Some(self.process.as_ref()?.executable.as_ref()?.as_str())
    }
}

/// Takes `00000000002a-17` apart. An id has one spelling, so that two events never have one name.
pub(super) fn name(id: &str) -> Option<Name> {
    let (writer, seq) = id.rsplit_once('-')?;
    let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let is_writer = writer.len() == WRITER_DIGITS && writer.bytes().all(is_hex);
    let is_seq = seq.bytes().all(|digit| digit.is_ascii_digit()) && !seq.starts_with('0');
    if !is_writer || !is_seq {
        return None;
    }
    Some((u64::from_str_radix(writer, 16).ok()?, seq.parse().ok()?))
}

/// A writer is 48 bits.
const WRITER_DIGITS: usize = 12;

/// What the index reads of a line, as text under the names that the fields have there; none where it leaves the line out. For a second
/// reader, that it may agree.
pub fn read_of_line(line: &[u8]) -> Option<BTreeMap<&'static str, String>> {
    let line = Line::parse(line)?;
    let texts = [
        ("kind", Some(line.kind.as_ref())),
        ("environment", line.environment.as_ref().map(Text::as_str)),
        ("session", line.session.as_ref().map(Text::as_str)),
        ("sandbox", line.sandbox.as_ref().map(Text::as_str)),
        ("place", line.place()),
        ("method", line.method.as_ref().map(Text::as_str)),
        ("reason", line.reason.as_ref().map(Text::as_str)),
        ("credential", line.credential.as_ref().map(Text::as_str)),
        ("program", line.program()),
        ("outcome", line.outcome.as_ref().map(Text::as_str)),
    ];
    let numbers = [
        ("seq", Some(line.seq)),
        ("connection", line.connection),
        ("status", line.status.map(u64::from)),
        ("bytes_up", line.bytes_up),
        ("bytes_down", line.bytes_down),
        ("duration_us", line.duration_us),
        ("repeated", line.repeated),
    ];
    let written = |(writer, seq)| format!("{writer:012x}-{seq}");
    let names = [("id", line.name()), ("for", line.closes())];
    let texts = texts.map(|(field, text)| (field, text.map(ToOwned::to_owned)));
    let numbers = numbers.map(|(field, number)| (field, number.map(|number| number.to_string())));
    let names = names.map(|(field, name)| (field, name.map(written)));
    let all = texts.into_iter().chain(numbers).chain(names);
    Some(all.filter_map(|(field, value)| Some((field, value?))).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_borrowed_and_what_is_escaped_is_read() {
        let line = br#"{"v":1,"seq":3,"id":"00000000002a-3","at":"2026-11-21T03:35:29.000000001Z","kind":"denied","target":"a.test:443","reason":"a\u0041","later":{"x":[1]},"process":{"executable":"/bin/sh","pid":3}}"#;
        let line = Line::parse(line).unwrap();
        assert_eq!((line.name(), line.closes()), (Some((42, 3)), None));
        assert_eq!(line.nanoseconds(), Some(1_795_232_129_000_000_001));
        assert!(matches!(line.target, Some(Text(Cow::Borrowed("a.test:443")))));
        assert_eq!(line.reason.as_ref().unwrap().as_str(), "aA");
        assert_eq!(
            (line.place(), line.program()),
            (Some("a.test:443"), Some("/bin/sh"))
        );
        assert!(Line::parse(b"{\"seq\":1}").is_none());
    }

    #[test]
    fn names_of_other_shapes_are_none() {
        for id in [
            "",
            "x-1",
            "2a-1",
            "00000000002a-",
            "00000000002a",
            "+0000000002a-1",
            "00000000002A-1",
            "00000000002a-+1",
            "00000000002a-01",
        ] {
            assert_eq!(name(id), None, "{id}");
        }
    }
}
