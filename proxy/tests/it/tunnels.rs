//! Bytes that are not read: hosts that are not intercepted, and plain TCP by name and port.

use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::{connect, handshake, hello};
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

/// An origin that reads addresses in SNI would answer for another than the tunnel's host.
#[tokio::test]
async fn an_address_in_sni_is_another_host_than_a_tunnels() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin, greeter().await)).await;
    for address in ["192.0.2.1", "2001:db8::1"] {
        let mut stream = connect(&gate, "pinned.test:443").await.unwrap();
        stream.write_all(&hello(address)).await.unwrap();
        gate.events_of("denied", 1).await;
    }
    for denied in gate.events_of("denied", 2).await {
        assert_eq!(
            (&denied["reason"], &denied["target"]),
            (&"fronting".into(), &"pinned.test:443".into())
        );
    }
    assert_eq!(origin.connections(), 0);
    // The twins: the tunnel's own name, and none.
    let mut stream = connect(&gate, "pinned.test:443").await.unwrap();
    stream.write_all(&hello("pinned.test")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 0x16, "the origin's answer");
    let stream = connect(&gate, "pinned.test:443").await.unwrap();
    let error = handshake(&gate, stream, "192.0.2.1", Via::Http1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "not ours: {error}");
    assert_eq!(origin.connections(), 2);
}

/// Where an entry names an address it may stand in SNI, which other addresses may not.
#[tokio::test]
async fn a_tunnel_to_an_address_may_name_it_in_sni() {
    let origin = Origin::named(OriginKind::H2, &["93.184.215.14"]).await;
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\ntunnelled_domains = [\"93.184.215.14\"]\n\
         [origins]\nhosts = {{ \"93.184.215.14\" = \"{}\" }}\n",
        origin.address
    );
    for captured in [false, true] {
        let gate = TestGate::start(&document, Limits::default(), captured).await;
        let open = async || {
            if captured {
                gate.capture("93.184.215.14:443".parse().unwrap()).await
            } else {
                connect(&gate, "93.184.215.14:443").await.unwrap()
            }
        };
        let before = origin.connections();
        let mut stream = open().await;
        stream.write_all(&hello("93.184.215.15")).await.unwrap();
        assert_eq!(
            gate.events_of("denied", 1).await[0]["reason"],
            "fronting",
            "captured: {captured}"
        );
        assert_eq!(origin.connections(), before);
        let mut stream = open().await;
        stream.write_all(&hello("93.184.215.14")).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 0x16, "the origin's answer");
        assert_eq!(origin.connections(), before + 1);
    }
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
