//! Content codings (RFC 9110 section 8.4) undone as their bytes come, to look at what is in them: of what a sandbox sends, which
//! stays coded on its way, and of what it is sent where a secret may be in that, which goes on decoded.

use thiserror::Error;

mod aws_chunked;
mod brotli;
mod inflate;
mod stack;
mod zstd;

pub(crate) use stack::Codings;

use aws_chunked::AwsChunked;
use brotli::Brotli;
use inflate::Inflate;
use zstd::Zstd;

/// Undoes one coding.
pub(crate) struct Decoder {
    kind: Kind,
    coded: u64,
    decoded: u64,
}

enum Kind {
    Identity,
    Inflate(Box<Inflate>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
    AwsChunked(AwsChunked),
}

/// Why what is in a body cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// The coding is not known here, or there are several.
    #[error("its content coding is not one that can be looked into")]
    Unknown,
    /// It is not what it says.
    #[error("it is not {coding} as it says")]
    Broken {
        /// Which coding.
        coding: &'static str,
    },
    /// It ends within the coding.
    #[error("its {coding} ends early")]
    Truncated {
        /// Which coding.
        coding: &'static str,
    },
    /// It becomes too large.
    #[error("it becomes more than {LARGEST_RATIO} times as large when it is decoded")]
    Bomb,
    /// It would take too much memory.
    #[error("its zstd needs a window of more than {} MiB", LARGEST_WINDOW >> 20)]
    Window,
}

/// Takes decoded bytes.
type Give<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Unreadable>;

/// What was done at once.
struct Step {
    /// So many coded bytes were taken.
    used: usize,
    /// There may be more to give without more bytes.
    goes_on: bool,
}

impl Step {
    const NONE: Self = Self {
        used: 0,
        goes_on: false,
    };
}

impl Decoder {
    /// Of a `Content-Encoding`; none is no coding.
    pub(crate) fn named(coding: Option<&str>) -> Result<Self, Unreadable> {
        let name = coding.unwrap_or("identity").trim().to_ascii_lowercase();
        let kind = match name.as_str() {
            "identity" | "" => Kind::Identity,
            "gzip" | "x-gzip" => Kind::Inflate(Box::new(Inflate::gzip())),
            "deflate" => Kind::Inflate(Box::new(Inflate::deflate())),
            "br" => Kind::Brotli(Box::new(Brotli::new())),
            "zstd" => Kind::Zstd(Box::new(Zstd::new())),
            "aws-chunked" => Kind::AwsChunked(AwsChunked::new()),
            _ => return Err(Unreadable::Unknown),
        };
        Ok(Self {
            kind,
            coded: 0,
            decoded: 0,
        })
    }

    /// Of the messages of a WebSocket (RFC 7692), one after another.
    pub(crate) fn of_messages() -> Self {
        Self {
            kind: Kind::Inflate(Box::new(Inflate::messages())),
            coded: 0,
            decoded: 0,
        }
    }

    /// Takes coded bytes and gives decoded ones. Returns how many of all coded bytes have been decoded: the rest belongs to what
    /// is not whole yet.
    pub(crate) fn decode(&mut self, bytes: &[u8], mut give: impl FnMut(&[u8])) -> Result<u64, Unreadable> {
        self.coded += bytes.len() as u64;
        let (coded, decoded) = (self.coded, &mut self.decoded);
        let mut counted = |bytes: &[u8]| {
            *decoded += bytes.len() as u64;
            if *decoded > ALWAYS_ALLOWED + coded.saturating_mul(LARGEST_RATIO) {
                return Err(Unreadable::Bomb);
            }
            give(bytes);
            Ok(())
        };
        let waiting = match &mut self.kind {
            Kind::Identity => {
                give(bytes);
                0
            }
            Kind::Inflate(inflate) => all(bytes, |bytes| inflate.step(bytes, &mut counted))?,
            Kind::Brotli(brotli) => all(bytes, |bytes| brotli.step(bytes, &mut counted))?,
            Kind::Zstd(zstd) => zstd.decode(bytes, &mut counted)?,
            Kind::AwsChunked(chunked) => all(bytes, |bytes| chunked.step(bytes, &mut counted))?,
        };
        Ok(self.coded - waiting)
    }

    /// Takes some of the coded bytes and gives what comes of them: a piece, and never all that a bomb becomes.
    fn step(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        let step = match &mut self.kind {
            Kind::Identity => give(bytes).map(|()| Step {
                used: bytes.len(),
                goes_on: false,
            }),
            Kind::Inflate(inflate) => inflate.step(bytes, give),
            Kind::Brotli(brotli) => brotli.step(bytes, give),
            Kind::Zstd(zstd) => zstd.step(bytes, give),
            Kind::AwsChunked(chunked) => chunked.step(bytes, give),
        }?;
        self.coded += step.used as u64;
        Ok(step)
    }

    /// Nothing follows.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        let (whole, coding) = match &self.kind {
            Kind::Identity => (true, ""),
            Kind::Inflate(inflate) => (inflate.is_whole(), inflate.coding()),
            Kind::Brotli(brotli) => (brotli.is_whole(), "br"),
            Kind::Zstd(zstd) => (zstd.is_whole(), "zstd"),
            Kind::AwsChunked(chunked) => (chunked.is_whole(), "aws-chunked"),
        };
        if whole || self.coded == 0 {
            Ok(())
        } else {
            Err(Unreadable::Truncated { coding })
        }
    }

    /// True when decoded bytes are the coded ones.
    pub(crate) fn is_identity(&self) -> bool {
        matches!(self.kind, Kind::Identity)
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder at {} of {}", self.decoded, self.coded)
    }
}

/// Takes all bytes. None of them waits.
fn all(mut bytes: &[u8], mut step: impl FnMut(&[u8]) -> Result<Step, Unreadable>) -> Result<u64, Unreadable> {
    loop {
        let Step { used, goes_on } = step(bytes)?;
        bytes = &bytes[used..];
        if bytes.is_empty() && !goes_on {
            return Ok(0);
        }
    }
}

/// Logs compress twenty- to fiftyfold; what does far better was made to.
const LARGEST_RATIO: u64 = 200;
const ALWAYS_ALLOWED: u64 = 1 << 20;
/// The largest that HTTP allows (RFC 9659).
const LARGEST_WINDOW: u64 = 8 << 20;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn decoded(coding: &str, bytes: &[u8], step: usize) -> Result<Vec<u8>, Unreadable> {
        let (mut decoder, mut all) = (Decoder::named(Some(coding)).unwrap(), Vec::new());
        for piece in bytes.chunks(step) {
            decoder.decode(piece, |bytes| all.extend_from_slice(bytes))?;
        }
        decoder.finish().map(|()| all)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut coded = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
        coded.extend_from_slice(b"name\0");
        coded.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
        coded.extend_from_slice(&crate::dlp::crc32(text).to_le_bytes());
        coded.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        coded
    }

    #[test]
    fn every_coding_is_undone_in_whatever_pieces() {
        let text: Vec<u8> = (0..50_000_u32)
            .flat_map(|n| (n * n).to_string().into_bytes())
            .collect();
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        let raw = miniz_oxide::deflate::compress_to_vec(&text, 6);
        let members = [gzip(&text), gzip(&text)].concat();
        let zstd = ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest);
        for step in [1, 7, 1000, 1 << 20] {
            assert_eq!(decoded("gzip", &members, step).unwrap(), text.repeat(2));
            assert_eq!(decoded("deflate", &zlib, step).unwrap(), text);
            assert_eq!(decoded("deflate", &raw, step).unwrap(), text);
            assert_eq!(decoded("zstd", &zstd, step).unwrap(), text);
            assert_eq!(decoded("zstd", &zstd.repeat(2), step).unwrap(), text.repeat(2));
            // printf 'hello hello hello hello' | brotli
            assert_eq!(decoded("br", BROTLI, step).unwrap(), b"hello hello hello hello");
        }
    }

    #[test]
    fn what_is_no_coding_is_said() {
        let text = b"plain text, and a lot of it, that nobody compressed at all";
        for coding in ["gzip", "zstd", "br"] {
            assert!(decoded(coding, text, 5).is_err(), "{coding}");
        }
        assert_eq!(Decoder::named(Some("gzip, br")).unwrap_err(), Unreadable::Unknown);
        assert_eq!(
            Decoder::named(Some("aes128gcm")).unwrap_err(),
            Unreadable::Unknown
        );
        let whole = gzip(text);
        assert_eq!(
            decoded("gzip", &whole[..whole.len() - 9], 5).unwrap_err(),
            Unreadable::Truncated { coding: "gzip" }
        );
        let trailed = [&whole[..], &text[..]].concat();
        assert!(decoded("gzip", &trailed, 5).is_err(), "what follows could hide");
        assert!(decoded("br", &[BROTLI, text].concat(), 5).is_err());
    }

    #[test]
    fn uploads_to_s3_are_read_without_the_lines_between_their_chunks() {
        let signed = format!(";chunk-signature={}", "0".repeat(64));
        for signature in ["", &signed] {
            let body = format!(
                "3{signature}\r\nabc\r\nA{signature}\r\n0123456789\r\n0{signature}\r\nx-amz-checksum-crc32:x\r\n\r\n"
            );
            for step in [1, 2, 7, 1000] {
                let read = decoded("aws-chunked", body.as_bytes(), step).unwrap();
                assert_eq!(read, b"abc0123456789\nx-amz-checksum-crc32:x");
            }
            assert!(decoded("aws-chunked", &body.as_bytes()[..body.len() - 2], 9).is_err());
            assert!(decoded("aws-chunked", format!("{body}more\r\n").as_bytes(), 9).is_err());
        }
        for hides in [
            "3;a=secret\r\nabc\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "+3\r\nabc\r\n",
            "3;chunk-signature=ab\r\nabc\r\n",
        ] {
            assert!(decoded("aws-chunked", hides.as_bytes(), 9).is_err(), "{hides:?}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert_eq!(decoded("gzip", &bomb, 4096).unwrap_err(), Unreadable::Bomb);
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]; // a window of 2 MiB
        for _ in 0..5000 {
            frame.extend_from_slice(&[0x02, 0x00, 0x10, b'x']); // 128 KiB of x
        }
        assert_eq!(decoded("zstd", &frame, 4096).unwrap_err(), Unreadable::Bomb);
    }

    const BROTLI: &[u8] = &[
        0x1b, 0x16, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0x96, 0x6c, 0x20, 0x6f, 0x21, 0x4f,
        0x1c, 0xe0, 0x38,
    ];
}
