//! SNI, CONNECT target, Host and `:authority` must name one host.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::intercepted::document;
use crate::support::client::{connect, empty, handshake, hello, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

#[tokio::test]
async fn another_name_in_sni_than_in_connect_is_refused_inside_tls() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    for via in [Via::Http1, Via::H2] {
        let stream = connect(&gate, "allowed.test:443").await.unwrap();
        let stream = handshake(&gate, stream, "other.test", via).await.unwrap();
        let mut client = Client::over(stream, via).await;
        let (status, reason, _) = client.get("other.test", "/hello").await;
        assert_eq!((status, reason.as_str()), (403, "fronting"));
    }
    assert!(origin.seen().is_empty());
    assert_eq!(gate.events_of("denied", 2).await.len(), 2);
}

#[tokio::test]
async fn an_address_in_sni_counts_like_a_name() {
    let document = "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"93.184.215.14\"]\n";
    let gate = TestGate::explicit(document).await;
    let mut stream = connect(&gate, "93.184.215.14:443").await.unwrap();
    stream.write_all(&hello("93.184.215.14")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0x16, "the gate's answer");
    for (target, named) in [
        ("allowed.test:443", "192.0.2.1"),
        ("allowed.test:443", "93.184.215.14"),
        ("93.184.215.14:443", "192.0.2.1"),
        ("93.184.215.14:443", "::1"),
    ] {
        let mut stream = connect(&gate, target).await.unwrap();
        stream.write_all(&hello(named)).await.unwrap();
        assert_eq!(
            stream.read_u8().await.unwrap(),
            0x16,
            "told inside TLS: {target}, {named}"
        );
    }
    let denied = gate.events_of("denied", 4).await;
    assert_eq!(
        denied.len(),
        4,
        "the address that an entry names, for itself, is none"
    );
    assert!(
        denied.iter().all(|event| event["reason"] == "fronting"),
        "{denied:?}"
    );
}

#[tokio::test]
async fn another_host_than_the_connections_is_fronting() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut http1 = Client::to(&gate, "allowed.test", Via::Http1).await;
    let (status, reason, _) = http1.get("other.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (403, "fronting"));
    // On h2 a client that coalesces connections is asked to open another.
    let mut h2 = Client::to(&gate, "allowed.test", Via::H2).await;
    let (status, reason, _) = h2.get("other.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (421, "fronting"));
    assert!(origin.seen().is_empty());
    assert_eq!(http1.get("allowed.test", "/hello").await.0, 200);
    assert_eq!(h2.get("allowed.test", "/hello").await.0, 200);
}

#[tokio::test]
async fn an_absolute_form_must_agree_with_host() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    for (uri, status) in [
        ("https://allowed.test/hello", 200),
        ("https://other.test/hello", 403),
    ] {
        let mut request = client.request("GET", "allowed.test", "/", empty());
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(read(client.send(request).await.unwrap()).await.0, status, "{uri}");
    }
    assert_eq!(origin.seen()[0].uri, "/hello");
}

#[tokio::test]
async fn a_tunnel_within_a_connection_is_refused() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    let mut request = client.request("CONNECT", "allowed.test", "/", empty());
    *request.uri_mut() = "other.test:443".parse().unwrap();
    assert_ne!(read(client.send(request).await.unwrap()).await.0, 200);
    assert!(origin.seen().is_empty());
}
