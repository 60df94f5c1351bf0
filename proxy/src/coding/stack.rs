//! The codings of one body, undone one after the other, in pieces.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::{Decoder, Step, Unreadable};

/// Undoes the codings of a body. What it holds is bounded by what one step gives: a window of zstd at most.
#[derive(Debug)]
pub(crate) struct Codings(
    /// The one that was applied last is first.
    Vec<Stage>,
);

#[derive(Debug)]
struct Stage {
    decoder: Decoder,
    waiting: Bytes,
    /// There may be more to give without more bytes.
    goes_on: bool,
}

impl Codings {
    /// Those that a message says it has; none where it has none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Unreadable> {
        let mut stages = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let names = value.to_str().map_err(|_| Unreadable::Unknown)?;
            for name in names.split(',') {
                let decoder = Decoder::named(Some(name))?;
                if !decoder.is_identity() {
                    stages.push(Stage::new(decoder));
                }
            }
        }
        if stages.len() > MOST {
            return Err(Unreadable::Unknown);
        }
        stages.reverse();
        Ok((!stages.is_empty()).then_some(Self(stages)))
    }

    /// Takes more of the body, once nothing is left of what came before.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.0[0].waiting = bytes;
    }

    /// The next piece that comes of what was pushed; none once nothing is left of it.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Unreadable> {
        while let Some(at) = self.0.iter().rposition(Stage::has_work) {
            let given = self.0[at].step()?;
            match self.0.get_mut(at + 1) {
                _ if given.is_empty() => {}
                Some(next) => next.waiting = given,
                None => return Ok(Some(given)),
            }
        }
        Ok(None)
    }

    /// Nothing follows.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        self.0.iter().try_for_each(|stage| stage.decoder.finish())
    }
}

impl Stage {
    fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            waiting: Bytes::new(),
            goes_on: false,
        }
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.goes_on
    }

    fn step(&mut self) -> Result<Bytes, Unreadable> {
        let mut given = Vec::new();
        let Step { used, goes_on } = self.decoder.step(&self.waiting, &mut |bytes| {
            given.extend_from_slice(bytes);
            Ok(())
        })?;
        self.waiting = self.waiting.slice(used..);
        self.goes_on = goes_on;
        Ok(Bytes::from(given))
    }
}

/// Nobody has more than two.
const MOST: usize = 3;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn codings(named: &[&str]) -> Result<Option<Codings>, Unreadable> {
        let mut headers = HeaderMap::new();
        for name in named {
            headers.append(CONTENT_ENCODING, name.parse().unwrap());
        }
        Codings::of(&headers)
    }

    fn undone(named: &[&str], bytes: &[u8], at_once: usize) -> Result<Vec<u8>, Unreadable> {
        let (mut codings, mut all) = (codings(named)?.unwrap(), Vec::new());
        for piece in bytes.chunks(at_once) {
            codings.push(Bytes::copy_from_slice(piece));
            while let Some(given) = codings.next()? {
                assert!(given.len() <= 1 << 20, "never much at once");
                all.extend_from_slice(&given);
            }
        }
        codings.finish().map(|()| all)
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        miniz_oxide::deflate::compress_to_vec_zlib(text, 6)
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn codings_on_codings_are_undone_in_whatever_pieces() {
        let text: Vec<u8> = (0..60_000_u32)
            .flat_map(|n| (n * n).to_string().into_bytes())
            .collect();
        for at_once in [1, 13, 5000, usize::MAX] {
            let once = zlib(&text);
            assert_eq!(undone(&["deflate"], &once, at_once).unwrap(), text);
            let twice = zstd(&once);
            assert_eq!(undone(&["deflate, zstd"], &twice, at_once).unwrap(), text);
            assert_eq!(
                undone(&["deflate", "identity", "ZSTD"], &twice, at_once).unwrap(),
                text
            );
        }
    }

    #[test]
    fn a_bomb_comes_in_pieces() {
        let bomb = zlib(&vec![0; 8 << 20]);
        let mut codings = codings(&["deflate"]).unwrap().unwrap();
        codings.push(Bytes::from(bomb));
        let mut length = 0;
        while let Some(given) = codings.next().unwrap() {
            assert!(given.len() <= 64 << 10);
            length += given.len();
        }
        assert_eq!(length, 8 << 20);
    }

    #[test]
    fn what_cannot_be_undone_is_said() {
        assert!(codings(&[]).unwrap().is_none());
        assert!(codings(&["identity", ""]).unwrap().is_none());
        assert_eq!(codings(&["gzip, aes128gcm"]).unwrap_err(), Unreadable::Unknown);
        assert_eq!(
            codings(&["gzip", "gzip", "gzip", "gzip"]).unwrap_err(),
            Unreadable::Unknown
        );
        let (whole, broken) = (zlib(b"text"), b"no deflate at all");
        assert!(undone(&["deflate"], broken, 3).is_err());
        assert_eq!(
            undone(&["deflate"], &whole[..whole.len() - 3], 3).unwrap_err(),
            Unreadable::Truncated { coding: "deflate" }
        );
    }
}
