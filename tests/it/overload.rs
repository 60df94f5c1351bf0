//! A gate that has too much to do, or is told to stop: what runs goes on.
#![expect(
    clippy::disallowed_methods,
    reason = "clients connect to the gate, and are none of it"
)]

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";

fn story(origin: &TestOrigin) -> Outwall {
    outwall().allowing(&[HOST]).origin(HOST, origin)
}

#[test]
fn out_of_descriptors_new_connections_wait_and_what_runs_goes_on() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate_with_open_files(256);
    let client = gate.client();
    let mut events = client.get(&format!("https://{HOST}/sse?count=30&ms=50"));
    events.piece().unwrap();
    let idle: Vec<TcpStream> = (0..150) // more than there is room for, and fewer than the kernel's queue takes besides
        .map(|_| TcpStream::connect(gate.address()).unwrap())
        .collect();
    let mut pieces = 1;
    while let Some(_piece) = events.piece().unwrap() {
        pieces += 1;
    }
    assert!(pieces > 1, "what ran came to its end");

    let waiting = thread::spawn(move || client.get(&format!("https://{HOST}/")).status());
    thread::sleep(Duration::from_millis(300));
    assert!(!waiting.is_finished(), "there is no room for it yet");
    drop(idle);
    assert_eq!(waiting.join().unwrap(), 200, "and then there is");
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);
}

#[test]
fn a_stop_lets_requests_finish_and_takes_nothing_new() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    let mut events = gate.client().get(&format!("https://{HOST}/sse?count=20&ms=50"));
    events.piece().unwrap();
    gate.signal("TERM");
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(gate.address()).is_ok() {
        assert!(Instant::now() < deadline, "it still takes connections");
        thread::sleep(Duration::from_millis(10));
    }
    let mut text = String::new();
    while let Some(piece) = events.piece().unwrap() {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(text.contains("19"), "the last of twenty came: {text}");
    let ended = outwall.audit_of("exchange.came_back");
    assert_eq!(ended.last().unwrap()["outcome"], "complete");
}

#[test]
fn what_the_file_says_of_the_gate_counts_and_a_change_of_it_is_told_when_the_file_is_read_again() {
    let origin = TestOrigin::start();
    let policy = |gate: &str| format!("[environments.default]\nnetwork = \"full\"\n[gate]\n{gate}\n");
    let outwall = outwall()
        .policy(&policy("handshake_timeout = \"1s\""))
        .origin(HOST, &origin);
    let gate = outwall.gate();
    let mut silent = gate.raw();
    silent.send("CONNECT ");
    assert!(
        silent.closes_within(Duration::from_secs(10)),
        "15 s without the file"
    );
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 200);

    let outwall = outwall.policy(&policy("handshake_timeout = \"2s\""));
    gate.signal("HUP");
    gate.wait_for_stderr("[gate]");
    let shown = outwall.run(&["policy", "show"]).succeeded().stdout;
    assert!(shown.contains("handshake_timeout = \"2s\""), "{shown}");
}
