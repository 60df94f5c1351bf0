//! Every shape in every encoding, in whatever pieces; each with a twin that is none.

#![expect(clippy::format_collect, reason = "short texts")]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;

#[path = "../../../tests/src/credentials.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::must_use_candidate,
    reason = "shared with the stories"
)]
pub(crate) mod credentials;

use credentials::{STANDARD, Seeded, Shape, URL_SAFE, base64};

fn list() -> Vec<Shape> {
    credentials::shapes(include_str!("../../../policy/data/credential-shapes.toml"))
}

fn names(bytes: &[u8]) -> Vec<String> {
    let shapes = Shapes::known();
    let found = Scan::whole(&shapes, bytes);
    found
        .iter()
        .map(|found| shapes.shape(found.shape).name().to_owned())
        .collect()
}

fn wrapped(text: &str, width: usize, line_break: &str) -> String {
    let lines = text.as_bytes().chunks(width).map(String::from_utf8_lossy);
    lines.collect::<Vec<_>>().join(line_break)
}

/// A text in everything that it may travel in.
fn spellings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let coded = base64(text.as_bytes(), STANDARD);
    let json = serde_json::to_string(text).expect("text");
    let some: String = text
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let texts = [
        ("plain", text.to_owned()),
        ("JSON in JSON", serde_json::to_string(&json).expect("text")),
        ("JSON", json),
        ("base64", format!("{{\"x\":\"{coded}\"}}")),
        ("base64url", base64(text.as_bytes(), URL_SAFE)),
        ("MIME", wrapped(&coded, 76, "\r\n")),
        ("indented base64", wrapped(&coded, 64, "\n    ")),
        ("wrapped base64 in JSON", wrapped(&coded, 60, "\\n")),
        ("base64 in JSON as PHP writes it", coded.replace('/', "\\/")),
        ("base64 in a form", coded.replace('+', "%2B").replace('/', "%2F")),
        (
            "Basic",
            format!("Basic {}", base64(format!("user:{text}").as_bytes(), STANDARD)),
        ),
        ("form", some),
        (
            "all percent",
            text.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        ),
        (
            "all JSON escapes",
            text.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
        ),
    ];
    let wide = [
        ("UTF-16LE", text.bytes().flat_map(|byte| [byte, 0]).collect()),
        ("UTF-16BE", text.bytes().flat_map(|byte| [0, byte]).collect()),
    ];
    texts
        .map(|(name, text)| (name, text.into_bytes()))
        .into_iter()
        .chain(wide)
        .collect()
}

#[test]
fn every_shape_is_found_in_every_spelling_and_its_twin_in_none() {
    let mut seeded = Seeded::new(11);
    for shape in list() {
        {
            let credential = shape.credential(&mut seeded);
            let length = seeded.below(9);
            let before = String::from_utf8(seeded.text(b"abc def", length)).expect("text");
            for (spelling, text) in spellings(&format!("{before} \"{credential}\" and more")) {
                let found = names(&text);
                assert!(
                    found.contains(&shape.name),
                    "{} in {spelling}: {found:?}",
                    shape.name
                );
            }
        }
        let twin = shape.twin(&mut seeded);
        for (spelling, text) in spellings(&format!("\"{twin}\" and more")).into_iter().step_by(3) {
            assert_eq!(names(&text), [""; 0], "{} in {spelling}", shape.name);
        }
    }
}

#[test]
fn pieces_change_nothing_and_what_is_held_back_is_given_in_the_end() {
    let (mut seeded, list, shapes) = (Seeded::new(12), list(), Shapes::known());
    for _ in 0..15 {
        let mut text = Vec::new();
        for _ in 0..=seeded.below(3) {
            let length = seeded.below(90);
            text.extend(seeded.text(b"ab %41\\u0067\\n\n{}AKIAghp_eyJ", length));
            let credential = list[seeded.below(list.len())].credential(&mut seeded);
            let all = spellings(&credential);
            text.extend(&all[seeded.below(all.len())].1);
        }
        let whole: BTreeSet<Match> = Scan::whole(&shapes, &text).into_iter().collect();
        for step in [1, 3, 64, 1 + seeded.below(300)] {
            let (mut scan, mut found) = (Scan::new(Arc::clone(&shapes)), Vec::new());
            for piece in text.chunks(step) {
                scan.push(piece, &mut found);
                let cleared = scan.cleared();
                assert!(cleared <= scan.pushed());
                let undecided = whole
                    .iter()
                    .filter(|one| !found.contains(*one) && one.start < scan.pushed());
                for one in undecided {
                    assert!(cleared <= one.start + LONGEST_ANCHOR, "{one:?} is held back");
                }
            }
            scan.finish(&mut found);
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), whole);
        }
    }
}

/// What of an anchor may leave before it is known for one: it says nothing.
const LONGEST_ANCHOR: u64 = 12 * 6 * 2;

#[test]
fn placeholders_and_ordinary_texts_are_nothing() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE and ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "postgres://user:password@localhost:5432/db",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJRTESMBAG",
        "\"integrity\": \"sha512-9aXhgBYHjQPb8mGkMoSRnYqJtaJ5n2XkQ6wbM9N2WkJUSQ7FvQq8ZqcY8YbVJ0s6S1Yh0gqfQ6w==\"",
        "task-4f2c9a0b8d7e6f5a4b3c2d1e0f9a8b7c, desk-top, sk-learn, key-value, secret_key = None",
    ] {
        assert_eq!(names(text.as_bytes()), [""; 0], "{text}");
    }
}

#[test]
fn a_message_is_inflated_with_the_memory_of_those_before() {
    let (secret, shapes) = (list()[0].credential(&mut Seeded::new(5)), Shapes::known());
    let text = format!("{{\"note\":\"{secret}\"}}");
    let mut deflated = miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6);
    deflated[0] &= !1; // not the last block
    let (mut messages, mut found) = (MessageScan::new(shapes), Vec::new());
    for piece in deflated.chunks(5) {
        messages.push(piece, true, &mut found).expect("deflate");
    }
    let _ = messages.end(&mut found);
    assert_eq!(found.len(), 1);
    assert!(
        messages.push(b"\xff\xff\xff\xff", true, &mut found).is_err(),
        "and nothing else is taken for it"
    );
}
