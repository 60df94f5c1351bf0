//! Connections of clients that know nothing of a proxy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::intercepted::document;
use crate::support::client::handshake;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

fn public(port: u16) -> SocketAddr {
    SocketAddr::new("93.184.215.14".parse().unwrap(), port)
}

#[tokio::test]
async fn a_synthetic_address_is_known_by_its_name() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    for via in [Via::Http1, Via::H2] {
        let stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
        let stream = handshake(&gate, stream, "allowed.test", via).await.unwrap();
        let mut client = Client::over(stream, via).await;
        assert_eq!(client.get("allowed.test", "/hello").await.2, "hello\n");
    }
}

#[tokio::test]
async fn a_refused_name_is_answered_inside_tls() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    for via in [Via::Http1, Via::H2] {
        let stream = gate.capture(gate.synthetic("denied.test", 443)).await;
        let stream = handshake(&gate, stream, "denied.test", via).await.unwrap();
        let mut client = Client::over(stream, via).await;
        let (status, reason, body) = client.get("denied.test", "/x").await;
        assert_eq!((status, reason.as_str()), (403, "host-not-allowed"));
        assert!(body.contains("denied.test"), "{body}");
    }
    assert_eq!(gate.events_of("denied", 2).await.len(), 2);
}

#[tokio::test]
async fn a_synthetic_address_is_for_its_name_and_no_other() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
    let stream = handshake(&gate, stream, "other.test", Via::Http1).await.unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    assert_eq!(client.get("other.test", "/hello").await.1, "fronting");
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn a_literal_with_a_name_in_sni_is_decided_by_the_name_and_its_address_ignored() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let stream = gate.capture(public(443)).await;
    let stream = handshake(&gate, stream, "allowed.test", Via::H2).await.unwrap();
    let mut client = Client::over(stream, Via::H2).await;
    assert_eq!(client.get("allowed.test", "/hello").await.2, "hello\n");
    let stream = gate.capture(public(443)).await;
    let stream = handshake(&gate, stream, "denied.test", Via::H2).await.unwrap();
    let mut client = Client::over(stream, Via::H2).await;
    assert_eq!(client.get("denied.test", "/hello").await.1, "host-not-allowed");
}

#[tokio::test]
async fn a_literal_without_a_name_must_be_allowed_as_a_literal() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let stream = gate.capture(public(443)).await;
    let stream = handshake(&gate, stream, "93.184.215.14", Via::Http1)
        .await
        .unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    let (status, reason, _) = client.get("93.184.215.14", "/").await;
    assert_eq!((status, reason.as_str()), (403, "literal-not-allowed"));
    // The twin: named by an entry, reached at the operator's address.
    let origin = Origin::named(OriginKind::Http1, &["93.184.215.14"]).await;
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"93.184.215.14\"]\n\
         [origins]\nhosts = {{ \"93.184.215.14\" = \"{}\" }}\n",
        origin.address
    );
    let gate = TestGate::captured(&document).await;
    let stream = gate.capture(public(443)).await;
    let stream = handshake(&gate, stream, "93.184.215.14", Via::Http1)
        .await
        .unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    assert_eq!(client.get("93.184.215.14", "/hello").await.2, "hello\n");
}

#[tokio::test]
async fn requests_in_the_clear_are_read_on_port_80() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let stream = gate.capture(gate.synthetic("allowed.test", 80)).await;
    let mut client = Client::over(stream, Via::Http1).await;
    assert_eq!(client.get("allowed.test", "/hello").await.2, "hello\n");
    assert_eq!(client.get("other.test", "/hello").await.1, "fronting");
    let stream = gate.capture(gate.synthetic("denied.test", 80)).await;
    let mut client = Client::over(stream, Via::Http1).await;
    assert_eq!(client.get("denied.test", "/hello").await.1, "host-not-allowed");
}

#[tokio::test]
async fn the_gate_itself_and_loopback_are_never_dialled() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let own = gate.address;
    let private = SocketAddr::new("10.0.0.1".parse().unwrap(), own.port());
    for (original, reason) in [
        (own, "own-listener"),
        (origin.address, "own-listener"),
        (private, "literal-not-allowed"),
    ] {
        let stream = gate.capture(original).await;
        let mut client = Client::over(stream, Via::Http1).await;
        let (status, told, _) = client.get(&original.to_string(), "/hello").await;
        assert_eq!((status, told.as_str()), (403, reason), "{original}");
    }
    assert!(origin.seen().is_empty());
    assert_eq!(gate.events_of("denied", 3).await.len(), 3);
}

#[tokio::test]
async fn under_no_network_everything_is_answered_at_once() {
    let gate = TestGate::captured("[environments.default]\nnetwork = \"none\"\n").await;
    let started = Instant::now();
    let stream = gate.capture(gate.synthetic("example.test", 443)).await;
    let stream = handshake(&gate, stream, "example.test", Via::Http1)
        .await
        .unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    assert_eq!(client.get("example.test", "/").await.1, "network-none");
    let mut plain = Client::over(gate.capture(public(80)).await, Via::Http1).await;
    assert_eq!(plain.get("93.184.215.14", "/").await.0, 403);
    let mut ssh = gate.capture(gate.synthetic("example.test", 22)).await;
    ssh.write_all(b"SSH-2.0-test\r\n").await.unwrap();
    let mut nothing = Vec::new();
    let _ = ssh.read_to_end(&mut nothing).await;
    let mut silent = gate.capture(public(5432)).await;
    let _ = silent.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(gate.events_of("denied", 4).await.len(), 4);
}

#[tokio::test]
async fn what_speaks_neither_tls_nor_http_is_not_relayed() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let mut stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
    stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing).await;
    assert_eq!(gate.events_of("denied", 1).await[0]["reason"], "not-http");
    assert_eq!(origin.connections(), 0);
}
