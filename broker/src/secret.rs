//! [`Secret`]: the bytes that are put into requests, and what is done so that they are nowhere else.
//!
//! Each has pages of memory of its own, which are kept from the swap where the system permits it (`mlock(2)`), and are wiped before
//! they are given back. It has no `Display`, no `Serialize`, no `Clone`, and its `Debug` shows nothing: it is shared as
//! `Arc<Secret>`, and [`Secret::expose`] is what to search for in a review.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::de::IgnoredAny;
use thiserror::Error;
use zeroize::Zeroize as _;

/// The secret of a credential: what may stand in the value of a header (RFC 9110 section 5.5).
pub struct Secret {
    /// Room for whole pages wherever it begins, so that no page of it is anybody else's: locks are by page, and do not nest.
    room: Box<[u8]>,
    start: usize,
    length: usize,
    /// Unlocks when it is dropped, which is after `drop` has wiped.
    locked: Option<region::LockGuard>,
    generation: u64,
}

/// Whether a secret may be written to the swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Residence {
    /// Its memory is locked.
    Locked,
    /// The system refused (`RLIMIT_MEMLOCK`): whoever can read the swap, or a hibernation image, may find it.
    Swappable,
}

/// Why something is no secret that can be used. It never says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Unfit {
    /// Nothing, or a line break.
    #[error("it is empty")]
    Empty,
    /// CR or LF within.
    #[error("it has more than one line")]
    SeveralLines,
    /// A NUL byte, or another that no header may hold.
    #[error("it has a control character within")]
    Control,
    /// White space that would be lost on the way.
    #[error("it begins or ends with white space")]
    WhiteSpace,
    /// More than [`LONGEST_SECRET`].
    #[error("it is longer than {LONGEST_SECRET} bytes")]
    TooLong,
}

/// In bytes. Servers take heads of 8 to 64 KiB.
pub const LONGEST_SECRET: usize = 64 * 1024;

impl Secret {
    /// Of what a source gave: without the one line break at its end that editors and programs put there. Of a JSON object the other
    /// line breaks, which mean nothing in there, become spaces (what `credential_process` prints has several lines).
    pub fn from_text(text: &[u8]) -> Result<Self, Unfit> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            return Err(Unfit::Empty);
        }
        if text.len() > LONGEST_SECRET {
            return Err(Unfit::TooLong);
        }
        let mut secret = Self::copied(text);
        if secret.is_json_object() {
            secret.join_lines();
        }
        fault(secret.expose()).map_or(Ok(secret), Err)
    }

    /// The bytes. Whoever copies them wipes the copy.
    pub fn expose(&self) -> &[u8] {
        &self.room[self.start..self.start + self.length]
    }

    /// A number that no other secret of this process has: what is made of a secret is made again when it differs.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it may be written to the swap.
    pub fn residence(&self) -> Residence {
        match self.locked {
            Some(_) => Residence::Locked,
            None => Residence::Swappable,
        }
    }

    /// Whether these are the same bytes. Takes as long wherever they differ.
    pub fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.expose(), other.expose()).is_ok()
    }

    fn copied(bytes: &[u8]) -> Self {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        let page = region::page::size();
        let pages = bytes.len().next_multiple_of(page);
        let mut room = vec![0; pages + page].into_boxed_slice();
        let start = room.as_ptr().addr().wrapping_neg() % page;
        room[start..start + bytes.len()].copy_from_slice(bytes);
        Self {
            locked: region::lock(&raw const room[start], pages).ok(),
            room,
            start,
            length: bytes.len(),
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn is_json_object(&self) -> bool {
        self.expose().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(self.expose()).is_ok()
    }

    /// A string of JSON has no line break within (RFC 8259 section 7), so that each is between tokens.
    fn join_lines(&mut self) {
        for byte in &mut self.room[self.start..self.start + self.length] {
            if matches!(*byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
}

fn fault(text: &[u8]) -> Option<Unfit> {
    let has = |of: fn(&u8) -> bool| text.iter().any(of);
    let white = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    if has(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(Unfit::SeveralLines)
    } else if has(|byte| byte.is_ascii_control() && *byte != b'\t') {
        Some(Unfit::Control)
    } else if white(text.first()) || white(text.last()) {
        Some(Unfit::WhiteSpace)
    } else {
        None
    }
}

impl Unfit {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Empty => "put the secret there, and nothing else",
            Self::SeveralLines | Self::Control | Self::WhiteSpace | Self::TooLong => {
                "give the secret alone, as one line of text"
            }
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.room.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_it() {
        for text in ["sk-1 2\t\u{e9}", "sk-1 2\t\u{e9}\n", "sk-1 2\t\u{e9}\r\n"] {
            let secret = Secret::from_text(text.as_bytes()).unwrap();
            assert_eq!(secret.expose(), "sk-1 2\t\u{e9}".as_bytes());
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_refused() {
        for (text, unfit) in [
            ("", Unfit::Empty),
            ("\n", Unfit::Empty),
            ("\r\n", Unfit::Empty),
            ("a\n\n", Unfit::SeveralLines),
            ("a\r\nX-Injected: 1", Unfit::SeveralLines),
            ("{\"no\": \"JSON\"\n,", Unfit::SeveralLines),
            ("a\0b", Unfit::Control),
            ("a\x7f", Unfit::Control),
            ("a\x1b[2J", Unfit::Control),
            (" a", Unfit::WhiteSpace),
            ("a \n", Unfit::WhiteSpace),
        ] {
            assert_eq!(Secret::from_text(text.as_bytes()).unwrap_err(), unfit, "{text:?}");
        }
        let long = vec![b'a'; LONGEST_SECRET + 1];
        assert_eq!(Secret::from_text(&long).unwrap_err(), Unfit::TooLong);
        assert!(Secret::from_text(&long[1..]).is_ok());
    }

    #[test]
    fn a_json_object_becomes_one_line() {
        let secret =
            Secret::from_text(b"{\n  \"Version\": 1,\r\n  \"SecretAccessKey\": \"a\\nb\"\n}\n").unwrap();
        let line = std::str::from_utf8(secret.expose()).unwrap();
        assert_eq!(line, "{   \"Version\": 1,    \"SecretAccessKey\": \"a\\nb\" }");
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = Secret::from_text(b"hunter2").unwrap();
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
    }

    #[test]
    fn each_has_a_number_and_bytes_of_its_own() {
        let secrets: Vec<Secret> = (0..64)
            .map(|n| Secret::from_text(format!("secret-{n:05}").repeat(1 + n * 20).as_bytes()).unwrap())
            .collect();
        for (n, secret) in secrets.iter().enumerate() {
            assert_eq!(
                secret.expose(),
                format!("secret-{n:05}").repeat(1 + n * 20).as_bytes()
            );
            assert_eq!(
                secret.start + secret.room.as_ptr().addr(),
                secret.expose().as_ptr().addr()
            );
            assert_eq!(secret.expose().as_ptr().addr() % region::page::size(), 0);
        }
        let numbers: std::collections::HashSet<u64> = secrets.iter().map(Secret::generation).collect();
        assert_eq!(numbers.len(), secrets.len());
        assert!(secrets[1].is(&Secret::from_text(secrets[1].expose()).unwrap()));
        assert!(!secrets[1].is(&secrets[2]));
    }

    /// Dropping one must not unlock another: `VmLck` of the process says how much is locked.
    #[test]
    fn its_memory_is_locked_where_the_system_permits() {
        let secret = Secret::from_text(b"hunter2").unwrap();
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let address = secret.expose().as_ptr().addr();
            let mut within = false;
            for line in status.lines() {
                let range = line.split(' ').next().and_then(|range| range.split_once('-'));
                if let Some((from, to)) = range
                    && let (Ok(from), Ok(to)) =
                        (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
                {
                    within = (from..to).contains(&address);
                } else if within && line.starts_with("VmFlags:") {
                    return line.split(' ').any(|flag| flag == "lo");
                }
            }
            panic!("no mapping holds the secret");
        };
        drop(Secret::from_text(b"another").unwrap());
        assert_eq!(locked(), secret.residence() == Residence::Locked);
    }
}
