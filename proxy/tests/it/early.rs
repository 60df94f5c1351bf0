//! Answers before the request is done, requests that outlive their answer, and both directions at once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::intercepted::{ALL, document, document_for};
use crate::support::client::{Body, read};
use crate::support::origin::scripted;
use crate::support::wire::{h2_client, raw, read_head};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// A body that the test feeds.
fn fed() -> (mpsc::Sender<Bytes>, Body) {
    let (feed, mut pieces) = mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
    let frames = futures_util::StreamExt::map(stream, |piece| Ok(Frame::data(piece)));
    (feed, StreamBody::new(frames).boxed())
}

/// An origin that answers as soon as it has the head, reads on, and says how much came.
async fn answers_first(h2: bool, read_to: Arc<Mutex<Option<usize>>>) -> std::net::SocketAddr {
    if h2 {
        return scripted(&["h2"], move |stream| {
            let read_to = Arc::clone(&read_to);
            async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let read_to = Arc::clone(&read_to);
                    tokio::spawn(async move {
                        let mut send = respond.send_response(Response::new(()), false).unwrap();
                        send.send_data(Bytes::from_static(b"early"), true).unwrap();
                        let (mut body, mut length) = (request.into_body(), 0);
                        while let Some(Ok(data)) = body.data().await {
                            let _ = body.flow_control().release_capacity(data.len());
                            length += data.len();
                        }
                        *read_to.lock().unwrap() = Some(length);
                    });
                }
            }
        })
        .await;
    }
    scripted(&["http/1.1"], move |mut stream| {
        let read_to = Arc::clone(&read_to);
        async move {
            read_head(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
                .await
                .unwrap();
            let mut rest = Vec::new();
            let mut piece = vec![0; 65_536];
            while !rest.ends_with(b"0\r\n\r\n") {
                match stream.read(&mut piece).await {
                    Ok(length @ 1..) => rest.extend_from_slice(&piece[..length]),
                    _ => return,
                }
            }
            *read_to.lock().unwrap() = Some(rest.iter().map(|byte| usize::from(*byte == b'u')).sum());
        }
    })
    .await
}

/// How much an origin read in the end.
async fn until_read(read_to: &Mutex<Option<usize>>) -> Option<usize> {
    for _ in 0..250 {
        if read_to.lock().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    *read_to.lock().unwrap()
}

#[tokio::test]
async fn an_answer_passes_before_its_request_is_done_and_the_request_goes_on() {
    for (via, kind) in ALL {
        let read_to = Arc::default();
        let address = answers_first(kind == OriginKind::H2, Arc::clone(&read_to)).await;
        let gate = TestGate::explicit(&document_for(address)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let (feed, body) = fed();
        let request = client.request("POST", "allowed.test", "/early", body);
        let answer = timeout(Duration::from_secs(5), client.send(request))
            .await
            .expect("an answer")
            .unwrap();
        assert_eq!(
            timeout(Duration::from_secs(5), read(answer))
                .await
                .expect("all of it")
                .2,
            "early",
            "{via:?} {kind:?}"
        );
        assert!(
            gate.events_of("exchange.came_back", 0).await.is_empty(),
            "{via:?} {kind:?}: it is not over"
        );
        for _ in 0..64 {
            feed.send(Bytes::from(vec![b'u'; 65_536])).await.unwrap();
        }
        drop(feed);
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(
            (&closed[0]["bytes_up"], &closed[0]["outcome"]),
            (&(64 * 65_536).into(), &"complete".into()),
            "{via:?} {kind:?}"
        );
        assert_eq!(until_read(&read_to).await, Some(64 * 65_536), "{via:?} {kind:?}");
    }
}

#[tokio::test]
async fn who_looks_at_the_answer_last_sees_it() {
    let refuses = scripted(&["http/1.1"], move |mut stream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = vec![0; 65_536];
        while let Ok(1..) = stream.read(&mut rest).await {}
    })
    .await;
    let rules =
        "[[environments.default.rules]]\nhost = \"allowed.test\"\npaths = [\"/large\"]\naction = \"allow\"\n";
    let gate = TestGate::explicit(&format!("{}{rules}", document_for(refuses))).await;
    for (path, status) in [("/large", "413"), ("/refused", "403")] {
        let mut client = raw(&gate).await;
        let length = 8 << 20;
        let head = format!("POST {path} HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: {length}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![b'u'; 65_536];
        for _ in 0..length / piece.len() {
            client.write_all(&piece).await.expect("nobody hangs up on a body");
        }
        let head = read_head(&mut client).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }
}

/// An origin that answers with more than anybody's window, at once, and reads the request besides.
async fn answers_at_length(h2: bool, read_to: Arc<Mutex<Option<usize>>>) -> std::net::SocketAddr {
    if h2 {
        return scripted(&["h2"], move |stream| {
            let read_to = Arc::clone(&read_to);
            async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let read_to = Arc::clone(&read_to);
                    tokio::spawn(async move {
                        let mut send = respond.send_response(Response::new(()), false).unwrap();
                        send.send_data(Bytes::from(vec![b'd'; LENGTH]), true).unwrap();
                        let (mut body, mut length) = (request.into_body(), 0);
                        while let Some(Ok(data)) = body.data().await {
                            let _ = body.flow_control().release_capacity(data.len());
                            length += data.len();
                        }
                        *read_to.lock().unwrap() = Some(length);
                    });
                }
            }
        })
        .await;
    }
    scripted(&["http/1.1"], move |mut stream| {
        let read_to = Arc::clone(&read_to);
        async move {
            read_head(&mut stream).await;
            let (mut reader, mut writer) = tokio::io::split(stream);
            let writing = tokio::spawn(async move {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
                writer.write_all(head.as_bytes()).await.unwrap();
                writer.write_all(&vec![b'd'; LENGTH]).await.unwrap();
                writer
            });
            let mut rest = vec![0; LENGTH];
            reader.read_exact(&mut rest).await.unwrap();
            *read_to.lock().unwrap() = Some(rest.len());
            let _writer = writing.await.unwrap();
        }
    })
    .await
}

const LENGTH: usize = 16 << 20;

#[tokio::test]
async fn an_upload_flows_while_its_answer_is_not_read() {
    for h2 in [true, false] {
        let read_to: Arc<Mutex<Option<usize>>> = Arc::default();
        let address = answers_at_length(h2, Arc::clone(&read_to)).await;
        let gate = TestGate::explicit(&document_for(address)).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        let (feed, body) = fed();
        let mut request = client.request("POST", "allowed.test", "/both", body);
        let length = LENGTH.to_string().parse().unwrap();
        request.headers_mut().insert("content-length", length);
        let answer = client.send(request).await.unwrap();
        for _ in 0..LENGTH / 65_536 {
            let sending = feed.send(Bytes::from(vec![b'u'; 65_536]));
            timeout(Duration::from_secs(10), sending)
                .await
                .expect("it flows")
                .unwrap();
        }
        drop(feed);
        let read = until_read(&read_to).await;
        assert_eq!(
            read,
            Some(LENGTH),
            "while nothing is read of the answer, h2: {h2}"
        );
        let down = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(down.len(), LENGTH);
    }
}

/// Sockets on loopback hold some MiB each, so what stalls is not what matters but that it stalls at all.
#[tokio::test]
async fn bulk_is_held_back_by_who_does_not_read() {
    const MOST: usize = 256 << 20;
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let (feed, body) = fed();
        let request = client.request("POST", "allowed.test", "/echo", body);
        let _unread = client.send(request).await.unwrap().into_body();
        let piece = Bytes::from(vec![b'u'; 65_536]);
        let mut sent = 0;
        while let Ok(taken) = timeout(Duration::from_millis(500), feed.send(piece.clone())).await {
            taken.expect("the exchange goes on");
            sent += piece.len();
            assert!(sent < MOST, "{via:?} {kind:?}: {sent} bytes went somewhere");
        }
        assert!(sent > 0, "{via:?} {kind:?}: it flows at first");
    }
}

#[tokio::test]
async fn bulk_goes_both_ways_at_once() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let (feed, body) = fed();
        let request = client.request("POST", "allowed.test", "/echo", body);
        let feeding = tokio::spawn(async move {
            for piece in 0..256_u32 {
                let byte = u8::try_from(piece % 251).unwrap();
                if feed.send(Bytes::from(vec![byte; 65_536])).await.is_err() {
                    return piece;
                }
            }
            256
        });
        let mut body = client.send(request).await.unwrap().into_body();
        let mut back = 0_usize;
        while let Some(frame) = body.frame().await {
            let mut data = frame.unwrap().into_data().unwrap();
            while !data.is_empty() {
                let now = data.split_to(data.len().min(65_536 - back % 65_536));
                let expected = u8::try_from((back / 65_536) % 251).unwrap();
                assert_eq!(now, vec![expected; now.len()], "{via:?} {kind:?}");
                back += now.len();
            }
        }
        assert_eq!(back, 256 * 65_536, "{via:?} {kind:?}");
        assert_eq!(feeding.await.unwrap(), 256);
    }
}

#[tokio::test]
async fn trailers_of_a_request_pass() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-checksum", "abc".parse().unwrap());
        let frames = [
            Frame::data(Bytes::from_static(b"body")),
            Frame::trailers(trailers),
        ];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok))).boxed();
        let mut request = client.request("POST", "allowed.test", "/count", body);
        for (name, value) in [("trailer", "x-checksum"), ("te", "trailers")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = client.send(request).await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
        let seen = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(seen[0]["outcome"], "complete", "{via:?} {kind:?}");
        assert_eq!(origin.trailers(), ["x-checksum: abc"], "{via:?} {kind:?}");
        assert_eq!(origin.seen()[0].headers["te"], "trailers");
    }
}

#[tokio::test]
async fn an_encoded_body_stays_as_it_is() {
    const ENCODED: &[u8] = b"\x1f\x8b\x08\x00 not even gzip, and nobody's business";
    let address = scripted(&["http/1.1"], move |mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                ENCODED.len()
            );
            stream
                .write_all(&[head.as_bytes(), ENCODED].concat())
                .await
                .unwrap();
        }
    })
    .await;
    let gate = TestGate::explicit(&document_for(address)).await;
    for via in [Via::Http1, Via::H2] {
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let mut request = client.request("GET", "allowed.test", "/", crate::support::client::empty());
        request
            .headers_mut()
            .insert("accept-encoding", "gzip, br".parse().unwrap());
        let response = client.send(request).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{via:?}");
        assert_eq!(
            response.headers()["content-length"],
            ENCODED.len().to_string(),
            "{via:?}"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, ENCODED, "{via:?}");
    }
}

#[tokio::test]
async fn a_not_modified_keeps_its_length_and_has_no_body() {
    let address = scripted(&["http/1.1"], move |mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            let answer = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nContent-Encoding: br\r\nEtag: \"x\"\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let gate = TestGate::explicit(&document_for(address)).await;
    let mut client = raw(&gate).await;
    for _ in 0..2 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: allowed.test\r\nIf-None-Match: \"x\"\r\n\r\n")
            .await
            .unwrap();
        let head = read_head(&mut client).await;
        assert!(
            head.starts_with("HTTP/1.1 304 ")
                && head.contains("etag: \"x\"")
                && head.contains("content-encoding: br"),
            "{head}"
        );
    }
    let mut sender = h2_client(&gate).await;
    let request = Request::builder().uri("https://allowed.test/").body(()).unwrap();
    let response = sender.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-length"]),
        (304, &"1000".parse().unwrap())
    );
    assert!(response.into_body().is_end_stream());
}

/// An origin over h2 that sends `pieces` of the 10 bytes that it announces, and does not say that this is the end.
async fn never_ends(pieces: &'static [&'static [u8]]) -> std::net::SocketAddr {
    scripted(&["h2"], move |stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut open = Vec::new();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let head = Response::builder().header("content-length", "10").body(());
            let mut send = respond.send_response(head.unwrap(), false).unwrap();
            for piece in pieces {
                send.send_data(Bytes::from_static(piece), false).unwrap();
            }
            open.push(send);
        }
    })
    .await
}

#[tokio::test]
async fn who_has_all_that_was_announced_asks_for_no_end_and_the_record_says_complete() {
    const ALL: &[&[u8]] = &[b"all ", b"of it."];
    const NONE: &[&[u8]] = &[b""]; // whatever the head says
    for (method, pieces, received) in [("GET", ALL, 10), ("HEAD", NONE, 0)] {
        let gate = TestGate::explicit(&document_for(never_ends(pieces).await)).await;
        let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
        let request = client.request(method, "allowed.test", "/", crate::support::client::empty());
        let answer = client.send(request).await.unwrap();
        let body = timeout(Duration::from_secs(5), read(answer))
            .await
            .expect("an end")
            .2;
        assert_eq!(body.len(), received, "{method}");
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(
            (&closed[0]["bytes_down"], &closed[0]["outcome"]),
            (&received.into(), &"complete".into()),
            "{method}: {}",
            closed[0]
        );
    }
}

#[tokio::test]
async fn who_leaves_before_all_came_that_was_announced_is_on_record_as_gone() {
    let gate = TestGate::explicit(&document_for(never_ends(&[b"not all"]).await)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    let request = client.request("GET", "allowed.test", "/", crate::support::client::empty());
    let mut answer = client.send(request).await.unwrap().into_body();
    answer.frame().await.unwrap().unwrap();
    drop((answer, client));
    let closed = gate.events_of("exchange.came_back", 1).await;
    assert_eq!(
        (&closed[0]["bytes_down"], &closed[0]["outcome"]),
        (&7.into(), &"failed".into()),
        "{}",
        closed[0]
    );
}
