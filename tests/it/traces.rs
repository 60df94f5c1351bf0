//! Which trace a request belongs to: on record, told to origins that the environment names, and delivered as a span.

use outwall_tests::receivers::{Api, TestReceiver};
use outwall_tests::{Received, TestOrigin, namespaces_available};
use serde_json::Value;

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

/// What a span has of this name.
fn fact<'a>(span: &'a Value, name: &str) -> Option<&'a str> {
    let mut facts = span["attributes"].as_array().unwrap().iter();
    facts.find(|fact| fact["key"] == name)?["value"]["stringValue"].as_str()
}

#[test]
fn what_a_sandbox_asks_for_is_delivered_as_a_span_of_its_clients_trace() {
    if !namespaces_available("what a sandbox asks for is delivered as a span") {
        return;
    }
    let (origin, receiver) = (TestOrigin::start(), TestReceiver::start(Api::OtlpTraces));
    let url = receiver.url();
    let outwall = outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\", \"{OTHER}\"]\n\
             trace_context = [\"{HOST}\"]\n[[audit.sinks]]\nname = \"spans\"\nkind = \"otlp-traces\"\nurl = \"{url}\"\n"
        ))
        .origin(HOST, &origin)
        .origin(OTHER, &origin);
    let script = format!(
        "set -e; curl -sS -H 'traceparent: 00-{TRACE}-b7ad6b7169203331-01' https://{HOST}/told\n\
         curl -sS -H 'traceparent: 00-{TRACE}-b7ad6b7169203331-00' https://{OTHER}/untold\ncurl -sS https://{HOST}/new"
    );
    outwall
        .run(&["run", "--quiet", "--", "sh", "-c", &script])
        .succeeded();
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);

    let spans = receiver.spans();
    let at = |path: &str| {
        let mut of_path = spans.iter().filter(|span| fact(span, "url.path") == Some(path));
        (of_path.next().unwrap(), of_path.next())
    };
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let requests = origin.requests();
    let told_at = |path: &str| {
        let request = requests.iter().find(|request| request.path == path).unwrap();
        field(request, "traceparent")
    };
    let of = |span: &Value| {
        let flags = span["flags"].as_u64().unwrap();
        let id = |name: &str| span[name].as_str().unwrap().to_owned();
        format!("00-{}-{}-{flags:02x}", id("traceId"), id("spanId"))
    };
    for (path, trace, parent, told) in [
        ("/told", Some(TRACE), Some("b7ad6b7169203331"), true),
        ("/untold", Some(TRACE), Some("b7ad6b7169203331"), false),
        ("/new", None, None, true),
    ] {
        let (span, another) = at(path);
        assert_eq!(another, None, "{path}");
        assert!(trace.is_none_or(|trace| span["traceId"] == trace), "{span:#}");
        assert_eq!(span["parentSpanId"].as_str(), parent, "{path}");
        assert_eq!(span["kind"], 3, "{path}");
        // The origin has the exchange as the parent of its own spans, and that is the span that was delivered.
        assert_eq!(told_at(path), told.then(|| of(span)).as_deref(), "{path}");
        assert_eq!(
            span["flags"],
            u8::from(path != "/untold"),
            "{path}: as its client has it"
        );
    }
    assert_ne!(at("/new").0["traceId"], TRACE);
}
