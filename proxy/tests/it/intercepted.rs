//! Requests of intercepted connections: every protocol on either side, each denial with its twin.

use http::Version;

use crate::support::client::{empty, full, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

pub(crate) fn document(origin: &Origin) -> String {
    document_for(origin.address)
}

/// The same for an origin at an address.
pub(crate) fn document_for(address: std::net::SocketAddr) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"other.test\"]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{address}\", \"other.test\" = \"{address}\" }}\n",
    )
}

/// Every protocol on either side.
pub(crate) const ALL: [(Via, OriginKind); 4] = [
    (Via::Http1, OriginKind::Http1),
    (Via::Http1, OriginKind::H2),
    (Via::H2, OriginKind::Http1),
    (Via::H2, OriginKind::H2),
];

#[tokio::test]
async fn a_request_goes_through_whatever_either_side_speaks() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for _ in 0..3 {
            let answer = client.get("allowed.test", "/hello?token=x").await;
            assert_eq!(
                answer,
                (200, String::new(), "hello\n".to_owned()),
                "{via:?} {kind:?}"
            );
        }
        let seen = origin.seen();
        assert_eq!(seen.len(), 3);
        let expected = if kind == OriginKind::H2 {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        assert_eq!(seen[0].version, expected, "{via:?} {kind:?}");
        assert_eq!(origin.connections(), 1, "one connection serves all three");
        assert_eq!(gate.gate.panics(), 0);
    }
}

#[tokio::test]
async fn a_body_goes_both_ways_and_is_counted() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let sent = "0123456789".repeat(10_000);
        let request = client.request("POST", "allowed.test", "/echo", full(sent.clone()));
        let (status, _, back) = read(client.send(request).await.unwrap()).await;
        assert_eq!(status, 200);
        assert_eq!(back.len(), sent.len(), "{via:?} {kind:?}");
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(closed[0]["bytes_up"], 100_000, "{via:?} {kind:?}");
        assert_eq!(closed[0]["bytes_down"], 100_000);
        assert_eq!(closed[0]["status"], 200);
        assert_eq!(closed[0]["outcome"], "complete");
    }
}

#[tokio::test]
async fn a_response_without_a_body_closes_its_record_and_leaves_the_connection_usable() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let (status, _, _) = client.get("allowed.test", "/nothing").await;
        assert_eq!(status, 204);
        let head = client.request("HEAD", "allowed.test", "/hello", empty());
        let response = client.send(head).await.unwrap();
        assert_eq!(response.headers()["content-length"], "6", "{via:?} {kind:?}");
        assert_eq!(client.get("allowed.test", "/hello").await.2, "hello\n");
        assert_eq!(gate.events_of("exchange.came_back", 3).await.len(), 3);
        assert_eq!(origin.connections(), 1, "{via:?} {kind:?}");
    }
}

#[tokio::test]
async fn trailers_pass() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let mut request = client.request("GET", "allowed.test", "/trailers", empty());
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        let response = client.send(request).await.unwrap();
        let collected = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        let trailers = collected
            .trailers()
            .unwrap_or_else(|| panic!("trailers, {via:?} {kind:?}"));
        assert_eq!(trailers["grpc-status"], "0");
    }
}

#[tokio::test]
async fn what_concerns_one_connection_stays_on_it() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    let mut request = client.request("GET", "allowed.test", "/private", empty());
    for (name, value) in [
        ("connection", "x-mine, upgrade, http2-settings"),
        ("x-mine", "1"),
        ("upgrade", "h2c"),
        ("http2-settings", "AA"),
        ("proxy-authorization", "Basic secret"),
        ("x-theirs", "1"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = client.send(request).await.unwrap();
    assert!(response.headers().get("alt-svc").is_none() && response.headers().get("keep-alive").is_none());
    assert_eq!(response.headers()["x-kept"], "1");
    let seen = &origin.seen()[0].headers;
    let names: Vec<&str> = seen.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["host", "x-theirs"]);
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_refused_at_connect_with_a_body_that_teaches() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let refused = crate::support::client::connect(&gate, "denied.test:443")
        .await
        .unwrap_err();
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{refused}");
    assert!(
        refused.contains("x-outwall-reason: host-not-allowed\r\n"),
        "{refused}"
    );
    assert!(
        refused.contains("denied.test") && refused.contains("`default`"),
        "{refused}"
    );
    assert!(
        crate::support::client::connect(&gate, "allowed.test:443")
            .await
            .is_ok()
    );
    let denied = gate.events_of("denied", 1).await;
    assert_eq!(denied[0]["reason"], "host-not-allowed");
    assert_eq!(denied[0]["target"], "denied.test:443");
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn a_rule_decides_each_request_by_method_and_path() {
    let origin = Origin::start(OriginKind::H2).await;
    let rules = "[[environments.default.rules]]\nhost = \"allowed.test\"\nmethods = [\"GET\"]\npaths = [\"/hello\"]\naction = \"allow\"\n";
    let gate = TestGate::explicit(&format!("{}{rules}", document(&origin))).await;
    for via in [Via::Http1, Via::H2] {
        let mut client = Client::to(&gate, "allowed.test", via).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        let (status, reason, body) = client.get("allowed.test", "/echo").await;
        assert_eq!((status, reason.as_str()), (403, "rule-refused"), "{body}");
        let post = client.request("POST", "allowed.test", "/hello", full("x"));
        assert_eq!(read(client.send(post).await.unwrap()).await.1, "rule-refused");
    }
    assert_eq!(origin.seen().len(), 2);
    let denied = gate.events_of("denied", 4).await;
    assert_eq!(denied.len(), 4);
    assert_eq!(denied[0]["path"], "/echo");
    assert_eq!(denied[1]["method"], "POST");
}

#[tokio::test]
async fn what_is_decided_on_is_what_is_sent() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    client.get("allowed.test", "/a/../hello?q=%2e").await;
    let mut request = client.request("GET", "ALLOWED.test.:443", "/%68ello", empty());
    request
        .headers_mut()
        .insert("host", "ALLOWED.test.:443".parse().unwrap());
    client.send(request).await.unwrap();
    let seen = origin.seen();
    assert_eq!(seen[0].uri, "/hello?q=%2e");
    assert_eq!(seen[1].uri, "/hello");
    assert_eq!(seen[1].headers["host"], "allowed.test");
}

#[tokio::test]
async fn nothing_is_forwarded_without_its_record() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
    let written = gate.events();
    let order: Vec<&str> = written
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(order[0], "exchange.going_out");
    assert_eq!(written[0]["method"], "GET");
    assert_eq!(written[0]["target"], "allowed.test:443");
}

#[tokio::test]
async fn an_origin_that_cannot_be_trusted_is_named_with_its_problem() {
    let origin = Origin::named(OriginKind::H2, &["someone-else.test"]).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    let (status, reason, body) = client.get("allowed.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (502, "origin-tls"));
    assert!(body.contains("for another name"), "{body}");
    let closed = gate.events_of("exchange.came_back", 1).await;
    assert_eq!(closed[0]["outcome"], "failed");
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_a_bad_gateway() {
    let origin = Origin::start(OriginKind::H2).await;
    let nowhere = {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let document = document(&origin).replace(&origin.address.to_string(), &nowhere.to_string());
    let gate = TestGate::explicit(&document).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    let (status, reason, body) = client.get("allowed.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (502, "origin-unreachable"), "{body}");
}

#[tokio::test]
async fn the_format_of_a_refusal_is_the_clients_choice() {
    let origin = Origin::start(OriginKind::Http1).await;
    let rules =
        "[[environments.default.rules]]\nhost = \"allowed.test\"\npaths = [\"/hello\"]\naction = \"allow\"\n";
    let gate = TestGate::explicit(&format!("{}{rules}", document(&origin))).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    for (accept, content_type) in [
        ("application/json", "application/json"),
        ("text/html", "text/html; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        let mut request = client.request("GET", "allowed.test", "/no", empty());
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let response = client.send(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["x-outwall-reason"], "rule-refused");
    }
}
