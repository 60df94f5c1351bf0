//! The path of an operation, segment by segment, each decoded once.

use crate::understood::NotUnderstood;

/// The segments of a path, decoded. None is empty, `.` or `..`, and none has a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segments(Vec<String>);

impl Segments {
    /// Of a path. One `/` at its end says nothing.
    pub(super) fn parse(path: &str) -> Result<Self, NotUnderstood> {
        let rest = path
            .strip_prefix('/')
            .ok_or_else(|| NotUnderstood::because("the path does not begin with `/`"))?;
        if rest.is_empty() {
            return Ok(Self(vec![]));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        rest.split('/').map(segment).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// As a server sees them that decodes a path before it splits it.
    pub(super) fn decoded_first(&self) -> Self {
        let parts = self.0.iter().flat_map(|segment| segment.split('/'));
        Self(parts.map(str::to_owned).collect())
    }

    /// `/repositories/NUMBER/…`: the number.
    pub(super) fn repository_number(&self) -> Option<u64> {
        match self.0.as_slice() {
            [first, number, ..] if first == "repositories" => parse_number(number),
            _ => None,
        }
    }

    /// `/repos/OWNER/NAME/…` for `/repositories/NUMBER/…`.
    pub(super) fn by_name(&self, owner: &str, name: &str) -> Self {
        let before = ["repos", owner, name].into_iter().map(str::to_owned);
        Self(before.chain(self.0.iter().skip(2).cloned()).collect())
    }
}

fn segment(encoded: &str) -> Result<String, NotUnderstood> {
    let decoded = decode(encoded, |byte| byte).ok_or_else(|| {
        NotUnderstood::because("the path has an escape that is none, or decodes to what is not UTF-8")
    })?;
    if decoded.chars().any(char::is_control) {
        return Err(NotUnderstood::because("the path has a control character"));
    }
    if decoded.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(NotUnderstood::because(
            "the path has a segment that is empty, `.` or `..`",
        ));
    }
    Ok(decoded)
}

/// A number as GitHub writes it: no sign, no zeros before it.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Decodes escapes, once; `plain` says what a byte that is not escaped stands for.
pub(super) fn decode(text: &str, plain: impl Fn(u8) -> u8) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
        } else {
            plain(byte)
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

/// Whether decoding a text once more would change it.
pub(super) fn is_encoded(text: &str) -> bool {
    text.as_bytes()
        .windows(3)
        .any(|three| three[0] == b'%' && three[1].is_ascii_hexdigit() && three[2].is_ascii_hexdigit())
}

/// Encodes all but what RFC 3986 section 2.3 calls unreserved, and what is `kept`.
pub(super) fn encode(text: &str, kept: &[u8], into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_segment_is_decoded_once() {
        let read = |path: &str| Segments::parse(path).unwrap().0;
        assert_eq!(read("/"), Vec::<String>::new());
        assert_eq!(read("/a/b%2Fc/%C3%A9/%2525/"), ["a", "b/c", "é", "%25"]);
        let decoded = Segments::parse("/a/b%2Fc").unwrap().decoded_first();
        assert_eq!(decoded.0, ["a", "b", "c"]);
    }

    #[test]
    fn what_climbs_or_hides_is_refused() {
        for wrong in [
            "",
            "a",
            "//",
            "/a//b",
            "/a//",
            "/a/./b",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/b%2F..%2Fc",
            "/a%2F",
            "/a/%2Fb",
            "/a%00",
            "/a%0A",
            "/a%7F",
            "/%C2%85",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/%c0%ae",
        ] {
            assert!(Segments::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(parse_number("12"), Some(12));
        for wrong in ["", "012", "+1", "-1", "1.0", "1e3", "0x1", "99999999999999999999"] {
            assert_eq!(parse_number(wrong), None, "{wrong}");
        }
    }
}
