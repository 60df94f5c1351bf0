//! The number of different names below one wildcard that a sandbox may have resolved, by each door.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::client::{connect, handshake};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// A name server that knows no name and remembers what it was asked.
struct Resolver {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Resolver {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (length, client) = socket.recv_from(&mut query).await.unwrap();
                let (name, end) = question(&query);
                remembered.lock().unwrap().insert(name);
                query[2..4].copy_from_slice(&[0x81, 0x83]); // a response, recursive: no such name
                query[6..12].fill(0);
                socket.send_to(&query[..end.min(length)], client).await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }
}

/// The name in the first question, and where the question ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut labels, mut position) = (Vec::new(), 12);
    while query[position] != 0 {
        let end = position + 1 + usize::from(query[position]);
        labels.push(String::from_utf8_lossy(&query[position + 1..end]).to_lowercase());
        position = end;
    }
    (labels.join("."), position + 5)
}

/// A gate that lets two names below a wildcard be resolved, and one that it need not resolve.
async fn gate(captured: bool, origin: &Origin, resolver: &Resolver) -> TestGate {
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"*.wild.test\", \"exact.test\"]\n\
         [origins]\nresolver = \"{}\"\nhosts = {{ \"static.wild.test\" = \"{}\" }}\n",
        resolver.address, origin.address
    );
    let limits = Limits {
        names_below_one_wildcard: 2,
        ..Limits::default()
    };
    TestGate::start(&document, limits, captured).await
}

/// What a door tells of `a`, `b`, `c`, `c` again, `a` again, and of the names that are not counted.
const STORY: [(&str, &str); 6] = [
    ("a.wild.test", "unresolved-name"),
    ("b.wild.test", "unresolved-name"),
    ("c.wild.test", "too-many-names"),
    ("c.wild.test", "too-many-names"),
    ("a.wild.test", "unresolved-name"),
    ("exact.test", "unresolved-name"),
];

async fn check(gate: &TestGate, resolver: &Resolver, door: &str) {
    assert_eq!(
        resolver.asked(),
        ["a.wild.test", "b.wild.test", "exact.test"],
        "{door}"
    );
    let denied = gate.events_of("denied", 2).await;
    let of_c: Vec<_> = denied
        .iter()
        .filter(|event| event["reason"] == "too-many-names")
        .collect();
    assert_eq!(of_c.len(), 2, "{door}: {denied:?}");
    for event in of_c {
        let target = event["target"].as_str().unwrap();
        assert!(target.starts_with("c.wild.test:"), "{door}: {target}");
    }
    let findings = gate.events_of("finding", 1).await;
    assert_eq!(findings.len(), 1, "{door}: one for the wildcard");
    assert_eq!(findings[0]["reason"], "too-many-names");
    assert!(findings[0]["message"].as_str().unwrap().contains("*.wild.test"));
}

#[tokio::test]
async fn a_captured_client_has_so_many_names_resolved_and_no_more() {
    let origin = Origin::named(OriginKind::Http1, &["static.wild.test"]).await;
    for by_literal in [false, true] {
        let resolver = Resolver::start().await;
        let gate = gate(true, &origin, &resolver).await;
        let door = if by_literal {
            "literal and SNI"
        } else {
            "synthetic address"
        };
        for (name, told) in STORY.into_iter().chain([("static.wild.test", "")]) {
            let original = if by_literal {
                "93.184.215.14:443".parse().unwrap()
            } else {
                gate.synthetic(name, 443)
            };
            let stream = gate.capture(original).await;
            let stream = handshake(&gate, stream, name, Via::Http1).await.unwrap();
            let mut client = Client::over(stream, Via::Http1).await;
            assert_eq!(client.get(name, "/hello").await.1, told, "{door}: {name}");
        }
        check(&gate, &resolver, door).await;
    }
    assert_eq!(origin.seen().len(), 2, "what is not resolved is not counted");
}

#[tokio::test]
async fn a_client_of_a_proxy_has_so_many_names_resolved_by_connect_and_no_more() {
    let origin = Origin::named(OriginKind::Http1, &["static.wild.test"]).await;
    let resolver = Resolver::start().await;
    let gate = gate(false, &origin, &resolver).await;
    for (name, told) in STORY.into_iter().chain([("static.wild.test", "")]) {
        if told == "too-many-names" {
            let refusal = connect(&gate, &format!("{name}:443")).await.unwrap_err();
            assert!(
                refusal.contains("x-outwall-reason: too-many-names\r\n"),
                "{refusal}"
            );
            assert!(refusal.starts_with("HTTP/1.1 429 "), "{refusal}");
            continue;
        }
        let mut client = Client::to(&gate, name, Via::Http1).await;
        assert_eq!(client.get(name, "/hello").await.1, told, "{name}");
    }
    check(&gate, &resolver, "CONNECT").await;
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_client_of_a_proxy_has_so_many_names_resolved_in_absolute_form_and_no_more() {
    let origin = Origin::start(OriginKind::Plain).await;
    let resolver = Resolver::start().await;
    let gate = gate(false, &origin, &resolver).await;
    // All on one connection: each request is decided by itself.
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    for (name, told) in STORY.into_iter().chain([("static.wild.test", "")]) {
        let request = format!("GET http://{name}/hello HTTP/1.1\r\nHost: {name}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        match told {
            "" => assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}"),
            told => assert!(
                answer.contains(&format!("x-outwall-reason: {told}\r\n")),
                "{answer}"
            ),
        }
    }
    check(&gate, &resolver, "absolute form").await;
    assert_eq!(origin.seen().len(), 1);
}

/// One response with a length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head
}
