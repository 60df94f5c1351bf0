//! A stream gives the same matches in whatever pieces; what may leave never goes beyond what came; a planted credential is found
//! at whatever split, whatever stands around it, and its twin is not.
#![no_main]
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use outwall_proxy::dlp::{Inspection, Match, Scan, Shapes};

#[path = "../../tests/src/credentials.rs"]
#[allow(dead_code)]
mod credentials;

use credentials::{STANDARD, Seeded, Shape, base64};

static KNOWN: LazyLock<Vec<Shape>> =
    LazyLock::new(|| credentials::shapes(include_str!("../../policy/data/credential-shapes.toml")));

fuzz_target!(|input: &[u8]| {
    let Some((&[shape, seed, coding, split], text)) = input.split_first_chunk::<4>() else {
        return;
    };
    let shapes = Shapes::known();
    let shape = &KNOWN[usize::from(shape) % KNOWN.len()];
    let planted = shape.credential(&mut Seeded::new(seed.into()));
    let planted = match coding % 4 {
        0 => planted,
        1 => base64(format!("{planted} ").as_bytes(), STANDARD),
        2 => planted.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        _ => planted.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
    };
    // Zeros keep what is around it from being part of it.
    let middle = text.len() / 2;
    let stream = [
        &text[..middle],
        b"\0 \0",
        planted.as_bytes(),
        b"\0 \0",
        &text[middle..],
    ]
    .concat();
    let whole: BTreeSet<Match> = Scan::whole(&shapes, &stream).into_iter().collect();
    let found = whole
        .iter()
        .any(|found| shapes.shape(found.shape).name() == shape.name);
    assert!(found, "{} in coding {}", shape.name, coding % 4);
    assert_eq!(in_pieces(&shapes, &stream, usize::from(split) + 1), whole);
});

/// The matches of a stream that comes in pieces of so many bytes, held back and let go as it comes.
fn in_pieces(shapes: &Arc<Shapes>, stream: &[u8], length: usize) -> BTreeSet<Match> {
    let mut inspection = Inspection::new(Arc::clone(shapes), None).expect("no coding");
    let (mut found, mut came, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for piece in stream.chunks(length) {
        inspection.push(piece, &mut found).expect("no coding");
        came.extend_from_slice(piece);
        let released = usize::try_from(inspection.released()).expect("it came");
        assert!(released <= came.len() && released >= left.len());
        left.extend_from_slice(&came[left.len()..released]);
        assert!(
            came.len() - left.len() <= MOST_HELD,
            "{} are held back",
            came.len() - left.len()
        );
    }
    inspection.finish(&mut found).expect("no coding");
    left.extend_from_slice(&came[left.len()..]);
    assert_eq!(left, stream);
    found.into_iter().collect()
}

/// The longest shape, raw.
const MOST_HELD: usize = 17 << 10;
