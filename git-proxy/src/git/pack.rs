//! The beginning of a pack (gitformat-pack(5)): that it is one, and how many objects it says that it has.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Sees a pack pass by that follows the commands of a push. Nothing of it is passed on before its first twelve bytes are those of a
/// pack, so that nothing else can follow the commands: neither push options nor further commands.
#[derive(Debug, Default)]
pub struct PackReader {
    expected: Expected,
    begin: BytesMut,
    seen: Option<PackSeen>,
}

/// What was seen of a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackSeen {
    /// How many objects it says that it has.
    pub objects: u32,
    /// How many bytes it has, so far.
    pub bytes: u64,
}

/// What follows the commands of a push is not what may.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PackError {
    /// Nothing may follow.
    #[error("it only deletes refs, and yet something follows its commands")]
    NotExpected,
    /// It is no pack.
    #[error("what follows its commands is no pack, but `{}`", .0.escape_ascii())]
    NoPack(Bytes),
    /// It is a pack of another version.
    #[error("its pack is of version {0}, which git does not make")]
    Version(u32),
    /// There is none, or it ends within its first bytes.
    #[error("its pack is missing or cut off")]
    CutOff,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    #[default]
    Pack,
    Nothing,
}

impl PackReader {
    /// For a push that has no pack: "the packfile MUST NOT be sent if the only command used is delete".
    pub(super) fn of_none() -> Self {
        Self {
            expected: Expected::Nothing,
            ..Self::default()
        }
    }

    /// Takes the next piece of the body, and gives what may be sent on.
    pub fn feed(&mut self, piece: Bytes) -> Result<Bytes, PackError> {
        if piece.is_empty() {
            return Ok(piece);
        }
        if self.expected == Expected::Nothing {
            return Err(PackError::NotExpected);
        }
        if let Some(seen) = &mut self.seen {
            seen.bytes += piece.len() as u64;
            return Ok(piece);
        }
        self.begin.extend_from_slice(&piece);
        let Some((header, _)) = self.begin.split_first_chunk::<HEADER>() else {
            return may_begin_one(&self.begin).map(|()| Bytes::new());
        };
        may_begin_one(header)?;
        self.seen = Some(PackSeen {
            objects: number(header, 8)?,
            bytes: self.begin.len() as u64,
        });
        Ok(std::mem::take(&mut self.begin).freeze())
    }

    /// The body has ended: what was seen. Nothing for a push that only deletes.
    pub fn end(self) -> Result<PackSeen, PackError> {
        match (self.expected, self.seen) {
            (Expected::Nothing, _) => Ok(PackSeen::default()),
            (Expected::Pack, Some(seen)) => Ok(seen),
            (Expected::Pack, None) => Err(PackError::CutOff),
        }
    }
}

/// Whether a pack may begin with these bytes, twelve at most.
fn may_begin_one(begin: &[u8]) -> Result<(), PackError> {
    let magic = &begin[..begin.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(PackError::NoPack(Bytes::copy_from_slice(magic)));
    }
    if begin.len() < HEADER {
        return Ok(());
    }
    match number(begin, 4)? {
        2 | 3 => Ok(()),
        version => Err(PackError::Version(version)),
    }
}

fn number(begin: &[u8], at: usize) -> Result<u32, PackError> {
    let bytes = begin.get(at..).and_then(|from| from.first_chunk::<4>());
    bytes
        .map(|four| u32::from_be_bytes(*four))
        .ok_or(PackError::CutOff)
}

const MAGIC: &[u8] = b"PACK";

const HEADER: usize = 12;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn pass(reader: &mut PackReader, bytes: &[u8]) -> Result<Vec<u8>, PackError> {
        let mut passed = Vec::new();
        for byte in bytes {
            passed.extend_from_slice(&reader.feed(Bytes::copy_from_slice(&[*byte]))?);
        }
        Ok(passed)
    }

    #[test]
    fn a_pack_passes_as_it_is_and_is_counted() {
        let pack = b"PACK\0\0\0\x02\0\0\x01\x02and what follows";
        let mut reader = PackReader::default();
        assert_eq!(pass(&mut reader, pack).unwrap(), pack);
        let seen = PackSeen {
            objects: 258,
            bytes: pack.len() as u64,
        };
        assert_eq!(reader.end(), Ok(seen));
        let mut reader = PackReader::default();
        assert_eq!(reader.feed(Bytes::from_static(pack)).unwrap(), &pack[..]);
        assert_eq!(reader.end(), Ok(seen));
    }

    #[test]
    fn nothing_of_what_is_no_pack_passes() {
        for wrong in [
            &b"0000"[..],
            b"0012push-option=x0000PACK",
            b"PACk\0\0\0\x02\0\0\0\0",
            b"pack",
        ] {
            assert!(matches!(
                PackReader::default().feed(Bytes::from_static(wrong)),
                Err(PackError::NoPack(_))
            ));
        }
        let newer = PackReader::default().feed(Bytes::from_static(b"PACK\0\0\0\x04\0\0\0\0"));
        assert_eq!(newer, Err(PackError::Version(4)));
        let mut cut = PackReader::default();
        assert_eq!(pass(&mut cut, b"PACK\0\0\0\x02\0\0\0").unwrap(), b"");
        assert_eq!(cut.end(), Err(PackError::CutOff));
        assert_eq!(PackReader::default().end(), Err(PackError::CutOff));
    }

    #[test]
    fn nothing_follows_a_push_that_only_deletes() {
        assert_eq!(PackReader::of_none().end(), Ok(PackSeen::default()));
        let more = PackReader::of_none().feed(Bytes::from_static(b"P"));
        assert_eq!(more, Err(PackError::NotExpected));
    }
}
