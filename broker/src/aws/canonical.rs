//! Requests in the one form that is signed.

use std::fmt::Write as _;

use http::HeaderMap;
use http::request::Parts;

use super::payload::PayloadHash;
use super::resign::ResignError;
use super::scope::Scope;
use super::signed_headers::SignedHeaders;

/// The canonical request. `query` is that which is signed: of a presigned URL all but the signature.
pub(super) fn request(
    parts: &Parts,
    query: &str,
    authority: &str,
    scope: &Scope,
    signed: &SignedHeaders,
    payload: &PayloadHash,
) -> Result<String, ResignError> {
    let mut text = format!(
        "{}\n{}\n{}\n",
        parts.method,
        path(parts.uri.path(), scope),
        self::query(query)
    );
    for name in signed.iter() {
        let value = if name == "host" {
            authority.to_owned()
        } else {
            header(&parts.headers, name)?
        };
        writeln!(text, "{name}:{value}").expect("a String takes everything");
    }
    write!(text, "\n{signed}\n{}", payload.as_str()).expect("a String takes everything");
    Ok(text)
}

/// Storage encodes a path once and takes it as it is, for `//` and `..` are names of objects; all else resolves it, and encodes what
/// is encoded already once more.
pub(super) fn path(path: &str, scope: &Scope) -> String {
    let mut canonical = String::with_capacity(path.len() + 8);
    if scope.is_storage() {
        encode(&decode(path), IN_PATH, &mut canonical);
    } else {
        encode(resolved(path).as_bytes(), IN_PATH, &mut canonical);
    }
    canonical
}

/// RFC 3986 section 5.2.4, and of `//` one.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_directory && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Parameters in order, each encoded once. `+` is a blank, as it is to who reads forms.
pub(super) fn query(query: &str) -> String {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut pairs: Vec<(String, String)> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (
                encoded(&decode(&name.replace('+', " "))),
                encoded(&decode(&value.replace('+', " "))),
            )
        })
        .collect();
    pairs.sort_unstable();
    let written: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    written.join("&")
}

/// Values of one name joined, blanks at the ends dropped and within made one.
fn header(headers: &HeaderMap, name: &str) -> Result<String, ResignError> {
    let missing = || ResignError::Header(name.to_owned());
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| missing())?;
        values.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
    if values.is_empty() {
        Err(missing())
    } else {
        Ok(values.join(","))
    }
}

/// Encodes everything but the unreserved (RFC 3986 section 2.3), in upper case.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    encode(bytes, NOWHERE, &mut text);
    text
}

fn encode(bytes: &[u8], also: &[u8], text: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    }
}

const IN_PATH: &[u8] = b"/";
const NOWHERE: &[u8] = b"";

/// Undoes the escapes that are ones.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = (*first == b'%').then(|| after.first_chunk::<2>()).flatten();
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        if let Some(byte) = digits.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)) {
            decoded.push(byte);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn scope(service: &str) -> Scope {
        Scope::parse(&format!("20150830/us-east-1/{service}/aws4_request")).unwrap()
    }

    #[test]
    fn a_path_is_encoded_once_for_storage_and_twice_for_all_else() {
        for (written, storage, other) in [
            ("/", "/", "/"),
            ("/a%20b", "/a%20b", "/a%2520b"),
            ("/example space/", "/example%20space/", "/example%20space/"),
            ("/\u{1234}", "/%E1%88%B4", "/%E1%88%B4"),
            ("/a//b/../c/.", "/a//b/../c/.", "/a/c/"),
            ("//example//", "//example//", "/example/"),
            ("/a/b/..", "/a/b/..", "/a/"),
            ("/..", "/..", "/"),
            ("/a@b:c=d+e", "/a%40b%3Ac%3Dd%2Be", "/a%40b%3Ac%3Dd%2Be"),
            (
                "/test/@connections/JBDvjfGEIAMCERw%3D",
                "/test/%40connections/JBDvjfGEIAMCERw%3D",
                "/test/%40connections/JBDvjfGEIAMCERw%253D",
            ),
        ] {
            assert_eq!(path(written, &scope("s3")), storage, "{written}");
            assert_eq!(path(written, &scope("iam")), other, "{written}");
        }
    }

    #[test]
    fn parameters_are_sorted_after_they_are_encoded() {
        for (written, canonical) in [
            ("", ""),
            ("a", "a="),
            ("b=2&a=1&a=0", "a=0&a=1&b=2"),
            (
                "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                "%E1%88%B4=Value1&Param=Value2&Param-3=Value3",
            ),
            ("a=b=c;d&x=%7e+%2B*", "a=b%3Dc%3Bd&x=~%20%2B%2A"),
        ] {
            assert_eq!(query(written), canonical, "{written}");
        }
    }
}
