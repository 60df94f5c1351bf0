//! The text as it reads without escapes, and with the lines of wrapped base64 joined: where anchors are that the raw bytes hide.

use super::source::{Next, Source, hex, six_bits};

/// A text, and where each of its bytes was.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) text: Vec<u8>,
    /// Of each stretch: where it begins in the text, and among the raw bytes.
    stretches: Vec<(usize, usize)>,
    /// The raw position after the last.
    pub(super) end: usize,
}

impl View {
    /// Whether bytes `from..to` of the text are written in as many raw ones: then the raw bytes hide nothing.
    pub(super) fn is_plain(&self, from: usize, to: usize) -> bool {
        self.end_of(to - 1) - self.start_of(from) == to - from
    }

    /// The raw position of a byte of the text.
    pub(super) fn start_of(&self, index: usize) -> usize {
        let after = self.stretches.partition_point(|(start, _)| *start <= index);
        let (start, raw) = self.stretches[after - 1];
        raw + (index - start)
    }

    /// The raw position after a byte of the text: where the next begins, unless lines were joined there.
    pub(super) fn end_of(&self, index: usize) -> usize {
        let after = self.stretches.partition_point(|(start, _)| *start <= index);
        let (start, raw) = self.stretches[after - 1];
        match self.stretches.get(after) {
            Some((next, next_raw)) if *next == index + 1 => *next_raw,
            None if index + 1 == self.text.len() => self.end,
            _ => raw + (index - start) + 1,
        }
    }

    /// Reads raw bytes from one position up to another, as far as it can be told.
    pub(super) fn read(&mut self, source: Source<'_>, from: usize, to: usize) {
        self.text.clear();
        self.stretches.clear();
        let mut at = from;
        while at < to {
            let special = memchr::memchr3(b'%', b'\\', b'\n', &source.bytes[at..to]);
            let plain = special.map_or(to, |special| at + special);
            if plain > at {
                self.push(&source.bytes[at..plain], at);
                at = plain;
            }
            if at == to {
                break;
            }
            let Next::Byte(byte, after) = source.next(at) else {
                break;
            };
            if byte == b'\n' {
                match self.line_after(source, at) {
                    Join::Line(line) => {
                        at = line;
                        continue;
                    }
                    Join::Unknown => break,
                    Join::Nothing => {}
                }
            }
            self.push(&[byte], at);
            at = after;
        }
        self.end = at;
    }

    fn push(&mut self, bytes: &[u8], at: usize) {
        self.stretches.push((self.text.len(), at));
        self.text.extend_from_slice(bytes);
    }

    /// Whether what came so far is a line of base64 that goes on after this line break.
    fn line_after(&mut self, source: Source<'_>, at: usize) -> Join {
        let line = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        let base64 = line
            .iter()
            .rev()
            .take(SHORTEST_LINE)
            .take_while(|byte| six_bits(**byte).is_some());
        if base64.count() < SHORTEST_LINE {
            return Join::Nothing;
        }
        let length = line.len();
        let join = next_line(source, at);
        if matches!(join, Join::Line(_)) {
            self.text.truncate(length);
            while self.stretches.last().is_some_and(|(start, _)| *start >= length) {
                self.stretches.pop();
            }
        }
        join
    }
}

enum Join {
    /// It goes on here.
    Line(usize),
    Nothing,
    Unknown,
}

fn next_line(source: Source<'_>, at: usize) -> Join {
    let mut at = at;
    for _ in 0..MOST_BLANKS {
        match source.next(at) {
            Next::Byte(b'\n' | b'\r' | b' ' | b'\t', after) => at = after,
            Next::Byte(byte, _) if six_bits(byte).is_some() => return Join::Line(at),
            Next::Byte(..) | Next::End => return Join::Nothing,
            Next::More => return Join::Unknown,
        }
    }
    Join::Nothing
}

/// The parts of the text, from a position on, that may hide an anchor: around escapes of characters that anchors have, and
/// around line breaks within base64.
pub(super) fn hiding(bytes: &[u8], from: usize, mut tell: impl FnMut(usize, usize)) {
    let mut part: Option<(usize, usize)> = None;
    for at in memchr::memchr3_iter(b'%', b'\\', b'\n', &bytes[from..]) {
        let at = from + at;
        if !may_hide(bytes, at) {
            continue;
        }
        let (start, end) = (at.saturating_sub(READ_BEFORE), (at + READ_AFTER).min(bytes.len()));
        part = match part {
            Some((first, last)) if start <= last => Some((first, end)),
            Some((first, last)) => {
                tell(first, last);
                Some((start, end))
            }
            None => Some((start, end)),
        };
    }
    if let Some((first, last)) = part {
        tell(first, last);
    }
}

fn may_hide(bytes: &[u8], at: usize) -> bool {
    let after = |step: usize| bytes.get(at + step).copied();
    match bytes[at] {
        b'%' => match after(1) {
            Some(b'2'..=b'7') => after(2).is_some_and(|digit| hex(digit).is_some()),
            Some(b'0') => matches!(after(2), Some(b'a' | b'A')) && ends_base64(bytes, at),
            _ => false,
        },
        b'\\' => match after(1) {
            Some(b'/') => true,
            Some(b'u') => after(2) == Some(b'0') && after(3) == Some(b'0'),
            Some(b'n') => ends_base64(bytes, at),
            _ => false,
        },
        _ => ends_base64(bytes, at),
    }
}

/// Whether a long run of base64 ends before this position. Looks at some of it: it may be wrong, on the careful side.
fn ends_base64(bytes: &[u8], at: usize) -> bool {
    let at = if at > 0 && bytes[at - 1] == b'\r' {
        at - 1
    } else {
        at
    };
    [1, 2, 5, 9, 13, 17, 21, SHORTEST_LINE].iter().all(|back| {
        let byte = at.checked_sub(*back).map(|place| bytes[place]);
        byte.is_some_and(|byte| six_bits(byte).is_some() || byte == b'%' || byte == b'\\')
    })
}

/// Base64 is wrapped at 60, 64 or 76 characters; shorter lines are words.
const SHORTEST_LINE: usize = 24;
const MOST_BLANKS: usize = 24;
/// A hidden anchor of twelve characters, each an escape of six, and the end of a line before it.
pub(super) const READ_BEFORE: usize = 384;
/// The rest of the anchor.
const READ_AFTER: usize = 192;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, View) {
        let mut view = View::default();
        let source = Source {
            bytes: text.as_bytes(),
            ended: true,
        };
        view.read(source, 0, text.len());
        (String::from_utf8_lossy(&view.text).into_owned(), view)
    }

    fn hides(text: &str) -> bool {
        let mut parts = 0;
        hiding(text.as_bytes(), 0, |_, _| parts += 1);
        parts > 0
    }

    #[test]
    fn lines_of_base64_are_joined_and_others_are_not() {
        let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo".repeat(2);
        assert_eq!(read(&format!("{line}\r\n  Z2hw")).0, format!("{line}Z2hw"));
        assert_eq!(read("word\nword").0, "word\nword");
        assert!(hides(&format!("{line}\nZ2hw")) && hides(&format!("{line}\\nZ2hw")));
        assert!(!hides("a word\nand another, 100% and C:\\dir\\next"));
    }

    #[test]
    fn positions_lead_back() {
        let (text, view) = read("xa%67h");
        assert_eq!(text, "xagh");
        assert_eq!((view.start_of(2), view.end_of(2)), (2, 5));
        assert!(!view.is_plain(1, 3) && view.is_plain(3, 4) && view.is_plain(0, 2));
    }
}
