//! Bodies stream through, both ways, with nothing held back and nothing kept.

use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const HOST: &str = "api.example.test";
const MIB: u64 = 1 << 20;

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

fn both_versions() -> [Versions; 2] {
    [Versions::Http1Only, Versions::Http2Only]
}

#[test]
fn server_sent_events_arrive_one_by_one() {
    for origin_speaks in both_versions() {
        let origin = TestOrigin::speaking(origin_speaks);
        let (_outwall, gate) = story(&origin);
        for client_speaks in both_versions() {
            let client = gate.client().speaking(client_speaks);
            let mut response = client.get(&format!("https://{HOST}/sse?count=4&ms=300"));
            assert_eq!(response.header("content-type"), "text/event-stream");
            let (mut text, mut arrivals) = (String::new(), Vec::new());
            while let Some(piece) = response.piece().unwrap() {
                text.push_str(std::str::from_utf8(&piece).unwrap());
                arrivals.resize(text.matches("\n\n").count(), Instant::now());
            }
            assert_eq!(arrivals.len(), 4, "{text}");
            // Sent together they would come together. A busy machine may see the first one late.
            let apart = arrivals[3] - arrivals[0];
            assert!(
                apart > Duration::from_millis(150),
                "{client_speaks:?}: {apart:?} apart"
            );
        }
    }
}

#[test]
fn trailers_come_through() {
    for origin_speaks in both_versions() {
        let origin = TestOrigin::speaking(origin_speaks);
        let (_outwall, gate) = story(&origin);
        for client_speaks in both_versions() {
            let client = gate.client().speaking(client_speaks).header("te", "trailers");
            let trailers = client.get(&format!("https://{HOST}/trailers")).into_trailers();
            assert_eq!(
                trailers.get("grpc-status").unwrap(),
                "0",
                "{client_speaks:?} to {origin_speaks:?}"
            );
        }
    }
}

#[test]
fn an_upgrade_to_what_the_gate_cannot_read_is_refused_readably() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    raw.send(format!(
        "GET /upgrade HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: x-tunnel\r\n\r\n"
    ));
    let head = raw.read_head();
    assert!(
        head.starts_with("HTTP/1.1 501") && head.contains("x-outwall-reason: upgrade-refused"),
        "{head}"
    );
    assert_eq!(origin.requests().len(), 0);
}

/// A frame of a WebSocket's client with the text `hello`, masked with zeros.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";

#[test]
fn a_websocket_flows_until_a_policy_without_it_and_is_on_record() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (outwall, gate) = story(&origin);
    let opening = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let mut raw = gate.client().raw(HOST);
    raw.send(opening("/upgrade"));
    let head = raw.read_head();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    raw.send(HELLO);
    raw.read_to("hello");
    assert!(
        outwall.audit_of("exchange.came_back").is_empty(),
        "it is not over"
    );

    let outwall = outwall.allowing(&["other.example.test"]);
    gate.signal("HUP");
    assert!(raw.closes_within(Duration::from_secs(10)), "its permit is gone");
    gate.stop();
    let out = &outwall.audit_of("exchange.going_out")[0];
    assert_eq!(
        (&out["method"], &out["protocol"]),
        (&"GET".into(), &"websocket/http/1.1".into())
    );
    let back = &outwall.audit_of("exchange.came_back")[0];
    assert_eq!(
        (&back["status"], &back["bytes_up"], &back["bytes_down"]),
        (&101.into(), &11.into(), &11.into()),
        "{back}"
    );
    assert!(back["error"].as_str().unwrap().contains("withdrawn"), "{back}");
}

#[test]
fn an_upgrade_to_h2c_is_not_passed_on() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    raw.send(format!(
        "GET /echo HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
    ));
    let head = raw.read_head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(origin.requests()[0].header("upgrade"), "");
    assert_eq!(origin.requests()[0].header("http2-settings"), "");
}

#[test]
fn large_bodies_stream_both_ways_with_flat_memory() {
    bodies_stream_with_flat_memory(256 * MIB);
}

#[test]
#[ignore = "1 GiB, four times each way"]
fn a_gibibyte_streams_both_ways_with_flat_memory() {
    bodies_stream_with_flat_memory(1024 * MIB);
}

fn bodies_stream_with_flat_memory(length: u64) {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    // Whatever the first request loads (roots, code, pools) is not the body's.
    gate.client()
        .get(&format!("https://{HOST}/bytes/1000000"))
        .into_intact_length();
    let before = gate.resident_kib();
    for versions in both_versions() {
        let client = gate.client().speaking(versions);
        let down = client.get(&format!("https://{HOST}/bytes/{length}"));
        assert_eq!(down.into_intact_length(), length, "{versions:?}");
        let up = client
            .upload(&format!("https://{HOST}/upload"), length)
            .into_json();
        assert_eq!(
            (&up["bytes"], &up["intact"]),
            (&length.into(), &true.into()),
            "{versions:?}"
        );
    }
    let grown = gate.peak_resident_kib().saturating_sub(before);
    assert!(
        grown < 32 * 1024,
        "{grown} KiB more for {} MiB each way",
        length / MIB
    );
}

#[test]
fn a_reader_that_stops_stops_the_origin_too() {
    let origin = TestOrigin::start();
    let (_outwall, gate) = story(&origin);
    gate.client()
        .get(&format!("https://{HOST}/bytes/1000000"))
        .into_intact_length();
    let before = gate.resident_kib();
    let mut held: Vec<_> = (0..4)
        .map(|_| gate.client().get(&format!("https://{HOST}/bytes/{}", 512 * MIB)))
        .collect();
    for response in &mut held {
        response.piece().unwrap();
    }
    std::thread::sleep(Duration::from_secs(2));
    let grown = gate.resident_kib().saturating_sub(before);
    assert!(grown < 48 * 1024, "{grown} KiB held for readers that do not read");
}

#[test]
fn a_large_request_waits_for_100_continue_when_it_asks_to() {
    let origin = TestOrigin::speaking(Versions::Http1Only);
    let (_outwall, gate) = story(&origin);
    let mut raw = gate.client().raw(HOST);
    raw.send(format!(
        "POST /echo HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n"
    ));
    let head = raw.read_head();
    assert!(head.starts_with("HTTP/1.1 100"), "{head}");
    raw.send("hello");
    let head = raw.read_head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}
