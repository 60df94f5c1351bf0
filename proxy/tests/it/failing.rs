//! What happens when something fails: the audit log, an origin that closes, too many requests.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use outwall_proxy::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::intercepted::document;
use crate::support::client::{empty, full, read};
use crate::support::wire::{raw, read_head};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// Set in the process that may write no more than a few kilobytes to any file.
const LIMITED: &str = "OUTWALL_TEST_LIMITED";

#[tokio::test]
async fn when_the_audit_log_cannot_be_written_nothing_is_forwarded() {
    if std::env::var_os(LIMITED).is_none() {
        let this = std::env::current_exe().unwrap();
        let name = "failing::when_the_audit_log_cannot_be_written_nothing_is_forwarded";
        let script = "ulimit -f 32; trap '' XFSZ; exec \"$0\" --exact --nocapture \"$1\"";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(this)
            .arg(name)
            .env(LIMITED, "1")
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    for via in [Via::Http1, Via::H2] {
        let origin = Origin::start(OriginKind::H2).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let mut forwarded = 0;
        let refused = loop {
            let (status, reason, _) = client.get("allowed.test", "/hello").await;
            if status != 200 {
                break (status, reason);
            }
            forwarded += 1;
            assert!(forwarded < 1_000, "the limit is never reached");
        };
        assert_eq!(refused, (503, "audit-unavailable".to_owned()));
        assert!(forwarded > 0);
        assert_eq!(origin.seen().len(), forwarded, "what was refused did not arrive");
    }
}

#[tokio::test]
async fn too_many_requests_at_once_are_refused_and_those_that_run_go_on() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = Limits {
        exchanges: 1,
        ..Limits::default()
    };
    let gate = TestGate::start(&document(&origin), limits, false).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    let request = client.request("GET", "allowed.test", "/events?5", empty());
    let mut running = client.send(request).await.unwrap().into_body();
    let (status, reason, _) = client.get("allowed.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (429, "limit-reached"));
    while let Some(frame) = running.frame().await {
        frame.unwrap();
    }
    assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
}

/// An origin that answers one request per connection, promises to go on, and closes when it gets another.
async fn fickle() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                if stream.read(&mut head).await.unwrap() > 0 {
                    counted.fetch_add(1, Ordering::Relaxed);
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        .await
                        .unwrap();
                    if stream.read(&mut head).await.unwrap_or(0) > 0 {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_request_lost_on_a_connection_that_had_rested_is_sent_again_only_if_that_is_safe() {
    let (address, requests) = fickle().await;
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\"]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{address}\" }}\n"
    );
    let gate = TestGate::captured(&document).await;
    let mut client = Client::over(gate.capture(gate.synthetic("allowed.test", 80)).await, Via::Http1).await;
    assert_eq!(client.get("allowed.test", "/").await.2, "ok");
    assert_eq!(client.get("allowed.test", "/").await.2, "ok");
    assert_eq!(requests.load(Ordering::Relaxed), 3, "the second was sent twice");
    let post = client.request("POST", "allowed.test", "/", full("x"));
    let (status, reason, _) = read(client.send(post).await.unwrap()).await;
    assert_eq!((status, reason.as_str()), (502, "origin-http"));
    assert_eq!(requests.load(Ordering::Relaxed), 4, "the third once");
}

/// An origin that answers one request per connection, promises to go on, and closes a little later: when the connection rests.
async fn forgetful() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            if stream.read(&mut head).await.unwrap() > 0 {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn an_origin_that_closed_while_resting_is_not_used_again() {
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\"]\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{}\" }}\n",
        forgetful().await
    );
    let gate = TestGate::captured(&document).await;
    let mut client = Client::over(gate.capture(gate.synthetic("allowed.test", 80)).await, Via::Http1).await;
    // What may not be sent twice, what has a body, and what may and has none.
    for (method, body) in [
        ("POST", "x"),
        ("PUT", "x"),
        ("DELETE", ""),
        ("GET", ""),
        ("POST", ""),
    ] {
        let request = client.request(method, "allowed.test", "/", full(body));
        let answered = async { read(client.send(request).await.unwrap()).await };
        let answer = tokio::time::timeout(Duration::from_secs(5), answered).await;
        assert_eq!(answer.expect("the request hangs").2, "ok", "{method}");
        tokio::time::sleep(Duration::from_millis(150)).await; // the origin's end arrives, and nobody looks
    }
}

#[tokio::test]
async fn a_connection_that_rests_unclosed_is_used_again() {
    let origin = Origin::start(OriginKind::Http1).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
    for _ in 0..3 {
        assert_eq!(client.get("allowed.test", "/hello").await.2, "hello\n");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(origin.connections(), 1);
}

/// The origin never has the whole of it, so it is the origin that fails first; the fault is the client's all the same.
#[tokio::test]
async fn a_body_that_its_client_breaks_is_the_clients_fault() {
    for kind in [OriginKind::Http1, OriginKind::H2] {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        for (chunk, status, reason) in [("zz", 400, "client-http"), ("5", 200, "")] {
            let mut client = raw(&gate).await;
            let head = "POST /count HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n";
            client.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await; // the request is on its way
            let rest = format!("{chunk}\r\nhello\r\n0\r\n\r\n");
            client.write_all(rest.as_bytes()).await.unwrap();
            let head = read_head(&mut client).await;
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{kind:?} {chunk}: {head}"
            );
            assert_eq!(head.contains("x-outwall-reason: "), !reason.is_empty(), "{head}");
            assert!(head.contains(reason), "{kind:?}: {head}");
        }
        let back = gate.events_of("exchange.came_back", 2).await;
        let failed = back.iter().filter_map(|event| event["error"].as_str());
        let failed: Vec<_> = failed.collect();
        assert!(
            failed.len() == 1 && failed[0].contains("the body of the client's request is broken"),
            "{failed:?}"
        );
    }
}
