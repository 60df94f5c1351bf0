//! Names of parameters and cookies, in every spelling that an origin may read.

use std::borrow::Cow;

/// How often an escape is undone: once by the origin, once by what is before it, and once more.
const ROUNDS: usize = 3;

/// Whether an origin may read `written` as `name`: decoded up to three times, in any case, with blanks around it, as an array
/// (`key[]`), with a blank or a dot for an underscore (as PHP has it).
pub(super) fn is_named(written: &[u8], name: &str) -> bool {
    let mut decoded = Cow::Borrowed(written);
    for _ in 0..=ROUNDS {
        if matches(&decoded, name.as_bytes()) {
            return true;
        }
        match decode(&decoded) {
            Cow::Owned(next) if next != *decoded => decoded = Cow::Owned(next),
            Cow::Owned(_) | Cow::Borrowed(_) => return false,
        }
    }
    false
}

fn matches(written: &[u8], name: &[u8]) -> bool {
    let written = trim(written);
    let end = written
        .iter()
        .position(|byte| matches!(byte, b'[' | 0))
        .unwrap_or(written.len());
    let written = trim(&written[..end]);
    written.len() == name.len() && written.iter().zip(name).all(|(a, b)| letter(*a) == letter(*b))
}

fn letter(byte: u8) -> u8 {
    match byte {
        b'.' | b' ' | b'+' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

/// Without blanks and control bytes around it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| *byte <= b' ';
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(start, |last| last + 1);
    &text[start..end]
}

/// Whether the text has that word in it, in any case.
pub(super) fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

/// Undoes `+` and the escapes that are ones. Borrowed where there is nothing to undo.
pub(super) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escape = (*first == b'%').then(|| after.first_chunk::<2>()).flatten();
        if let Some(byte) = escape.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)) {
            decoded.push(byte);
            rest = &after[2..];
        } else {
            decoded.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_every_spelling() {
        for written in [
            "key",
            "KEY",
            "%6bey",
            "%6B%65%79",
            "%256bey",
            "%25256bey",
            " key",
            "key ",
            "+key",
            "%20key",
            "key[]",
            "key[0][x]",
            "key%5b%5d",
            "key\0x",
            "key%00",
            "\tkey",
        ] {
            assert!(is_named(written.as_bytes(), "key"), "{written:?}");
        }
        for written in ["access.token", "access+token", "access%2Etoken"] {
            assert!(is_named(written.as_bytes(), "access_token"), "{written}");
        }
        assert!(is_named(b"%24key", "$key"));
    }

    #[test]
    fn another_name_is_another() {
        for written in ["", "keys", "ke", "mykey", "x[key]", "%", "%6", "key%", "%zzkey"] {
            assert!(!is_named(written.as_bytes(), "key"), "{written:?}");
        }
    }

    #[test]
    fn decoding_leaves_what_is_no_escape() {
        assert_eq!(*decode(b"a%2Fb+c%zz%4"), *b"a/b c%zz%4");
        assert!(matches!(decode(b"plain"), Cow::Borrowed(b"plain")));
    }
}
