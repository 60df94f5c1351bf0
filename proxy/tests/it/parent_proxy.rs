//! Networks whose only way out is a proxy: what it is asked for, what it is told, and what it is never asked.

use std::net::SocketAddr;

use outwall_certs::ClientIdentity;
use outwall_proxy::{InForce, Incomplete, ParentPassword};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::support::client::{connect, empty, read};
use crate::support::gate::{policy, trust};
use crate::support::origin::{Wants, ca, greeter};
use crate::support::parent::{Manner, Parent};
use crate::support::resolver::Names;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// `outwall:hunter2`
const BASIC: &str = "Basic b3V0d2FsbDpodW50ZXIy";
const CREDENTIALS: &str = "username = \"outwall\"\npassword = { env = \"SET_BY_NOBODY\" }\n";

/// Everything is allowed that a test asks for; the parent has these keys.
fn document(parent: SocketAddr, names: SocketAddr, keys: &str) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\n\
         allowed_domains = [\"allowed.test\", \"other.test\", \"inside.test\", \"127.0.0.1\", \"127.0.0.1:{port}\", \"alias.test:{port}\", \"192.0.2.7\"]\n\
         tunnelled_domains = [\"pinned.test\"]\ntcp = [\"stream.test:5432\"]\n\
         [origins]\nresolver = \"{names}\"\n[origins.parent_proxy]\nurl = \"http://{parent}\"\n{keys}",
        port = parent.port()
    )
}

async fn gate(document: &str, password: Option<&str>) -> TestGate {
    let trust = match password {
        None => trust(),
        Some(password) => {
            let policy = policy(document);
            let credentials = policy.origins().parent_proxy().unwrap().credentials().unwrap();
            let password = ParentPassword::new(Zeroizing::new(password.to_owned()));
            trust().known_to_parent_as(credentials, &password)
        }
    };
    TestGate::believing(document, trust).await
}

/// A request in absolute form: the status, the reason header, the body.
async fn get_in_the_clear(gate: &TestGate, url: &str) -> (u16, String, String) {
    let stream = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    let uri: http::Uri = url.parse().unwrap();
    let host = uri.authority().unwrap().to_string();
    let request = http::Request::builder()
        .uri(uri)
        .header("host", host)
        .body(empty())
        .unwrap();
    read(client.send(request).await.unwrap()).await
}

#[tokio::test]
async fn https_goes_by_connect_and_the_parent_alone_is_told_the_password() {
    for kind in [OriginKind::Http1, OriginKind::H2] {
        let origin = Origin::start(kind).await;
        let names = Names::start(&[]).await;
        let parent = Parent::start(Manner::Demanding(BASIC), origin.address).await;
        let gate = gate(
            &document(parent.address, names.address, CREDENTIALS),
            Some("hunter2"),
        )
        .await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        for _ in 0..2 {
            assert_eq!(client.get("allowed.test", "/hello").await.0, 200, "{kind:?}");
        }
        assert_eq!(
            parent.lines(),
            ["CONNECT allowed.test:443 HTTP/1.1"],
            "once, and then pooled"
        );
        assert_eq!(parent.asked()[0].authorization.as_deref(), Some(BASIC));
        for seen in origin.seen() {
            assert!(!seen.headers.contains_key("proxy-authorization"), "{seen:?}");
        }
        let mut other = Client::to(&gate, "other.test", Via::H2).await;
        assert_eq!(other.get("other.test", "/hello").await.0, 200);
        assert_eq!(parent.lines().len(), 2, "another target, another connection");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_the_origin_behind_the_parent() {
    let wants = Wants {
        required: true,
        version: &rustls::version::TLS13,
    };
    let origin = Origin::asking(OriginKind::H2, wants).await;
    let names = Names::start(&[]).await;
    let parent = Parent::start(Manner::Obliging, origin.address).await;
    let text = document(parent.address, names.address, "")
        + "[[origins.client_certificates]]\nhosts = [\"allowed.test\"]\ncertificate = \"c\"\nkey = \"k\"\n\
           environments = [\"default\"]\n";
    let (certificate, key) = ca().client("client");
    let identity = ClientIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let gate = TestGate::believing(&text, trust().showing(vec![identity])).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
    assert!(origin.shown()[0].is_some());
}

#[tokio::test]
async fn http_goes_in_absolute_form_on_connections_that_are_used_again() {
    let origin = Origin::start(OriginKind::Plain).await;
    let names = Names::start(&[]).await;
    let parent = Parent::start(Manner::Demanding(BASIC), origin.address).await;
    let gate = gate(
        &document(parent.address, names.address, CREDENTIALS),
        Some("hunter2"),
    )
    .await;
    for _ in 0..2 {
        let (status, _, body) = get_in_the_clear(&gate, "http://allowed.test/hello?x").await;
        assert_eq!((status, body.as_str()), (200, "hello\n"));
    }
    assert_eq!(parent.lines()[0], "GET http://allowed.test/hello?x HTTP/1.1");
    assert_eq!(parent.asked()[0].authorization.as_deref(), Some(BASIC));
    assert_eq!(origin.seen().len(), 2);
    assert!(origin.connections() <= 2, "one per lane at most");
}

#[tokio::test]
async fn a_stream_loses_nothing_of_what_its_server_says_first_and_a_tunnel_goes_by_connect() {
    let names = Names::start(&[]).await;
    let parent = Parent::start(Manner::Obliging, greeter().await).await;
    let gate = gate(&document(parent.address, names.address, ""), None).await;
    let mut stream = connect(&gate, "stream.test:5432").await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut heard = [0; 15];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"220 hello\r\nping");
    assert_eq!(parent.lines(), ["CONNECT stream.test:5432 HTTP/1.1"]);
}

#[tokio::test]
async fn what_the_parent_refuses_is_told_readably() {
    let origin = Origin::start(OriginKind::Http1).await;
    let names = Names::start(&[]).await;
    let cases: [(Manner, &str, &str); 6] = [
        (
            Manner::Demanding(BASIC),
            "parent-proxy-credentials",
            "asks for a name",
        ),
        (
            Manner::Saying("HTTP/1.1 403 No \u{1b}[2J way\r\nX: y\r\n\r\n<html>"),
            "parent-proxy-failed",
            "cannot be read",
        ),
        (
            Manner::Saying("HTTP/1.1 503 Try later\r\n\r\n<html>"),
            "parent-proxy-refused",
            "503 Try later",
        ),
        (
            Manner::Saying("SSH-2.0-OpenSSH\r\n"),
            "parent-proxy-failed",
            "no HTTP",
        ),
        (Manner::Saying("HTTP/1.1 2"), "parent-proxy-failed", "ends within"),
        (
            Manner::Saying("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            "parent-proxy-refused",
            "101",
        ),
    ];
    for (manner, code, says) in cases {
        let parent = Parent::start(manner, origin.address).await;
        let gate = gate(&document(parent.address, names.address, ""), None).await;
        let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
        let (status, reason, body) = client.get("allowed.test", "/hello").await;
        assert_eq!((status, reason.as_str()), (502, code), "{manner:?}: {body}");
        assert!(body.contains(says), "{manner:?}: {body}");
        let failed = gate.events_of("exchange.came_back", 1).await;
        assert!(failed[0]["error"].as_str().unwrap().contains(says), "{failed:?}");
    }
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn wrong_credentials_are_told_from_none_over_http_and_https() {
    let origin = Origin::start(OriginKind::Plain).await;
    let names = Names::start(&[]).await;
    let parent = Parent::start(Manner::Demanding(BASIC), origin.address).await;
    for (keys, password, says) in [
        (CREDENTIALS, Some("wrong"), "does not take"),
        ("", None, "asks for a name"),
    ] {
        let gate = gate(&document(parent.address, names.address, keys), password).await;
        let (status, reason, body) = get_in_the_clear(&gate, "http://allowed.test/hello").await;
        assert_eq!(
            (status, reason.as_str()),
            (502, "parent-proxy-credentials"),
            "{body}"
        );
        assert!(body.contains(says) && !body.contains("wrong"), "{body}");
    }
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn what_is_bypassed_is_reached_directly_and_the_rest_is_not() {
    let origin = Origin::start(OriginKind::Http1).await;
    let names = Names::start(&[("inside.test", [127, 0, 0, 1])]).await;
    let parent = Parent::start(Manner::Saying("HTTP/1.1 403 Forbidden\r\n\r\n"), origin.address).await;
    let hosts = format!(
        "hosts = {{ \"other.test\" = \"{}\" }}\n[origins.parent_proxy]",
        origin.address
    );
    let with = |bypass: &str| {
        document(parent.address, names.address, &format!("bypass = [{bypass}]\n"))
            .replace("[origins.parent_proxy]", &hosts)
            .replace(
                "[environments.default]\n",
                "[environments.default]\nallowed_addresses = [\"127.0.0.1\"]\n",
            )
    };
    let asked = async |gate: &TestGate, host: &str| {
        let mut client = Client::to(gate, host, Via::Http1).await;
        client.get(host, "/hello").await.1
    };
    let direct = gate(&with("\"inside.test\""), None).await;
    assert_eq!(
        asked(&direct, "other.test").await,
        "",
        "a static address is direct"
    );
    assert_eq!(
        asked(&direct, "inside.test").await,
        "origin-unreachable",
        "dialled at port 443 of loopback"
    );
    assert!(parent.lines().is_empty());
    let by_range = gate(&with("\"127.0.0.0/8\""), None).await;
    assert_eq!(asked(&by_range, "inside.test").await, "origin-unreachable");
    assert!(parent.lines().is_empty());
    assert_eq!(asked(&by_range, "allowed.test").await, "parent-proxy-refused");
    let none = gate(&with(""), None).await;
    assert_eq!(asked(&none, "inside.test").await, "parent-proxy-refused");
    assert_eq!(parent.lines().len(), 2);
}

#[tokio::test]
async fn what_leads_inside_is_refused_although_the_parent_would_dial() {
    let origin = Origin::start(OriginKind::Http1).await;
    let names = Names::start(&[("inside.test", [10, 0, 0, 9]), ("other.test", [93, 184, 216, 34])]).await;
    let parent = Parent::start(Manner::Obliging, origin.address).await;
    for resolve in ["parent", "gate"] {
        let keys = format!("resolve = \"{resolve}\"\n");
        let gate = gate(&document(parent.address, names.address, &keys), None).await;
        for host in ["inside.test", "127.0.0.1"] {
            let (status, reason, _) = get_in_the_clear(&gate, &format!("http://{host}/")).await;
            assert_eq!(
                (status, reason.as_str()),
                (403, "address-refused"),
                "{host}, {resolve}"
            );
        }
        assert!(parent.lines().is_empty());
    }
    let by_address = gate(
        &document(parent.address, names.address, "resolve = \"gate\"\n"),
        None,
    )
    .await;
    let mut client = Client::to(&by_address, "other.test", Via::Http1).await;
    assert_eq!(client.get("other.test", "/hello").await.0, 200);
    assert_eq!(parent.lines(), ["CONNECT 93.184.216.34:443 HTTP/1.1"]);
    let mut client = Client::to(&by_address, "allowed.test", Via::Http1).await;
    assert_eq!(client.get("allowed.test", "/hello").await.1, "unresolved-name");
    let by_name = gate(&document(parent.address, names.address, ""), None).await;
    for host in ["other.test", "allowed.test"] {
        let mut client = Client::to(&by_name, host, Via::Http1).await;
        assert_eq!(client.get(host, "/hello").await.0, 200, "{host}");
    }
    assert_eq!(
        parent.lines()[1..],
        [
            "CONNECT other.test:443 HTTP/1.1",
            "CONNECT allowed.test:443 HTTP/1.1"
        ]
    );
    assert!(
        names.asked().contains(&"allowed.test".to_owned()),
        "it might have led inside"
    );
}

#[tokio::test]
async fn the_parent_is_no_target_by_its_address_and_not_by_another_name() {
    let origin = Origin::start(OriginKind::Http1).await;
    let names = Names::start(&[("alias.test", [127, 0, 0, 1])]).await;
    let parent = Parent::start(Manner::Obliging, origin.address).await;
    let text = document(parent.address, names.address, "").replace(
        "[environments.default]\n",
        "[environments.default]\nallowed_addresses = [\"127.0.0.1\"]\n",
    );
    let gate = gate(&text, None).await;
    let port = parent.address.port();
    for host in ["127.0.0.1", "alias.test"] {
        let (status, reason, _) = get_in_the_clear(&gate, &format!("http://{host}:{port}/")).await;
        assert_eq!((status, reason.as_str()), (403, "parent-proxy"), "{host}");
    }
    assert!(parent.lines().is_empty());
}

#[tokio::test]
async fn a_gate_is_not_its_own_parent() {
    let origin = Origin::start(OriginKind::Plain).await;
    let names = Names::start(&[]).await;
    let parent = Parent::start(Manner::Obliging, origin.address).await;
    let gate = gate(&document(parent.address, names.address, ""), None).await;
    assert_eq!(get_in_the_clear(&gate, "http://allowed.test/hello").await.0, 200);
    gate.replace(&document(gate.address, names.address, ""));
    let (status, reason, _) = get_in_the_clear(&gate, "http://allowed.test/hello").await;
    assert_eq!((status, reason.as_str()), (502, "parent-proxy-loop"));
}

#[tokio::test]
async fn a_parent_inside_tls_is_verified() {
    let origin = Origin::start(OriginKind::H2).await;
    let names = Names::start(&[("proxy.test", [127, 0, 0, 1])]).await;
    for (shown, expected) in [("proxy.test", ""), ("other.test", "parent-proxy-tls")] {
        let parent = Parent::inside_tls(shown, origin.address).await;
        let text = document(parent.address, names.address, "").replace(
            &format!("http://{}", parent.address),
            &format!("https://proxy.test:{}", parent.address.port()),
        );
        let gate = gate(&text, None).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let (_, reason, body) = client.get("allowed.test", "/hello").await;
        assert_eq!(reason, expected, "{body}");
        assert_eq!(parent.lines().len(), usize::from(expected.is_empty()));
    }
}

#[tokio::test]
async fn a_policy_with_a_password_does_not_come_in_force_without_it() {
    let anywhere = "127.0.0.1:9".parse().unwrap();
    let policy = policy(&document(anywhere, anywhere, CREDENTIALS));
    let missing = InForce::new(policy.clone(), trust()).unwrap_err();
    assert_eq!(missing, Incomplete::ParentPassword);
    let credentials = policy
        .origins()
        .parent_proxy()
        .unwrap()
        .credentials()
        .unwrap()
        .clone();
    let password = ParentPassword::new(Zeroizing::new("hunter2".to_owned()));
    let trust = trust().known_to_parent_as(&credentials, &password);
    assert!(!format!("{trust:?} {password:?}").contains("hunter2"));
    assert!(InForce::new(policy, trust).is_ok());
}
