//! What of a request's path and query may be written down: where it went, never a secret on the way there.
//!
//! Secrets travel in URLs: webhook addresses, signed links, `?key=...`. Masking errs on the side of masking: a package's hash that
//! is shortened costs little, a token that is not costs much. User information cannot be here: a path has none.

use std::fmt;
use std::ops::Range;

/// A path with its query, masked, as it is displayed.
pub(crate) struct Masked<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// Parts of `path?query` that are known to hold a secret.
    pub(crate) hidden: &'a [Range<usize>],
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.hidden.is_empty() {
            return self.without_hidden(f);
        }
        mask_pieces(f, self.path)?;
        let Some(query) = self.query else { return Ok(()) };
        let mut separator = '?';
        for (index, parameter) in query.split('&').enumerate() {
            if index == MOST_PARAMETERS {
                return f.write_str("&…");
            }
            let (name, value) = parameter
                .split_once('=')
                .map_or((parameter, None), |(name, value)| (name, Some(value)));
            write!(f, "{separator}")?;
            mask_pieces(f, name)?;
            if value.is_some() {
                f.write_str("=*")?;
            }
            separator = '&';
        }
        Ok(())
    }
}

impl Masked<'_> {
    /// As if three stars stood in the place of what is hidden.
    fn without_hidden(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = starred(self.path, 0, self.hidden);
        let query = self
            .query
            .map(|query| starred(query, self.path.len() + 1, self.hidden));
        let masked = Masked {
            path: &path,
            query: query.as_deref(),
            hidden: &[],
        };
        fmt::Display::fmt(&masked, f)
    }
}

/// A text that begins at this place of the whole, with stars for the ranges of the whole that touch it.
fn starred(text: &str, place: usize, ranges: &[Range<usize>]) -> String {
    let is_hidden = |at: usize| ranges.iter().any(|range| range.contains(&(place + at)));
    let mut starred = String::with_capacity(text.len());
    let mut within = false;
    for (at, character) in text.char_indices() {
        match (is_hidden(at), within) {
            (true, false) => starred.push_str("***"),
            (true, true) => {}
            (false, _) => starred.push(character),
        }
        within = is_hidden(at);
    }
    starred
}

/// A sentence that may repeat a path or a name, masked, as it is displayed.
pub(crate) struct MaskedText<'a>(pub(crate) &'a str);

impl fmt::Display for MaskedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        mask_pieces(f, self.0)
    }
}

/// The value of a header field. URLs in it lose the values of their parameters and their users; what looks like a token is masked.
pub(crate) struct MaskedValue<'a>(pub(crate) &'a str);

impl fmt::Display for MaskedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.split_inclusive(AROUND_URLS) {
            let delimiter = piece
                .chars()
                .next_back()
                .filter(|last| AROUND_URLS.contains(last));
            let bare = delimiter.map_or(piece, |delimiter| &piece[..piece.len() - delimiter.len_utf8()]);
            mask_url(f, bare)?;
            if let Some(delimiter) = delimiter {
                write!(f, "{delimiter}")?;
            }
        }
        Ok(())
    }
}

/// A URL or a part of one, or whatever else stands there. A fragment is masked as a query is: some carry tokens (RFC 6749 section 4.2.2).
fn mask_url(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let (url, fragment) = split(text, '#');
    let (place, query) = split(url, '?');
    let bare = match place.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let user = rest[..end].rfind('@');
            write!(f, "{scheme}://{}", if user.is_some() { "***" } else { "" })?;
            &rest[user.unwrap_or(0)..]
        }
        None => place,
    };
    let masked = |path, query| Masked {
        path,
        query,
        hidden: &[],
    };
    write!(f, "{}", masked(bare, query))?;
    match fragment {
        Some(fragment) if fragment.contains('=') => {
            let as_query = masked("", Some(fragment)).to_string();
            write!(f, "#{}", as_query.trim_start_matches('?'))
        }
        Some(fragment) => {
            f.write_str("#")?;
            mask_pieces(f, fragment)
        }
        None => Ok(()),
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Writes `text` with every piece between delimiters masked that looks like a token.
fn mask_pieces(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text.len() < SHORTEST_TOKEN {
        return f.write_str(text);
    }
    if let Some(start) = text.find("eyJ") {
        // a JWT has dots inside, so it is looked for before the text is taken apart
        let after_dots = text[start..]
            .split(['/', ' ', '"', '\'', '`'])
            .next()
            .unwrap_or_default();
        if after_dots.matches('.').count() >= 2 {
            mask_each(f, &text[..start])?;
            f.write_str("eyJ***")?;
            return mask_pieces(f, &text[start + after_dots.len()..]);
        }
    }
    mask_each(f, text)
}

fn mask_each(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(DELIMITERS).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        match kept_of_token(piece) {
            Some(kept) => write!(f, "{}***", &piece[..kept])?,
            None => f.write_str(piece)?,
        }
        let delimiter = after.chars().next().map_or(0, char::len_utf8);
        f.write_str(&after[..delimiter])?;
        rest = &after[delimiter..];
    }
    Ok(())
}

/// When the piece looks like a token: how many of its first bytes may be kept.
fn kept_of_token(piece: &str) -> Option<usize> {
    let is_prefix = |prefix: &&&str| piece.starts_with(**prefix) && piece.len() >= prefix.len() + 12;
    if let Some(prefix) = PREFIXES.iter().find(is_prefix) {
        return Some(prefix.len());
    }
    let shape = Shape::of(piece);
    shape
        .is_random(piece.len())
        .then_some(if shape.hexadecimal { KEPT_OF_HASH } else { 0 })
}

/// Which kinds of characters there are.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent observations of one text"
)]
struct Shape {
    lower: bool,
    upper: bool,
    digits: usize,
    marks: bool,
    other: bool,
    hexadecimal: bool,
}

impl Shape {
    fn of(piece: &str) -> Self {
        let mut shape = Self {
            lower: false,
            upper: false,
            digits: 0,
            marks: false,
            other: false,
            hexadecimal: true,
        };
        for byte in piece.bytes() {
            match byte {
                b'a'..=b'z' => shape.lower = true,
                b'A'..=b'Z' => shape.upper = true,
                b'0'..=b'9' => shape.digits += 1,
                b'-' | b'_' | b'+' | b'~' | b'%' => shape.marks = true,
                _ => shape.other = true,
            }
            shape.hexadecimal &= byte.is_ascii_hexdigit();
        }
        shape
    }

    fn is_random(&self, length: usize) -> bool {
        if self.other {
            return false;
        }
        let long_hash = self.hexadecimal && self.digits > 0 && length >= 32;
        let one_case = !self.marks && self.digits >= 6 && length >= 32; // base32 and the like
        let base64 = self.lower && self.upper && self.digits > 0 && length >= 24;
        let long_base64 = self.lower && self.upper && length >= 40;
        long_hash || one_case || base64 || long_base64
    }
}

/// What no token has inside, whether in a path or in a sentence about one.
const DELIMITERS: [char; 22] = [
    '/', '.', ':', '@', ',', ';', '=', '$', '!', '(', ')', '*', '?', '&', ' ', '"', '\'', '`', '<', '>', '[',
    ']',
];

/// Of tokens that say what they are.
const PREFIXES: [&str; 24] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "npm_",
    "pypi-",
    "hf_",
];

/// What stands around URLs in the values of fields, and in none of them.
const AROUND_URLS: [char; 7] = [' ', '\t', '<', '>', '"', '\'', '`'];
const SHORTEST_TOKEN: usize = 15; // `sk-` and twelve more
const KEPT_OF_HASH: usize = 6; // enough to find a commit or a layer by, 24 bits of what may be a secret of 128 or more
const MOST_PARAMETERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(path: &str, query: Option<&str>) -> String {
        Masked {
            path,
            query,
            hidden: &[],
        }
        .to_string()
    }

    #[test]
    fn names_of_parameters_stay_and_values_go() {
        assert_eq!(
            masked("/a", Some("page=2&key=sk-secret&flag")),
            "/a?page=*&key=*&flag"
        );
        assert_eq!(masked("/a", Some("token=a=b&&=x&é=1")), "/a?token=*&&=*&é=*");
        assert_eq!(
            masked("/a", Some("ghp_16C7e42F292c6912E7710c838347Ae178B4a")),
            "/a?ghp_***"
        );
        assert_eq!(masked("/a", None), "/a");
    }

    #[test]
    fn tokens_in_paths_are_masked() {
        for (path, expected) in [
            ("/x/ghp_16C7e42F292c6912E7710c838347Ae178B4a/y", "/x/ghp_***/y"),
            ("/github_pat_11ABCDEFG0abcdefghijkl_x", "/github_pat_***"),
            ("/v1/sk-ant-api03-aaaaaaaaaaaa", "/v1/sk-***"),
            ("/xoxb-123456789012-abc", "/xoxb-***"),
            ("/AKIAIOSFODNN7EXAMPLE", "/AKIA***"),
            (
                "/services/T00000000/B00000000/XyXXXXX7XXXXXXXXXXXXXXXX",
                "/services/T00000000/B00000000/***",
            ),
            (
                "/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe",
                "/bot123456789:***/getMe",
            ),
            (
                "/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc/next",
                "/t/eyJ***/next",
            ),
            (
                "/commit/da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "/commit/da39a3***",
            ),
            (
                "/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "/blobs/sha256:e3b0c4***",
            ),
            ("/MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPI2345", "/***"),
        ] {
            assert_eq!(masked(path, None), expected);
        }
    }

    #[test]
    fn a_sentence_about_a_path_is_masked_like_the_path() {
        let said = "no rule allows GET \"/hooks/XyXXXXX7XXXXXXXXXXXXXXXX\" at `api.example.test:443`; eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc too";
        let written = "no rule allows GET \"/hooks/***\" at `api.example.test:443`; eyJ*** too";
        assert_eq!(MaskedText(said).to_string(), written);
    }

    #[test]
    fn what_is_hidden_leaves_no_trace() {
        let masked = |path: &str, query, hidden: &[Range<usize>]| Masked { path, query, hidden }.to_string();
        assert_eq!(masked("/a/acme_01/b", None, &[3..10, 0..0]), "/a/***/b");
        assert_eq!(
            masked("/a", Some("x=1&acme_01&y=2"), &[7..14, 0..0]),
            "/a?x=*&***&y=*"
        );
        assert_eq!(
            masked("/acme_01", Some("acme_02=1"), &[1..8, 9..16]),
            "/***?***=*"
        );
    }

    #[test]
    fn ordinary_paths_stay_whole() {
        for path in [
            "/",
            "/simple/requests/",
            "/packages/numpy-2.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "/@babel/plugin-transform-modules-commonjs/-/plugin-transform-modules-commonjs-7.25.9.tgz",
            "/v1/users/550e8400-e29b-41d4-a716-446655440000/posts",
            "/debian/dists/bookworm-updates/InRelease",
            "/org/apache/maven/plugins/maven-resources-plugin/3.3.1/maven-resources-plugin-3.3.1.pom",
            "/sk-learn/AKIA",
            "/%2fetc%2fpasswd",
        ] {
            assert_eq!(masked(path, None), path);
        }
    }

    #[test]
    fn urls_in_values_of_fields_lose_what_is_secret_and_nothing_else() {
        for (value, expected) in [
            ("https://a.test/x?token=1&b", "https://a.test/x?token=*&b"),
            (
                "/next?key=1#access_token=2&state=3",
                "/next?key=*#access_token=*&state=*",
            ),
            ("/docs#part-2", "/docs#part-2"),
            ("https://user:pass@a.test:8443/", "https://***@a.test:8443/"),
            ("https://user@a.test", "https://***@a.test"),
            ("https://a.test/@scope/x", "https://a.test/@scope/x"),
            (
                "<https://a.test/p?page=2&sig=x>; rel=\"next\", <https://a.test/p?page=9>; rel=\"last\"",
                "<https://a.test/p?page=*&sig=*>; rel=\"next\", <https://a.test/p?page=*>; rel=\"last\"",
            ),
            ("0;url=https://a.test/?k=1", "0;url=https://a.test/?k=*"),
            (
                "\"Chromium\";v=\"8\", \"Not?A_Brand\";v=\"9\"",
                "\"Chromium\";v=\"8\", \"Not?A_Brand\";v=\"9\"",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
                "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
            ),
            (
                "text/html, application/json;q=0.9",
                "text/html, application/json;q=0.9",
            ),
            (
                "W/\"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
                "W/\"33a64d***\"",
            ),
            ("Thu, 26 Nov 2026 09:00:00 GMT", "Thu, 26 Nov 2026 09:00:00 GMT"),
        ] {
            assert_eq!(MaskedValue(value).to_string(), expected);
        }
    }

    #[test]
    fn masking_cuts_nowhere_but_between_characters() {
        for text in [
            "é",
            "ééééééééééééééééééééééééééé",
            "/eyJ漢.漢.漢",
            "/ghp_漢漢漢漢漢漢漢漢",
            "\u{202e}eyJ..",
        ] {
            let _ = masked(text, Some(text));
            let _ = MaskedValue(text).to_string();
        }
    }
}
