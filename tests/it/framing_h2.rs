//! The same for HTTP/2: fields that mean one thing in a frame and another once they are a
//! line of HTTP/1.1 at the origin. Frames are written by hand: no library would send them.

use std::time::Duration;

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";

type Fields = &'static [(&'static str, &'static str)];

const GOOD: Fields = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", HOST),
    (":path", "/echo/a"),
    ("x-a", "b"),
];

/// Each is a request that must not reach the origin, whatever the client is told.
const CASES: &[(&str, Fields)] = &[
    (
        "two authorities",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":authority", "other.test"),
            (":path", "/echo/a"),
        ],
    ),
    (
        "another host than the authority",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("host", "other.test"),
        ],
    ),
    (
        "another authority",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "other.test"),
            (":path", "/echo/a"),
        ],
    ),
    (
        "userinfo in the authority",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "api.example.test@other.test"),
            (":path", "/echo/a"),
        ],
    ),
    (
        "no authority and no host",
        &[(":method", "GET"), (":scheme", "https"), (":path", "/echo/a")],
    ),
    (
        "two paths",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            (":path", "/forbidden"),
        ],
    ),
    (
        "no path",
        &[(":method", "GET"), (":scheme", "https"), (":authority", HOST)],
    ),
    (
        "an empty path",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", ""),
        ],
    ),
    (
        "a path without a slash",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "echo/a"),
        ],
    ),
    (
        "a path that is a URL",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "https://other.test/echo/a"),
        ],
    ),
    (
        "a line break in the path",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a HTTP/1.1\r\nx: y"),
        ],
    ),
    (
        "a line break in the method",
        &[
            (":method", "GET /forbidden HTTP/1.1\r\nx: y\r\n\r\nGET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
        ],
    ),
    (
        "a line break in a value",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("x-a", "b\r\nx-c: d"),
        ],
    ),
    (
        "a NUL in a value",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("x-a", "b\0c"),
        ],
    ),
    (
        "a line break in a name",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("x-a: b\r\nx-c", "d"),
        ],
    ),
    (
        "a colon in a name",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("transfer-encoding:", "chunked"),
        ],
    ),
    (
        "an upper case name",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("X-A", "b"),
        ],
    ),
    (
        "transfer-encoding",
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("transfer-encoding", "chunked"),
        ],
    ),
    (
        "a connection field",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("connection", "upgrade"),
        ],
    ),
    (
        "a length that the body has not",
        &[
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            ("content-length", "50"),
        ],
    ),
    (
        "a pseudo-field after a field",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            ("x-a", "b"),
            (":path", "/echo/a"),
        ],
    ),
    (
        "an unknown pseudo-field",
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/echo/a"),
            (":status", "200"),
        ],
    ),
    (
        "plaintext inside TLS",
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", HOST),
            (":path", "/echo/a"),
        ],
    ),
    (
        "CONNECT",
        &[(":method", "CONNECT"), (":authority", "other.test:443")],
    ),
    (
        "extended CONNECT to elsewhere",
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", "other.test"),
            (":path", "/echo/a"),
        ],
    ),
];

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

/// Sends one request without a body, and waits for whatever comes.
fn send(gate: &TestGate, fields: &[(&str, &str)]) {
    let mut raw = gate.client().speaking(Versions::Http2Only).raw(HOST);
    raw.send(
        [
            PREFACE,
            &frame(SETTINGS, 0, 0, &[]),
            &frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields)),
        ]
        .concat(),
    );
    raw.read_for(Duration::from_millis(300));
}

#[test]
fn what_would_be_another_request_in_http1_does_not_reach_the_origin() {
    for speaks in [Versions::Http1Only, Versions::Http2Only] {
        let origin = TestOrigin::speaking(speaks);
        let (_outwall, gate) = story(&origin);
        send(&gate, GOOD);
        assert_eq!(
            origin.paths(),
            ["/echo/a"],
            "the twin arrives: the frames are good ones"
        );
        for (what, fields) in CASES {
            let before = origin.requests().len();
            send(&gate, fields);
            let reached = origin.requests();
            let reached = &reached[before..];
            // No authority at all is one that the connection has: the gate may fill it in.
            if *what == "no authority and no host" && reached.iter().all(|r| r.header("host") == HOST) {
                continue;
            }
            assert!(reached.is_empty(), "{what} to {speaks:?}: {reached:#?}");
        }
        assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);
    }
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
