//! A secret in a body, wherever its placeholder is.

use std::fmt;
use std::fmt::Write as _;

use bytes::Bytes;
use memchr::memmem::Finder;
use zeroize::Zeroizing;

/// Puts a secret in the place of its placeholder in a JSON text that comes in pieces. What may be the beginning of a placeholder
/// waits for what follows, and nothing else does. Its `Debug` shows nothing.
pub struct Substitution {
    placeholder: Finder<'static>,
    /// As it stands within a string (RFC 8259 section 7).
    secret: Zeroizing<String>,
    /// The end of what came, as far as it may be the beginning of a placeholder.
    held: Vec<u8>,
}

impl Substitution {
    /// None for a secret that is no text: JSON has no other strings.
    pub fn into_json(placeholder: &str, secret: &[u8]) -> Option<Self> {
        let secret = std::str::from_utf8(secret).ok()?;
        Some(Self {
            placeholder: Finder::new(placeholder.as_bytes()).into_owned(),
            secret: escaped(secret),
            held: Vec::new(),
        })
    }

    /// What leaves of a piece, with what waited.
    pub fn push(&mut self, piece: &Bytes) -> Bytes {
        if self.held.is_empty() && self.placeholder.find(piece).is_none() {
            let settled = piece.len() - self.beginning_at_the_end_of(piece);
            self.held.extend_from_slice(&piece[settled..]);
            return piece.slice(..settled);
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(piece);
        let mut leaves = Vec::with_capacity(text.len() + self.secret.len());
        let mut rest = text.as_slice();
        while let Some(at) = self.placeholder.find(rest) {
            leaves.extend_from_slice(&rest[..at]);
            leaves.extend_from_slice(self.secret.as_bytes());
            rest = &rest[at + self.placeholder.needle().len()..];
        }
        let settled = rest.len() - self.beginning_at_the_end_of(rest);
        leaves.extend_from_slice(&rest[..settled]);
        self.held.extend_from_slice(&rest[settled..]);
        leaves.into()
    }

    /// What waited, when nothing follows.
    pub fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// How many bytes wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many bytes at the end of a text are the beginning of a placeholder.
    fn beginning_at_the_end_of(&self, text: &[u8]) -> usize {
        let needle = self.placeholder.needle();
        let most = text.len().min(needle.len().saturating_sub(1));
        (1..=most)
            .rev()
            .find(|length| text.ends_with(&needle[..*length]))
            .unwrap_or(0)
    }
}

impl fmt::Debug for Substitution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Substitution(..)")
    }
}

fn escaped(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * secret.len()));
    for character in secret.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\u{0}'..='\u{1f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    const PLACEHOLDER: &str = "sk-sk-AAAA";

    fn substituted(pieces: &[&[u8]], secret: &str) -> Vec<u8> {
        let mut substitution = Substitution::into_json(PLACEHOLDER, secret.as_bytes()).unwrap();
        let mut whole = Vec::new();
        for piece in pieces {
            whole.extend_from_slice(&substitution.push(&Bytes::copy_from_slice(piece)));
        }
        whole.extend_from_slice(&substitution.end());
        whole
    }

    #[test]
    fn every_placeholder_becomes_the_secret_and_the_text_stays_json() {
        let text = format!(r#"{{"key":"{PLACEHOLDER}","note":"x{PLACEHOLDER}y sk-sk-"}}"#);
        let whole = substituted(&[text.as_bytes()], "a\"b\\c\u{1}");
        let read: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(read["key"], "a\"b\\c\u{1}");
        assert_eq!(read["note"], "xa\"b\\c\u{1}y sk-sk-");
    }

    #[test]
    fn what_cannot_be_a_placeholder_does_not_wait() {
        let mut substitution = Substitution::into_json(PLACEHOLDER, b"secret").unwrap();
        assert_eq!(
            substitution.push(&Bytes::from_static(b"event: x\n\n")),
            "event: x\n\n"
        );
        assert_eq!(substitution.held(), 0);
        assert_eq!(substitution.push(&Bytes::from_static(b"abc sk-s")), "abc ");
        assert_eq!(substitution.held(), 4);
        assert_eq!(substitution.push(&Bytes::from_static(b"!")), "sk-s!");
    }

    #[test]
    fn a_secret_that_is_no_text_is_not_put_into_json() {
        assert!(Substitution::into_json(PLACEHOLDER, &[0xff]).is_none());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "(sk-|AAAA|sk-sk-AAAA|[a-z\"{}:]){0,12}", cuts in prop::collection::vec(0_usize..200, 0..6)) {
            let whole = substituted(&[text.as_bytes()], "SECRET");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(substituted(&pieces, "SECRET"), whole.clone());
            prop_assert_eq!(String::from_utf8(whole).unwrap(), text.replace(PLACEHOLDER, "SECRET"));
        }
    }
}
