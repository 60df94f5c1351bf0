//! Anchors: the few bytes by which a shape is searched for.

use std::ops::RangeInclusive;

use thiserror::Error;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteSet([u64; 4]);

/// A sequence of sets of bytes, and how far into a match it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    sets: Vec<ByteSet>,
    at: RangeInclusive<usize>,
}

/// Why a text is no anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnchorError {
    /// `[a-`.
    #[error("a class is not closed, or empty")]
    Class,
    /// Fewer than [`Anchor::LEAST`] bytes.
    #[error("an anchor has at least {} bytes", Anchor::LEAST)]
    TooShort,
}

impl ByteSet {
    /// These bytes.
    pub fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self::default();
        for byte in bytes {
            set.insert(byte);
        }
        set
    }

    /// Adds one.
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Whether it is one of these.
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Anchor {
    /// Fewer would be found everywhere.
    pub const LEAST: usize = 4;

    /// Reads literals and classes: `SK[0-9a-f][0-9a-f]`. `at`: how many bytes of a match come before it.
    pub fn parse(text: &str, at: RangeInclusive<usize>) -> Result<Self, AnchorError> {
        let mut sets = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first == b'[' {
                let end = after
                    .iter()
                    .position(|byte| *byte == b']')
                    .ok_or(AnchorError::Class)?;
                sets.push(class(&after[..end])?);
                rest = &after[end + 1..];
            } else {
                sets.push(ByteSet::of([first]));
                rest = after;
            }
        }
        if sets.len() < Self::LEAST {
            return Err(AnchorError::TooShort);
        }
        Ok(Self { sets, at })
    }

    /// These bytes, at the beginning of a match. Followed by anything, where they are few.
    pub(crate) fn literal(bytes: &[u8]) -> Self {
        let mut sets: Vec<ByteSet> = bytes.iter().map(|byte| ByteSet::of([*byte])).collect();
        while sets.len() < Self::LEAST {
            sets.push(ByteSet::of(0..=u8::MAX));
        }
        Self { sets, at: 0..=0 }
    }

    /// Its bytes.
    pub fn sets(&self) -> &[ByteSet] {
        &self.sets
    }

    /// How many bytes of a match come before it.
    pub fn at(&self) -> RangeInclusive<usize> {
        self.at.clone()
    }
}

/// `0-9a-f_-`: ranges and single bytes; `-` is itself at the end.
fn class(text: &[u8]) -> Result<ByteSet, AnchorError> {
    let mut set = ByteSet::default();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match after {
            [b'-', last, more @ ..] if first <= *last => {
                (first..=*last).for_each(|byte| set.insert(byte));
                rest = more;
            }
            _ => {
                set.insert(first);
                rest = after;
            }
        }
    }
    if set.is_empty() {
        return Err(AnchorError::Class);
    }
    Ok(set)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn literals_and_classes_are_read() {
        let anchor = Anchor::parse("SK[0-9a-c_-]x", 0..=0).unwrap();
        assert_eq!(anchor.sets().len(), 4);
        let class = anchor.sets()[2];
        assert_eq!(class.iter().collect::<Vec<_>>(), b"-0123456789_abc");
        assert!(class.contains(b'-') && !class.contains(b'd'));
    }

    #[test]
    fn what_is_short_or_open_is_refused() {
        assert_eq!(Anchor::parse("abc", 0..=0), Err(AnchorError::TooShort));
        assert_eq!(Anchor::parse("abc[a-", 0..=0), Err(AnchorError::Class));
        assert_eq!(Anchor::parse("abc[]", 0..=0), Err(AnchorError::Class));
    }
}
