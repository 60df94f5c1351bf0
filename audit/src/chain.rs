//! The hash chain: how a line is closed, and how a closed line is taken apart again.
//!
//! A line is `{...,"prev":"H","hash":"H"}` where `hash` is SHA-256 over its bytes before `,"hash"`, and `prev` is the `hash` of the line
//! before ([`Hash::START`] in the first).

use aws_lc_rs::digest::{SHA256, digest};

/// A hash as it is written: 64 lower hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash([u8; 64]);

impl Hash {
    /// What the first line of a file has for `prev`.
    pub(crate) const START: Self = Self([b'0'; 64]);

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let digest = digest(&SHA256, bytes);
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest.as_ref()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(hex)
    }

    /// Of 64 lower hex digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().try_into().ok()?;
        text.bytes()
            .all(|digit| HEX.contains(&digit))
            .then_some(Self(digits))
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("hex digits are ASCII")
    }
}

/// Closes the line that begins at `start` of `buffer` (`{` and fields, no `}`), newline included, and returns its hash.
pub(crate) fn seal(buffer: &mut Vec<u8>, start: usize, previous: &Hash) -> Hash {
    buffer.extend_from_slice(b",\"prev\":\"");
    buffer.extend_from_slice(&previous.0);
    buffer.push(b'"');
    let hash = Hash::of(&buffer[start..]);
    buffer.extend_from_slice(HASH_FIELD);
    buffer.extend_from_slice(&hash.0);
    buffer.extend_from_slice(b"\"}\n");
    hash
}

/// A closed line (without its newline) taken apart: the hash that it claims and the one that its bytes have.
pub(crate) fn claimed_and_actual(line: &[u8]) -> Option<(Hash, Hash)> {
    let (before, after) = line.split_at_checked(line.len().checked_sub(HASH_FIELD.len() + 64 + 2)?)?;
    let claimed = after.strip_prefix(HASH_FIELD)?.strip_suffix(b"\"}")?;
    let is_hex = claimed.iter().all(|digit| HEX.contains(digit));
    let claimed = is_hex.then(|| Hash(claimed.try_into().expect("64 bytes by the split above")))?;
    Some((claimed, Hash::of(before)))
}

/// Bytes in lower hex digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes
        .iter()
        .flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

const HASH_FIELD: &[u8] = b",\"hash\":\"";
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_json_and_says_its_own_hash() {
        let mut buffer = b"{\"v\":1".to_vec();
        let hash = seal(&mut buffer, 0, &Hash::START);
        let line = buffer.strip_suffix(b"\n").unwrap();
        let (claimed, actual) = claimed_and_actual(line).unwrap();
        assert!(claimed == hash && actual == hash);
        let json: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(json["prev"], "0".repeat(64));
        assert_eq!(json["hash"], hash.as_str());
    }

    #[test]
    fn every_changed_byte_shows() {
        let mut buffer = b"{\"v\":1".to_vec();
        seal(&mut buffer, 0, &Hash::START);
        buffer.pop();
        for place in 0..buffer.len() {
            let mut changed = buffer.clone();
            changed[place] ^= 1;
            let fits = claimed_and_actual(&changed).is_some_and(|(claimed, actual)| claimed == actual);
            assert!(!fits, "byte {place}");
        }
        assert!(claimed_and_actual(b"").is_none());
    }
}
