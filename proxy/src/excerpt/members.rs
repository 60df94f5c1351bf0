//! Values whose names say that they are credentials: `"client_secret":"…"`, `password=…`, `<token>…</token>`, a part of a form with files.
//!
//! Read from the bytes around a `:`, `=` or `>` alone, whatever the media type says: JSON within JSON, a form in a log and a text that
//! is cut anywhere are read the same. It errs on the side of masking.

use std::ops::Range;

use outwall_policy::credential::names_a_credential;

/// Where such values are, in their order.
pub(super) fn credentials(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memchr3(b':', b'=', b'>', &text[at..]) {
        let mark = at + next;
        at = mark + 1;
        if let Some(value) = value_of(text, mark) {
            at = at.max(value.end);
            found.push(value);
        }
    }
    found
}

fn value_of(text: &[u8], mark: usize) -> Option<Range<usize>> {
    let (name, before) = name_before(text, mark)?;
    let value = match text[mark] {
        b'>' => {
            let is_tag = before.checked_sub(1).is_some_and(|tag| text[tag] == b'<');
            (is_tag && names_a_credential(name)).then(|| up_to(text, mark + 1, b"<"))
        }
        b'=' if name.eq_ignore_ascii_case("name") => part_of_form(text, mark + 1),
        b':' if text[mark + 1..].starts_with(b"//") => None,
        b'=' if name == "code" && is_of_form(text, before) => Some(value_from(text, mark)),
        _ if names_a_credential(name) => Some(value_from(text, mark)),
        _ => None,
    };
    value.filter(|value| !value.is_empty() && !LITERALS.contains(&&text[value.clone()]))
}

/// The name that ends before a position, without quotes, and where it begins.
fn name_before(text: &[u8], mark: usize) -> Option<(&str, usize)> {
    let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b']');
    let end = text[..mark].iter().rposition(|byte| !is_between(byte))? + 1;
    if mark - end > MOST_BETWEEN {
        return None;
    }
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'$');
    let most = text[end.saturating_sub(LONGEST_NAME)..end].iter().rev();
    let start = end - most.take_while(|byte| is_name(byte)).count();
    let name = str::from_utf8(&text[start..end]).ok()?;
    (!name.is_empty()).then_some((name, start))
}

/// An authorisation code (RFC 6749 section 4.1.3) stands in a form and nowhere else.
fn is_of_form(text: &[u8], name: usize) -> bool {
    name == 0 || matches!(text[name - 1], b'&' | b'?')
}

/// What follows a `:` or `=`: within quotes, within brackets, or as far as a bare value goes.
fn value_from(text: &[u8], mark: usize) -> Range<usize> {
    let start = mark + 1 + blanks(&text[mark + 1..]);
    let escapes = text[start..].iter().take_while(|byte| **byte == b'\\').count();
    match text.get(start + escapes) {
        Some(quote @ (b'"' | b'\'')) => {
            let start = start + escapes + 1;
            start..quote_end(text, start, (*quote, escapes))
        }
        Some(b'{' | b'[') => start..bracket_end(text, start + escapes),
        _ if text[mark] == b'=' => up_to(text, start, b"& \t\r\n\"'`;,<>"),
        _ => up_to(text, start, b"\r\n\"'`,}]&<\\"),
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn up_to(text: &[u8], start: usize, ends: &[u8]) -> Range<usize> {
    let length = text[start..].iter().position(|byte| ends.contains(byte));
    start..length.map_or(text.len(), |length| start + length)
}

/// Where a string ends whose quote has so many backslashes before it: at the next that has no more of them.
fn quote_end(text: &[u8], start: usize, (quote, escapes): (u8, usize)) -> usize {
    let mut at = start;
    while let Some(next) = memchr::memchr(quote, &text[at..]) {
        let place = at + next;
        let before = text[start..place]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        // An even number of further ones are backslashes of the string itself.
        if before <= escapes || (escapes == 0 && before % 2 == 0) {
            return place - before.min(escapes);
        }
        at = place + 1;
    }
    text.len()
}

fn bracket_end(text: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The part of a `multipart/form-data` (RFC 7578) whose name stands here, if that is one of a credential.
fn part_of_form(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?.strip_prefix(b"\"")?;
    let name = &rest[..rest.iter().position(|byte| *byte == b'"')?];
    if name.len() > LONGEST_NAME || !names_a_credential(&String::from_utf8_lossy(name)) {
        return None;
    }
    let head = &rest[..rest.len().min(LONGEST_PART_HEAD)];
    let blank = memchr::memmem::find(head, b"\r\n\r\n")?;
    let value = start + 1 + blank + 4;
    let length = memchr::memmem::find(&text[value..], b"\r\n--");
    Some(value..length.map_or(text.len(), |length| value + length))
}

const LITERALS: [&[u8]; 4] = [b"null", b"true", b"false", b"None"];
const LONGEST_NAME: usize = 64;
/// Quotes, their backslashes and blanks between a name and what follows it.
const MOST_BETWEEN: usize = 16;
const LONGEST_PART_HEAD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut masked = String::new();
        let mut at = 0;
        for range in credentials(text.as_bytes()) {
            masked.push_str(&text[at..range.start]);
            masked.push_str("***");
            at = range.end;
        }
        masked + &text[at..]
    }

    #[test]
    fn values_that_are_named_as_credentials_are_found() {
        for (text, expected) in [
            (
                r#"{"access_token":"a\"b","x":"y"}"#,
                r#"{"access_token":"***","x":"y"}"#,
            ),
            (r#"{"password" : "p\\", "x":1}"#, r#"{"password" : "***", "x":1}"#),
            (r#"{"otp":123456,"n":1}"#, r#"{"otp":***,"n":1}"#),
            (
                r#"{"credentials":{"user":"u","key":["k"]},"x":1}"#,
                r#"{"credentials":***,"x":1}"#,
            ),
            (
                r#"{"b":"{\"token\":\"t\",\"y\":\"z\"}"}"#,
                r#"{"b":"{\"token\":\"***\",\"y\":\"z\"}"}"#,
            ),
            (r#"{"client_secret":"cut of"#, r#"{"client_secret":"***"#),
            (
                "grant_type=x&client_secret=s&code=c&scope=a",
                "grant_type=x&client_secret=***&code=***&scope=a",
            ),
            ("user%5Bpassword%5D=p&x=y", "user%5Bpassword%5D=***&x=y"),
            ("user[password]=p&x=y", "user[password]=***&x=y"),
            (
                "export API_KEY=k\nexport HOME=/root",
                "export API_KEY=***\nexport HOME=/root",
            ),
            ("api-key: k v\nhost: a", "api-key: ***\nhost: a"),
            (
                "<a><password>p</password><b>c</b></a>",
                "<a><password>***</password><b>c</b></a>",
            ),
            ("https://a.test/?sig=s&se=1", "https://a.test/?sig=***&se=1"),
            (
                "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\np\r\nq\r\n--b\r\n",
                "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n***\r\n--b\r\n",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_is_named_otherwise_is_left_alone() {
        for text in [
            r#"{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hello: a = b"}]}"#,
            r#"{"token":null,"auth":true,"password":""}"#,
            r#"{"error":{"code":"not_found"}}"#,
            "a=b&c=d",
            "oauth://x",
            "https://a.test/x?page=2",
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\ntext\r\n--b\r\n",
            ": = >",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        for text in [
            "password:",
            "password=",
            "token>",
            "<token>",
            "password:\"",
            "password:{",
            "password:\\\\\"",
            "name=\"",
            "auth:{auth:{",
        ] {
            let _ = credentials(text.as_bytes());
        }
    }
}
