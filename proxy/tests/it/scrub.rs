//! An injected secret that its origin reflects does not reach the client: from origins that say back all that they heard, in heads,
//! in every coding, in events, in trailers, over sockets, in all pairings of versions.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::intercepted::{ALL, document_for};
use crate::support::client::{Body, empty};
use crate::support::origin::scripted;
use crate::support::wire::{h2_client, raw, read_head};
use crate::support::{Client, OriginKind, TestGate, Via};
use crate::websocket::accept_for;

const SECRET: &str = "sk-test-Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0TcUe";
const CODINGS: [&str; 4] = ["identity", "gzip", "deflate", "zstd"];

/// A gate that puts the secret into what goes to `allowed.test`.
async fn gate(origin: SocketAddr) -> (TestGate, tempfile::TempDir) {
    gate_with(SECRET, origin).await
}

async fn gate_with(secret: &str, origin: SocketAddr) -> (TestGate, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("secret");
    std::fs::write(&file, secret).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let document = format!(
        "{}[[credentials]]\nname = \"model\"\nsource = {{ file = '{}' }}\nhosts = [\"allowed.test\"]\n\
         inject = [{{ header = \"x-api-key\" }}]\nenvironments = [\"default\"]\n",
        document_for(origin),
        file.display()
    );
    (TestGate::explicit(&document).await, place)
}

/// Whether eight bytes of the random part of the secret stand in a text.
fn shows(text: &[u8]) -> bool {
    let random = &SECRET.as_bytes()["sk-test-".len()..];
    random
        .windows(8)
        .any(|window| text.windows(8).any(|eight| eight == window))
}

fn head_shows(head: &HeaderMap) -> bool {
    head.iter()
        .any(|(name, value)| shows(name.as_str().as_bytes()) || shows(value.as_bytes()))
}

/// An origin that says back all that it hears.
async fn reflecting(kind: OriginKind) -> SocketAddr {
    let protocols: &[&str] = if kind == OriginKind::H2 {
        &["h2"]
    } else {
        &["http/1.1"]
    };
    scripted(protocols, move |stream| async move {
        let service = service_fn(|request| async move { Ok::<_, Infallible>(reflect(&request)) });
        let stream = TokioIo::new(stream);
        if kind == OriginKind::H2 {
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(stream, service).await;
        } else {
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder.serve_connection(stream, service).await;
        }
    })
    .await
}

/// `/CODING/STEP`: in that coding, in pieces of so many bytes.
fn reflect(request: &Request<Incoming>) -> Response<BoxBody<Bytes, hyper::Error>> {
    let mut path = request.uri().path().trim_start_matches('/').split('/');
    let (coding, step) = (path.next().unwrap(), path.next().unwrap_or("7"));
    let key = request.headers()["x-api-key"].to_str().unwrap();
    let coded = encode(coding, said(request.headers()).as_bytes());
    let mut response = Response::builder()
        .header("content-encoding", coding)
        .header("etag", "\"1\"")
        .header("digest", "md5=x")
        .header("location", format!("https://allowed.test/?key={key}"))
        .header("set-cookie", format!("key={key}; Secure"))
        .header(key.to_ascii_lowercase(), "1")
        .header("vary", "accept-encoding");
    if coding == "identity" {
        response = response.header("content-length", coded.len());
    }
    if request.headers().get("if-none-match").is_some() {
        return response.status(304).body(nothing()).unwrap();
    }
    if request.method() == http::Method::HEAD {
        return response.body(nothing()).unwrap();
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-last", request.headers()["x-api-key"].clone());
    let pieces = coded.chunks(step.parse().unwrap()).map(Bytes::copy_from_slice);
    let frames: Vec<_> = pieces.map(Frame::data).collect();
    let frames = frames
        .into_iter()
        .chain((coding != "identity").then(|| Frame::trailers(trailers)));
    let body = StreamBody::new(stream::iter(frames.map(Ok)));
    let response = response.header("trailer", "x-last");
    response.body(http_body_util::BodyExt::boxed(body)).unwrap()
}

fn nothing() -> BoxBody<Bytes, hyper::Error> {
    http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed()
}

/// A body that says what was heard, between much that has nothing to do with it.
fn said(heard: &HeaderMap) -> String {
    let other = "{\"n\": 1, \"text\": \"100 % something else\\n\"}\n".repeat(20);
    let heard: Vec<String> = heard
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    format!("{other}{}\n{other}", heard.join("\n"))
}

fn encode(coding: &str, text: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
            coded.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
            coded.extend_from_slice(&[0; 8]); // sums, which nobody here compares
            coded
        }
        "deflate" => miniz_oxide::deflate::compress_to_vec_zlib(text, 6),
        "zstd" => ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest),
        _ => text.to_vec(),
    }
}

fn asking(client: &Client, method: &str, path: &str) -> Request<Body> {
    let mut request = client.request(method, "allowed.test", path, empty());
    let headers = request.headers_mut();
    headers.insert("accept-encoding", "gzip, deflate, br, zstd".parse().unwrap());
    headers.insert("range", "bytes=0-7".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    request
}

/// The same, with what is the client's own as far as its gate knows.
fn showing(client: &Client, path: &str) -> Request<Body> {
    let mut request = asking(client, "GET", path);
    let own = SECRET.parse().unwrap();
    request.headers_mut().insert("x-api-key", own);
    request
}

#[tokio::test]
async fn what_reflects_a_secret_is_masked_and_the_rest_comes_as_it_is() {
    for (via, kind) in ALL {
        let (gate, _place) = gate(reflecting(kind).await).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for (coding, step) in CODINGS.into_iter().zip([1, 11, 1000, 64]) {
            let case = format!("{via:?} {kind:?} {coding}");
            let request = asking(&client, "GET", &format!("/{coding}/{step}"));
            let response = client.send(request).await.unwrap();
            assert_eq!(response.status(), 200, "{case}");
            let head = response.headers().clone();
            let body = response.into_body().collect().await.unwrap();
            let trailers = body.trailers().cloned().unwrap_or_default();
            let body = body.to_bytes();
            assert!(
                !head_shows(&head) && !head_shows(&trailers) && !shows(&body),
                "{case}"
            );
            let masked = "*".repeat(SECRET.len());
            assert_eq!(head["set-cookie"], format!("key={masked}; Secure"), "{case}");
            assert_eq!(head["location"], format!("https://allowed.test/?key={masked}"));
            assert_eq!(head["vary"], "accept-encoding");
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                text.contains(&format!("\nx-api-key: {masked}\n")),
                "{case}: {text}"
            );
            assert!(text.contains("\naccept-encoding: gzip, br\n"), "{case}: {text}");
            assert!(!text.contains("range: "), "{case}: {text}");
            assert_eq!(text.matches("100 % something else\\n\"}\n").count(), 40, "{case}");
            if coding == "identity" {
                assert_eq!(head["content-length"], body.len().to_string(), "{case}");
                assert_eq!(head["etag"], "\"1\"");
            } else {
                assert_eq!(
                    trailers.get("x-last").map(http::HeaderValue::as_bytes),
                    Some(masked.as_bytes()),
                    "{case}"
                );
                assert!(!head.contains_key("content-encoding"), "{case}");
                assert!(!head.contains_key("digest"));
                assert_eq!(head["etag"], "W/\"1\"");
            }
        }
        let found = gate.events_of("finding", 1).await;
        let reflected: Vec<_> = found
            .iter()
            .filter(|event| event["reason"] == "secret-reflected")
            .collect();
        assert_eq!(
            reflected.len(),
            4 * 4 + 3,
            "for each kind of place once: {found:?}"
        );
        assert!(
            !shows(format!("{:?}", gate.events()).as_bytes()),
            "nor is it on record"
        );
    }
}

/// The twin: where nothing is put in, every byte comes as it was sent.
#[tokio::test]
async fn without_a_secret_of_ours_nothing_is_changed() {
    for (via, kind) in ALL {
        let gate = TestGate::explicit(&document_for(reflecting(kind).await)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for coding in CODINGS {
            let request = showing(&client, &format!("/{coding}/100"));
            let response = client.send(request).await.unwrap();
            let head = response.headers().clone();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(head_shows(&head), "{via:?} {kind:?} {coding}");
            assert_eq!(head["content-encoding"], coding);
            assert_eq!(
                (&head["etag"], &head["digest"]),
                (&"\"1\"".parse().unwrap(), &"md5=x".parse().unwrap())
            );
            if coding == "identity" {
                assert!(shows(&body));
                let text = String::from_utf8(body.to_vec()).unwrap();
                assert!(text.contains("accept-encoding: gzip, deflate, br, zstd\n"));
                assert!(text.contains("range: bytes=0-7\n"));
            } else {
                let mut undone = Vec::new();
                match coding {
                    "gzip" => undone = miniz_oxide::inflate::decompress_to_vec(&body[10..]).unwrap(),
                    "deflate" => undone = miniz_oxide::inflate::decompress_to_vec_zlib(&body).unwrap(),
                    _ => {
                        let mut decoder = ruzstd::decoding::StreamingDecoder::new(&body[..]).unwrap();
                        std::io::Read::read_to_end(&mut decoder, &mut undone).unwrap();
                    }
                }
                assert!(shows(&undone), "{coding}");
            }
        }
    }
}

#[tokio::test]
async fn a_response_in_a_coding_that_was_not_asked_for_does_not_begin() {
    for (via, kind) in ALL {
        let origin = reflecting(kind).await;
        let (gate, _place) = gate(origin).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = asking(&client, "GET", "/compress/9");
        let (status, reason, text) = crate::support::client::read(client.send(request).await.unwrap()).await;
        assert_eq!(
            (status, &*reason),
            (502, "unsearchable-response"),
            "{via:?} {kind:?}: {text}"
        );
        assert!(
            !shows(text.as_bytes()) && text.contains("was asked for"),
            "{text}"
        );
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert!(
            closed[0]["error"]
                .as_str()
                .unwrap()
                .contains("cannot be searched"),
            "{closed:?}"
        );
        let without = TestGate::explicit(&document_for(origin)).await;
        let mut other = Client::to(&without, "allowed.test", via).await;
        let request = showing(&other, "/compress/9");
        assert_eq!(other.send(request).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_secret_that_would_be_found_everywhere_is_not_sent() {
    let origin = reflecting(OriginKind::H2).await;
    for (secret, status) in [("1234567", 503), ("12345678", 200)] {
        let (gate, _place) = gate_with(secret, origin).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let (told, reason, text) = client.get("allowed.test", "/identity/50").await;
        assert_eq!(told, status, "{text}");
        if status == 503 {
            assert_eq!(reason, "credential-unavailable");
            assert!(text.contains("less than 8 bytes"), "{text}");
        } else {
            assert!(text.contains("x-api-key: ********\n"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_has_not_changed_has_no_body() {
    for (via, kind) in ALL {
        let (gate, _place) = gate(reflecting(kind).await).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for _ in 0..2 {
            let mut request = asking(&client, "GET", "/gzip/5");
            let known = "W/\"1\"".parse().unwrap();
            request.headers_mut().insert("if-none-match", known);
            let response = client.send(request).await.unwrap();
            assert_eq!(response.status(), 304, "{via:?} {kind:?}");
            assert!(!head_shows(response.headers()));
            assert!(
                response
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .is_empty()
            );
        }
    }
}

#[tokio::test]
async fn the_answer_to_a_head_is_that_of_its_get() {
    for (via, kind) in ALL {
        let (gate, _place) = gate(reflecting(kind).await).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for coding in ["gzip", "identity"] {
            let request = asking(&client, "HEAD", &format!("/{coding}/9"));
            let response = client.send(request).await.unwrap();
            let case = format!("{via:?} {kind:?} {:?}", response.headers());
            assert!(!head_shows(response.headers()), "{case}");
            assert!(
                !response.headers().contains_key("content-encoding") || coding == "identity",
                "{case}"
            );
            assert_eq!(
                response.headers().contains_key("content-length"),
                coding == "identity",
                "{case}"
            );
            assert!(
                response
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .is_empty()
            );
        }
    }
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_sent() {
    for h2 in [false, true] {
        let go = Arc::new(Notify::new());
        let told = Arc::clone(&go);
        let protocols: &[&str] = if h2 { &["h2"] } else { &["http/1.1"] };
        let origin = scripted(protocols, move |stream| {
            let told = Arc::clone(&told);
            async move {
                let service = service_fn(move |_request| {
                    let told = Arc::clone(&told);
                    async move { Ok::<_, Infallible>(events(told)) }
                });
                let stream = TokioIo::new(stream);
                if h2 {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(stream, service).await;
                } else {
                    let builder = hyper::server::conn::http1::Builder::new();
                    let _ = builder.serve_connection(stream, service).await;
                }
            }
        })
        .await;
        let (gate, _place) = gate(origin).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let request = client.request("GET", "allowed.test", "/", empty());
        let mut body = client.send(request).await.unwrap().into_body();
        for number in 0..4 {
            let expected = format!("data: {number} sk-test-\n\n");
            let mut event = Vec::new();
            while event.len() < expected.len() {
                let frame = timeout(Duration::from_secs(20), body.frame())
                    .await
                    .expect("it does not wait");
                event.extend(frame.unwrap().unwrap().into_data().unwrap());
            }
            assert_eq!(String::from_utf8(event).unwrap(), expected, "h2: {h2}");
            go.notify_one();
        }
    }
}

/// Each waits until the one before was seen.
fn events(go: Arc<Notify>) -> Response<BoxBody<Bytes, hyper::Error>> {
    let events = stream::iter(0..4).then(move |number| {
        let go = Arc::clone(&go);
        async move {
            if number > 0 {
                go.notified().await;
            }
            Ok(Frame::data(Bytes::from(format!("data: {number} sk-test-\n\n"))))
        }
    });
    Response::new(http_body_util::BodyExt::boxed(StreamBody::new(events)))
}

#[tokio::test]
async fn what_is_said_before_the_answer_is_searched_too() {
    let origin = scripted(&["http/1.1"], |mut stream| async move {
        let head = read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("x-api-key: "))
            .unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 103 Early Hints\r\nlink: </{key}>; rel=preload\r\n\r\n\
             HTTP/1.1 200 {key}\r\nx-key: {key}\r\ncontent-length: 2\r\n\r\nok"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let (gate, _place) = gate(origin).await;
    let mut client = raw(&gate).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        .await
        .unwrap();
    let hints = read_head(&mut client).await;
    assert!(
        hints.starts_with("HTTP/1.1 103 ") && hints.contains("</****"),
        "{hints}"
    );
    let head = read_head(&mut client).await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("x-key: ****"),
        "{head}"
    );
    assert!(
        !shows(hints.as_bytes()) && !shows(head.as_bytes()),
        "{hints}{head}"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_not_in_its_coding_is_cut() {
    for whole in [true, false] {
        let origin = scripted(&["http/1.1"], move |mut stream| async move {
            read_head(&mut stream).await;
            let coded = encode("gzip", b"some text that comes whole or does not");
            let end = if whole { coded.len() } else { coded.len() - 20 };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {end}\r\n\r\n");
            stream
                .write_all(&[head.as_bytes(), &coded[..end]].concat())
                .await
                .unwrap();
            let _ = stream.read_u8().await;
        })
        .await;
        let (gate, _place) = gate(origin).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let request = asking(&client, "GET", "/");
        let came = match client.send(request).await {
            Ok(response) => response.into_body().collect().await.is_ok(),
            Err(_reset) => false, // which may overtake the head
        };
        assert_eq!(came, whole);
        let closed = gate.events_of("exchange.came_back", 1).await;
        let outcome = closed[0]["error"].as_str().unwrap_or_default();
        assert_eq!(outcome.contains("ends early"), !whole, "{closed:?}");
    }
}

#[tokio::test]
async fn messages_of_a_socket_are_searched_across_their_frames() {
    let origin = scripted(&["http/1.1"], |mut stream| async move {
        let head = read_head(&mut stream).await;
        assert!(!head.contains("extensions"), "{head}");
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
        };
        let (key, accept) = (field("x-api-key: "), accept_for(field("sec-websocket-key: ")));
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nx-key: {key}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (one, other) = key.split_at(20);
        for (first, payload) in [(0x01, one), (0x89, "ping"), (0x80, other), (0x81, "done")] {
            let frame = [
                &[first, u8::try_from(payload.len()).unwrap()][..],
                payload.as_bytes(),
            ]
            .concat();
            for byte in frame {
                stream.write_all(&[byte]).await.unwrap();
            }
        }
        let _ = stream.read_u8().await;
    })
    .await;
    for via in [Via::Http1, Via::H2] {
        let (gate, _place) = gate(origin).await;
        let masked = |length: usize| "*".repeat(length);
        let expected = [
            &[0x01, 20][..],
            masked(20).as_bytes(),
            b"\x89\x04ping",
            &[0x80, 22],
            masked(22).as_bytes(),
            b"\x81\x04done",
        ]
        .concat();
        let came = match via {
            Via::Http1 => over_http1(&gate, expected.len()).await,
            Via::H2 => over_h2(&gate, expected.len()).await,
        };
        assert_eq!(came, expected, "{via:?}: {}", String::from_utf8_lossy(&came));
        let found = gate.events_of("finding", 2).await;
        let places: Vec<_> = found
            .iter()
            .filter_map(|event| event["message"].as_str())
            .collect();
        assert!(
            places
                .iter()
                .any(|place| place.ends_with("a WebSocket message at byte 0")),
            "{places:?}"
        );
    }
}

async fn over_http1(gate: &TestGate, length: usize) -> Vec<u8> {
    let mut client = raw(gate).await;
    let request = "GET /socket HTTP/1.1\r\nHost: allowed.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains("x-key: ****"),
        "{head}"
    );
    let mut came = vec![0; length];
    client.read_exact(&mut came).await.unwrap();
    came
}

async fn over_h2(gate: &TestGate, length: usize) -> Vec<u8> {
    let mut sender = h2_client(gate).await;
    let mut request = Request::builder()
        .method("CONNECT")
        .uri("https://allowed.test/socket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(())
        .unwrap();
    request
        .extensions_mut()
        .insert(h2::ext::Protocol::from_static("websocket"));
    let (response, _send) = sender.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!head_shows(response.headers()));
    let (mut body, mut came) = (response.into_body(), Vec::new());
    while came.len() < length {
        let data = body.data().await.unwrap().unwrap();
        let _ = body.flow_control().release_capacity(data.len());
        came.extend_from_slice(&data);
    }
    came
}
