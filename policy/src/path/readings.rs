//! How origins may read a path: every text that some chain of the usual liberties makes of it.
//!
//! An origin decodes once, or its framework once more; it drops `;` parameters before or after; it merges slashes or not;
//! it resolves dot segments at any point between. No fixed order covers them all: a path built for one order is harmless
//! in another. So the liberties are steps, and the readings of a path are all that any sequence of steps leads to.
//! Each step is idempotent or makes the text shorter, so there is an end to them.

use super::{push_escape, remove_dot_segments};

/// More readings than any honest path has: `/@types%2fnode` has two, the worst seen in a registry four.
const MOST: usize = 64;

/// The path has more readings than are weighed one by one. Such a path was made to have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Every reading of a path in normal form but that form itself.
pub(super) fn of(path: &str) -> Result<Vec<String>, TooMany> {
    if !path.contains(['%', ';']) && !path.contains("//") {
        return Ok(Vec::new());
    }
    let mut found = vec![path.to_owned()];
    let mut next = 0;
    while next < found.len() {
        for step in STEPS {
            let read = step(&found[next]);
            if !found.contains(&read) {
                found.push(read);
            }
        }
        if found.len() > MOST {
            return Err(TooMany);
        }
        next += 1;
    }
    found.swap_remove(0);
    Ok(found)
}

const STEPS: [fn(&str) -> String; 6] = [
    decode,
    separate_at_backslashes,
    cut_at_query,
    strip_parameters,
    merge_slashes,
    remove_dot_segments,
];

/// Decodes the escapes that change what a path means: unreserved bytes, separators, `;`, `?`, `#`, and `%` where it begins
/// an escape itself. The others stay, so that `/a%20b` has one reading.
fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match escaped_byte(rest) {
            Some(byte) => {
                rest = &rest[2..];
                let means = byte.is_ascii_alphanumeric() || b"-._~/\\;?#".contains(&byte);
                if means || byte == b'%' && escaped_byte(rest).is_some() {
                    decoded.push(char::from(byte));
                } else {
                    push_escape(&mut decoded, byte);
                }
            }
            None => decoded.push('%'),
        }
    }
    decoded.push_str(rest);
    decoded
}

fn escaped_byte(digits: &str) -> Option<u8> {
    let digits = digits.as_bytes().get(..2)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn separate_at_backslashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// What was `%3F` may become the end of the path.
fn cut_at_query(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path[..end].to_owned()
}

/// `/a;x=1/b` is read as `/a/b`.
fn strip_parameters(path: &str) -> String {
    let names: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or(segment))
        .collect();
    names.join("/")
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for byte in path.chars() {
        if byte != '/' || !merged.ends_with('/') {
            merged.push(byte);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use proptest::prelude::*;

    use super::*;
    use crate::path::RequestPath;

    fn readings(text: &str) -> Vec<String> {
        RequestPath::parse(text).unwrap().readings().unwrap()
    }

    #[test]
    fn a_path_that_origins_may_read_otherwise_says_so() {
        for (written, expected) in [
            ("/v1//admin", "/v1/admin"),
            ("//admin", "/admin"),
            ("/v1/a%2fb", "/v1/a/b"),
            ("/v1/..%2fadmin", "/admin"),
            ("/v1/..%5cadmin", "/admin"),
            ("/v1/%2e%2e%252fadmin", "/admin"),
            ("/v1/..;/admin", "/admin"),
            ("/admin;x=1/y;z", "/admin/y"),
            ("/v1/admin%3fx/y", "/v1/admin"),
            ("/v1/;/", "/v1/"),
            ("/;", "/"),
            // Parameters dropped before decoding, and after.
            ("/v1/a;x%2fb", "/v1/a"),
            ("/v1/a;x%2fb", "/v1/a/b"),
            // Dot segments of one reading hide those of another.
            (
                "/v1/..%2fadmin%2fusers%2f;%2f;%2f..%2f..%2fv1%2fa%252fb%2f..%2f..",
                "/admin/users/",
            ),
            ("/admin%2fusers%2f;%2f;%2f..%2f..", "/admin/users/"),
        ] {
            assert!(
                readings(written).iter().any(|read| read == expected),
                "{written}: {:?}",
                readings(written)
            );
        }
    }

    #[test]
    fn an_honest_path_has_one_reading_or_few() {
        for written in [
            "/",
            "/v1/a",
            "/v1/a%20b",
            "/100%25",
            "/caf%c3%a9",
            "/.well-known/x",
        ] {
            assert_eq!(readings(written), Vec::<String>::new(), "{written}");
        }
        assert_eq!(readings("/@types%2fnode"), ["/@types/node"]);
    }

    #[test]
    fn a_path_made_of_riddles_has_too_many() {
        let riddle = format!("/{}", "a;%2525252f;%25252f;%252f;%2f//..%252f%25255c;".repeat(8));
        assert_eq!(RequestPath::parse(&riddle).unwrap().readings(), Err(TooMany));
    }

    proptest! {
        #[test]
        fn readings_are_closed_under_every_step(text in "/[a./%2eEfF5cC;]{0,24}") {
            let Ok(path) = RequestPath::parse(&text) else { return Ok(()) };
            let Ok(readings) = path.readings() else { return Ok(()) };
            for reading in &readings {
                for step in STEPS {
                    let read = step(reading);
                    prop_assert!(read == path.as_str() || readings.contains(&read), "{read}");
                }
            }
        }
    }
}
