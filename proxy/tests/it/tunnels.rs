//! Bytes that are not read: hosts that are not intercepted, and plain TCP by name and port.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::{connect, handshake};
use crate::support::origin::greeter;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

fn document(pinned: &Origin, greeter: std::net::SocketAddr) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\ntunnelled_domains = [\"pinned.test\"]\ntcp = [\"stream.test:5432\"]\n\
         [origins]\nhosts = {{ \"pinned.test\" = \"{}\", \"stream.test\" = \"{greeter}\" }}\n",
        pinned.address
    )
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_and_answered() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin, greeter().await)).await;
    let mut stream = gate.capture(gate.synthetic("stream.test", 5432)).await;
    let mut greeting = [0; 11];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 hello\r\n");
    stream.write_all(b"abc").await.unwrap();
    let mut back = [0; 3];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"abc");
    drop(stream);
    let closed = gate.events_of("connection.came_back", 1).await;
    assert_eq!(
        (closed[0]["bytes_up"].as_u64(), closed[0]["bytes_down"].as_u64()),
        (Some(3), Some(14))
    );
    assert_eq!(
        gate.events_of("connection.going_out", 1).await[0]["target"],
        "stream.test:5432"
    );
}

#[tokio::test]
async fn another_port_of_the_same_name_is_refused_soon() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin, greeter().await)).await;
    let mut stream = gate.capture(gate.synthetic("stream.test", 5433)).await;
    let started = std::time::Instant::now();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing).await;
    assert!(started.elapsed().as_millis() < 1_000, "{:?}", started.elapsed());
    assert!(nothing.is_empty());
    assert_eq!(gate.events_of("denied", 1).await.len(), 1);
}

#[tokio::test]
async fn a_tunnelled_host_shows_its_own_certificate() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, greeter().await)).await;
    let stream = connect(&gate, "pinned.test:443").await.unwrap();
    let error = handshake(&gate, stream, "pinned.test", Via::Http1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "not ours: {error}");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_tunnel_is_for_its_host_and_no_other() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, greeter().await)).await;
    let stream = connect(&gate, "pinned.test:443").await.unwrap();
    let stream = handshake(&gate, stream, "evil.test", Via::Http1).await.unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    let (status, reason, _) = client.get("evil.test", "/").await;
    assert_eq!((status, reason.as_str()), (403, "fronting"));
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn a_tunnel_carries_tls_only() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, greeter().await)).await;
    let stream = connect(&gate, "pinned.test:443").await.unwrap();
    let mut client = Client::over(stream, Via::Http1).await;
    let (status, reason, _) = client.get("pinned.test", "/").await;
    assert_eq!((status, reason.as_str()), (403, "plain-connection-not-allowed"));
    assert_eq!(origin.connections(), 0);
}
