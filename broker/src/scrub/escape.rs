//! What stands for another byte, and the text that it stands for.
//!
//! An escape begins with a byte that none has inside, so that escapes are the same wherever one begins to read. Those that were
//! escaped again, and again, are one: `%252B`, `\\u002b`, `&amp;#43;`.

use std::ops::Range;

use memchr::{memchr3, memchr3_iter};
use zeroize::Zeroizing;

/// An escape, in a text that begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Escape {
    /// Bytes that are no part of it: of backslashes only the last ones are.
    skipped: usize,
    /// Bytes, behind those.
    length: usize,
    stands_for: StandsFor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandsFor {
    Byte(u8),
    /// Which is its bytes in UTF-8.
    Char(char),
}

impl StandsFor {
    fn bytes(self, room: &mut [u8; 4]) -> &[u8] {
        match self {
            Self::Byte(byte) => {
                room[0] = byte;
                &room[..1]
            }
            Self::Char(char) => char.encode_utf8(room).as_bytes(),
        }
    }
}

/// What a text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    With(Escape),
    /// So many bytes, at least, stand for themselves.
    WithNone(usize),
    /// What follows decides. This many bytes belong to none.
    Undecided(usize),
}

/// The escapes of a text that matter.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    /// In order.
    pub(super) at: Vec<Range<usize>>,
    /// Where the last one begins, if it may go on behind the text.
    pub(super) unfinished: Option<usize>,
}

impl Escapes {
    /// Finds those of a text from a place on that stand for something that matters.
    pub(super) fn find(text: &[u8], from: usize, ended: bool, matters: impl Fn(u8) -> bool) -> Self {
        let (mut found, mut next) = (Self::default(), from);
        for at in memchr3_iter(b'%', b'\\', b'&', &text[from..]).map(|at| from + at) {
            if at < next {
                continue; // within the one before, or a backslash that was counted
            }
            match begins(&text[at..], ended) {
                Begins::With(escape) => {
                    let start = at + escape.skipped;
                    next = start + escape.length;
                    let mut room = [0; 4];
                    if escape
                        .stands_for
                        .bytes(&mut room)
                        .iter()
                        .any(|byte| matters(*byte))
                    {
                        found.at.push(start..next);
                    }
                }
                Begins::Undecided(skipped) => {
                    found.unfinished = Some(at + skipped);
                    break;
                }
                Begins::WithNone(literal) => next = at + literal,
            }
        }
        found
    }
}

/// The first place at `at` or behind it that is not within an escape.
pub(super) fn next_boundary(text: &[u8], from: usize, at: usize) -> usize {
    let mut start = from.max(at.saturating_sub(LONGEST));
    while start < at {
        let Some(introducer) = memchr3(b'%', b'\\', b'&', &text[start..at]) else {
            return at;
        };
        start += introducer;
        start += match begins(&text[start..], true) {
            Begins::With(escape) => escape.skipped + escape.length,
            Begins::WithNone(literal) => literal,
            Begins::Undecided(_) => 1,
        };
    }
    start
}

/// What a piece of a text stands for.
#[derive(Default)]
pub(super) struct View {
    pub(super) text: Zeroizing<Vec<u8>>,
    /// Of each byte, where what stands for it begins and ends.
    spans: Vec<(usize, usize)>,
}

impl View {
    /// Reads a piece of a text, which begins at a boundary.
    pub(super) fn of(text: &[u8], piece: Range<usize>, ended: bool) -> Self {
        let (mut view, mut at) = (Self::default(), piece.start);
        while at < piece.end {
            let next = memchr3(b'%', b'\\', b'&', &text[at..piece.end]).map_or(piece.end, |next| at + next);
            view.literally(text, at..next);
            at = next;
            if at == piece.end {
                break;
            }
            match begins(&text[at..], ended) {
                Begins::With(escape) => {
                    let (start, end) = (at + escape.skipped, at + escape.skipped + escape.length);
                    view.literally(text, at..start);
                    let mut room = [0; 4];
                    for byte in escape.stands_for.bytes(&mut room) {
                        view.text.push(*byte);
                        view.spans.push((start, end));
                    }
                    at = end;
                }
                Begins::WithNone(literal) => {
                    view.literally(text, at..at + literal);
                    at += literal;
                }
                Begins::Undecided(_) => {
                    view.literally(text, at..piece.end);
                    at = piece.end;
                }
            }
        }
        view
    }

    fn literally(&mut self, text: &[u8], at: Range<usize>) {
        self.text.extend_from_slice(&text[at.clone()]);
        self.spans.extend(at.map(|at| (at, at + 1)));
    }

    /// Where bytes of the view stand in the text.
    pub(super) fn span(&self, of: &Range<usize>) -> Range<usize> {
        self.spans[of.start].0..self.spans[of.end - 1].1
    }
}

fn begins(text: &[u8], ended: bool) -> Begins {
    let read = match text.first() {
        Some(b'%') => percent(text),
        Some(b'\\') => backslash(text),
        Some(b'&') => entity(text),
        _ => NONE,
    };
    match read {
        Begins::Undecided(_) if ended => begins_at_the_end(text),
        other => other,
    }
}

/// Nothing follows: what is there is all of it.
fn begins_at_the_end(text: &[u8]) -> Begins {
    // No escape goes on with a space, and one that is whole before it is whole.
    let read = |text: &[u8]| match text[0] {
        b'%' => percent(text),
        b'\\' => backslash(text),
        _ => entity(text),
    };
    match read(&[text, b" "].concat()) {
        Begins::With(escape) if escape.skipped + escape.length <= text.len() => Begins::With(escape),
        _ => NONE,
    }
}

/// `%2B`, and `%252B`.
fn percent(text: &[u8]) -> Begins {
    let mut at = 1;
    for _ in 0..MOST_NESTED {
        // `25` is the sign itself where two digits do not follow.
        match (text.get(at..at + 2), hex(text, at + 2, 2)) {
            (Some(b"25"), Hex::Value(_)) => at += 2,
            (Some(b"25"), Hex::GoesOn) => return Begins::Undecided(0),
            _ => break,
        }
    }
    match hex(text, at, 2) {
        Hex::Value(value) => byte(0, at + 2, low_byte(value)),
        Hex::GoesOn => Begins::Undecided(0),
        Hex::None => NONE,
    }
}

/// `\/`, `\"`, `\'`, `\u002b`, `\x2b`, each with more backslashes before it.
fn backslash(text: &[u8]) -> Begins {
    let run = text.iter().take_while(|byte| **byte == b'\\').count();
    let skipped = run.saturating_sub(MOST_BACKSLASHES);
    let length = run - skipped;
    let digits = match text.get(run) {
        None => return Begins::Undecided(skipped),
        Some(b'u') => 4,
        Some(b'x') => 2,
        Some(escaped @ (b'/' | b'"' | b'\'')) => return byte(skipped, length + 1, *escaped),
        Some(_) => return Begins::WithNone(run),
    };
    match hex(text, run + 1, digits) {
        Hex::Value(value) if digits == 2 => byte(skipped, length + 3, low_byte(value)),
        Hex::Value(value) => char(skipped, length + 5, value),
        Hex::GoesOn => Begins::Undecided(skipped),
        Hex::None => Begins::WithNone(run),
    }
}

/// `&#43;`, `&#x2b;`, `&amp;`, and `&amp;#43;`.
fn entity(text: &[u8]) -> Begins {
    let mut at = 1;
    for _ in 0..MOST_NESTED {
        match named(text, at, b"amp;") {
            Named::Is => at += 4,
            Named::GoesOn => return Begins::Undecided(0),
            Named::IsNot => break,
        }
    }
    let is_ampersand = at > 1;
    match entity_name(text, at) {
        Begins::WithNone(_) if is_ampersand => byte(0, at, b'&'),
        other => other,
    }
}

fn entity_name(text: &[u8], at: usize) -> Begins {
    const NAMES: [(&[u8], u8); 4] = [
        (b"lt;", b'<'),
        (b"gt;", b'>'),
        (b"quot;", b'"'),
        (b"apos;", b'\''),
    ];
    if text.get(at) == Some(&b'#') {
        return entity_number(text, at + 1);
    }
    for (name, stands_for) in NAMES {
        match named(text, at, name) {
            Named::Is => return byte(0, at + name.len(), stands_for),
            Named::GoesOn => return Begins::Undecided(0),
            Named::IsNot => {}
        }
    }
    NONE
}

fn entity_number(text: &[u8], mut at: usize) -> Begins {
    let radix = match text.get(at) {
        None => return Begins::Undecided(0),
        Some(b'x' | b'X') => 16,
        Some(_) => 10,
    };
    if radix == 16 {
        at += 1;
    }
    let (mut value, start) = (0_u32, at);
    while at - start <= MOST_DIGITS {
        match text.get(at) {
            None => return Begins::Undecided(0),
            Some(b';') if at > start => return char(0, at + 1, value),
            Some(digit) => match char::from(*digit).to_digit(radix) {
                Some(digit) => value = value * radix + digit,
                None => return NONE,
            },
        }
        at += 1;
    }
    NONE
}

fn byte(skipped: usize, length: usize, byte: u8) -> Begins {
    Begins::With(Escape {
        skipped,
        length,
        stands_for: StandsFor::Byte(byte),
    })
}

fn char(skipped: usize, length: usize, value: u32) -> Begins {
    char::from_u32(value).map_or(Begins::WithNone(skipped.max(1)), |char| {
        Begins::With(Escape {
            skipped,
            length,
            stands_for: StandsFor::Char(char),
        })
    })
}

/// Of two digits.
fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

enum Hex {
    Value(u32),
    GoesOn,
    None,
}

fn hex(text: &[u8], at: usize, digits: usize) -> Hex {
    let there = text.get(at..).unwrap_or_default();
    let there = &there[..there.len().min(digits)];
    let value = there.iter().try_fold(0, |value, digit| {
        char::from(*digit).to_digit(16).map(|digit| value << 4 | digit)
    });
    match value {
        None => Hex::None,
        Some(_) if there.len() < digits => Hex::GoesOn,
        Some(value) => Hex::Value(value),
    }
}

enum Named {
    Is,
    GoesOn,
    IsNot,
}

fn named(text: &[u8], at: usize, name: &[u8]) -> Named {
    let there = text.get(at..).unwrap_or_default();
    let there = &there[..there.len().min(name.len())];
    match name.starts_with(there) {
        true if there.len() == name.len() => Named::Is,
        true => Named::GoesOn,
        false => Named::IsNot,
    }
}

const NONE: Begins = Begins::WithNone(1);
/// How often what was escaped may have been escaped again.
const MOST_NESTED: usize = 3;
/// The same of backslashes, which double.
const MOST_BACKSLASHES: usize = 8;
/// Digits of a number, `&#0000043;`.
const MOST_DIGITS: usize = 7;
/// Bytes of an escape. A number that was escaped three times is the longest.
const LONGEST: usize = 1 + 4 * MOST_NESTED + 2 + MOST_DIGITS + 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> String {
        let view = View::of(text.as_bytes(), 0..text.len(), true);
        String::from_utf8(view.text.to_vec()).expect("UTF-8")
    }

    #[test]
    fn each_escape_stands_for_its_byte() {
        for escape in [
            "%2B",
            "%2b",
            "%252b",
            "%2525252B",
            "\\u002b",
            "\\x2B",
            "\\\\u002B",
            "&#43;",
            "&#0043;",
            "&#x2b;",
            "&#X2B;",
            "&amp;#43;",
            "&amp;amp;#x2b;",
        ] {
            assert_eq!(view(&format!("a{escape}b")), "a+b", "{escape}");
            let text = format!("a{escape}b");
            let found = Escapes::find(text.as_bytes(), 0, false, |byte| byte == b'+');
            assert_eq!(found.at.first(), Some(&(1..text.len() - 1)), "{escape}");
            for cut in 2..=escape.len() {
                let cut = Escapes::find(&text.as_bytes()[..cut], 0, false, |_| true);
                assert_eq!(cut.unfinished, Some(1), "{escape}");
            }
        }
        assert_eq!(view("a\\/b \\\"c\\\" &amp;&lt; %25 %25x"), "a/b \"c\" &< % %x");
        assert_eq!(view("caf\\u00e9"), "caf\u{e9}");
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for text in [
            "100 % of", "%", "%2", "%zz", "\\n", "\\", "\\u12", "a&b=c", "&", "&#", "&#;", "&#x;", "\\ud800",
            "&am",
        ] {
            assert_eq!(view(text), text);
        }
        assert_eq!(
            view("\\\\\\\\\\\\\\\\\\\\u002b"),
            "\\\\+",
            "of ten backslashes eight are its own"
        );
    }

    #[test]
    fn a_boundary_is_never_within_an_escape() {
        let text = b"ab%2Bcd\\u002bef";
        let boundaries: Vec<usize> = (0..=text.len()).map(|at| next_boundary(text, 0, at)).collect();
        assert_eq!(
            boundaries,
            [0, 1, 2, 5, 5, 5, 6, 7, 13, 13, 13, 13, 13, 13, 14, 15]
        );
    }
}
