//! WebSocket in its four pairings, and everything that must not become one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::intercepted::document_for;
use crate::support::origin::scripted;
use crate::support::wire::{h2_client, raw, read_head};
use crate::support::{TestGate, Via};

/// What an origin was asked, as text or as header fields.
type Noted = Arc<Mutex<Vec<String>>>;

/// A masked frame with the text `hello`.
const HELLO: &[u8] = &[
    0x81,
    0x85,
    1,
    2,
    3,
    4,
    b'h' ^ 1,
    b'e' ^ 2,
    b'l' ^ 3,
    b'l' ^ 4,
    b'o' ^ 1,
];
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) fn accept_for(key: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()))
}

/// An origin of http/1.1 that answers every request with `answer`, where `{accept}` is the right one, and then echoes.
async fn http1(noted: &Noted, answer: &'static str) -> SocketAddr {
    let noted = Arc::clone(noted);
    scripted(&["http/1.1"], move |mut stream| {
        let noted = Arc::clone(&noted);
        async move {
            let head = read_head(&mut stream).await;
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("sec-websocket-key: "))
                .unwrap_or_default()
                .to_owned();
            noted.lock().unwrap().push(head);
            let answer = answer.replace("{accept}", &accept_for(&key));
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut bytes = vec![0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                noted.lock().unwrap().push(text);
                stream.write_all(&bytes[..length]).await.unwrap();
            }
            let _ = stream.shutdown().await;
        }
    })
    .await
}

const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

/// An origin of h2 alone, which takes extended CONNECT if it is said to, and echoes.
async fn h2_only(noted: &Noted, takes_it: bool, status: StatusCode) -> SocketAddr {
    let noted = Arc::clone(noted);
    scripted(&["h2"], move |stream| {
        let noted = Arc::clone(&noted);
        async move {
            let mut builder = h2::server::Builder::new();
            if takes_it {
                builder.enable_connect_protocol();
            }
            let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let protocol = request.extensions().get::<h2::ext::Protocol>();
                let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
                noted.lock().unwrap().push(format!(
                    "{} {} {protocol:?} {:?}",
                    request.method(),
                    request.uri(),
                    request.headers()
                ));
                let response = Response::builder()
                    .status(status)
                    .header("sec-websocket-protocol", "chat");
                let mut send = respond.send_response(response.body(()).unwrap(), false).unwrap();
                tokio::spawn(async move {
                    let mut body = request.into_body();
                    while let Some(Ok(data)) = body.data().await {
                        let _ = body.flow_control().release_capacity(data.len());
                        send.send_data(data, false).unwrap();
                    }
                    let _ = send.send_data(Bytes::new(), true);
                });
            }
        }
    })
    .await
}

fn asks(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: allowed.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: chat, other\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: https://allowed.test\r\n\r\n"
    )
}

type Stream = (Response<h2::RecvStream>, h2::SendStream<Bytes>);

async fn asks_h2(sender: &mut h2::client::SendRequest<Bytes>, path: &str) -> Result<Stream, h2::Error> {
    let request = Request::builder()
        .method("CONNECT")
        .uri(format!("https://allowed.test{path}"))
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat, other")
        .body(())
        .unwrap();
    let (response, send) = sender.send_request(request, false)?;
    Ok((response.await?, send))
}

/// Opens a socket, says hello, hears it back and leaves, as an http/1.1 client.
async fn converse(gate: &TestGate) -> String {
    let mut client = raw(gate).await;
    client.write_all(asks("/chat?room=1").as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    client.write_all(HELLO).await.unwrap();
    let mut back = [0; HELLO.len()];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(back, HELLO);
    client.shutdown().await.unwrap();
    head
}

/// The same over h2.
async fn converse_h2(gate: &TestGate) {
    let mut sender = h2_client(gate).await;
    let (response, mut send) = asks_h2(&mut sender, "/chat?room=1").await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert!(
        response.headers().get("sec-websocket-accept").is_none()
            && response.headers().get("upgrade").is_none()
    );
    send.send_data(Bytes::from_static(HELLO), false).unwrap();
    let mut body = response.into_body();
    let mut back = Vec::new();
    while back.len() < HELLO.len() {
        back.extend(body.data().await.unwrap().unwrap());
    }
    assert_eq!(back, HELLO);
    send.send_data(Bytes::new(), true).unwrap();
    assert!(
        body.data()
            .await
            .is_none_or(|last| last.is_ok_and(|last| last.is_empty()))
    );
}

#[tokio::test]
async fn a_websocket_is_opened_over_http1_from_both() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(http1(&noted, SWITCHES).await)).await;
    let head = converse(&gate).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for field in [
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: chat\r\n",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    let asked = noted.lock().unwrap()[0].clone();
    assert!(asked.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{asked}");
    for field in [
        "connection: Upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-version: 13\r\n",
        &format!("sec-websocket-key: {KEY}\r\n"),
        "sec-websocket-protocol: chat, other\r\n",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n",
        "origin: https://allowed.test\r\n",
        "host: allowed.test\r\n",
    ] {
        assert!(asked.contains(field), "{field}: {asked}");
    }
    converse_h2(&gate).await;
    let asked = noted.lock().unwrap()[2].clone();
    assert!(asked.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("sec-websocket-key: ") && !asked.contains(KEY),
        "a key of ours: {asked}"
    );
    assert_recorded(&gate).await;
}

#[tokio::test]
async fn a_websocket_is_opened_over_h2_from_both_where_the_origin_has_nothing_else() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(h2_only(&noted, true, StatusCode::OK).await)).await;
    let head = converse(&gate).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"),
        "{head}"
    );
    let asked = noted.lock().unwrap()[0].clone();
    assert!(
        asked.starts_with("CONNECT https://allowed.test/chat?room=1 Some(\"websocket\")"),
        "{asked}"
    );
    assert!(
        !asked.contains("sec-websocket-key") && !asked.contains("upgrade"),
        "{asked}"
    );
    converse_h2(&gate).await;
    assert_recorded(&gate).await;
}

/// Two conversations, one of each kind of client, from their beginning to their end.
async fn assert_recorded(gate: &TestGate) {
    let out = gate.events_of("exchange.going_out", 2).await;
    for (out, protocol) in out.iter().zip(["websocket/http/1.1", "websocket/h2"]) {
        assert_eq!(
            (&out["method"], &out["protocol"]),
            (&"GET".into(), &protocol.into()),
            "{out}"
        );
        assert_eq!(out["path"], "/chat?room=*");
    }
    let back = gate.events_of("exchange.came_back", 2).await;
    assert_eq!(back.len(), 2);
    for back in back {
        assert_eq!(back["outcome"], "complete", "{back}");
        assert_eq!(
            (&back["bytes_up"], &back["bytes_down"]),
            (&11.into(), &11.into()),
            "{back}"
        );
    }
}

#[tokio::test]
async fn a_websocket_in_the_clear_is_opened_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let answer = SWITCHES.replace("{accept}", &accept_for(key.unwrap()));
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut client = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    let asks = asks("/chat").replace("GET /chat", "GET http://allowed.test/chat");
    client.write_all(asks.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.write_all(HELLO).await.unwrap();
    let mut back = [0; HELLO.len()];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(back, HELLO);
    let refused = asks.replace("allowed.test", "denied.test");
    let mut client = tokio::net::TcpStream::connect(gate.address).await.unwrap();
    client.write_all(refused.as_bytes()).await.unwrap();
    assert!(
        read_head(&mut client)
            .await
            .contains("x-outwall-reason: host-not-allowed")
    );
}

#[tokio::test]
async fn rules_and_names_hold_for_a_websocket_as_for_a_get() {
    let noted = Noted::default();
    let document = format!(
        "{}[[environments.default.rules]]\nhost = \"allowed.test\"\nmethods = [\"GET\"]\npaths = [\"/chat\"]\naction = \"allow\"\n",
        document_for(http1(&noted, SWITCHES).await)
    );
    let gate = TestGate::explicit(&document).await;
    let mut client = raw(&gate).await;
    // What is pipelined behind a refused upgrade is another request, and refused by itself.
    let behind = "GET /behind HTTP/1.1\r\nHost: allowed.test\r\n\r\n";
    client
        .write_all(format!("{}{behind}", asks("/admin")).as_bytes())
        .await
        .unwrap();
    for path in ["/admin", "/behind"] {
        let head = read_head(&mut client).await;
        assert!(
            head.starts_with("HTTP/1.1 403 ") && head.contains("rule-refused"),
            "{path}: {head}"
        );
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        client.read_exact(&mut body).await.unwrap();
    }
    let fronted = asks("/chat").replace("Host: allowed.test", "Host: other.test");
    client.write_all(fronted.as_bytes()).await.unwrap();
    assert!(
        read_head(&mut client)
            .await
            .contains("x-outwall-reason: fronting")
    );
    let mut sender = h2_client(&gate).await;
    let (response, _send) = asks_h2(&mut sender, "/admin").await.unwrap();
    assert_eq!(response.headers()["x-outwall-reason"], "rule-refused");
    assert!(noted.lock().unwrap().is_empty());
    let denied = gate.events_of("denied", 4).await;
    assert_eq!(denied.len(), 4);
    assert_eq!(
        (&denied[0]["method"], &denied[0]["protocol"]),
        (&"GET".into(), &"websocket/http/1.1".into())
    );
    assert_eq!(
        (&denied[3]["method"], &denied[3]["protocol"]),
        (&"GET".into(), &"websocket/h2".into())
    );
    let (response, _send) = asks_h2(&mut sender, "/chat").await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn another_upgrade_is_refused_readably() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(http1(&noted, SWITCHES).await)).await;
    let mut client = raw(&gate).await;
    let other = asks("/chat").replace("Upgrade: websocket", "Upgrade: x-tunnel");
    client.write_all(other.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(
        head.starts_with("HTTP/1.1 501 ") && head.contains("upgrade-refused"),
        "{head}"
    );
    assert!(noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_no_switch_becomes_no_tunnel() {
    for (answer, to_http1, to_h2) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 ",
            502,
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            "HTTP/1.1 403 ",
            403,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "HTTP/1.1 502 ",
            502,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
            "HTTP/1.1 502 ",
            502,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
            "HTTP/1.1 502 ",
            502,
        ),
    ] {
        let noted = Noted::default();
        let gate = TestGate::explicit(&document_for(http1(&noted, answer).await)).await;
        let mut client = raw(&gate).await;
        let behind = "GET /behind HTTP/1.1\r\nHost: denied.test\r\n\r\n";
        client
            .write_all(format!("{}{behind}", asks("/chat")).as_bytes())
            .await
            .unwrap();
        let head = read_head(&mut client).await;
        assert!(head.starts_with(to_http1), "{answer}: {head}");
        let mut rest = vec![0; 4096];
        let length = client.read(&mut rest).await.unwrap();
        let mut rest = String::from_utf8_lossy(&rest[..length]).into_owned();
        while !rest.contains("x-outwall-reason: fronting") {
            let mut more = vec![0; 4096];
            let length = client.read(&mut more).await.unwrap();
            assert!(length > 0, "what came behind was not read as a request: {rest}");
            rest += &String::from_utf8_lossy(&more[..length]);
        }
        let mut sender = h2_client(&gate).await;
        let (response, _send) = asks_h2(&mut sender, "/chat").await.unwrap();
        assert_eq!(response.status(), to_h2, "{answer}");
        let noted = noted.lock().unwrap();
        assert_eq!(
            noted.len(),
            2,
            "nothing followed a request to the origin: {noted:?}"
        );
    }
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_a_bad_gateway() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(http1(&noted, SWITCHES).await)).await;
    for via in [Via::Http1, Via::H2] {
        let mut client = crate::support::Client::to(&gate, "allowed.test", via).await;
        let (status, reason, _) = client.get("allowed.test", "/").await;
        assert_eq!((status, reason.as_str()), (502, "no-websocket"), "{via:?}");
    }
}

#[tokio::test]
async fn what_comes_with_the_switch_is_not_lost() {
    let noted = Noted::default();
    let with_a_frame = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: {accept}\r\n\r\n\u{1}\u{2}first words";
    let gate = TestGate::explicit(&document_for(http1(&noted, with_a_frame).await)).await;
    let mut client = raw(&gate).await;
    client
        .write_all([asks("/chat").as_bytes(), HELLO].concat().as_slice())
        .await
        .unwrap();
    read_head(&mut client).await;
    let mut first = [0; 13];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first[2..], b"first words");
    let mut back = [0; HELLO.len()];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(back, HELLO, "nor what the client sent ahead");
}

#[tokio::test]
async fn what_is_no_frame_does_not_pass() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(http1(&noted, SWITCHES).await)).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    read_head(&mut client).await;
    client.write_all(HELLO).await.unwrap();
    let mut back = [0; HELLO.len()];
    client.read_exact(&mut back).await.unwrap();
    client
        .write_all(b"GET /admin HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    let back = gate.events_of("exchange.came_back", 1).await;
    assert_eq!(back[0]["outcome"], "failed", "{}", back[0]);
    assert_eq!(noted.lock().unwrap().len(), 2, "the request, and one frame");
}

#[tokio::test]
async fn an_origin_of_h2_that_takes_no_extended_connect_is_named_as_such() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(h2_only(&noted, false, StatusCode::OK).await)).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(
        head.starts_with("HTTP/1.1 502 ") && head.contains("no-websocket"),
        "{head}"
    );
    assert!(noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_of_an_origin_of_h2_reaches_its_client() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(h2_only(&noted, true, StatusCode::FORBIDDEN).await)).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let mut sender = h2_client(&gate).await;
    assert_eq!(asks_h2(&mut sender, "/chat").await.unwrap().0.status(), 403);
}

#[tokio::test]
async fn a_websocket_ends_with_its_permit_and_not_with_another_policy_that_grants_it() {
    let noted = Noted::default();
    let document = document_for(http1(&noted, SWITCHES).await);
    let without = format!(
        "{document}[[environments.default.rules]]\nhost = \"allowed.test\"\npaths = [\"/other\"]\naction = \"allow\"\n"
    );
    let gate = TestGate::explicit(&document).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    read_head(&mut client).await;
    let mut sender = h2_client(&gate).await;
    let (response, mut send) = asks_h2(&mut sender, "/chat").await.unwrap();
    let mut body = response.into_body();
    gate.replace(&document);
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.write_all(HELLO).await.unwrap();
    let mut back = [0; HELLO.len()];
    client.read_exact(&mut back).await.unwrap();
    send.send_data(Bytes::from_static(HELLO), false).unwrap();
    body.data().await.unwrap().unwrap();

    gate.replace(&without);
    let ended = tokio::time::timeout(Duration::from_secs(5), client.read(&mut back))
        .await
        .unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    let ended = tokio::time::timeout(Duration::from_secs(5), body.data())
        .await
        .unwrap();
    assert!(ended.is_none_or(|last| last.is_err()));
    let back = gate.events_of("exchange.came_back", 2).await;
    assert_eq!(back.len(), 2);
    assert!(back.iter().all(|back| back["outcome"] == "failed"), "{back:?}");
    assert!(
        back[0]["error"].as_str().unwrap().contains("withdrawn"),
        "{}",
        back[0]
    );
}

#[tokio::test]
async fn a_websocket_may_be_silent_for_longer_than_a_response_and_not_forever() {
    let noted = Noted::default();
    let limits = Limits {
        silence: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        tunnel_idle: Duration::from_millis(2500),
        ..Limits::default()
    };
    let document = document_for(http1(&noted, SWITCHES).await);
    let gate = TestGate::start(&document, limits, false).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    read_head(&mut client).await;
    let mut sender = h2_client(&gate).await;
    let (response, mut send) = asks_h2(&mut sender, "/chat").await.unwrap();
    let mut body = response.into_body();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut back = [0; HELLO.len()];
    client.write_all(HELLO).await.unwrap();
    client.read_exact(&mut back).await.unwrap();
    send.send_data(Bytes::from_static(HELLO), false).unwrap();
    body.data().await.unwrap().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), client.read(&mut back)).await;
    assert!(matches!(ended.expect("it ends"), Ok(0) | Err(_)));
    let ended = tokio::time::timeout(Duration::from_secs(5), body.data())
        .await
        .expect("it ends");
    assert!(ended.is_none_or(|last| last.is_err()));
}

#[tokio::test]
async fn a_drain_ends_websockets() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(http1(&noted, SWITCHES).await)).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    read_head(&mut client).await;
    let draining = gate.handle.drain();
    tokio::time::timeout(Duration::from_secs(5), draining)
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_end_of_either_side_ends_the_other() {
    let noted = Noted::default();
    let gate = TestGate::explicit(&document_for(h2_only(&noted, true, StatusCode::OK).await)).await;
    let mut sender = h2_client(&gate).await;
    let (response, mut send) = asks_h2(&mut sender, "/chat").await.unwrap();
    drop(response);
    send.send_reset(h2::Reason::CANCEL);
    let back = gate.events_of("exchange.came_back", 1).await;
    assert_eq!(back.len(), 1, "a reset by the client");

    let leaves = scripted(&["http/1.1"], move |mut stream| async move {
        let head = read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let answer = SWITCHES.replace("{accept}", &accept_for(key.unwrap()));
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    let gate = TestGate::explicit(&document_for(leaves)).await;
    let mut client = raw(&gate).await;
    client.write_all(asks("/chat").as_bytes()).await.unwrap();
    read_head(&mut client).await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "an end by the origin");
}

/// A masked text frame.
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0xfe];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend([1, 2, 3, 4]);
    frame.extend(
        text.bytes()
            .zip([1, 2, 3, 4].iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

#[tokio::test]
async fn a_credential_in_a_message_does_not_pass_where_credentials_are_kept() {
    for action in ["block", "report"] {
        let noted = Noted::default();
        let origin = http1(&noted, SWITCHES).await;
        let dlp = format!(
            "[environments.default.dlp]\naction = \"{action}\"\npatterns = [{{ name = \"acme\", regex = \"acme_[0-9a-f]{{150}}\" }}]\n"
        );
        let gate = TestGate::explicit(&format!("{}\n{dlp}", document_for(origin))).await;
        let mut stream = raw(&gate).await;
        stream.write_all(asks("/echo").as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let harmless = text_frame(&format!("acme_{}", "x".repeat(150)));
        stream.write_all(&harmless).await.unwrap();
        let mut echoed = vec![0; harmless.len()];
        stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, harmless, "the twin passes");
        let secret = text_frame(&format!("acme_{}", "0f".repeat(75)));
        stream.write_all(&secret[..100]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(&secret[100..]).await.unwrap();
        if action == "report" {
            stream.read_exact(&mut echoed).await.unwrap();
            assert_eq!(echoed, secret);
            assert_eq!(gate.events_of("finding", 1).await.len(), 1);
            continue;
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:?}");
        let ended = gate.events_of("exchange.came_back", 1).await;
        let said = ended[0]["error"].as_str().unwrap();
        assert!(
            said.contains("acme") && said.contains("a WebSocket message at byte 0"),
            "{said}"
        );
        let received: usize = noted.lock().unwrap()[1..].iter().map(String::len).sum();
        assert!(received < harmless.len() * 2, "no part of the secret: {received}");
    }
}

const HINTS_THEN_SWITCHES: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
                        HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: {accept}\r\n\r\n";

/// Over h2 it takes extended CONNECT, and hints as well.
async fn hints_over_h2() -> SocketAddr {
    scripted(&["h2"], move |stream| async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            let hints = Response::builder().status(103).header("link", "</a.css>");
            respond.send_informational(hints.body(()).unwrap()).unwrap();
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from_static(b"hi"), true).unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn what_an_origin_says_before_it_opens_a_websocket_reaches_the_client() {
    for h2_origin in [false, true] {
        let address = if h2_origin {
            hints_over_h2().await
        } else {
            http1(&Noted::default(), HINTS_THEN_SWITCHES).await
        };
        let gate = TestGate::explicit(&document_for(address)).await;
        let mut client = raw(&gate).await;
        client.write_all(asks("/chat").as_bytes()).await.unwrap();
        let hints = read_head(&mut client).await;
        assert!(
            hints.starts_with("HTTP/1.1 103 ") && hints.contains("</a.css>"),
            "{hints}"
        );
        let head = read_head(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

        let mut sender = h2_client(&gate).await;
        let request = Request::builder()
            .method("CONNECT")
            .uri("https://allowed.test/chat")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        let (mut response, _send) = sender.send_request(request, false).unwrap();
        let hints = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(hints.unwrap().unwrap().status(), 103);
        assert_eq!(response.await.unwrap().status(), 200);
    }
}
