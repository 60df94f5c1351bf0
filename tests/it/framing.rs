//! Requests that two readers would frame differently: refused whole, so that nothing is
//! smuggled behind what was decided on. `attacks.md` names the public cases.

use std::time::Duration;

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";
const PATIENCE: Duration = Duration::from_millis(700);

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n\n\
             [[environments.default.rules]]\nhost = \"{HOST}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/echo/**\"]\naction = \"allow\"\n"
        ))
        .origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

/// Each is a request whose framing or names two parsers may read differently. The path
/// `/forbidden` in it must never reach the origin; nor may any of it as it stands.
const CASES: &[(&str, &str)] = &[
    (
        "content-length with transfer-encoding",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "two content-lengths",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length: 0\r\ncontent-length: 52\r\n\r\nGET /forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "a signed length",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length: +5\r\n\r\nhello",
    ),
    (
        "a hexadecimal length",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length: 0x5\r\n\r\nhello",
    ),
    (
        "an unknown transfer-encoding",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\nGET /forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "chunked twice",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "a folded header field",
        "GET /echo/a HTTP/1.1\r\nhost: api.example.test\r\nx-a: b\r\n c\r\n\r\n",
    ),
    (
        "a space before the colon",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length : 5\r\n\r\nhello",
    ),
    (
        "a NUL in a header field",
        "GET /echo/a HTTP/1.1\r\nhost: api.example.test\r\nx-a: b\0c\r\n\r\n",
    ),
    (
        "a bare carriage return",
        "GET /echo/a HTTP/1.1\r\nhost: api.example.test\r\nx-a: b\rc: d\r\n\r\n",
    ),
    (
        "two hosts",
        "GET /echo/a HTTP/1.1\r\nhost: api.example.test\r\nhost: other.example.test\r\n\r\n",
    ),
    ("no host", "GET /echo/a HTTP/1.1\r\nx-a: b\r\n\r\n"),
    (
        "a host with userinfo",
        "GET /echo/a HTTP/1.1\r\nhost: api.example.test@other.example.test\r\n\r\n",
    ),
    (
        "a NUL in the host",
        "GET /echo/a HTTP/1.1\r\nhost: other\0.api.example.test\r\n\r\n",
    ),
    (
        "an absolute target that is not the host",
        "GET https://other.example.test/echo/a HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "a second CONNECT",
        "CONNECT other.example.test:443 HTTP/1.1\r\nhost: other.example.test:443\r\n\r\n",
    ),
    (
        "dots that climb",
        "GET /echo/../forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "encoded dots that climb",
        "GET /echo/%2e%2e/forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "an encoded slash that climbs",
        "GET /echo/..%2fforbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    (
        "a backslash that climbs",
        "GET /echo/..\\forbidden HTTP/1.1\r\nhost: api.example.test\r\n\r\n",
    ),
    ("HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (
        "a chunk length that overflows",
        "POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n",
    ),
];

#[test]
fn requests_that_two_readers_would_frame_differently_are_refused() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    for (what, bytes) in CASES {
        let before = origin.requests().len();
        let mut raw = gate.client().raw(HOST);
        raw.send(bytes);
        let reply = raw.read_for(PATIENCE);
        let reached = &origin.requests()[before..];
        let smuggled = reached
            .iter()
            .find(|request| !request.path.starts_with("/echo/a"));
        assert!(smuggled.is_none(), "{what}: {smuggled:?}");
        if *what == "content-length with transfer-encoding" && reply.starts_with("HTTP/1.1 200") {
            // RFC 9112 section 6.3 lets a proxy answer it, when it sends on one of the two and closes.
            assert_eq!(reached[0].header("content-length"), "", "{what}");
            assert!(
                reply.to_ascii_lowercase().contains("connection: close"),
                "{what}: {reply}"
            );
            continue;
        }
        assert!(!reply.starts_with("HTTP/1.1 2"), "{what}: {reply}");
    }
    let mut raw = gate.client().raw(HOST);
    raw.send("POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ncontent-length: 5\r\n\r\nhello");
    assert!(raw.read_head().starts_with("HTTP/1.1 200"), "the twin is allowed");
}

#[test]
fn what_is_pipelined_behind_a_refused_request_is_decided_for_itself() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    raw.send(
        [
            get("/echo/1"),
            get("/forbidden/2"),
            get("/echo/3"),
            get("/forbidden/4"),
        ]
        .concat(),
    );
    let replies = raw.read_for(Duration::from_secs(1));
    let paths = origin.paths();
    assert!(paths.iter().all(|path| path.starts_with("/echo/")), "{paths:?}");
    assert!(paths.contains(&"/echo/1".to_owned()), "{replies}");
    assert_eq!(
        replies.matches("x-outwall-reason: rule-refused").count().min(1),
        1,
        "{replies}"
    );
}

#[test]
fn a_chunk_extension_does_not_reach_the_origin() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    raw.send("POST /echo/a HTTP/1.1\r\nhost: api.example.test\r\ntransfer-encoding: chunked\r\n\r\n5;a=\"b\r\nc\"\r\nhello\r\n0\r\n\r\n");
    let reply = raw.read_for(PATIENCE);
    if reply.starts_with("HTTP/1.1 200") {
        assert!(reply.contains("\"body\":\"hello\""), "{reply}");
    }
    assert!(origin.paths().iter().all(|path| path == "/echo/a"));
}

#[test]
fn oversized_heads_are_refused_and_large_ones_are_not() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let with_header_of = |length: usize| {
        let mut raw = gate.client().raw(HOST);
        raw.send(format!(
            "GET /echo/a HTTP/1.1\r\nhost: {HOST}\r\nx-a: {}\r\n\r\n",
            "b".repeat(length)
        ));
        raw.read_for(PATIENCE)
    };
    let refused = with_header_of(4 << 20);
    assert!(
        !refused.starts_with("HTTP/1.1 200"),
        "{}",
        &refused[..refused.len().min(300)]
    );
    let allowed = with_header_of(16 << 10);
    assert!(
        allowed.starts_with("HTTP/1.1 200"),
        "{}",
        &allowed[..allowed.len().min(300)]
    );
}

#[test]
fn bytes_that_are_neither_tls_nor_http_are_refused_and_end_only_their_connection() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        &[0x80; 64],
        &[0; 64],
        &[0x16, 3, 1, 0xff, 0xff],
    ] {
        let mut raw = gate.raw();
        raw.send(format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n"));
        assert!(raw.read_head().starts_with("HTTP/1.1 200"));
        raw.send(bytes);
        let _ = raw.read_for(PATIENCE);
    }
    assert_eq!(origin.requests().len(), 0);
    assert_eq!(gate.client().get(&format!("https://{HOST}/echo/a")).status(), 200);
}
