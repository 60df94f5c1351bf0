//! Which trace a request belongs to: on record, and told to origins that the environment names.

use outwall_tests::{Received, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn field<'a>(request: &'a Received, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn an_origin_that_is_to_know_is_told_the_exchange_and_another_one_nothing() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\", \"{OTHER}\"]\n\
             trace_context = [\"{HOST}\"]\n"
        ))
        .origin(HOST, &origin)
        .origin(OTHER, &origin);
    let gate = outwall.gate();
    let client = gate
        .client()
        .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"))
        .header("tracestate", "vendor=1")
        .header("baggage", "user=ada");
    client.get(&format!("https://{HOST}/told")).into_text();
    client.get(&format!("https://{OTHER}/untold")).into_text();
    gate.client().get(&format!("https://{HOST}/new")).into_text();

    let requests = origin.requests();
    let at = |path: &str| requests.iter().find(|request| request.path == path).unwrap();
    let told = field(at("/told"), "traceparent").unwrap();
    assert!(
        told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-01"),
        "{told}"
    );
    assert!(
        !told.contains("b7ad6b7169203331"),
        "the exchange stands between: {told}"
    );
    assert_eq!(field(at("/told"), "tracestate"), Some("vendor=1"));
    assert_eq!(field(at("/told"), "baggage"), Some("user=ada"));
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(field(at("/untold"), name), None, "{name}");
    }
    assert!(
        field(at("/new"), "traceparent").unwrap().starts_with("00-"),
        "a trace begins here"
    );

    let sent = outwall.audit_of("exchange.going_out");
    let traces: Vec<_> = sent
        .iter()
        .map(|event| event["trace"].as_str().unwrap_or("none"))
        .collect();
    let came_with = format!("00-{TRACE}-b7ad6b7169203331-01");
    assert_eq!(traces, [came_with.as_str(), came_with.as_str(), "none"]);
}
