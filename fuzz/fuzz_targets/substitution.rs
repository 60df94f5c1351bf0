//! A placeholder becomes the secret in whatever pieces its text comes, as often as it stands there, and nothing else changes; what
//! waits is never more than the beginning of a placeholder.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use outwall_broker::inject::Substitution;

fuzz_target!(|input: &[u8]| {
    let Some((&[alphabet, length, cut], text)) = input.split_first_chunk::<3>() else {
        return;
    };
    // Of few letters, so that beginnings of a placeholder are everywhere.
    let letters = &b"abcdefgh"[..1 + usize::from(alphabet % 3)];
    let text: Vec<u8> = text
        .iter()
        .map(|byte| letters[usize::from(*byte) % letters.len()])
        .collect();
    let length = 1 + usize::from(length) % 12;
    let Some((placeholder, text)) = text.split_at_checked(length) else {
        return;
    };
    let placeholder = std::str::from_utf8(placeholder).expect("letters");
    let expected = String::from_utf8(text.to_vec())
        .expect("letters")
        .replace(placeholder, "S3\\\"CRET");
    for size in [text.len().max(1), 1 + usize::from(cut) % 16, 1] {
        assert_eq!(in_pieces(placeholder, text, size), expected.as_bytes());
    }
});

fn in_pieces(placeholder: &str, text: &[u8], size: usize) -> Vec<u8> {
    let mut substitution = Substitution::into_json(placeholder, b"S3\"CRET").expect("it is text");
    let mut whole = Vec::new();
    for piece in text.chunks(size) {
        whole.extend_from_slice(&substitution.push(&Bytes::copy_from_slice(piece)));
        assert!(substitution.held() < placeholder.len());
    }
    whole.extend_from_slice(&substitution.end());
    whole
}
