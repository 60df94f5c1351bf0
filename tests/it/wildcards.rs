//! One table of hosts, asked in three ways: `policy check`, the explicit proxy and a
//! captured sandbox must give the same decisions.

use outwall_tests::{Outwall, TestOrigin, namespaces_available};

use crate::outwall;

const ALLOWED: [&str; 4] = [
    "*.example.test",
    "exact.test",
    "*.deep.wild.test",
    "Upper.Case.TEST",
];

/// Each host, and whether [`ALLOWED`] covers it.
const TABLE: &[(&str, bool)] = &[
    ("a.example.test", true),
    ("a.b.example.test", true),
    ("a.b.c.d.e.f.example.test", true),
    ("xn--bcher-kva.example.test", true),
    ("A.EXAMPLE.test", true),
    ("example.test", false),
    ("notexample.test", false),
    ("a.example.test.evil.test", false),
    ("aexample.test", false),
    ("exact.test", true),
    ("sub.exact.test", false),
    ("inexact.test", false),
    ("x.deep.wild.test", true),
    ("deep.wild.test", false),
    ("wild.test", false),
    ("x.wild.test", false),
    ("upper.case.test", true),
    ("other.case.test", false),
    ("test", false),
];

fn story(origin: &TestOrigin) -> Outwall {
    let outwall = outwall().allowing(&ALLOWED);
    TABLE
        .iter()
        .filter(|(_, allowed)| *allowed)
        .fold(outwall, |outwall, (host, _)| outwall.origin(host, origin))
}

#[test]
fn policy_check_decides_by_the_table() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    for (host, allowed) in TABLE {
        let finished = outwall.run(&["policy", "check", &format!("https://{host}/")]);
        assert_eq!(
            finished.code(),
            if *allowed { 0 } else { 3 },
            "{host}: {finished:?}"
        );
    }
}

#[test]
fn the_explicit_proxy_decides_by_the_table() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    for (host, allowed) in TABLE {
        for scheme in ["https", "http"] {
            let response = gate.client().get(&format!("{scheme}://{host}/"));
            let expected = if *allowed {
                (200, "")
            } else {
                (403, "host-not-allowed")
            };
            assert_eq!(
                (response.status(), response.reason()),
                expected,
                "{scheme}://{host}"
            );
        }
    }
    let allowed = TABLE.iter().filter(|(_, allowed)| *allowed).count();
    assert_eq!(origin.requests().len(), 2 * allowed);
}

#[test]
fn a_captured_sandbox_decides_by_the_table() {
    if !namespaces_available("a_captured_sandbox_decides_by_the_table") {
        return;
    }
    let origin = TestOrigin::start();
    let hosts: Vec<_> = TABLE.iter().map(|(host, _)| *host).collect();
    let script = format!(
        "for host in {}; do curl -s -o /dev/null -w \"$host %{{http_code}}\\n\" https://$host/; done",
        hosts.join(" ")
    );
    let finished = story(&origin).shell(&["--quiet"], &script);
    let decided: Vec<_> = finished.stdout.lines().collect();
    let expected: Vec<_> = TABLE
        .iter()
        .map(|(host, allowed)| format!("{host} {}", if *allowed { 200 } else { 403 }))
        .collect();
    assert_eq!(decided, expected, "{finished:?}");
}
