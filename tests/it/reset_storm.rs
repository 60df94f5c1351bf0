//! A storm of resets costs its sender its connection, and the gate neither memory nor a good client's answer.

use std::time::Duration;

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";

const GOOD: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", HOST),
    (":path", "/echo/a"),
    ("x-a", "b"),
];

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

#[test]
fn a_storm_of_resets_ends_its_connection_and_not_the_gate() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    let before = gate.resident_kib();
    let mut raw = gate.client().speaking(Versions::Http2Only).raw(HOST);
    raw.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
    let request = block(GOOD);
    let mut storm = Vec::new();
    for stream in (1..40_001).step_by(2) {
        storm.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &request));
        storm.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    raw.send(&storm);
    assert!(
        raw.closes_within(Duration::from_secs(20)),
        "rapid reset (CVE-2023-44487)"
    );
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);
    assert!(origin.requests().len() < 10_000, "{}", origin.requests().len());
    let grown = gate.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB");
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Literal fields without indexing and without Huffman coding (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields
        .iter()
        .flat_map(|(name, value)| [vec![0], text(name), text(value)].concat())
        .collect()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
