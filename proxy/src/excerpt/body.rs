//! What of a body is written down, made of what was put aside of it when all is over.

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use outwall_audit::Body;
use outwall_git_proxy::rest;

use super::AnswerShown;
use super::kept::Kept;
use super::masked::masked;
use super::wanted::Wanted;
use crate::scrub::{self, Unsearchable};

/// What is written down of a body. None where it has none, or bodies are not recorded.
///
/// 1. Its codings are undone: what is in them is looked at, and is what people want to read.
/// 2. What cannot be looked into is not kept.
/// 3. Credentials are masked; so is, where there was more, the last word.
pub(super) fn written(kept: &Kept, wanted: &Wanted, shown: AnswerShown) -> Option<Body> {
    if kept.most() == 0 || kept.is_empty() {
        return None;
    }
    let (length, coding) = (kept.length(), coding_of(kept));
    let without = |why: String| Some(Body::unrecorded(why, length).coded(coding.clone()));
    if shown == AnswerShown::Another {
        return without(
            "the sandbox is shown another one, without what opens something by itself".to_owned(),
        );
    }
    let decoded = match decoded(kept) {
        Ok(decoded) => decoded,
        Err(Unsearchable::Coding(why)) => {
            return without(format!("it cannot be searched for credentials: {why}"));
        }
        Err(Unsearchable::Field(name)) => {
            return without(format!(
                "it cannot be searched for credentials: its `{name}` says that it is coded"
            ));
        }
        Err(why @ Unsearchable::Extensions) => return without(why.to_string()),
    };
    if let Some(what) = sealed(&decoded.bytes) {
        return without(format!("it cannot be searched for credentials: {what} is in it"));
    }
    let media = kept.media_type.as_ref().and_then(|media| media.to_str().ok());
    let text = match shown {
        AnswerShown::WithoutTokens => rest::without_tokens(media, &decoded.bytes),
        _ => decoded.bytes.as_slice().into(),
    };
    let told = masked(&wanted.shapes, &text, decoded.whole);
    Some(Body::kept(&told.bytes, length, decoded.whole && told.whole).coded(coding))
}

/// As its head says, where it says so.
fn coding_of(kept: &Kept) -> Option<String> {
    let named: Vec<&str> = kept
        .codings
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(|value| value.to_str().unwrap_or("?"))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

struct Decoded {
    bytes: Vec<u8>,
    whole: bool,
}

/// What was kept, without its codings, and no more of it than is kept of any body.
fn decoded(kept: &Kept) -> Result<Decoded, Unsearchable> {
    let Some(mut codings) = scrub::codings_of(&kept.codings)? else {
        return Ok(Decoded {
            bytes: kept.bytes().to_vec(),
            whole: kept.is_whole(),
        });
    };
    let mut bytes = Vec::new();
    codings.push(Bytes::copy_from_slice(kept.bytes()));
    while let Some(piece) = codings.next()? {
        let room = kept.most() - bytes.len();
        if piece.len() > room {
            bytes.extend_from_slice(&piece[..room]);
            return Ok(Decoded { bytes, whole: false });
        }
        bytes.extend_from_slice(&piece);
    }
    let whole = kept.is_whole() && codings.finish().is_ok();
    Ok(Decoded { bytes, whole })
}

/// What is in it that is compressed by itself, so that a credential would not be seen there. Text never is.
fn sealed(bytes: &[u8]) -> Option<&'static str> {
    let begins = SEALED_BODIES.iter().find(|(mark, _)| bytes.starts_with(mark));
    let has = || {
        SEALED
            .iter()
            .find(|(mark, _)| memchr::memmem::find(bytes, mark).is_some())
    };
    begins.or_else(has).map(|(_, what)| *what)
}

/// Marks that are too short to be looked for anywhere.
const SEALED_BODIES: [(&[u8], &str); 5] = [
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
    (b"\x78\x01", "zlib"),
    (b"\x1f\x9d", "compressed data"),
    (b"%PDF-", "a PDF"),
];
/// None of them is UTF-8, but for the pack's, which has zeros.
const SEALED: [(&[u8], &str); 9] = [
    (b"PACK\0\0\0", "a pack of git"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh91AY&SY", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "LZ4"),
];

/// For the fuzz target: what is written down of a body that comes in pieces.
#[cfg(any(test, fuzzing))]
pub(crate) fn written_of(pieces: &[&[u8]], most: usize, coding: Option<&str>) -> Option<Body> {
    let mut headers = http::HeaderMap::new();
    headers.extend(coding.and_then(|coding| Some((CONTENT_ENCODING, coding.parse().ok()?))));
    let mut kept = Kept::new(most, &headers);
    for piece in pieces {
        kept.push(piece);
    }
    kept.end();
    let wanted = Wanted {
        recording: outwall_policy::MessageRecording::default(),
        shapes: crate::dlp::Shapes::known(),
        credential_fields: std::collections::BTreeSet::new(),
    };
    written(&kept, &wanted, AnswerShown::AsItComes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use http::HeaderMap;

    use super::super::wanted::tests::wanted;
    use super::*;

    fn of(bytes: &[u8], most: usize, coding: Option<&str>) -> Body {
        let mut headers = HeaderMap::new();
        headers.extend(coding.map(|coding| (CONTENT_ENCODING, coding.parse().unwrap())));
        let mut kept = Kept::new(most, &headers);
        for piece in bytes.chunks(7) {
            kept.push(piece);
        }
        kept.end();
        written(&kept, &wanted(), AnswerShown::AsItComes).unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let deflated = miniz_oxide::deflate::compress_to_vec(text, 6);
        let (sum, length) = (
            crate::dlp::crc32(text).to_le_bytes(),
            u32::try_from(text.len()).unwrap().to_le_bytes(),
        );
        [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &deflated, &sum, &length].concat()
    }

    fn token() -> String {
        ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat()
    }

    #[test]
    fn a_body_is_kept_as_far_as_asked_for_and_its_length_is_that_of_the_whole() {
        let whole = of(b"hello, world", 12, None);
        assert_eq!(
            (whole.text(), whole.length(), whole.is_cut()),
            (Some("hello, world"), 12, false)
        );
        let cut = of(b"hello, world", 9, None);
        assert_eq!(
            (cut.text(), cut.length(), cut.is_cut()),
            (Some("hello, "), 12, true)
        );
        assert_eq!(of(b"\x89PNG\0\x01", 9, None).base64(), Some("iVBORwAB"));
    }

    #[test]
    fn a_coded_body_is_kept_decoded_and_a_secret_in_it_is_found() {
        let text = format!("{{\"note\":\"{}\",\"rest\":\"stays\"}}", token());
        let coded = gzip(text.as_bytes());
        let body = of(&coded, 4096, Some("gzip"));
        assert_eq!(body.text(), Some("{\"note\":\"***\",\"rest\":\"stays\"}"));
        assert_eq!((body.length(), body.is_cut()), (coded.len() as u64, false));
        assert_eq!(body.content_encoding(), Some("gzip"));
        let long = gzip("x ".repeat(3000).as_bytes());
        let body = of(&long, 1000, Some("gzip"));
        assert_eq!((body.text().unwrap().len(), body.is_cut()), (1000, true));
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_kept() {
        let why = |bytes: &[u8], coding| of(bytes, 100, coding).unrecorded_because().unwrap().to_owned();
        assert!(why(b"x", Some("aes128gcm")).contains("not one that can be looked into"));
        assert!(why(b"no gzip", Some("gzip")).contains("it is not gzip as it says"));
        assert!(why(&gzip(b"text"), None).ends_with("gzip is in it"));
        assert!(why(b"0014command\n0000PACK\0\0\0\x02xx", None).ends_with("a pack of git is in it"));
        assert!(of(b"PACK of words, BZh and PK", 100, None).text().is_some());
    }

    #[test]
    fn a_secret_is_in_no_body_wherever_that_is_cut() {
        let text = format!("some words, then {} and more words", token());
        for most in 1..text.len() + 2 {
            let body = of(text.as_bytes(), most, None);
            assert!(!body.text().unwrap().contains(&token()[..5]), "{most}: {body:?}");
        }
    }

    #[test]
    fn what_another_text_was_made_of_is_not_kept_and_without_tokens_is_without_them() {
        let mut kept = Kept::new(1000, &HeaderMap::new());
        kept.push(br#"{"download_url":"https://raw.test/x?token=AAAA","name":"x"}"#);
        kept.end();
        let shown = |shown| written(&kept, &wanted(), shown).unwrap();
        assert!(shown(AnswerShown::Another).unrecorded_because().is_some());
        let body = shown(AnswerShown::WithoutTokens);
        assert!(
            body.text()
                .is_some_and(|text| !text.contains("AAAA") && text.contains(r#""name":"x""#))
        );
    }
}
