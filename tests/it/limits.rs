//! `limits` and `sizes` from the policy file to what a client and the audit are told.

use outwall_tests::{Outwall, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";
const LIMITS: &str = "[environments.default.limits]\nrequests_per_minute = 3\n\
    [[environments.default.limits.hosts]]\nhost = \"*.example.test\"\nupload_bytes_per_hour = \"100 kB\"\n\
    [[environments.default.sizes]]\nmethods = [\"PUT\"]\nmax_body = \"1 KiB\"\n";

fn story(origin: &TestOrigin, bounds: &str) -> Outwall {
    let custom =
        format!("[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n{bounds}");
    outwall().policy(&custom).origin(HOST, origin)
}

#[test]
fn a_request_too_many_is_429_with_the_time_to_wait_and_is_in_the_audit() {
    let origin = TestOrigin::start();
    let outwall = story(&origin, LIMITS);
    let gate = outwall.gate();
    let url = format!("https://{HOST}/");
    for _ in 0..3 {
        assert_eq!(gate.client().get(&url).status(), 200);
    }
    let refused = gate.client().get(&url);
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.reason(), "sandbox-request-rate");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let text = refused.into_text();
    assert!(text.contains("limits.requests_per_minute = 3, line "), "{text}");
    let denied = outwall.audit_of("denied");
    assert_eq!(denied.last().unwrap()["reason"], "sandbox-request-rate");
    assert_eq!(origin.requests().len(), 3);
    let shown = outwall.run(&["policy", "show"]).succeeded().stdout;
    for limit in ["3 requests per minute", "100 kB of upload per hour", "body 1 KiB"] {
        assert!(shown.contains(limit), "{limit}: {shown}");
    }
}

#[test]
fn what_is_too_large_does_not_leave_and_what_is_not_does() {
    let origin = TestOrigin::start();
    let bounds = LIMITS.replace("= 3", "= 30");
    let outwall = story(&origin, &bounds);
    let gate = outwall.gate();
    let url = format!("https://{HOST}/echo");
    let body = |length: usize| "x".repeat(length);
    for (method, length, status, reason) in [
        ("PUT", 1_024, 200, ""),
        ("PUT", 1_025, 413, "body-too-large"),
        ("POST", 60_000, 200, ""),
        ("POST", 60_000, 429, "host-upload-budget"),
        ("POST", 200_000, 413, "host-upload-budget"),
    ] {
        let response = gate.client().send(method, &url, &body(length));
        assert_eq!(response.status(), status, "{method} {length}");
        if !reason.is_empty() {
            assert_eq!(response.reason(), reason, "{method} {length}");
        }
    }
    assert_eq!(origin.requests().len(), 2);
}
