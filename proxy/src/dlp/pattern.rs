//! Anchors in the encodings that they travel in: sequences of sets of raw bytes.

use outwall_policy::credential::{Anchor, ByteSet, SharedShape};

/// How a credential is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is, with percent or JSON escapes.
    Plain,
    /// In base64; the anchor begins at this byte of a group of three, and so at this character of a group of four.
    Base64 {
        /// 0, 1 or 2.
        byte: usize,
    },
    /// Every character followed, or preceded, by a zero.
    Utf16,
}

/// An anchor in one encoding.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Index of the shape.
    pub(super) shape: usize,
    pub(super) encoding: Encoding,
    /// Of raw bytes, the first of which is the anchor's first.
    pub(super) sets: Vec<ByteSet>,
    /// How many decoded bytes of the credential come before the anchor, at least and at most.
    pub(super) at: (usize, usize),
}

/// The patterns of all shapes.
pub(super) fn all_of(shapes: &[SharedShape]) -> Vec<Pattern> {
    let anchors = shapes.iter().enumerate().flat_map(|(shape, known)| {
        let anchors = known.anchors().iter();
        anchors.map(move |anchor| (shape, anchor))
    });
    anchors
        .flat_map(|(shape, anchor)| ENCODINGS.map(|encoding| Pattern::new(shape, anchor, encoding)))
        .collect()
}

impl Pattern {
    fn new(shape: usize, anchor: &Anchor, encoding: Encoding) -> Self {
        let mut sets = match encoding {
            Encoding::Plain => anchor.sets().to_vec(),
            Encoding::Base64 { byte } => in_base64(anchor.sets(), byte),
            Encoding::Utf16 => in_utf16(anchor.sets()),
        };
        sets.truncate(LONGEST);
        let at = anchor.at();
        Self {
            shape,
            encoding,
            sets,
            at: (*at.start(), *at.end()),
        }
    }
}

fn in_utf16(sets: &[ByteSet]) -> Vec<ByteSet> {
    let zero = ByteSet::of([0]);
    let mut wide: Vec<ByteSet> = sets.iter().flat_map(|set| [*set, zero]).collect();
    wide.pop(); // in big-endian the zero comes first
    wide
}

/// The characters of base64 that are known when these bytes begin at this byte of a group. A character may hold bits of two
/// bytes; of one that is not known it may hold any.
fn in_base64(sets: &[ByteSet], byte: usize) -> Vec<ByteSet> {
    let any = ByteSet::of(0..=u8::MAX);
    let known = |index: usize| -> ByteSet {
        let own = index.checked_sub(byte).and_then(|own| sets.get(own));
        own.copied().unwrap_or(any)
    };
    let last = ((byte + sets.len()) * 8 - 1) / 6;
    let characters = (byte..=last).map(|character| {
        let bit = character * 6;
        let (first, second) = (known(bit / 8), known(bit / 8 + 1));
        characters(&first, &second, bit % 8)
    });
    characters.collect()
}

/// The characters that six bits can be, from this bit of the first byte on.
fn characters(first: &ByteSet, second: &ByteSet, bit: usize) -> ByteSet {
    let mut found = ByteSet::default();
    let spills = bit > 2; // into the second byte
    for high in first.iter() {
        for low in second.iter().take(if spills { 256 } else { 1 }) {
            let both = (u16::from(high) << 8) | u16::from(low);
            let six = usize::from((both >> (10 - bit)) & 63);
            found.insert(STANDARD[six]);
            found.insert(URL_SAFE[six]);
        }
    }
    found
}

const ENCODINGS: [Encoding; 5] = [
    Encoding::Plain,
    Encoding::Base64 { byte: 0 },
    Encoding::Base64 { byte: 1 },
    Encoding::Base64 { byte: 2 },
    Encoding::Utf16,
];
/// More is not needed to tell an anchor; the expression reads it all again.
pub(super) const LONGEST: usize = 12;
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn sets(text: &str) -> Vec<ByteSet> {
        Anchor::parse(text, 0..=0).unwrap().sets().to_vec()
    }

    #[test]
    fn known_base64_is_matched_at_every_alignment() {
        // printf '%s' 'ghp_' 'xghp_' 'xyghp_' | base64
        for (byte, encoded) in [(0, "Z2hwXw"), (1, "eGdocF8"), (2, "eHlnaHBf")] {
            let known = in_base64(&sets("ghp_"), byte);
            let text = &encoded.as_bytes()[byte..];
            assert!(known.len() <= text.len() + 1, "{byte}");
            for (set, character) in known.iter().zip(text) {
                assert!(set.contains(*character), "{byte}: {}", char::from(*character));
                assert!(set.len() <= 32);
            }
        }
    }

    #[test]
    fn both_alphabets_are_known() {
        let known = in_base64(
            &[ByteSet::of([0xfb]), ByteSet::of([0xef]), ByteSet::of([0xbe])],
            0,
        );
        assert!(known[0].contains(b'+') && known[0].contains(b'-'));
    }
}
