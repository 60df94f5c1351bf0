//! What is masked in a text that is whole is masked in whatever pieces it comes, and nothing else changes; a planted window of a
//! secret is masked however it is written and whatever stands around it.
#![no_main]
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use outwall_broker::scrub::{ScrubStream, Scrubber};

fuzz_target!(|input: &[u8]| {
    let Some((&[length, from, how, step, at], input)) = input.split_first_chunk::<5>() else {
        return;
    };
    let length = 8 + usize::from(length) % 64;
    let Some((secret, text)) = input.split_at_checked(length) else {
        return;
    };
    arbitrary(secret, text, usize::from(step) + 1);
    // One whose bytes are worth most, so that the window is known.
    let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";
    let mut secret: Vec<u8> = secret
        .iter()
        .map(|byte| letters[usize::from(byte & 63)])
        .collect();
    secret.extend_from_slice(b"aZ0");
    let from = usize::from(from) % (secret.len() - 7);
    let planted = write(&secret[from..from + 8], how);
    // Zeros keep what is around it from being part of it.
    let middle = text.len() * usize::from(at) / 256;
    let whole = [&text[..middle], b"\0;\0", &planted, b"\0;\0", &text[middle..]].concat();
    let masked = arbitrary(&secret, &whole, usize::from(step) + 1);
    let start = middle + 3;
    let left = &masked[start..start + planted.len()];
    let shown = left.iter().filter(|byte| **byte != b'*').count();
    // Of base64 the ends, which hold less than a byte of it, and padding.
    assert!(shown <= if how % 8 == 7 { 4 } else { 0 }, "{}", how % 8);
});

/// The text, masked.
fn arbitrary(secret: &[u8], text: &[u8], step: usize) -> Vec<u8> {
    let name = || "key".parse().expect("a name");
    let scrubber = Arc::new(Scrubber::new([(name(), secret)]).expect("it is long enough"));
    let mut whole = text.to_vec();
    let found = scrubber.mask(&mut whole);
    let changed = whole.iter().zip(text).filter(|(one, other)| one != other);
    assert!(changed.clone().all(|(masked, _)| *masked == b'*'));
    assert!(changed.count() == 0 || found == [0]);
    assert_eq!(in_pieces(&scrubber, text, step), whole);
    whole
}

fn in_pieces(scrubber: &Arc<Scrubber>, text: &[u8], step: usize) -> Vec<u8> {
    let mut stream = ScrubStream::new(Arc::clone(scrubber));
    let mut given = Vec::new();
    for piece in text.chunks(step) {
        given.extend_from_slice(&stream.push(&Bytes::copy_from_slice(piece)));
        assert!(stream.held() <= MOST_HELD, "{} are held back", stream.held());
    }
    given.extend_from_slice(&stream.end());
    given
}

fn write(part: &[u8], how: u8) -> Vec<u8> {
    let each =
        |write: &dyn Fn(u8) -> String| part.iter().flat_map(|byte| write(*byte).into_bytes()).collect();
    match how % 8 {
        0 => part.to_vec(),
        1 => each(&|byte| format!("%{byte:02x}")),
        2 => each(&|byte| format!("%25{byte:02X}")),
        3 => each(&|byte| format!("\\u{byte:04x}")),
        4 => each(&|byte| format!("&#{byte};")),
        5 => each(&|byte| format!("&amp;#x{byte:x};")),
        6 => each(&|byte| format!("{byte:02x}")),
        _ => BASE64_STANDARD.encode(part).into_bytes(),
    }
}

/// The longest form of the longest secret, every byte of it escaped at length.
const MOST_HELD: usize = 72 * 4 * 24;
