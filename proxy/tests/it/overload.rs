//! What happens when there is too much, or when it is too slow: who causes it is held back, refused or given up, and what runs
//! goes on.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::intercepted::document;
use crate::support::client::{Body, connect, empty, handshake, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

async fn gate(limits: Limits) -> (Origin, TestGate) {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::start(&document(&origin), limits, false).await;
    (origin, gate)
}

/// Chunks of 100 bytes, so far apart.
fn dribble(count: usize, apart: Duration) -> Body {
    let frames = stream::iter(0..count).then(move |_| async move {
        sleep(apart).await;
        Ok(Frame::data(Bytes::from(vec![b'x'; 100])))
    });
    http_body_util::BodyExt::boxed(StreamBody::new(frames))
}

/// Within the time that a bounded thing may take, with room for a busy machine.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(Duration::from_secs(10), future)
        .await
        .unwrap_or_else(|_| panic!("{what}"))
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_those_that_run_go_on() {
    for limits in [
        Limits {
            connections: 2,
            ..Limits::default()
        },
        Limits {
            connections_in_all: 2,
            ..Limits::default()
        },
    ] {
        let (_origin, gate) = gate(limits).await;
        let mut first = Client::to(&gate, "allowed.test", Via::Http1).await;
        let second = Client::to(&gate, "allowed.test", Via::H2).await;
        let third = Client::to(&gate, "allowed.test", Via::H2);
        tokio::pin!(third);
        assert!(
            timeout(Duration::from_millis(200), &mut third).await.is_err(),
            "it waits"
        );
        assert_eq!(first.get("allowed.test", "/hello").await.0, 200);
        drop(second);
        let mut third = soon("there is room again", third).await;
        assert_eq!(third.get("allowed.test", "/hello").await.0, 200);
    }
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_no_other_and_is_counted() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::captured(&document(&origin)).await;
    let stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
    let stream = handshake(&gate, stream, "allowed.test", Via::H2).await.unwrap();
    let mut client = Client::over(stream, Via::H2).await;
    let request = client.request("GET", "allowed.test", "/events?10", empty());
    let mut running = client.send(request).await.unwrap().into_body();

    let mut doomed = gate.capture_with_a_panic().await;
    let mut nothing = Vec::new();
    let _ = soon(
        "a connection that panicked ends",
        doomed.read_to_end(&mut nothing),
    )
    .await;
    assert!(nothing.is_empty());

    let mut events = 0;
    while let Some(frame) = running.frame().await {
        frame.unwrap();
        events += 1;
    }
    assert!(events >= 10, "{events}");
    assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
    let stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
    assert!(handshake(&gate, stream, "allowed.test", Via::H2).await.is_ok());
    soon("it is counted", async {
        while gate.gate.panics() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(gate.gate.panics(), 1);
}

#[tokio::test]
async fn a_hello_that_does_not_end_is_given_up() {
    let limits = Limits {
        handshake: Duration::from_millis(400),
        ..Limits::default()
    };
    let (_origin, gate) = gate(limits).await;
    let mut stream = connect(&gate, "allowed.test:443").await.unwrap();
    stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await.unwrap(); // the beginning of a ClientHello
    let mut nothing = Vec::new();
    let _ = soon("half a hello is given up", stream.read_to_end(&mut nothing)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up_and_one_that_moves_is_not() {
    for via in [Via::Http1, Via::H2] {
        let limits = Limits {
            silence: Duration::from_millis(700),
            ..Limits::default()
        };
        let (origin, gate) = gate(limits).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let moving = dribble(12, Duration::from_millis(100));
        let request = client.request("POST", "allowed.test", "/count", moving);
        assert_eq!(
            read(client.send(request).await.unwrap()).await.2,
            "1200",
            "{via:?}"
        );
        let still = dribble(2, Duration::from_mins(1));
        let request = client.request("POST", "allowed.test", "/count", still);
        let answer = soon("it is given up", client.send(request)).await;
        if let Ok(response) = answer {
            let (status, reason, _) = read(response).await;
            assert_eq!((status, reason.as_str()), (504, "silence"), "{via:?}");
        }
        origin.sees_a_body_end_badly().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    for via in [Via::Http1, Via::H2] {
        let limits = Limits {
            silence: Duration::from_millis(700),
            ..Limits::default()
        };
        let (_origin, gate) = gate(limits).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("GET", "allowed.test", "/bytes?300000000", empty());
        let response = client.send(request).await.unwrap();
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(
            closed.len(),
            1,
            "{via:?}: it is held for as long as its client likes"
        );
        assert!(closed[0]["bytes_down"].as_u64().unwrap() < 100_000_000);
        drop(response);
    }
}

#[tokio::test]
async fn one_stream_that_stands_still_ends_while_another_moves() {
    let limits = Limits {
        silence: Duration::from_millis(700),
        ..Limits::default()
    };
    let (_origin, gate) = gate(limits).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    let moving = client.request("GET", "allowed.test", "/events?60", empty());
    let mut moving = client.send(moving).await.unwrap().into_body();
    let still = client.request("GET", "allowed.test", "/bytes?300000000", empty());
    let still = client.send(still).await.unwrap();
    let mut events = 0;
    while let Some(frame) = moving.frame().await {
        frame.unwrap();
        events += 1;
    }
    assert!(events >= 60, "{events}");
    let closed = gate.events_of("exchange.came_back", 2).await;
    assert_eq!(closed.len(), 2, "the one that stood still ended too");
    drop(still);
}

#[tokio::test]
async fn a_request_may_last_so_long_and_no_longer_however_much_it_moves() {
    for via in [Via::Http1, Via::H2] {
        let limits = Limits {
            request: Duration::from_secs(1),
            ..Limits::default()
        };
        let (_origin, gate) = gate(limits).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        assert_eq!(client.get("allowed.test", "/events?5").await.0, 200);
        let request = client.request("GET", "allowed.test", "/events?1000", empty());
        let body = client.send(request).await.unwrap().into_body();
        let ended = soon("it ends", body.collect()).await;
        assert!(ended.is_err(), "{via:?}: what was cut is not taken for whole");
        let closed = gate.events_of("exchange.came_back", 2).await;
        assert_eq!(
            closed[1]["error"], "the request took longer than a request may",
            "{via:?}"
        );
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_the_connection_goes_on() {
    let limits = Limits {
        streams: 2,
        ..Limits::default()
    };
    let (origin, gate) = gate(limits).await;
    let mut raw = h2(&gate).await;
    for stream in [1, 3, 5] {
        raw.send(&headers(stream, "/events?20", END_HEADERS | END_STREAM))
            .await;
    }
    let refused = raw
        .until(|kind, stream, _| kind == RST_STREAM && stream == 5)
        .await;
    assert_eq!(refused, REFUSED_STREAM.to_be_bytes(), "it may be sent again");
    raw.until(|kind, stream, flags| kind == DATA && stream == 3 && flags & END_STREAM > 0)
        .await;
    raw.send(&headers(7, "/hello", END_HEADERS | END_STREAM)).await;
    raw.until(|kind, stream, _| kind == DATA && stream == 7).await;
    assert_eq!(origin.seen().len(), 3);
}

#[tokio::test]
async fn a_head_of_endless_continuations_ends_its_connection() {
    let (origin, gate) = gate(Limits::default()).await;
    let mut good = Client::to(&gate, "allowed.test", Via::H2).await;
    let mut raw = h2(&gate).await;
    raw.send(&headers(1, "/hello", END_STREAM)).await; // its head goes on
    let more = frame(CONTINUATION, 0, 1, &field("x-more", &"x".repeat(100)));
    for _ in 0..20_000 {
        if raw.stream.write_all(&more).await.is_err() {
            break;
        }
    }
    soon("it is given up", raw.end()).await;
    assert_eq!(good.get("allowed.test", "/hello").await.0, 200);
    assert_eq!(origin.seen().len(), 1, "and its request goes nowhere");
}

#[tokio::test]
async fn storms_of_settings_and_pings_that_nobody_reads_the_answers_of_end_their_connection() {
    let (_origin, gate) = gate(Limits {
        idle: Duration::from_secs(2),
        ..Limits::default()
    })
    .await;
    for storm in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[0; 8])] {
        let mut raw = h2(&gate).await;
        let storm = storm.repeat(1_000);
        let flood = async {
            while raw.stream.write_all(&storm).await.is_ok() {} // and nothing is read
        };
        soon("it does not go on forever", flood).await;
    }
    let mut good = Client::to(&gate, "allowed.test", Via::H2).await;
    assert_eq!(good.get("allowed.test", "/hello").await.0, 200);
}

/// A connection whose frames are written by hand.
struct RawH2 {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
}

async fn h2(gate: &TestGate) -> RawH2 {
    let stream = connect(gate, "allowed.test:443").await.unwrap();
    let stream = handshake(gate, stream, "allowed.test", Via::H2).await.unwrap();
    let mut raw = RawH2 { stream };
    raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    raw.until(|kind, _, flags| kind == SETTINGS && flags & ACK > 0)
        .await;
    raw
}

impl RawH2 {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The payload of the next frame that is looked for.
    async fn until(&mut self, is_it: impl Fn(u8, u32, u8) -> bool) -> Vec<u8> {
        loop {
            let mut head = [0; 9];
            soon("a frame", self.stream.read_exact(&mut head)).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.unwrap();
            if is_it(head[3], stream, head[4]) {
                return payload;
            }
        }
    }

    async fn end(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn headers(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "allowed.test"),
        (":path", path),
    ];
    let block: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect();
    frame(HEADERS, flags, stream, &block)
}

/// Literal, without indexing and without Huffman coding (RFC 7541 section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
