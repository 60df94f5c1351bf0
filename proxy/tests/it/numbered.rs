//! Every event that belongs to a connection says which one: those of one connection the same number, no other connection that.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::intercepted::ALL;
use crate::support::{Client, Origin, OriginKind, TestGate};

fn document(origin: &Origin) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\"]\ntunnelled_domains = [\"pinned.test\"]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{0}\", \"allowed.test:80\" = \"{0}\", \"pinned.test\" = \"{0}\" }}\n",
        origin.address
    )
}

fn numbers<'a>(events: impl IntoIterator<Item = &'a Value>) -> BTreeSet<u64> {
    let number = |event: &Value| event["connection"].as_u64().unwrap_or_else(|| panic!("{event}"));
    events.into_iter().map(number).collect()
}

#[tokio::test]
async fn requests_of_one_connection_share_its_number_and_another_has_another() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut first = Client::to(&gate, "allowed.test", via).await;
        let mut second = Client::to(&gate, "allowed.test", via).await;
        for client in [&mut first, &mut second] {
            for _ in 0..2 {
                assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
            }
        }
        let out = gate.events_of("exchange.going_out", 4).await;
        let back = gate.events_of("exchange.came_back", 4).await;
        assert_eq!(numbers(&out).len(), 2, "{via:?} {kind:?}");
        assert_eq!(numbers(&out[..2]).len(), 1, "{via:?} {kind:?}");
        assert_eq!(numbers(&back), numbers(&out));
    }
}

#[tokio::test]
async fn a_refusal_has_the_number_of_the_request_before_it() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    let ask = |host| format!("GET http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n");
    let asked = format!(
        "{}\r\n{}Connection: close\r\n\r\n",
        ask("allowed.test"),
        ask("denied.test")
    );
    stream.write_all(asked.as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    let out = gate.events_of("exchange.going_out", 1).await;
    let denied = gate.events_of("denied", 1).await;
    assert_eq!(numbers(&denied), numbers(&out));
}

#[tokio::test]
async fn a_tunnel_that_is_none_and_a_refused_connection_have_numbers_of_their_own() {
    let origin = Origin::start(OriginKind::Plain).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    for host in ["pinned.test", "denied.test"] {
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        let connect = format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n");
        stream.write_all(connect.as_bytes()).await.unwrap();
        stream.write_all(b"not TLS").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    assert_eq!(numbers(&gate.events_of("denied", 2).await).len(), 2);
}
