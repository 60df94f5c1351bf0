//! The file is written again and again while clients of the real binary go on: what both policies allow never fails, what both
//! refuse never passes, by http/1.1, by h2 and through a tunnel.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use outwall_tests::{Client, TestGate, TestOrigin, Versions};

use crate::outwall;

const BOTH: &str = "both.example.test";
const TUNNEL: &str = "pinned.example.test";
const NEITHER: &str = "neither.example.test";

fn policy(origin: &TestOrigin, only: &str) -> String {
    let (tls, plain) = (origin.tls_address(), origin.plain_address());
    let mut hosts = String::new();
    for host in [BOTH, TUNNEL, NEITHER, "one.example.test", "two.example.test"] {
        writeln!(hosts, "\"{host}:443\" = \"{tls}\"\n\"{host}:80\" = \"{plain}\"").unwrap();
    }
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{BOTH}\", \"{only}.example.test\"]\n\
         tunnelled_domains = [\"{TUNNEL}\"]\n[origins]\nextra_roots = [\"{}\"]\n[origins.hosts]\n{hosts}",
        origin.ca_file().display()
    )
}

/// An editor's way: a new file in the place of the old.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, file).unwrap();
}

fn reload_under_load(times: usize) {
    let origin = Arc::new(TestOrigin::start());
    let outwall = outwall();
    let file = outwall.write_work_file("policy.toml", &policy(&origin, "one"));
    let gate = outwall.gate_with(&["--config", file.to_str().unwrap()]);
    let (over, passed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let pin = fs::read_to_string(origin.ca_file()).unwrap();
    let clients = [
        (BOTH, gate.client().speaking(Versions::Http1Only)),
        (BOTH, gate.client().speaking(Versions::Http2Only)),
        (TUNNEL, Client::through(gate.address(), &pin)),
    ];
    let mut threads = Vec::new();
    for (host, client) in clients {
        let (over, passed) = (Arc::clone(&over), Arc::clone(&passed));
        threads.push(thread::spawn(move || keep_asking(&client, host, &over, &passed)));
    }
    let refusing = gate.client();
    threads.push(thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(refusing.get(&format!("http://{NEITHER}/never")).status(), 403);
            }
        }
    }));
    let texts = [policy(&origin, "two"), policy(&origin, "one")];
    let started = Instant::now();
    for turn in 0..times {
        replace(&file, &texts[turn % 2]);
        gate.signal("HUP");
        wait_until_reached(&gate, ["two", "one"][turn % 2]);
    }
    over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let passed = passed.load(Ordering::Relaxed);
    eprintln!(
        "{times} reloads in {:?}: {passed} requests that both policies allow passed",
        started.elapsed()
    );
    assert!(passed > times / 2, "{passed}");
    assert!(!origin.paths().contains(&"/never".to_owned()));
    gate.stop().succeeded();
    assert!(outwall.audit_of("policy.changed").len() >= times);
    assert!(outwall.audit_of("policy.refused").is_empty());
}

/// On one connection after the other, some requests each.
fn keep_asking(client: &Client, host: &str, over: &AtomicBool, passed: &AtomicUsize) {
    while !over.load(Ordering::Relaxed) {
        let mut connection = client.open(&format!("https://{host}/"));
        for _ in 0..50 {
            let response = connection.get(&format!("https://{host}/status/200"));
            assert_eq!((response.status(), response.reason()), (200, ""), "{host}");
            response.into_text();
            passed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Until the new file decides: only it allows this one.
fn wait_until_reached(gate: &TestGate, only: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let url = format!("http://{only}.example.test/");
    while gate.client().get(&url).status() != 200 {
        assert!(Instant::now() < deadline, "{}", gate.stderr());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn requests_that_both_policies_allow_pass_and_those_that_both_refuse_do_not() {
    reload_under_load(8);
}

#[test]
#[ignore = "1,000 reloads, some two to five minutes"]
fn the_same_a_thousand_times() {
    reload_under_load(1_000);
}
