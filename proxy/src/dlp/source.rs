//! The bytes that are at hand, read as text with its escapes undone, in either direction.
//!
//! Percent escapes and those of JSON strings are undone wherever they stand. A text that has them by chance reads a little
//! differently then, which at worst makes or breaks a boundary. Backslashes in a row count as one, for JSON within JSON.

/// The bytes that are at hand.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    /// Nothing follows them.
    pub(super) ended: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This, and the position after it.
    Byte(u8, usize),
    /// Nothing.
    End,
    /// That is not known yet.
    More,
}

impl Source<'_> {
    /// The character at a position.
    pub(super) fn next(self, at: usize) -> Next {
        match self.bytes.get(at) {
            None if self.ended => Next::End,
            None => Next::More,
            Some(b'%') => self.percent(at),
            Some(b'\\') => self.backslash(at),
            Some(&byte) => Next::Byte(byte, at + 1),
        }
    }

    fn percent(self, at: usize) -> Next {
        match (self.hex(at + 1), self.hex(at + 2)) {
            (Some(high), Some(low)) => Next::Byte(high << 4 | low, at + 3),
            (None, _) if self.is_cut(at + 1) => Next::More,
            (Some(_), None) if self.is_cut(at + 2) => Next::More,
            _ => Next::Byte(b'%', at + 1),
        }
    }

    fn backslash(self, at: usize) -> Next {
        let row = self.bytes[at..]
            .iter()
            .take(MOST_BACKSLASHES)
            .take_while(|byte| **byte == b'\\');
        let after = at + row.count();
        match self.bytes.get(after) {
            None if self.ended => Next::Byte(b'\\', after),
            None => Next::More,
            Some(b'u') => self.unicode(after),
            Some(&byte) => match meaning(byte) {
                Some(meant) => Next::Byte(meant, after + 1),
                None => Next::Byte(b'\\', after),
            },
        }
    }

    /// What is no single byte is none that a credential has.
    fn unicode(self, at: usize) -> Next {
        let mut code = 0_u32;
        for step in 1..=4 {
            match self.hex(at + step) {
                Some(digit) => code = code << 4 | u32::from(digit),
                None if self.is_cut(at + step) => return Next::More,
                None => return Next::Byte(b'u', at + 1),
            }
        }
        Next::Byte(u8::try_from(code).unwrap_or(SUBSTITUTE), at + 5)
    }

    fn hex(self, at: usize) -> Option<u8> {
        self.bytes.get(at).and_then(|digit| hex(*digit))
    }

    fn is_cut(self, at: usize) -> bool {
        !self.ended && at >= self.bytes.len()
    }

    /// The character before a position, and where it begins.
    pub(super) fn before(self, at: usize) -> Option<(u8, usize)> {
        let last = *self.bytes.get(at.checked_sub(1)?)?;
        if let Some([b'%', high, low]) = self.back(at, 3)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            return Some((high << 4 | low, at - 3));
        }
        if let Some([b'\\', b'u', b'0', b'0', high, low]) = self.back(at, 6)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            return Some((high << 4 | low, self.first_backslash(at - 6)));
        }
        if let Some([b'\\', byte]) = self.back(at, 2)
            && let Some(meant) = meaning(*byte)
        {
            return Some((meant, self.first_backslash(at - 2)));
        }
        Some((last, at - 1))
    }

    fn back(&self, at: usize, length: usize) -> Option<&[u8]> {
        self.bytes.get(at.checked_sub(length)?..at)
    }

    fn first_backslash(self, at: usize) -> usize {
        let row = self.bytes[..at].iter().rev().take(MOST_BACKSLASHES - 1);
        at - row.take_while(|byte| **byte == b'\\').count()
    }

    /// The character of base64 at a position, as its six bits. Line breaks, and indentation after them, are stepped over;
    /// `broken` says that one was.
    pub(super) fn next_base64(self, at: usize) -> (Next, bool) {
        let (mut at, mut broken) = (at, false);
        for _ in 0..MOST_BLANKS {
            match self.next(at) {
                Next::Byte(b'\n' | b'\r', after) => (at, broken) = (after, true),
                Next::Byte(b' ' | b'\t', after) if broken => at = after,
                Next::Byte(byte, after) => match six_bits(byte) {
                    Some(bits) => return (Next::Byte(bits, after), broken),
                    None => return (Next::End, broken),
                },
                end => return (end, broken),
            }
        }
        (Next::End, broken)
    }

    /// The character of base64 before a position: where it begins.
    pub(super) fn before_base64(self, at: usize) -> Option<usize> {
        let (mut at, mut broken, mut blank) = (at, false, false);
        for _ in 0..MOST_BLANKS {
            let (byte, start) = self.before(at)?;
            match byte {
                b'\n' | b'\r' => broken = true,
                b' ' | b'\t' if !broken => blank = true,
                _ if six_bits(byte).is_some() && (broken || !blank) => return Some(start),
                _ => return None,
            }
            at = start;
        }
        None
    }
}

/// What a character after a backslash stands for.
fn meaning(byte: u8) -> Option<u8> {
    Some(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'"' | b'/' | b'\'' => byte,
        _ => return None,
    })
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Of both alphabets (RFC 4648 sections 4 and 5).
pub(super) fn six_bits(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

const MOST_BACKSLASHES: usize = 8;
/// Characters between two lines of base64.
const MOST_BLANKS: usize = 24;
/// SUB, for what has no byte of its own.
const SUBSTITUTE: u8 = 0x1a;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let source = Source {
            bytes: text.as_bytes(),
            ended: true,
        };
        let (mut at, mut read) = (0, String::new());
        while let Next::Byte(byte, after) = source.next(at) {
            read.push(char::from(byte));
            at = after;
        }
        read
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(read("%67hp%5f"), "ghp_");
        assert_eq!(read(r"\u0067hp\u005F\/"), "ghp_/");
        assert_eq!(read(r"KEY-----\nMII\\nA"), "KEY-----\nMII\nA");
        assert_eq!(read(r"\u20ac\q%zz%4"), "\u{1a}\\q%zz%4");
    }

    #[test]
    fn what_is_cut_is_not_guessed() {
        for cut in ["%", "%4", "\\", "\\u00", "\\\\"] {
            let source = Source {
                bytes: cut.as_bytes(),
                ended: false,
            };
            assert_eq!(source.next(0), Next::More, "{cut}");
        }
        let whole = Source {
            bytes: b"%z",
            ended: false,
        };
        assert_eq!(whole.next(0), Next::Byte(b'%', 1));
    }

    #[test]
    fn reading_back_undoes_the_same() {
        let back = |text: &str| {
            let source = Source {
                bytes: text.as_bytes(),
                ended: true,
            };
            source.before(text.len())
        };
        assert_eq!(back("a%3D"), Some((b'=', 1)));
        assert_eq!(back(r"a\u003d"), Some((b'=', 1)));
        assert_eq!(back(r"a\\n"), Some((b'\n', 1)));
        assert_eq!(back("an"), Some((b'n', 1)));
        assert_eq!(back(""), None);
    }

    #[test]
    fn base64_goes_on_over_line_breaks() {
        let source = Source {
            bytes: b"A\r\n  B C",
            ended: true,
        };
        assert_eq!(source.next_base64(1), (Next::Byte(1, 6), true));
        assert_eq!(source.next_base64(6), (Next::End, false));
        assert_eq!(source.before_base64(5), Some(0));
        assert_eq!(source.before_base64(7), None, "a space alone is no line break");
    }
}
