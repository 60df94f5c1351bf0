//! Answers without what opens something by itself: signed URLs, and tokens that GitHub puts beside what was asked for.
//!
//! | where | what |
//! | --- | --- |
//! | `temp_clone_token` of a repository | a token that reads it |
//! | `download_url` of contents of a private repository | `?token=…` |
//! | `body_html` with pictures, and HTML itself | `?jwt=…` |
//! | `bundle_url` of attestations | `?sig=…` |
//!
//! All other bytes of an answer stay as they are, so that clients see what GitHub wrote.

use std::borrow::Cow;

/// An answer without them. One that is neither JSON nor HTML (a raw file, a diff, an archive) is the repository's own, and left alone.
pub fn without_tokens<'a>(content_type: Option<&str>, body: &'a [u8]) -> Cow<'a, [u8]> {
    match Media::of(content_type, body) {
        Media::Json => json(body),
        Media::Html => match unsigned(&String::from_utf8_lossy(body)) {
            Cow::Borrowed(_) => Cow::Borrowed(body),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        Media::File => Cow::Borrowed(body),
    }
}

/// Whether an answer of this media type may have any, so that it has to be held whole: the rest may pass as it comes.
pub fn may_have_tokens(content_type: Option<&str>) -> bool {
    !matches!(Media::of(content_type, b""), Media::File)
}

/// A URL without its query, if that signs it.
pub fn without_tokens_in_url(url: &str) -> Cow<'_, str> {
    unsigned(url)
}

enum Media {
    Json,
    Html,
    File,
}

impl Media {
    /// "Media types", GitHub Docs: `application/vnd.github.raw+json` is a raw file, `application/vnd.github.html+json` either.
    fn of(content_type: Option<&str>, body: &[u8]) -> Self {
        let of = content_type.unwrap_or("application/json");
        let essence = of.split(';').next().unwrap_or_default().to_ascii_lowercase();
        let has = |word: &str| essence.contains(word);
        let begins_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
        match () {
            () if has(".raw") || has(".diff") || has(".patch") || has(".sha") => Self::File,
            () if has("html") && !begins_json => Self::Html,
            () if has("json") || has("html") => Self::Json,
            () => Self::File,
        }
    }
}

/// The strings of JSON, one after the other, each with the name of the member that it is of. What is between them is copied.
fn json(body: &[u8]) -> Cow<'_, [u8]> {
    let mut written: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    let mut names = Names::default();
    while let Some(found) = body[at..].iter().position(|byte| b"\"{[]}".contains(byte)) {
        let start = at + found;
        at = start + 1;
        match body[start] {
            b'{' | b'[' => names.open(),
            b'}' | b']' => names.close(),
            _ => {
                at = end_of_string(body, start);
                let string = &body[start..at];
                if is_name(body, at) {
                    names.now = text_of(string);
                } else if let Some(instead) = replacement(&names.now, string) {
                    let written = written.get_or_insert_with(|| Vec::with_capacity(body.len()));
                    written.extend_from_slice(&body[copied..start]);
                    written.extend_from_slice(instead.as_bytes());
                    copied = at;
                }
            }
        }
    }
    match written {
        None => Cow::Borrowed(body),
        Some(mut written) => {
            written.extend_from_slice(&body[copied..]);
            Cow::Owned(written)
        }
    }
}

/// The name of the member that is being read, and of those around it.
#[derive(Default)]
struct Names<'a> {
    now: Cow<'a, str>,
    around: Vec<Cow<'a, str>>,
    /// How many levels are open beyond [`DEEPEST`].
    beyond: usize,
}

impl Names<'_> {
    fn open(&mut self) {
        if self.around.len() < DEEPEST {
            self.around.push(self.now.clone());
        } else {
            self.beyond += 1;
        }
    }

    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if let Some(around) = self.around.pop() {
            self.now = around;
        }
    }
}

/// Deeper than any answer.
const DEEPEST: usize = 128;

/// Behind the quote that ends a string; the end of all where none does.
fn end_of_string(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

fn is_name(body: &[u8], end: usize) -> bool {
    body[end..].trim_ascii_start().first() == Some(&b':')
}

/// What a string says. One that is no JSON says its bytes.
fn text_of(string: &[u8]) -> Cow<'_, str> {
    match string {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => String::from_utf8_lossy(plain),
        _ => serde_json::from_slice(string).map_or_else(|_| String::from_utf8_lossy(string), Cow::Owned),
    }
}

/// What is written for the value of a member; none to keep it.
fn replacement(member: &str, string: &[u8]) -> Option<String> {
    if TOKENS.contains(&member) {
        return (string != b"\"\"").then(|| "\"\"".to_owned());
    }
    if !MADE_BY_GITHUB.iter().any(|end| member.ends_with(end))
        || !string.contains(&b'?') && !string.contains(&b'\\')
    {
        return None;
    }
    match unsigned(&text_of(string)) {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => serde_json::to_string(&text).ok(),
    }
}

/// Members that are tokens.
const TOKENS: [&str; 2] = ["temp_clone_token", "temp_download_token"];
/// How members end that GitHub writes itself, not its users: URLs, and HTML that it rendered.
const MADE_BY_GITHUB: [&str; 4] = ["url", "urls", "html", "href"];

/// A text without the queries that sign what is before them.
fn unsigned(text: &str) -> Cow<'_, str> {
    let mut written = String::new();
    let mut copied = 0;
    for (start, _) in text.match_indices('?') {
        let end = text[start..].find(ends_url).map_or(text.len(), |at| start + at);
        if start >= copied && is_signed(&text[start + 1..end]) {
            written.push_str(&text[copied..start]);
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    written.push_str(&text[copied..]);
    Cow::Owned(written)
}

fn ends_url(one: char) -> bool {
    one.is_whitespace() || "\"'<>`)]|\\#".contains(one)
}

/// Whether a query signs. In HTML `&` is `&amp;`.
fn is_signed(query: &str) -> bool {
    query.split(['&', '?', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        SIGNS.contains(&name.as_str())
    })
}

/// Of raw files, pictures, Azure's storage and Amazon's.
const SIGNS: [&str; 7] = [
    "token",
    "jwt",
    "sig",
    "signature",
    "x-amz-signature",
    "x-amz-security-token",
    "access_token",
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn scrubbed(body: &str) -> String {
        let clean = without_tokens(Some("application/json; charset=utf-8"), body.as_bytes());
        String::from_utf8(clean.into_owned()).unwrap()
    }

    #[test]
    fn tokens_go_and_all_else_stays_byte_for_byte() {
        let body = r#"[ {"name" : "a\"b", "size":1.0, "download_url":"https://raw.githubusercontent.com/acme/app/main/a?token=ABC",
            "html_url": "https://github.com/acme/app?tab=readme" , "body": "see https://x/?token=mine", "temp_clone_token": "T0",
            "u": {"avatar_url":"https://avatars.githubusercontent.com/u/1?v=4"}, "content": "Zm9v\n"} ]"#;
        let expected = body.replace("?token=ABC", "").replace("\"T0\"", "\"\"");
        assert_eq!(scrubbed(body), expected);
        assert!(matches!(
            without_tokens(None, br#"{"download_url": null, "temp_clone_token": ""}"#),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn a_signature_is_found_in_every_spelling() {
        for signed in [
            r#"{"download_url":"https://h/a?ref=x&token=S3CRET"}"#,
            r#"{"download_url":"https://h/a\u003ftoken=S3CRET"}"#,
            r#"{"download_url":"https:\/\/h\/a?x=1\u0026TOKEN=S3CRET"}"#,
            r#"{"download\u005furl":"https://h/a?token=S3CRET"}"#,
            r#"{"download_url"  :  "https://h/a?token=S3CRET"}"#,
            r#"{"body_html":"<img src=\"https://private-user-images.githubusercontent.com/1.png?jwt=S3CRET\"> & <a href='/x?y=1&amp;token=S3CRET'>"}"#,
            r#"{"bundle_url":"https://h/a?se=1&sig=S3CRET&sp=r"}"#,
            r#"{"urls":["https://h/a","https://h/b?X-Amz-Signature=S3CRET"]}"#,
            r#"{"download_url":"https://h/a?token=S3CRET"#,
            r#"{"repo":{"temp_clone_token":"S3CRET"}}"#,
            r#"{"urls":[{"x":1},"https://h/a?token=S3CRET"]}"#,
        ] {
            let clean = scrubbed(signed);
            assert!(!clean.contains("S3CRET"), "{signed} became {clean}");
            assert_eq!(scrubbed(&clean), clean);
        }
    }

    #[test]
    fn files_are_left_alone_and_html_is_not() {
        let body = br#"<img src="https://h/a?jwt=S3CRET">"#;
        for file in [
            "application/vnd.github.raw+json",
            "application/vnd.github.diff",
            "text/plain",
            "application/zip",
        ] {
            assert_eq!(*without_tokens(Some(file), body), body[..], "{file}");
            assert!(!may_have_tokens(Some(file)), "{file}");
        }
        for html in [
            "text/html",
            "application/vnd.github.html; charset=utf-8",
            "application/vnd.github.html+json",
        ] {
            assert!(may_have_tokens(Some(html)), "{html}");
            assert_eq!(
                *without_tokens(Some(html), body),
                br#"<img src="https://h/a">"#[..],
                "{html}"
            );
        }
    }

    #[test]
    fn a_location_loses_its_signature() {
        assert_eq!(without_tokens_in_url("https://h/a?token=x#y"), "https://h/a#y");
        assert_eq!(without_tokens_in_url("https://h/a?ref=x"), "https://h/a?ref=x");
    }
}
