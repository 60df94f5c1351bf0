//! What is recorded of a body has no credential in it, whatever stands around one, in whatever pieces it comes, and wherever it is cut;
//! nor the value of what is named as one. It is never more than was asked for.
#![no_main]
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libfuzzer_sys::fuzz_target;
use outwall_proxy::dlp::{Scan, Shapes};
use outwall_proxy::fuzzing::written_of;

#[path = "../../tests/src/credentials.rs"]
#[allow(dead_code)]
mod credentials;

use credentials::{Seeded, Shape};

static KNOWN: LazyLock<Vec<Shape>> =
    LazyLock::new(|| credentials::shapes(include_str!("../../policy/data/credential-shapes.toml")));

const NAMED: &[u8] = b"\n\"session_id\":\"xyzzy-plugh-17\"\n";

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, seed, split, coding, low, high], text)) = input.split_first_chunk::<6>() else {
        return;
    };
    let shape = &KNOWN[usize::from(shape) % KNOWN.len()];
    let planted = shape.credential(&mut Seeded::new(seed.into()));
    let middle = text.len() / 2;
    // Zeros keep what is around it from being part of it.
    let body = [
        &text[..middle],
        b"\0 \0",
        planted.as_bytes(),
        b"\0 \0",
        NAMED,
        &text[middle..],
    ]
    .concat();
    let most = 1 + usize::from(u16::from_le_bytes([low, high])) % (body.len() + 8);
    let pieces: Vec<&[u8]> = body.chunks(usize::from(split) + 1).collect();
    let codings = [
        None,
        None,
        None,
        Some("gzip"),
        Some("br"),
        Some("zstd"),
        Some("deflate"),
        Some("x"),
    ];
    let coding = codings[usize::from(coding) % codings.len()];
    let Some(recorded) = written_of(&pieces, most, coding) else {
        panic!("it has a body");
    };
    assert_eq!(recorded.length(), body.len() as u64);
    let written = match (recorded.text(), recorded.base64()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(coded)) => BASE64_STANDARD.decode(coded).expect("as it was written"),
        (None, None) => return assert!(recorded.unrecorded_because().is_some()),
        (Some(_), Some(_)) => panic!("it is one or the other"),
    };
    assert!(
        written.len() <= 3 * most + 3,
        "three stars for at least one byte each"
    );
    if coding.is_some() {
        return; // whatever that is decoded to, it is not what was planted
    }
    // What the scan takes for none (`xoxd-…%1A…` has a control character in it) is another target's matter.
    let is_known = !Scan::whole(&Shapes::known(), planted.as_bytes()).is_empty();
    let secret = &planted.as_bytes()[planted.len() / 2..];
    for window in secret.windows(12.min(secret.len())).filter(|_| is_known) {
        let has = |text: &[u8]| text.windows(window.len()).any(|other| other == window);
        assert!(has(text) || !has(&written), "{} is recorded", shape.name);
    }
    let named = b"plugh";
    let has = |text: &[u8]| text.windows(named.len()).any(|other| other == named);
    assert!(has(text) || !has(&written), "what is named is recorded");
});
