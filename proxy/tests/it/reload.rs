//! A policy that is replaced counts for the next request, and ends what it does not grant. A drain lets what runs finish.

use std::time::Duration;

use http_body_util::BodyExt as _;
use outwall_proxy::{InForce, Limits, OriginTrust};
use rustls::RootCertStore;
use tokio::io::AsyncReadExt as _;

use crate::intercepted::document;
use crate::support::client::empty;
use crate::support::gate::policy;
use crate::support::origin::greeter;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

const NOTHING: &str = "[environments.default]\nnetwork = \"none\"\n";

#[tokio::test]
async fn the_next_request_of_an_open_connection_is_decided_by_the_new_policy() {
    for via in [Via::Http1, Via::H2] {
        let origin = Origin::start(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        gate.replace(NOTHING);
        let (status, reason, _) = client.get("allowed.test", "/hello").await;
        assert_eq!((status, reason.as_str()), (403, "network-none"), "{via:?}");
        gate.replace(&document(&origin));
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200, "{via:?}");
    }
}

#[tokio::test]
async fn a_running_body_ends_when_its_permit_is_withdrawn_and_goes_on_when_it_is_not() {
    for via in [Via::Http1, Via::H2] {
        let origin = Origin::start(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("GET", "allowed.test", "/events?10000", empty());
        let mut body = client.send(request).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        gate.replace(&document(&origin));
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
        }
        gate.replace(NOTHING);
        let ended = async { while let Some(Ok(_)) = body.frame().await {} };
        tokio::time::timeout(Duration::from_secs(2), ended)
            .await
            .unwrap_or_else(|_| panic!("{via:?} goes on"));
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_permit_is_withdrawn() {
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\ntcp = [\"stream.test:5432\"]\n\
         [origins]\nhosts = {{ \"stream.test\" = \"{}\" }}\n",
        greeter().await
    );
    let gate = TestGate::captured(&document).await;
    let mut stream = gate.capture(gate.synthetic("stream.test", 5432)).await;
    let mut greeting = [0; 11];
    stream.read_exact(&mut greeting).await.unwrap();
    gate.replace(&document);
    let rest = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut greeting)).await;
    assert!(rest.is_err(), "still open");
    gate.replace(NOTHING);
    let rest = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut greeting))
        .await
        .unwrap();
    assert!(matches!(rest, Ok(0) | Err(_)));
    assert_eq!(
        gate.events_of("connection.came_back", 1).await[0]["outcome"],
        "failed"
    );
}

#[tokio::test]
async fn a_drain_lets_what_runs_finish() {
    for via in [Via::Http1, Via::H2] {
        let origin = Origin::start(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut idle = Client::to(&gate, "allowed.test", via).await;
        idle.get("allowed.test", "/hello").await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("GET", "allowed.test", "/events?10", empty());
        let mut body = client.send(request).await.unwrap().into_body();
        let draining = tokio::spawn(gate.handle.drain());
        let mut events = 0;
        while let Some(frame) = body.frame().await {
            frame.unwrap();
            events += 1;
        }
        assert!(events >= 5, "{via:?}: {events}");
        drop((client, idle));
        tokio::time::timeout(Duration::from_secs(2), draining)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_and_one_that_is_too_slow_are_given_up() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = Limits {
        head: Duration::from_millis(200),
        idle: Duration::from_millis(400),
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let gate = TestGate::start(&document(&origin), limits, false).await;
    let mut silent = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    let mut rest = Vec::new();
    let closed = silent.read_to_end(&mut rest);
    tokio::time::timeout(Duration::from_secs(2), closed)
        .await
        .expect("a silent client is given up")
        .unwrap();
    let stream = crate::support::client::connect(&gate, "allowed.test:443")
        .await
        .unwrap();
    let mut stream = crate::support::client::handshake(&gate, stream, "allowed.test", Via::Http1)
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HT")
        .await
        .unwrap();
    let closed = stream.read_to_end(&mut rest);
    let _ = tokio::time::timeout(Duration::from_secs(2), closed)
        .await
        .expect("a slow head is given up");
}

#[tokio::test]
async fn roots_are_replaced_with_the_policy_and_connections_that_they_vouched_for_are_not_used_again() {
    for via in [Via::Http1, Via::H2] {
        let origin = Origin::start(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        let nobody = OriginTrust::new(RootCertStore::empty());
        gate.gate
            .replace(InForce::new(policy(&document(&origin)), nobody).unwrap());
        let (status, reason, _) = client.get("allowed.test", "/hello").await;
        assert_eq!((status, reason.as_str()), (502, "origin-tls"), "{via:?}");
        gate.replace(&document(&origin));
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200, "{via:?}");
    }
}
