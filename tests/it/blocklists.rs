//! Files with names that are refused whatever allows them: from the file beside the policy to what runs when it changes.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestGate, TestOrigin};

use crate::outwall;

const GOOD: &str = "good.example.test";
const ADS: &str = "ads.example.test";
const MARKER: &str = "marker.example.test";

/// A policy at level full with a blocklist beside it, and what the list says.
fn story(origin: &TestOrigin, list: &str) -> (Outwall, PathBuf) {
    let outwall = outwall()
        .policy("blocklists = [\"ads.hosts\"]\n[environments.default]\nnetwork = \"full\"\n")
        .origin(GOOD, origin)
        .origin(ADS, origin)
        .origin(MARKER, origin);
    let path = outwall.policy_file().with_file_name("ads.hosts");
    fs::write(&path, list).unwrap();
    (outwall, path)
}

fn status(gate: &TestGate, host: &str) -> u16 {
    gate.client().get(&format!("https://{host}/")).status()
}

#[test]
fn a_name_on_a_list_is_refused_at_level_full_and_the_refusal_names_list_and_line() {
    let origin = TestOrigin::start();
    let (outwall, _) = story(&origin, "# one list\n0.0.0.0 ads.example.test\n||odd^\n");
    let gate = outwall.gate();
    gate.wait_for_stderr("ads.hosts:3: ");
    assert_eq!(status(&gate, GOOD), 200);
    let refused = gate.client().get(&format!("https://{ADS}/"));
    assert_eq!(refused.status(), 403);
    let text = refused.into_text();
    assert!(
        text.contains("ads.example.test on the blocklist ads.hosts, line 2"),
        "{text}"
    );
    let denied = outwall.audit_of("denied");
    assert_eq!(denied.last().unwrap()["reason"], "blocklisted");
    let check = outwall.run(&["policy", "check", &format!("https://x.{ADS}/")]);
    let check = check.exited_with(3);
    assert!(check.stdout.contains("blocklisted"), "{}", check.stdout);
}

#[test]
fn a_name_that_comes_onto_a_list_ends_what_runs_and_another_goes_on() {
    for (listed, goes_on) in [(ADS, false), ("other.example.test", true)] {
        let origin = TestOrigin::start();
        let (outwall, path) = story(&origin, "");
        let gate = outwall.gate();
        let mut events = gate.client().get(&format!("https://{ADS}/sse?count=60&ms=50"));
        events.piece().unwrap();
        fs::write(&path, format!("0.0.0.0 {listed} {MARKER}\n")).unwrap();
        gate.signal("HUP");
        let deadline = Instant::now() + Duration::from_secs(5);
        // A request for the marker that runs when it comes onto the list ends as well.
        let refused = || gate.client().try_get(&format!("https://{MARKER}/"));
        while !refused().is_ok_and(|response| response.status() == 403) {
            assert!(
                Instant::now() < deadline,
                "the new list does not count: {}",
                gate.stderr()
            );
        }
        let ended_well = loop {
            match events.piece() {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert_eq!(ended_well, goes_on, "{listed}");
    }
}

#[test]
fn a_list_that_cannot_be_read_is_an_error_and_leaves_the_policy_before_in_force() {
    let origin = TestOrigin::start();
    let (outwall, path) = story(&origin, "0.0.0.0 ads.example.test\n");
    let gate = outwall.gate();
    fs::remove_file(&path).unwrap();
    gate.signal("HUP");
    gate.wait_for_stderr("cannot read the blocklist");
    assert_eq!((status(&gate, GOOD), status(&gate, ADS)), (200, 403));
    let show = outwall.run(&["policy", "show"]);
    assert_ne!(show.code(), 0);
    assert!(show.stderr.contains("ads.hosts"), "{}", show.stderr);
}
