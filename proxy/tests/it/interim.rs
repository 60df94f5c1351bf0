//! Interim responses and `Expect: 100-continue`, in the four pairings of versions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::intercepted::document_for;
use crate::support::TestGate;
use crate::support::origin::scripted;
use crate::support::wire::{h2_client, raw, read_head};

/// What an origin does before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Hints, and then waits until the test has seen them.
    Hints,
    /// Asks for the body.
    Asks,
    /// Takes the body without having asked.
    Waits,
    /// Answers this without the body.
    Refuses(u16),
}

/// An origin of either version, and what it has of bodies.
struct Origin {
    address: SocketAddr,
    go: Arc<Notify>,
    bodies: Arc<Mutex<Vec<String>>>,
}

async fn origin(h2: bool, before: Before) -> Origin {
    let (go, bodies) = (Arc::new(Notify::new()), Arc::<Mutex<Vec<String>>>::default());
    let (told, had) = (Arc::clone(&go), Arc::clone(&bodies));
    let address = if h2 {
        scripted(&["h2"], move |stream| {
            serve_h2(stream, before, Arc::clone(&told), Arc::clone(&had))
        })
        .await
    } else {
        scripted(&["http/1.1"], move |stream| {
            serve_http1(stream, before, Arc::clone(&told), Arc::clone(&had))
        })
        .await
    };
    Origin { address, go, bodies }
}

type Tls = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn serve_http1(mut stream: Tls, before: Before, go: Arc<Notify>, bodies: Arc<Mutex<Vec<String>>>) {
    let head = read_head(&mut stream).await;
    let mut body = [0; 5];
    match before {
        Before::Hints => {
            let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-own\r\nX-Own: 1\r\n\r\n\
                         HTTP/1.1 102 Processing\r\n\r\n";
            stream.write_all(hints.as_bytes()).await.unwrap();
            go.notified().await;
        }
        Before::Asks => {
            assert!(
                head.to_ascii_lowercase().contains("expect: 100-continue"),
                "{head}"
            );
            let early = timeout(Duration::from_millis(150), stream.read_u8()).await;
            assert!(early.is_err(), "nothing comes before it is asked for");
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            stream.read_exact(&mut body).await.unwrap();
        }
        Before::Waits => {
            stream.read_exact(&mut body).await.unwrap();
        }
        Before::Refuses(status) => {
            let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            bodies.lock().unwrap().push(String::from_utf8(rest).unwrap());
            return;
        }
    }
    bodies
        .lock()
        .unwrap()
        .push(String::from_utf8_lossy(&body).into_owned());
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .await
        .unwrap();
    let _ = stream.read_u8().await;
}

async fn serve_h2(stream: Tls, before: Before, go: Arc<Notify>, bodies: Arc<Mutex<Vec<String>>>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (go, bodies) = (Arc::clone(&go), Arc::clone(&bodies));
        tokio::spawn(async move {
            let mut body = request.into_body();
            let interim = |status: u16| {
                let response = Response::builder().status(status);
                if status == 103 {
                    response.header("link", "</a.css>; rel=preload")
                } else {
                    response
                }
                .body(())
                .unwrap()
            };
            match before {
                Before::Hints => {
                    respond.send_informational(interim(103)).unwrap();
                    respond.send_informational(interim(102)).unwrap();
                    go.notified().await;
                }
                Before::Asks => {
                    assert!(timeout(Duration::from_millis(150), body.data()).await.is_err());
                    respond.send_informational(interim(100)).unwrap();
                }
                Before::Waits => {}
                Before::Refuses(status) => {
                    let head = Response::builder().status(status).body(()).unwrap();
                    let mut send = respond.send_response(head, false).unwrap();
                    send.send_data(Bytes::from_static(b"no"), true).unwrap();
                }
            }
            let mut had = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                had.extend(data);
            }
            bodies.lock().unwrap().push(String::from_utf8(had).unwrap());
            if !matches!(before, Before::Refuses(_)) {
                let mut send = respond.send_response(Response::new(()), false).unwrap();
                send.send_data(Bytes::from_static(b"done"), true).unwrap();
            }
        });
    }
}

const EXPECTS: &str =
    "POST /upload HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

fn expects_h2() -> Request<()> {
    Request::builder()
        .method("POST")
        .uri("https://allowed.test/upload")
        .header("content-length", "5")
        .header("expect", "100-continue")
        .body(())
        .unwrap()
}

/// Heads until the first that is no interim one, of http/1.1.
async fn read_heads(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<String> {
    let mut heads = Vec::new();
    loop {
        let head = timeout(Duration::from_secs(5), read_head(stream))
            .await
            .expect("a head");
        let is_interim = head.starts_with("HTTP/1.1 1");
        heads.push(head);
        if !is_interim {
            return heads;
        }
    }
}

#[tokio::test]
async fn early_hints_reach_their_client_before_the_answer_is_there() {
    for h2 in [false, true] {
        let origin = origin(h2, Before::Hints).await;
        let gate = TestGate::explicit(&document_for(origin.address)).await;
        let mut client = raw(&gate).await;
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
            .await
            .unwrap();
        let hints = timeout(Duration::from_secs(5), read_head(&mut client))
            .await
            .expect("hints");
        assert!(hints.starts_with("HTTP/1.1 103 Early Hints\r\n"), "{hints}");
        assert!(
            hints.contains("link: </a.css>; rel=preload\r\n") && !hints.contains("x-own"),
            "{hints}"
        );
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 102 "));
        origin.go.notify_one();
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 "));

        let mut sender = h2_client(&gate).await;
        let request = Request::builder().uri("https://allowed.test/").body(()).unwrap();
        let (mut response, _) = sender.send_request(request, true).unwrap();
        for status in [103, 102] {
            let hints = std::future::poll_fn(|cx| response.poll_informational(cx));
            let hints = timeout(Duration::from_secs(5), hints)
                .await
                .expect("hints")
                .unwrap()
                .unwrap();
            assert_eq!(hints.status(), status);
        }
        origin.go.notify_one();
        assert_eq!(response.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn hints_of_an_answer_that_is_there_at_once_come_before_it_too() {
    let at_once = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let address = scripted(&["http/1.1"], move |mut stream| async move {
        loop {
            if read_head(&mut stream).await.is_empty() {
                return;
            }
            stream.write_all(at_once.as_bytes()).await.unwrap();
        }
    })
    .await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut client = raw(&gate).await;
    for _ in 0..3 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
            .await
            .unwrap();
        let heads = read_heads(&mut client).await;
        assert!(
            heads.len() == 2 && heads[0].starts_with("HTTP/1.1 103 "),
            "{heads:?}"
        );
    }
}

#[tokio::test]
async fn a_body_is_asked_for_when_its_origin_asks() {
    for h2 in [false, true] {
        let origin = origin(h2, Before::Asks).await;
        let gate = TestGate::explicit(&document_for(origin.address)).await;
        let mut client = raw(&gate).await;
        client.write_all(EXPECTS.as_bytes()).await.unwrap();
        let asked = timeout(Duration::from_secs(5), read_head(&mut client))
            .await
            .expect("to be asked");
        assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"hello").await.unwrap();
        let heads = read_heads(&mut client).await;
        assert!(
            heads.len() == 1 && heads[0].starts_with("HTTP/1.1 200 "),
            "asked once: {heads:?}"
        );

        let mut sender = h2_client(&gate).await;
        let (mut response, mut send) = sender.send_request(expects_h2(), false).unwrap();
        let asked = std::future::poll_fn(|cx| response.poll_informational(cx));
        let asked = timeout(Duration::from_secs(5), asked)
            .await
            .expect("to be asked")
            .unwrap()
            .unwrap();
        assert_eq!(asked.status(), 100);
        send.send_data(Bytes::from_static(b"hello"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        assert_eq!(*origin.bodies.lock().unwrap(), ["hello", "hello"]);
    }
}

#[tokio::test]
async fn an_origin_that_waits_for_a_body_gets_it() {
    for h2 in [false, true] {
        let origin = origin(h2, Before::Waits).await;
        let gate = TestGate::explicit(&document_for(origin.address)).await;
        let mut client = raw(&gate).await;
        client.write_all(EXPECTS.as_bytes()).await.unwrap();
        let asked = timeout(Duration::from_secs(5), read_head(&mut client))
            .await
            .expect("to be asked");
        assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
        client.write_all(b"hello").await.unwrap();
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 "));
        // Who does not wait to be asked need not.
        let mut sender = h2_client(&gate).await;
        let (response, mut send) = sender.send_request(expects_h2(), false).unwrap();
        send.send_data(Bytes::from_static(b"hello"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn who_refuses_does_not_ask_for_the_body() {
    for h2 in [false, true] {
        for status in [413, 417] {
            let origin = origin(h2, Before::Refuses(status)).await;
            let rules = "[[environments.default.rules]]\nhost = \"allowed.test\"\npaths = [\"/upload\"]\naction = \"allow\"\n";
            let gate = TestGate::explicit(&format!("{}{rules}", document_for(origin.address))).await;
            let mut client = raw(&gate).await;
            client.write_all(EXPECTS.as_bytes()).await.unwrap();
            let heads = read_heads(&mut client).await;
            assert!(
                heads.len() == 1 && heads[0].starts_with(&format!("HTTP/1.1 {status} ")),
                "{heads:?}"
            );

            let mut client = raw(&gate).await;
            client
                .write_all(EXPECTS.replace("/upload", "/other").as_bytes())
                .await
                .unwrap();
            let heads = read_heads(&mut client).await;
            assert!(
                heads.len() == 1 && heads[0].starts_with("HTTP/1.1 403 "),
                "{heads:?}"
            );

            let mut sender = h2_client(&gate).await;
            let (response, _send) = sender.send_request(expects_h2(), false).unwrap();
            let response = timeout(Duration::from_secs(5), response)
                .await
                .expect("the answer")
                .unwrap();
            assert_eq!(response.status(), status);
            let mut body = response.into_body();
            assert_eq!(body.data().await.unwrap().unwrap(), "no");
            let closed = gate.events_of("exchange.came_back", 2).await;
            assert!(
                closed.len() == 2 && closed.iter().all(|back| back["bytes_up"] == 0),
                "{closed:?}"
            );
            assert!(origin.bodies.lock().unwrap().iter().all(String::is_empty));
        }
    }
}
