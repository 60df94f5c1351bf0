//! The explicit proxy: CONNECT and the absolute form, what is allowed and what is told
//! to whoever is refused.

use std::time::Duration;

use insta::assert_snapshot;
use outwall_tests::{Certificate, TestOrigin, Versions, filters};

use crate::outwall;

const HOST: &str = "api.example.test";

#[test]
fn an_allowed_host_is_reached_over_tls_and_in_plaintext() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    for scheme in ["https", "http"] {
        let echo = gate
            .client()
            .send("POST", &format!("{scheme}://{HOST}/echo/it?q=1"), "body")
            .into_json();
        assert_eq!(echo["method"], "POST");
        assert_eq!(echo["path"], "/echo/it");
        assert_eq!(echo["query"], "q=1");
        assert_eq!(echo["body"], "body");
    }
    let seen = origin.requests();
    assert!(seen[0].tls && seen[0].server_name.as_deref() == Some(HOST));
    assert!(!seen[1].tls);
    assert_eq!(seen[1].header("host"), HOST);
}

#[test]
fn what_a_proxy_does_not_do_is_said() {
    let without = outwall().policy("[environments.default]\n").gate();
    let with = outwall()
        .policy("[environments.default]\npublish = [\"3000\"]\n")
        .gate();
    let words = "`publish` of environment `default` has no effect here";
    with.wait_for_stderr(words);
    assert!(!without.stderr().contains("publish"), "{}", without.stderr());
}

#[test]
fn a_host_that_is_not_allowed_is_refused_and_never_reached() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .allowing(&[HOST])
        .origin(HOST, &origin)
        .origin("other.example.test", &origin);
    let gate = outwall.gate();
    for scheme in ["https", "http"] {
        let refused = gate.client().get(&format!("{scheme}://other.example.test/"));
        assert_eq!(
            (refused.status(), refused.reason()),
            (403, "host-not-allowed"),
            "{scheme}"
        );
        let allowed = gate.client().get(&format!("{scheme}://{HOST}/"));
        assert_eq!(allowed.status(), 200, "{scheme}");
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| request.header("host").starts_with(HOST))
    );
}

#[test]
fn every_pair_of_http_versions_works() {
    for speaks in [Versions::Http1Only, Versions::Http2Only, Versions::Both] {
        let origin = TestOrigin::speaking(speaks);
        let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
        let gate = outwall.gate();
        for asks in [Versions::Http1Only, Versions::Http2Only] {
            let client = gate.client().speaking(asks);
            let response = client.send("POST", &format!("https://{HOST}/echo"), "hello");
            let expected = if asks == Versions::Http1Only {
                "HTTP/1.1"
            } else {
                "HTTP/2.0"
            };
            assert_eq!(format!("{:?}", response.version()), expected);
            let echo = response.into_json();
            assert_eq!(echo["body"], "hello", "{asks:?} to {speaks:?}");
            let beyond = if speaks == Versions::Http1Only {
                "HTTP/1.1"
            } else {
                "HTTP/2.0"
            };
            assert_eq!(echo["version"], beyond, "{asks:?} to {speaks:?}");
        }
    }
}

#[test]
fn many_requests_share_one_connection() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    for versions in [Versions::Http1Only, Versions::Http2Only] {
        let mut connection = gate.client().speaking(versions).open(&format!("https://{HOST}/"));
        for number in 0..20 {
            let response = connection.get(&format!("https://{HOST}/status/{}", 200 + number % 3));
            assert_eq!(response.status(), 200 + number % 3);
            response.into_text();
        }
    }
    assert_eq!(origin.requests().len(), 40);
    assert!(origin.connections() <= 4, "{} connections", origin.connections());
}

#[test]
fn another_port_is_refused_unless_an_entry_names_it() {
    let origin = TestOrigin::start();
    let address = origin.tls_address().to_string();
    let outwall = outwall()
        .allowing(&[HOST, "named.example.test:8443"])
        .origin(HOST, &origin)
        .host("named.example.test:8443", &address);
    let gate = outwall.gate();
    let refused = gate.client().get(&format!("https://{HOST}:8443/"));
    assert_eq!((refused.status(), refused.reason()), (403, "port-not-allowed"));
    assert_eq!(
        gate.client().get("https://named.example.test:8443/").status(),
        200
    );
    let refused = gate.client().get("https://named.example.test/");
    assert_eq!(refused.status(), 403);
}

#[test]
fn no_level_reaches_private_addresses_by_literal_or_by_name() {
    let origin = TestOrigin::start();
    let address = origin.plain_address();
    let outwall = outwall()
        .policy("[environments.default]\nnetwork = \"full\"\n")
        .origin("shown.example.test", &origin);
    let gate = outwall.gate();
    for target in [
        address.to_string(),
        format!("localhost:{}", address.port()),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        "[::ffff:127.0.0.1]".to_owned(),
        "169.254.169.254".to_owned(),
        "100.100.100.200".to_owned(),
        "168.63.129.16".to_owned(),
        "[fd00:ec2::254]".to_owned(),
        "10.0.0.1".to_owned(),
        "192.168.1.1".to_owned(),
        "0.0.0.0".to_owned(),
        "0x7f.1".to_owned(),
        "2130706433".to_owned(),
        "017700000001".to_owned(),
        "[64:ff9b::7f00:1]".to_owned(),
        "[2002:7f00:1::]".to_owned(),
        gate.address().to_string(),
    ] {
        let mut raw = gate.raw();
        raw.send(format!("GET http://{target}/ HTTP/1.1\r\nhost: {target}\r\n\r\n"));
        let head = raw.read_head();
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "403" | "400"), "{target}: {head}");
        assert!(
            head.to_ascii_lowercase().contains("x-outwall-reason"),
            "{target}: {head}"
        );
    }
    assert_eq!(gate.client().get("http://shown.example.test/").status(), 200);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_name_inside_that_is_not_the_name_outside_is_fronting() {
    let origin = TestOrigin::start();
    let other = "other.example.test";
    let outwall = outwall()
        .allowing(&[HOST, other])
        .origin(HOST, &origin)
        .origin(other, &origin);
    let gate = outwall.gate();

    let fronted = gate.client().open_fronting(&format!("{HOST}:443"), other);
    let refused = fronted.and_then(|mut connection| connection.try_get(&format!("https://{other}/")));
    assert!(
        refused.is_err() || refused.unwrap().status() != 200,
        "SNI is not the target"
    );

    let mut one = gate
        .client()
        .speaking(Versions::Http1Only)
        .open(&format!("https://{HOST}/"));
    let response = one.get(&format!("https://{other}/"));
    assert_eq!(
        (response.status(), response.reason()),
        (403, "fronting"),
        "Host is not the target"
    );

    let mut two = gate
        .client()
        .speaking(Versions::Http2Only)
        .open(&format!("https://{HOST}/"));
    assert_eq!(
        two.get(&format!("https://{other}/")).status(),
        421,
        ":authority: coalescing clients reconnect"
    );
    assert_eq!(
        two.get(&format!("https://{HOST}/")).status(),
        200,
        "the connection lives on"
    );
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn an_origin_that_cannot_prove_its_name_is_not_spoken_to() {
    let right = TestOrigin::start();
    assert_eq!(asked(&right), 200);
    for wrong in [
        Certificate::For("another.example.test".to_owned()),
        Certificate::Expired,
        Certificate::SignedByAStranger,
    ] {
        let origin = TestOrigin::showing(&wrong);
        assert_eq!(asked(&origin), 502, "{wrong:?}");
        assert_eq!(origin.requests().len(), 0, "{wrong:?}");
    }
}

fn asked(origin: &TestOrigin) -> u16 {
    let outwall = outwall().allowing(&[HOST]).origin(HOST, origin);
    outwall.gate().client().get(&format!("https://{HOST}/")).status()
}

#[test]
fn an_origin_that_is_not_there_is_a_502_that_says_so() {
    let outwall = outwall().allowing(&[HOST]).host(HOST, "127.0.0.1:1");
    let gate = outwall.gate();
    let response = gate.client().get(&format!("https://{HOST}/"));
    assert_eq!(
        (response.status(), response.reason()),
        (502, "origin-unreachable")
    );
}

#[test]
fn rules_narrow_what_is_sent_to_an_allowed_host() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\", \"free.example.test\"]\n\n\
             [[environments.default.rules]]\nhost = \"{HOST}\"\nmethods = [\"GET\", \"HEAD\"]\npaths = [\"/v1/**\"]\naction = \"allow\"\n"
        ))
        .origin(HOST, &origin)
        .origin("free.example.test", &origin);
    let gate = outwall.gate();
    let ask = |method: &str, url: String| {
        let response = gate.client().send(method, &url, "");
        (response.status(), response.reason().to_owned())
    };
    let refused = (403, "rule-refused".to_owned());
    assert_eq!(ask("GET", format!("https://{HOST}/v1/items")).0, 200);
    assert_eq!(ask("DELETE", format!("https://{HOST}/v1/items")), refused);
    assert_eq!(ask("GET", format!("https://{HOST}/v2/items")), refused);
    assert_eq!(ask("GET", format!("https://{HOST}/v1/../v2/items")), refused);
    assert_eq!(
        ask("DELETE", "https://free.example.test/v2/items".to_owned()).0,
        200
    );
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_tunnelled_host_is_relayed_unread() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = []\ntunnelled_domains = [\"{HOST}\"]\n"
        ))
        .origin(HOST, &origin);
    let gate = outwall.gate();
    let pinned = std::fs::read_to_string(origin.ca_file()).unwrap();
    let client = outwall_tests::Client::through(gate.address(), &pinned);
    assert_eq!(client.get(&format!("https://{HOST}/")).status(), 200);
    let trusts_the_gate_only = gate.client().try_get(&format!("https://{HOST}/"));
    assert!(
        trusts_the_gate_only.is_err(),
        "the origin's own certificate was seen"
    );
}

#[test]
fn a_refusal_teaches_in_text_json_or_html() {
    let outwall = outwall().allowing(&[HOST]);
    let gate = outwall.gate();
    let refusal = |accept: &str| {
        let client = gate
            .client()
            .speaking(Versions::Http1Only)
            .header("accept", accept);
        let response = client.get("http://other.example.test/path");
        assert_eq!(response.status(), 403);
        (response.header("content-type").to_owned(), response.into_text())
    };
    let (kind, text) = refusal("*/*");
    assert!(kind.starts_with("text/plain"), "{kind}");
    insta::with_settings!({ filters => filters() }, { assert_snapshot!(text, @r#"
        Refused by Outwall: environment `test` refused this: other.example.test is not on the allowlist
        reason: host-not-allowed
        environment: test
        allowed instead: api.example.test
        to change this: under [environments.test], add to allowed_domains = ["other.example.test"], or run with --allow other.example.test, or let who runs now: outwall policy allow other.example.test
        "#); });

    let (kind, json) = refusal("application/json");
    assert!(kind.starts_with("application/json"), "{kind}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("host-not-allowed"), "{json}");

    let (kind, html) = refusal("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert!(kind.starts_with("text/html"), "{kind}");
    assert!(html.contains("other.example.test"), "{html}");
}

#[test]
fn what_a_refusal_repeats_cannot_be_markup() {
    let outwall = outwall().allowing(&[HOST]);
    let gate = outwall.gate();
    let mut raw = gate.raw();
    raw.send(
        "GET http://other.example.test/<script>alert(1)</script> HTTP/1.1\r\nhost: other.example.test\r\n\
         accept: text/html\r\nconnection: close\r\n\r\n",
    );
    let html = raw.read_for(Duration::from_secs(30)); // it closes
    assert!(html.starts_with("HTTP/1.1 4"), "{html}");
    assert!(!html.contains("<script>alert"), "{html}");
}

#[test]
fn a_gate_that_is_told_to_stop_lets_a_request_finish() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let client = gate.client();
    let waiting = std::thread::spawn(move || client.get(&format!("https://{HOST}/slow?ms=700")).into_text());
    std::thread::sleep(Duration::from_millis(300));
    let finished = gate.stop();
    assert_eq!(waiting.join().unwrap(), "slow");
    assert_eq!(finished.code(), 0);
}
