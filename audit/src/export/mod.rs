//! Events in the formats of other systems.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use crate::fields::obeys_a_terminal;

pub mod csv;
pub mod har;
pub mod ocsf;

/// A document in one line, safe to print.
pub fn one_line(document: &Value) -> String {
    printable_json(&document.to_string()).into_owned()
}

/// JSON text that a terminal shows and does not obey: JSON leaves DEL, C1 and marks of direction as they are. It means the same.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    if !text.contains(obeys_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if obeys_a_terminal(character) {
            // Such a character is within a string, and below the surrogates.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_escaped_and_read_back_as_it_was() {
        let hostile = Value::from("a\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{feff}\u{2028}é😀");
        let line = one_line(&hostile);
        assert!(!line.contains(obeys_a_terminal), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), hostile);
    }
}
