//! Writes the fields of a line: numbers, and texts of which no terminal obeys anything.

use std::fmt::{self, Write as _};

/// Writes the fields of one line, each `,"name":value`.
pub(crate) struct Fields<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer }
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        write!(Escaped::new(self.buffer), "{value}").expect("a buffer takes all");
    }

    pub(crate) fn text(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        self.buffer.push(b'"');
        // An error only says that the text was cut.
        let _ = write!(Escaped::new(self.buffer), "{value}");
        self.buffer.push(b'"');
    }

    /// A text known to need no escaping.
    pub(crate) fn plain(&mut self, name: &str, value: &str) {
        self.name(name);
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(value.as_bytes());
        self.buffer.push(b'"');
    }

    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(crate) fn object(&mut self, name: &str, inner: impl FnOnce(&mut Fields<'_>)) {
        self.name(name);
        self.braced(inner);
    }

    fn braced(&mut self, inner: impl FnOnce(&mut Fields<'_>)) {
        self.buffer.push(b'{');
        let start = self.buffer.len();
        inner(&mut Fields::new(self.buffer));
        if self.buffer.get(start) == Some(&b',') {
            self.buffer.remove(start);
        }
        self.buffer.push(b'}');
    }

    /// A text to its end: of bounded length, by who calls.
    pub(crate) fn whole_text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.buffer.push(b'"');
        let whole = Escaped {
            buffer: self.buffer,
            left: usize::MAX,
        };
        write!({ whole }, "{value}").expect("a buffer takes all");
        self.buffer.push(b'"');
    }

    /// What is so.
    pub(crate) fn flag(&mut self, name: &str) {
        self.name(name);
        self.buffer.extend_from_slice(b"true");
    }

    /// Objects, each written by `inner`.
    pub(crate) fn objects<T>(&mut self, name: &str, items: &[T], mut inner: impl FnMut(&T, &mut Fields<'_>)) {
        self.name(name);
        self.buffer.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.buffer.push(b',');
            }
            self.braced(|line| inner(item, line));
        }
        self.buffer.push(b']');
    }

    /// Texts, as many as are worth reading.
    pub(crate) fn texts(&mut self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) {
        self.name(name);
        self.buffer.push(b'[');
        for (at, value) in values.into_iter().take(MOST_TEXTS).enumerate() {
            self.buffer
                .extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            let _ = write!(Escaped::new(self.buffer), "{value}");
            self.buffer.push(b'"');
        }
        self.buffer.push(b']');
    }

    fn name(&mut self, name: &str) {
        self.buffer.extend_from_slice(b",\"");
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }
}

/// Appends text as the inside of a JSON string, at most [`LONGEST_TEXT`] bytes of it.
struct Escaped<'a> {
    buffer: &'a mut Vec<u8>,
    left: usize,
}

impl<'a> Escaped<'a> {
    fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self {
            buffer,
            left: LONGEST_TEXT,
        }
    }

    fn escape(&mut self, character: char) {
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            for shift in [12, 8, 4, 0] {
                let digit = HEX[usize::from((*unit >> shift) & 15)];
                if shift == 12 {
                    self.buffer.extend_from_slice(b"\\u");
                }
                self.buffer.push(digit);
            }
        }
    }

    fn cut(&mut self) -> fmt::Result {
        self.left = 0;
        self.buffer.extend_from_slice("…".as_bytes());
        Err(fmt::Error)
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left && text.bytes().all(is_plain) {
            self.left -= text.len();
            self.buffer.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            let length = character.len_utf8();
            if length > self.left {
                return self.cut();
            }
            self.left -= length;
            match character {
                '"' => self.buffer.extend_from_slice(b"\\\""),
                '\\' => self.buffer.extend_from_slice(b"\\\\"),
                '\n' => self.buffer.extend_from_slice(b"\\n"),
                '\r' => self.buffer.extend_from_slice(b"\\r"),
                '\t' => self.buffer.extend_from_slice(b"\\t"),
                _ if obeys_a_terminal(character) => self.escape(character),
                _ => self
                    .buffer
                    .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// C0, DEL and C1; line and paragraph separators; marks that turn the direction of what follows.
pub(crate) fn obeys_a_terminal(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || character == '\u{feff}'
}

/// No text of a line is longer, in bytes before escaping.
pub(crate) const LONGEST_TEXT: usize = 2048;
/// Of a list.
pub(crate) const MOST_TEXTS: usize = 64;
pub(crate) const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn written(value: &str) -> (String, String) {
        let mut buffer = b"{\"a\":0".to_vec();
        Fields::new(&mut buffer).text("value", value);
        buffer.push(b'}');
        let line = String::from_utf8(buffer).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        (json["value"].as_str().unwrap().to_owned(), line)
    }

    #[test]
    fn hostile_text_is_read_back_as_it_was_and_shown_as_one_plain_line() {
        let hostile = "a\"b\\c\nd\re\x1b[2J\x07\0\x7f\u{9b}31m\u{202e}\u{2028}\u{feff}é漢😀";
        let (back, line) = written(hostile);
        assert_eq!(back, hostile);
        assert!(!line.chars().any(obeys_a_terminal), "{line}");
        assert!(line.contains("é漢😀"), "what is harmless stays readable");
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_the_line_stays_json() {
        let (back, _) = written(&"é\n".repeat(5000));
        assert!(back.len() <= LONGEST_TEXT + 3 && back.ends_with('…'));
        let (whole, _) = written(&"x".repeat(LONGEST_TEXT));
        assert_eq!(whole.len(), LONGEST_TEXT);
    }
}
