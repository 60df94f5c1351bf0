//! The path of a request in one normal form: what rules are asked about is what is sent.
//!
//! | written | normal form |
//! | --- | --- |
//! | `.` and `..` segments, also as `%2e` | removed as RFC 3986 section 5.2.4 says |
//! | `%41`, `%7e` (unreserved) | decoded: `A`, `~` |
//! | `%2f`, `%3b`, `%c3%a9` (all others) | kept, in upper case: `%2F` is never a separator |
//! | `\`, `{`, `"`, `é` and what else a path may not have | encoded |
//! | `//`, `;x=1`, a trailing `/` | kept: origins give them a meaning |
//! | `%zz`, `%`, NUL, CR, LF and all control bytes, encoded or not, over-long UTF-8 (`%c0%ae`) | refused |
//!
//! Some of what is kept is read by some origins in another way: `%2F`, `%5C` and a doubly encoded `%252F` as separators, `//`
//! as `/`, `;x` as nothing. `readings` has every text that such an origin may see, and a rule allows a request only when
//! rules allow all of them. So ambiguity never widens access.

mod readings;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

pub(crate) use readings::TooMany;

/// A path in normal form, without the query. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestPath {
    text: Arc<str>,
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PathError {
    /// It does not begin with `/`, and is not the `*` of an OPTIONS request.
    #[error("the path does not begin with `/`")]
    Start,
    /// `?` or `#`: the query is not part of the path.
    #[error("the path has a `?` or `#`")]
    Query,
    /// White space or a control byte.
    #[error("the path has white space or a control character")]
    Control,
    /// `%` without two hexadecimal digits, or an escape that no encoder writes.
    #[error("the path has an invalid escape")]
    Escape,
}

impl RequestPath {
    /// Reads a path into its normal form. Parsing the normal form gives it back.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text == "*" || is_normal(text) {
            return Ok(Self { text: text.into() });
        }
        if !text.starts_with('/') {
            return Err(PathError::Start);
        }
        let escaped = normalise_escapes(text)?;
        let text = remove_dot_segments(&escaped).into();
        Ok(Self { text })
    }

    /// The path to send.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What origins may make of the path that decode separators, merge `//` or drop `;` parameters; empty for most paths.
    pub(crate) fn readings(&self) -> Result<Vec<String>, TooMany> {
        readings::of(&self.text)
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// True for the most frequent paths, which need no work. A dot after a slash is left to the careful way.
fn is_normal(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(is_path_byte) && !text.contains("/.")
}

/// Whether two bytes begin a character in more bytes than it takes (RFC 3629 section 3): `%C0%AE` and `%E0%80%AE` are dots for
/// who decodes carelessly, and no encoder writes them.
fn is_overlong(lead: u8, next: u8) -> bool {
    match lead {
        0xc0 | 0xc1 => (0x80..0xc0).contains(&next),
        0xe0 => (0x80..0xa0).contains(&next),
        0xf0 => (0x80..0x90).contains(&next),
        _ => false,
    }
}

/// RFC 3986 `pchar` and `/`, without `%`.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"/!$&'()*+,;=:@".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Decodes what is unreserved, gives every other escape upper case, and encodes what a path may not have.
pub(crate) fn normalise_escapes(text: &str) -> Result<String, PathError> {
    let mut normal = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    let mut before = 0;
    while let Some(byte) = bytes.next() {
        let escaped = byte == b'%';
        let byte = if escaped { unescape(&mut bytes)? } else { byte };
        if byte <= b' ' && !(escaped && byte == b' ') || byte == 0x7f {
            return Err(PathError::Control);
        }
        if !escaped && (byte == b'?' || byte == b'#') {
            return Err(PathError::Query);
        }
        if is_overlong(before, byte) {
            return Err(PathError::Escape);
        }
        before = byte;
        let plain = if escaped {
            is_unreserved(byte)
        } else {
            is_path_byte(byte)
        };
        if plain {
            normal.push(char::from(byte));
        } else {
            push_escape(&mut normal, byte);
        }
    }
    Ok(normal)
}

fn unescape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, PathError> {
    let mut digit = || {
        let digit = bytes.next().and_then(|b| char::from(b).to_digit(16));
        digit.and_then(|d| u8::try_from(d).ok()).ok_or(PathError::Escape)
    };
    Ok(digit()? << 4 | digit()?)
}

fn push_escape(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

/// RFC 3986 section 5.2.4, for a path that begins with `/`. `..` at the root stays at the root.
fn remove_dot_segments(path: &str) -> String {
    let mut kept = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.truncate(kept.rfind('/').unwrap_or(0));
                }
                if last {
                    kept.push('/');
                }
            }
            _ => {
                kept.push('/');
                kept.push_str(segment);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> String {
        RequestPath::parse(text).unwrap().to_string()
    }

    #[test]
    fn every_spelling_has_one_normal_form() {
        for (written, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("/v1/users", "/v1/users"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/../../etc", "/etc"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a..b/...", "/a..b/..."),
            ("/%41%7e%2d", "/A~-"),
            ("/@types%2fnode", "/@types%2Fnode"),
            ("/a%3bb", "/a%3Bb"),
            ("/a//b", "/a//b"),
            ("/a//../b", "/a/b"),
            ("/a;x=1/b", "/a;x=1/b"),
            ("/a\\..\\b", "/a%5C..%5Cb"),
            ("/{id}|x", "/%7Bid%7D%7Cx"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/100%25", "/100%25"),
        ] {
            assert_eq!(normal(written), expected, "{written}");
        }
    }

    #[test]
    fn what_has_no_normal_form_is_refused() {
        for (written, error) in [
            ("", PathError::Start),
            ("v1", PathError::Start),
            ("http://x/", PathError::Start),
            ("/a?b", PathError::Query),
            ("/a#b", PathError::Query),
            ("/a b", PathError::Control),
            ("/a\r\nHost: x", PathError::Control),
            ("/a\0", PathError::Control),
            ("/a%00b", PathError::Control),
            ("/a%0d%0a", PathError::Control),
            ("/a%7f", PathError::Control),
            ("/%", PathError::Escape),
            ("/%2", PathError::Escape),
            ("/%zz", PathError::Escape),
            ("/%+1", PathError::Escape),
            ("/%c0%ae%c0%ae/x", PathError::Escape),
            ("/%C0%AFetc", PathError::Escape),
            ("/%e0%80%ae%e0%80%ae/x", PathError::Escape),
            ("/%F0%80%80%AE/x", PathError::Escape),
        ] {
            assert_eq!(RequestPath::parse(written), Err(error), "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "/[a-zA-Z0-9./%;:@\\\\{~ é-]{0,40}") {
            if let Ok(path) = RequestPath::parse(&text) {
                prop_assert_eq!(&RequestPath::parse(path.as_str()).unwrap(), &path);
            }
        }

        #[test]
        fn no_dot_segment_is_left(text in "/[a./%2eEfF5cC;]{0,30}") {
            if let Ok(path) = RequestPath::parse(&text) {
                prop_assert!(path.as_str().split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
