//! A text without the credentials in it.

use std::ops::Range;
use std::sync::Arc;

use outwall_policy::credential::Check;

use super::members;
use crate::dlp::{Match, Scan, Shapes};

/// A text without the credentials in it.
pub(super) struct Masked {
    pub(super) bytes: Vec<u8>,
    /// All of the text was told.
    pub(super) whole: bool,
}

/// Puts `***` in the place of whatever looks like a credential, or is named as one. Of a text that is not `whole`, the end may be the
/// beginning of one: its last word is left out.
pub(super) fn masked(shapes: &Arc<Shapes>, text: &[u8], whole: bool) -> Masked {
    let mut scan = Scan::new(Arc::clone(shapes));
    let mut found = Vec::new();
    scan.push(text, &mut found);
    let end = if whole {
        scan.finish(&mut found);
        text.len()
    } else {
        undoubted(text, usize::try_from(scan.cleared()).unwrap_or(0))
    };
    let mut hidden: Vec<Range<usize>> = found.iter().map(|one| around(text, one, shapes)).collect();
    hidden.extend(members::credentials(text));
    hidden.sort_unstable_by_key(|range| range.start);
    Masked {
        bytes: starred(text, &hidden, end),
        whole: end == text.len(),
    }
}

fn starred(text: &[u8], hidden: &[Range<usize>], end: usize) -> Vec<u8> {
    let (mut starred, mut at) = (Vec::with_capacity(end), 0);
    for range in hidden {
        if range.start >= end {
            break;
        }
        if range.end <= at {
            continue;
        }
        if range.start >= at {
            starred.extend_from_slice(&text[at..range.start]);
            starred.extend_from_slice(STARS);
        }
        at = range.end;
    }
    if at < end {
        starred.extend_from_slice(&text[at..end]);
    }
    starred
}

/// Up to where a text that goes on can be told: before the word that is in doubt, or the last one.
fn undoubted(text: &[u8], cleared: usize) -> usize {
    let cleared = cleared.min(text.len());
    let word = word_start(text, cleared);
    if cleared < text.len() || cleared - word <= LONGEST_WORD {
        return word;
    }
    cleared // what is that long and looked like a credential would have been in doubt
}

/// The whole word of a match, which may begin before its anchor, and all of a private key.
fn around(text: &[u8], found: &Match, shapes: &Shapes) -> Range<usize> {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    let (at, mut end) = (place(found.start), place(found.end));
    let shape = shapes.shape(found.shape);
    let mut start = word_start(text, at);
    if shape.anchors().iter().any(|anchor| *anchor.at().end() > 0) {
        start = word_start(text, line_before(text, start));
    }
    if shape.check() == Check::PrivateKey {
        end = armour_end(text, end);
    }
    start..word_end(text, end)
}

/// Where the armour of a key ends (RFC 7468 section 2): all of the text, where that is not there.
fn armour_end(text: &[u8], from: usize) -> usize {
    let after = |from: usize, mark: &[u8]| {
        let found = memchr::memmem::find(&text[from..], mark);
        found.map_or(text.len(), |at| from + at + mark.len())
    };
    after(after(from, b"-----END"), b"-----")
}

/// The end of a line of base64 that goes on at this position, else the position.
fn line_before(text: &[u8], start: usize) -> usize {
    let before = text[..start].trim_ascii_end();
    let run = before.iter().rev().take_while(|byte| is_base64(**byte)).count();
    let breaks = text[before.len()..start].contains(&b'\n');
    if breaks && run >= SHORTEST_LINE {
        before.len()
    } else {
        start
    }
}

fn word_start(text: &[u8], at: usize) -> usize {
    let before = text[..at].iter().rposition(|byte| parts(*byte));
    before.map_or(0, |before| before + 1)
}

fn word_end(text: &[u8], at: usize) -> usize {
    let after = text[at..].iter().position(|byte| parts(*byte));
    after.map_or(text.len(), |after| at + after)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What stands between words, and within no credential.
fn parts(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>(){}[],;&=|".contains(&byte)
}

const STARS: &[u8] = b"***";
/// A word that is cut off and longer than this is none that a credential begins: the latest anchor is 76 characters in, each an escape.
const LONGEST_WORD: usize = 1024;
/// Base64 is wrapped at 60, 64 or 76 characters.
const SHORTEST_LINE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat()
    }

    fn told(text: &str, whole: bool) -> (String, bool) {
        let masked = masked(&Shapes::known(), text.as_bytes(), whole);
        (String::from_utf8_lossy(&masked.bytes).into_owned(), masked.whole)
    }

    #[test]
    fn what_looks_like_a_credential_is_masked_and_what_is_around_it_stays() {
        let text = format!("{{\"note\":\"use {} for it\",\"x\":1}}", token());
        let expected = "{\"note\":\"use *** for it\",\"x\":1}";
        assert_eq!(told(&text, true), (expected.to_owned(), true));
        assert_eq!(
            told("plain text, 17 words", true),
            ("plain text, 17 words".to_owned(), true)
        );
    }

    #[test]
    fn a_private_key_is_masked_to_its_end() {
        let body = "MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0buq6DvNm3Sq8kPZxWv2\nqR5t".repeat(20);
        let (begin, end) = ("-----BEGIN RSA PRIVATE", "-----END RSA PRIVATE");
        let text = format!("before\n{begin} KEY-----\n{body}\n{end} KEY-----\nafter");
        let (masked, _) = told(&text, true);
        assert!(
            masked.starts_with("before\n***") && masked.ends_with("after"),
            "{masked}"
        );
        assert!(!masked.contains("MIIE") && !masked.contains("qR5t"), "{masked}");
        let (masked, _) = told(&text[..text.len() - 40], false);
        assert!(!masked.contains("MIIE") && !masked.contains("qR5t"), "{masked}");
    }

    #[test]
    fn wherever_a_text_is_cut_no_beginning_of_a_credential_is_told() {
        let text = format!("some words before it {} and some after", token());
        for cut in 0..=text.len() {
            let (told, _) = told(&text[..cut], false);
            assert!(!told.contains(&token()[..5]), "{told}");
        }
        assert_eq!(
            told("some words, cut thr", false),
            ("some words, cut ".to_owned(), false)
        );
    }

    #[test]
    fn base64_of_a_credential_is_masked_as_one_word() {
        use base64::Engine as _;
        let coded = base64::prelude::BASE64_STANDARD.encode(format!("user:{}", token()));
        assert_eq!(told(&format!("a {coded} b"), true).0.replace('=', ""), "a *** b");
    }

    #[test]
    fn ranges_that_overlap_are_one() {
        assert_eq!(
            starred(b"0123456789", &[1..4, 2..3, 3..6, 8..9], 10),
            b"0***67***9"
        );
        assert_eq!(starred(b"0123456789", &[1..4, 8..9], 8), b"0***4567");
        assert_eq!(starred(b"0123456789", &[1..9, 3..4], 4), b"0***");
    }
}
