//! A policy file that is read again reaches what is open: the next request, a running
//! body, a tunnel. One that is broken changes nothing, loudly.

use std::time::{Duration, Instant};

use outwall_tests::{Client, Outwall, TestGate, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";

/// Tells the gate to read its file again and waits until it decides by it.
fn reload(gate: &TestGate, mut decides_by_it: impl FnMut() -> bool) {
    gate.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(5);
    while !decides_by_it() {
        assert!(
            Instant::now() < deadline,
            "the new file does not count: {}",
            gate.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn reaches(gate: &TestGate, host: &str) -> bool {
    gate.client().get(&format!("http://{host}/")).status() == 200
}

fn story(origin: &TestOrigin) -> (Outwall, TestGate) {
    let outwall = outwall()
        .allowing(&[HOST])
        .origin(HOST, origin)
        .origin(OTHER, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

#[test]
fn the_next_request_of_an_open_connection_is_decided_anew() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    connection.get(&format!("https://{HOST}/before")).into_text();

    let _outwall = outwall.allowing(&[OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    if let Ok(response) = connection.try_get(&format!("https://{HOST}/after")) {
        assert_eq!(response.status(), 403);
    }
    assert!(!origin.paths().contains(&"/after".to_owned()));
}

#[test]
fn a_file_that_grants_more_is_granted_without_a_restart() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    assert!(!reaches(&gate, OTHER));
    let _outwall = outwall.allowing(&[HOST, OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    assert!(reaches(&gate, HOST));
}

#[test]
fn a_running_body_ends_when_its_host_is_taken_off_and_goes_on_when_it_stays() {
    for stays in [true, false] {
        let origin = TestOrigin::start();
        let (outwall, gate) = story(&origin);
        let mut events = gate.client().get(&format!("https://{HOST}/sse?count=40&ms=100"));
        events.piece().unwrap();
        let _outwall = outwall.allowing(if stays { &[HOST, OTHER] } else { &[OTHER] });
        reload(&gate, || reaches(&gate, OTHER));
        let started = Instant::now();
        let mut pieces = 0;
        while started.elapsed() < Duration::from_millis(1500) {
            match events.piece() {
                Ok(Some(_)) => pieces += 1,
                Ok(None) | Err(_) => break,
            }
        }
        let ended = started.elapsed() < Duration::from_millis(1400);
        assert_eq!(ended, !stays, "{pieces} more pieces in {:?}", started.elapsed());
    }
}

#[test]
fn a_tunnel_ends_when_its_host_is_taken_off() {
    let origin = TestOrigin::start();
    let tunnelled = |host: &str| {
        format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{OTHER}\"]\ntunnelled_domains = [\"{host}\"]\n"
        )
    };
    let outwall = outwall()
        .policy(&tunnelled(HOST))
        .origin(HOST, &origin)
        .origin(OTHER, &origin);
    let gate = outwall.gate();
    let pin = std::fs::read_to_string(origin.ca_file()).unwrap();
    let client = Client::through(gate.address(), &pin);
    let mut events = client.get(&format!("https://{HOST}/sse?count=100&ms=100"));
    events.piece().unwrap();

    let _outwall = outwall.policy(&tunnelled("another.example.test"));
    gate.signal("HUP");
    let started = Instant::now();
    while let Ok(Some(_)) = events.piece() {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "the tunnel stays open"
        );
    }
}

#[test]
fn a_broken_file_leaves_the_last_good_policy_in_force_and_says_so() {
    let origin = TestOrigin::start();
    let (outwall, gate) = story(&origin);
    let outwall = outwall.policy("this is not TOML");
    gate.signal("HUP");
    gate.wait_for_stderr("policy.toml");
    assert!(reaches(&gate, HOST), "what was granted is granted still");
    assert!(!reaches(&gate, OTHER), "and no more than that");
    let _outwall = outwall.allowing(&[OTHER]);
    reload(&gate, || reaches(&gate, OTHER));
    assert!(!reaches(&gate, HOST));
}
