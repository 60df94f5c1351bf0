//! Finds where four bytes of any form may stand: the first, fast look at a text.

use zeroize::{DefaultIsZeroes, Zeroizing};

use super::form::Form;

/// The grams of all forms: four bytes each, at every place.
pub(super) struct Grams {
    /// A bit for each hash.
    bits: Zeroizing<Vec<u64>>,
    /// Ordered by bucket.
    places: Zeroizing<Vec<Place>>,
    /// Where the places of each bucket begin, and where those of the last end.
    buckets: Vec<u32>,
}

/// Where a gram stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    gram: u32,
    pub(super) form: u32,
    pub(super) offset: u32,
}

impl DefaultIsZeroes for Place {}

impl Grams {
    pub(super) fn of(forms: &[Form]) -> Self {
        let mut places = Zeroizing::new(Vec::with_capacity(forms.iter().map(|form| form.text.len()).sum()));
        for (form, number) in forms.iter().zip(0..) {
            for (gram, offset) in form.text.windows(LENGTH).zip(0..) {
                let gram = u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]]);
                places.push(Place {
                    gram,
                    form: number,
                    offset,
                });
            }
        }
        places.sort_unstable_by_key(|place| bucket(place.gram));
        let mut bits = Zeroizing::new(vec![0; 1 << (BITS - 6)]);
        for place in places.iter() {
            let hash = hash(place.gram);
            bits[hash >> 6] |= 1 << (hash & 63);
        }
        let ends = (0..1 << BUCKETS).map(|number| {
            let before = places.partition_point(|place| bucket(place.gram) < number);
            u32::try_from(before).expect("a place fits into 32 bits")
        });
        let buckets = ends
            .chain([u32::try_from(places.len()).expect("a place fits into 32 bits")])
            .collect();
        Self {
            bits,
            places,
            buckets,
        }
    }

    /// Tells of each gram that a run of eight bytes or more must have here: `found` is told where in the text, and where in which
    /// form.
    pub(super) fn sweep(&self, text: &[u8], mut found: impl FnMut(usize, Place)) {
        let mut at = 0;
        while let Some(gram) = text.get(at..).and_then(<[u8]>::first_chunk::<LENGTH>) {
            let gram = u32::from_le_bytes(*gram);
            let hash = hash(gram);
            if self.bits[hash >> 6] >> (hash & 63) & 1 == 1 {
                let places = self.places_of(gram).iter();
                for place in places.filter(|place| place.gram == gram) {
                    found(at, *place);
                }
            }
            at += STRIDE;
        }
    }

    fn places_of(&self, gram: u32) -> &[Place] {
        let bucket = bucket(gram);
        &self.places[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize]
    }
}

fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

fn bucket(gram: u32) -> usize {
    hash(gram) >> (BITS - BUCKETS)
}

/// Bytes of a gram.
const LENGTH: usize = 4;
/// A run of eight bytes has a gram at one of any five places that follow each other.
const STRIDE: usize = 5;
/// 16 KiB, which stay in the nearest cache.
const BITS: u32 = 17;
const BUCKETS: u32 = 12;
