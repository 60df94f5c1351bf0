//! The first look at every byte: is this the middle of some pattern?
//!
//! Three bytes make a gram, and of each pattern two neighbouring grams are known, so that looking at every second position finds
//! one of them. A bitmap of hashed grams answers nearly always "no", at about a cycle per byte and independent of how many
//! patterns there are. An automaton over all of them (some 600, with their encodings) is many times slower, because every byte's
//! step depends on the one before and its table does not fit the nearest cache; vector searches take a few dozen patterns.

use outwall_policy::credential::ByteSet;

use super::pattern::Pattern;

/// Grams of all patterns.
pub(super) struct Filter {
    /// One bit per hash.
    bits: Box<[u64; HASHES / 64]>,
    /// Per hash, where its entries begin; those of the next hash follow.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

/// One gram of one pattern.
#[derive(Clone, Copy, Debug)]
struct Entry {
    gram: u32,
    pattern: u16,
    /// How far into the pattern the gram is.
    offset: u8,
}

/// Three bytes that are in the middle of a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) pattern: usize,
    pub(super) offset: usize,
}

impl Filter {
    pub(super) fn new(patterns: &[Pattern]) -> Self {
        let mut entries: Vec<Entry> = (0..)
            .zip(patterns)
            .flat_map(|(index, pattern)| grams(index, pattern))
            .collect();
        entries.sort_by_key(|entry| hash(entry.gram));
        let mut bits = Box::new([0; HASHES / 64]);
        let mut starts = vec![0; HASHES + 1];
        for entry in &entries {
            let hash = hash(entry.gram);
            bits[hash / 64] |= 1 << (hash % 64);
            starts[hash + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self {
            bits,
            starts,
            entries,
        }
    }

    /// Tells of patterns in `bytes` by one of their grams, at every second position from `first` on: each pattern once, if both
    /// its grams are looked at here or in the next call. Returns the next position to look at.
    pub(super) fn sweep(&self, bytes: &[u8], first: usize, mut tell: impl FnMut(usize, Hit)) -> usize {
        let mut at = first;
        while let Some(eight) = bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(eight.try_into().expect("it is eight bytes"));
            let grams = [low_gram(word), low_gram(word >> 16), low_gram(word >> 32)];
            if self.may_be(grams[0]) | self.may_be(grams[1]) | self.may_be(grams[2]) {
                for (index, gram) in grams.into_iter().enumerate() {
                    let place = at + 2 * index;
                    if !self.may_be(gram) {
                        continue;
                    }
                    self.entries(gram, |entry| tell(place, Hit::of(entry)));
                }
            }
            at += 6;
        }
        while let Some(three) = bytes.get(at..at + 3) {
            self.entries(gram(three), |entry| tell(at, Hit::of(entry)));
            at += 2;
        }
        at
    }

    #[inline]
    fn may_be(&self, gram: u32) -> bool {
        let hash = hash(gram);
        self.bits[hash / 64 % (HASHES / 64)] & (1 << (hash % 64)) != 0
    }

    #[inline(never)]
    fn entries(&self, gram: u32, tell: impl FnMut(Entry)) {
        let hash = hash(gram);
        let own = self.starts[hash] as usize..self.starts[hash + 1] as usize;
        self.entries[own]
            .iter()
            .filter(|entry| entry.gram == gram)
            .copied()
            .for_each(tell);
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter of {} grams", self.entries.len())
    }
}

impl Hit {
    fn of(entry: Entry) -> Self {
        Self {
            pattern: usize::from(entry.pattern),
            offset: usize::from(entry.offset),
        }
    }
}

/// Both grams of a pattern, in all their spellings, where they have the fewest.
fn grams(index: u16, pattern: &Pattern) -> Vec<Entry> {
    let spellings = |at: usize| -> usize { pattern.sets[at..at + 3].iter().map(ByteSet::len).product() };
    let best = (0..=pattern.sets.len() - 4).min_by_key(|at| spellings(*at) + spellings(at + 1));
    let best = best.expect("a pattern has at least four bytes");
    let mut entries = Vec::new();
    for offset in [best, best + 1] {
        let [a, b, c] = [0, 1, 2].map(|step| pattern.sets[offset + step]);
        for a in a.iter() {
            for b in b.iter() {
                entries.extend(c.iter().map(|c| Entry {
                    gram: gram(&[a, b, c]),
                    pattern: index,
                    offset: u8::try_from(offset).expect("patterns are short"),
                }));
            }
        }
    }
    entries
}

fn gram(three: &[u8]) -> u32 {
    u32::from(three[0]) | u32::from(three[1]) << 8 | u32::from(three[2]) << 16
}

#[expect(clippy::cast_possible_truncation, reason = "three bytes are asked for")]
fn low_gram(word: u64) -> u32 {
    word as u32 & 0x00ff_ffff
}

#[inline]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

/// The bitmap takes 32 KiB, so that few bits are set and it is still near.
const BITS: u32 = 17;
const HASHES: usize = 1 << BITS;
