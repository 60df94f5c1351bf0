//! Changes that make one object of another (gitformat-pack(5), "Deltified representation").

/// The object that the changes make of `base`; nothing if they are none, or make more than `most` bytes.
pub(super) fn apply(base: &[u8], changes: &[u8], most: usize) -> Option<Vec<u8>> {
    let (base_size, changes) = size(changes)?;
    let (made_size, mut changes) = size(changes)?;
    if base_size != base.len() || made_size > most {
        return None;
    }
    let mut made = Vec::with_capacity(made_size);
    while let Some((instruction, rest)) = changes.split_first() {
        let (piece, rest) = match instruction {
            0 => return None,
            length if length & 0x80 == 0 => rest.split_at_checked(usize::from(*length))?,
            copy => copied(base, *copy, rest)?,
        };
        if made.len() + piece.len() > made_size {
            return None;
        }
        made.extend_from_slice(piece);
        changes = rest;
    }
    (made.len() == made_size).then_some(made)
}

/// A part of the base: four bits tell which bytes of its offset follow, three which of its length.
fn copied<'a>(base: &'a [u8], copy: u8, mut rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut number = |bits: std::ops::Range<u32>| {
        let first = bits.start;
        bits.filter(|bit| copy & 1 << bit != 0)
            .try_fold(0_usize, |number, bit| {
                let (byte, left) = rest.split_first()?;
                rest = left;
                Some(number | usize::from(*byte) << (8 * (bit - first)))
            })
    };
    let (offset, length) = (number(0..4)?, number(4..7)?);
    let length = if length == 0 { 0x1_0000 } else { length };
    Some((base.get(offset..offset.checked_add(length)?)?, rest))
}

/// Seven bits a byte, the least significant first.
fn size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let size = bytes[..=last]
        .iter()
        .rev()
        .fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
    Some((size, &bytes[last + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_insertions_make_an_object() {
        let base = b"tree and more";
        let changes = [13, 9, 0x91, 0, 5, 4, b'o', b'n', b'c', b'e'];
        assert_eq!(apply(base, &changes, 100).as_deref(), Some(&b"tree once"[..]));
        assert_eq!(apply(base, &changes, 8), None, "more than anyone wants");
        assert_eq!(apply(b"another", &changes, 100), None, "of another base");
        assert_eq!(apply(base, &changes[..6], 100), None, "cut off");
        assert_eq!(apply(base, &[13, 1, 0], 100), None, "an instruction that is none");
        assert_eq!(apply(base, &[13, 5, 0x91, 12, 5], 100), None, "beyond the base");
        assert_eq!(
            apply(base, &[13, 1, 2, b'a', b'b'], 100),
            None,
            "more than it says"
        );
    }
}
