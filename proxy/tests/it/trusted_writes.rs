//! The Trusted list is for reading: what publishes is refused before a byte of it leaves, whatever it is disguised as.

use crate::intercepted::ALL;
use crate::support::client::{empty, full, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

const REGISTRY: &str = "registry.npmjs.org";
const AUDIT: &str = "/-/npm/v1/security/advisories/bulk";

fn document(origin: &Origin, keys: &str) -> String {
    format!(
        "[environments.default]\n{keys}\n[origins]\nhosts = {{ \"{REGISTRY}\" = \"{0}\", \"allowed.test\" = \"{0}\" }}\n",
        origin.address
    )
}

/// Method, path, body, headers.
type Asked<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

async fn ask(client: &mut Client, host: &str, (method, path, body, headers): Asked<'_>) -> (u16, String) {
    let body = if body.is_empty() {
        empty()
    } else {
        full(body.to_owned())
    };
    let mut request = client.request(method, host, path, body);
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let (status, reason, _) = read(client.send(request).await.unwrap()).await;
    (status, reason)
}

#[tokio::test]
async fn a_registry_is_read_and_audited_and_nothing_is_published_to_it() {
    let put: &[_] = &[("x-http-method-override", "PUT")];
    for (via, kind) in ALL {
        let origin = Origin::named(kind, &[REGISTRY]).await;
        let gate = TestGate::explicit(&document(&origin, "")).await;
        let mut client = Client::to(&gate, REGISTRY, via).await;
        let refused: [Asked<'_>; 8] = [
            ("PUT", "/hello", "a package", &[]),
            ("POST", "/hello", "a package", &[]),
            ("DELETE", "/hello", "", &[]),
            ("GET", "/hello", "a package", &[]),
            ("GET", "/hello", "", put),
            ("POST", AUDIT, "{}", put),
            ("POST", AUDIT, "{}", &[("x-http-method", "delete")]),
            ("PUT", AUDIT, "{}", &[("x-http-method-override", "POST")]),
        ];
        for asked in refused {
            let answer = ask(&mut client, REGISTRY, asked).await;
            assert_eq!(
                answer,
                (403, "trusted-write-refused".to_owned()),
                "{asked:?} {via:?} {kind:?}"
            );
        }
        assert_eq!(origin.seen().len(), 0, "nothing was sent, {via:?} {kind:?}");
        let passed: [Asked<'_>; 4] = [
            ("GET", "/hello", "", &[]),
            ("POST", AUDIT, "{}", &[]),
            ("POST", AUDIT, "{}", &[("x-http-method-override", "POST")]),
            ("GET", "/hello", "", &[("x-http-method-override", "HEAD")]),
        ];
        for asked in passed {
            let (_, reason) = ask(&mut client, REGISTRY, asked).await;
            assert_eq!(reason, "", "{asked:?} {via:?} {kind:?}");
        }
        assert_eq!(origin.seen().len(), passed.len(), "{via:?} {kind:?}");
        let denied = gate.events_of("denied", refused.len()).await;
        assert_eq!(denied.len(), refused.len());
        assert_eq!(denied[0]["method"], "PUT");
        assert!(
            denied[0]["remedy"]
                .as_str()
                .unwrap()
                .contains("trusted_writes = true")
        );
        let out = gate.events_of("exchange.going_out", passed.len()).await;
        assert_eq!(
            out[1]["rule"],
            "trusted write: npm audit at \"registry.npmjs.org\""
        );
    }
}

#[tokio::test]
async fn a_websocket_to_a_host_of_the_list_is_no_reading() {
    let upgrade: &[_] = &[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (keys, refused) in [("", "trusted-write-refused"), ("trusted_writes = true", "")] {
        let origin = Origin::named(OriginKind::Http1, &[REGISTRY]).await;
        let gate = TestGate::explicit(&document(&origin, keys)).await;
        let mut client = Client::to(&gate, REGISTRY, Via::Http1).await;
        let (_, reason) = ask(&mut client, REGISTRY, ("GET", "/hello", "", upgrade)).await;
        assert_eq!(reason, refused, "{keys}");
        assert_eq!(origin.seen().len(), usize::from(refused.is_empty()), "{keys}");
    }
}

#[tokio::test]
async fn an_operator_lifts_it_for_the_list_for_a_host_or_by_a_rule() {
    let rule = "[[environments.default.rules]]\nhost = \"registry.npmjs.org\"\nmethods = [\"PUT\"]\naction = \"allow\"";
    let own = "network = \"custom\"\ninclude_trusted = true\nallowed_domains = [\"registry.npmjs.org\"]";
    for keys in ["trusted_writes = true", own, rule] {
        let origin = Origin::named(OriginKind::H2, &[REGISTRY]).await;
        let gate = TestGate::explicit(&document(&origin, keys)).await;
        let mut client = Client::to(&gate, REGISTRY, Via::H2).await;
        let (_, reason) = ask(&mut client, REGISTRY, ("PUT", "/hello", "a package", &[])).await;
        assert_eq!((reason.as_str(), origin.seen().len()), ("", 1), "{keys}");
    }
}

#[tokio::test]
async fn a_method_override_must_be_allowed_as_both_methods_where_rules_name_the_host() {
    let keys = "network = \"custom\"\nallowed_domains = [\"allowed.test\"]\n[[environments.default.rules]]\n\
                host = \"allowed.test\"\nmethods = [\"GET\", \"POST\"]\naction = \"allow\"";
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin, keys)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    for (value, reason) in [
        ("DELETE", "rule-refused"),
        ("GET", ""),
        ("POST", ""),
        ("a b", "malformed-request"),
    ] {
        let headers: &[_] = &[("x-http-method-override", value)];
        let answer = ask(&mut client, "allowed.test", ("POST", "/echo", "x", headers)).await;
        assert_eq!(answer.1, reason, "{value}");
    }
    assert_eq!(origin.seen().len(), 2);
}

#[tokio::test]
async fn a_refused_upload_is_told_why_without_waiting_for_the_whole_of_it() {
    let origin = Origin::named(OriginKind::Http1, &[REGISTRY]).await;
    let gate = TestGate::explicit(&document(&origin, "")).await;
    let mut client = Client::to(&gate, REGISTRY, Via::Http1).await;
    let mut request = client.request("PUT", REGISTRY, "/hello", full(vec![0; 4 << 20]));
    request
        .headers_mut()
        .insert("accept", "application/json".parse().unwrap());
    let (status, _, body) = read(client.send(request).await.unwrap()).await;
    assert_eq!(status, 403);
    assert!(
        body.contains("is on the Trusted list for reading") && body.contains("security/advisories/bulk"),
        "{body}"
    );
    assert_eq!(origin.seen().len(), 0);
}
