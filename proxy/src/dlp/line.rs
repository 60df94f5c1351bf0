//! The decoded text around an anchor, read on as far as it is asked for.

use super::pattern::{Encoding, Pattern};
use super::source::{Next, Source};

/// The text around an anchor.
pub(super) struct Line<'a> {
    source: Source<'a>,
    encoding: Encoding,
    text: Vec<u8>,
    /// Where each byte of the text ends among the raw ones.
    ends: Vec<usize>,
    /// Before these bytes of the text, lines of base64 were broken: it may also have ended there.
    breaks: Vec<usize>,
    /// How much of the text comes before the anchor.
    anchor: usize,
    /// Where to read on.
    next: usize,
    /// Nothing further is read.
    limit: usize,
    bits: u32,
    bit_count: u32,
}

/// A character of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Character {
    Is(u8),
    End,
    More,
}

impl<'a> Line<'a> {
    /// Of a pattern at this position, with what comes before it as far as the shape may begin there. None where it cannot be
    /// what the pattern says.
    pub(super) fn around(source: Source<'a>, pattern: &Pattern, at: usize) -> Option<Self> {
        let mut line = Self {
            source,
            encoding: pattern.encoding,
            text: Vec::new(),
            ends: Vec::new(),
            breaks: Vec::new(),
            anchor: 0,
            next: at,
            limit: at + LONGEST_RAW,
            bits: 0,
            bit_count: 0,
        };
        let wanted = pattern.at.1 + 1;
        match pattern.encoding {
            Encoding::Plain => line.look_back(at, wanted, Source::before),
            Encoding::Utf16 => line.look_back(at, wanted, before_wide),
            Encoding::Base64 { byte } => line.look_back_in_base64(at, byte, wanted)?,
        }
        Some(line)
    }

    /// How much of the text comes before the anchor.
    pub(super) fn anchor(&self) -> usize {
        self.anchor
    }

    /// The text as far as it was read.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a byte of the text ends among the raw ones.
    pub(super) fn raw_end(&self, index: usize) -> usize {
        self.ends[index]
    }

    /// Whether the text may also have ended before this byte of it.
    pub(super) fn may_end_before(&self, index: usize) -> bool {
        self.breaks.contains(&index)
    }

    /// The byte of the text before another.
    pub(super) fn before(&self, index: usize) -> Option<u8> {
        let before = *self.text.get(index.checked_sub(1)?)?;
        let guessed = matches!(self.encoding, Encoding::Base64 { .. }) && index >= 3 && {
            let three = &self.text[index - 3..index];
            !three
                .iter()
                .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
        };
        (!guessed).then_some(before) // base64 that begins in the middle of other characters
    }

    /// A byte of the text.
    pub(super) fn get(&mut self, index: usize) -> Character {
        while self.text.len() <= index {
            match self.read() {
                Character::Is(_) => {}
                end => return end,
            }
        }
        Character::Is(self.text[index])
    }

    fn read(&mut self) -> Character {
        if self.next >= self.limit {
            return Character::End;
        }
        match self.encoding {
            Encoding::Plain => {
                let next = self.source.next(self.next);
                self.take(next)
            }
            Encoding::Utf16 => {
                let next = self.next_wide();
                self.take(next)
            }
            Encoding::Base64 { .. } => self.read_base64(),
        }
    }

    fn take(&mut self, next: Next) -> Character {
        match next {
            Next::Byte(byte, after) => {
                self.text.push(byte);
                self.ends.push(after);
                self.next = after;
                Character::Is(byte)
            }
            Next::End => Character::End,
            Next::More => Character::More,
        }
    }

    /// The zero after the last character need not have come: what matters is the next.
    fn next_wide(&self) -> Next {
        let bytes = self.source.bytes;
        if self.text.len() > self.anchor
            && bytes
                .get(self.next.wrapping_sub(1))
                .is_some_and(|zero| *zero != 0)
        {
            return Next::End;
        }
        match bytes.get(self.next) {
            Some(&byte) if byte != 0 => Next::Byte(byte, self.next + 2),
            Some(_) => Next::End,
            None if self.source.ended => Next::End,
            None => Next::More,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "eight bits are taken")]
    fn read_base64(&mut self) -> Character {
        while self.bit_count < 8 {
            let (next, broken) = self.source.next_base64(self.next);
            match next {
                Next::Byte(six, after) => {
                    if broken {
                        self.breaks.push(self.text.len());
                    }
                    self.bits = self.bits << 6 | u32::from(six);
                    self.bit_count += 6;
                    self.next = after;
                }
                Next::End => return Character::End,
                Next::More => return Character::More,
            }
        }
        self.bit_count -= 8;
        let byte = (self.bits >> self.bit_count) as u8;
        self.take(Next::Byte(byte, self.next))
    }

    fn look_back(
        &mut self,
        at: usize,
        wanted: usize,
        before: impl Fn(Source<'a>, usize) -> Option<(u8, usize)>,
    ) {
        let mut position = at;
        while self.text.len() < wanted {
            match before(self.source, position) {
                Some((byte, start)) if at - start <= FURTHEST_BACK => {
                    self.text.push(byte);
                    self.ends.push(position);
                    position = start;
                }
                _ => break,
            }
        }
        self.text.reverse();
        self.ends.reverse();
        self.anchor = self.text.len();
    }

    /// Goes back to the beginning of the group of four characters, then by whole groups, and reads forward again.
    fn look_back_in_base64(&mut self, at: usize, byte: usize, wanted: usize) -> Option<()> {
        let mut start = at;
        for _ in 0..byte {
            start = self.source.before_base64(start)?;
        }
        let mut groups = 0;
        while groups * 3 + byte < wanted {
            let group = (0..4).try_fold(start, |at, _| self.source.before_base64(at));
            match group {
                Some(group) if at - group <= FURTHEST_BACK => (start, groups) = (group, groups + 1),
                _ => break,
            }
        }
        self.next = start;
        self.anchor = groups * 3 + byte;
        while self.text.len() < self.anchor {
            if !matches!(self.read_base64(), Character::Is(_)) {
                return None;
            }
        }
        self.breaks.clear();
        Some(())
    }
}

fn before_wide(source: Source<'_>, at: usize) -> Option<(u8, usize)> {
    match source.bytes.get(at.checked_sub(2)?..at)? {
        [byte, 0] => Some((*byte, at - 2)),
        _ => None,
    }
}

/// Of raw bytes, what is read for one match. The longest shape is 6000 bytes long.
pub(super) const LONGEST_RAW: usize = 16 << 10;
/// Of raw bytes, what is looked at before an anchor.
pub(super) const FURTHEST_BACK: usize = 512;
