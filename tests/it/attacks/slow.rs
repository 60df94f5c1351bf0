//! What comes too slowly is given up, and a good client is answered meanwhile. It takes as long as a head may take, so it is no
//! part of the list, and a head may take less here than elsewhere.

use std::thread;
use std::time::{Duration, Instant};

use outwall_tests::{RawConnection, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";
/// A head may take 4 s from its first byte.
const PATIENCE: Duration = Duration::from_secs(15);
const POLICY: &str = "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"api.example.test\"]\n\
    [gate]\nhead_timeout = \"4s\"\nhandshake_timeout = \"4s\"\n";

#[test]
fn slow_heads_and_slow_hellos_are_given_up() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let outwall = outwall().policy(POLICY).origin(HOST, &origin);
    let gate = outwall.gate();
    let head = gate.client().raw(HOST);
    let slow_head = thread::spawn(|| {
        ends(
            head,
            b"GET /echo/a HTTP/1.1\r\nhost: api.example.test\r\nx-slow: aaaaaaaaaaaaaaaa",
        )
    });
    let mut hello = gate.raw();
    hello.send(format!("CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\n\r\n"));
    hello.read_head();
    let slow_hello = thread::spawn(|| {
        ends(
            hello,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        )
    });
    let first = gate.raw();
    let slow_connect = thread::spawn(|| {
        ends(
            first,
            b"CONNECT api.example.test:443 HTTP/1.1\r\nhost: api.exampl",
        )
    });
    assert_eq!(
        gate.client().get(&format!("https://{HOST}/")).status(),
        200,
        "the twin is answered meanwhile"
    );
    for (what, slow) in [
        ("a head", slow_head),
        ("a hello", slow_hello),
        ("a CONNECT", slow_connect),
    ] {
        assert!(
            slow.join().expect("it does not panic"),
            "{what} that never ends was never given up"
        );
    }
    assert_eq!(origin.requests().len(), 1);
}

/// Whether the peer closes while these bytes are sent one by one.
fn ends(mut connection: RawConnection, bytes: &[u8]) -> bool {
    let started = Instant::now();
    for byte in bytes {
        connection.send([*byte]);
        if connection.closes_within(Duration::from_millis(400)) {
            return true;
        }
    }
    connection.closes_within(PATIENCE.saturating_sub(started.elapsed()))
}
