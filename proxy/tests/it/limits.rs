//! What an environment's `limits` and `sizes` let pass: each refusal with what is let through just before it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::intercepted::ALL;
use crate::support::client::{Body, connect, empty, full, handshake, read};
use crate::support::origin::greeter;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

fn document(origin: &Origin, bounds: &str) -> String {
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"other.test\"]\n{bounds}\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{0}\", \"other.test\" = \"{0}\" }}\n",
        origin.address
    )
}

/// A body of unknown length: so many chunks of so many bytes.
fn chunks(count: usize, size: usize) -> Body {
    let chunk = Bytes::from(vec![b'x'; size]);
    let frames = stream::iter((0..count).map(move |_| Ok(Frame::data(chunk.clone()))));
    // Not all at once: what comes at once is cut before anything of the request is sent.
    let frames = frames.then(|frame| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        frame
    });
    http_body_util::BodyExt::boxed(StreamBody::new(frames))
}

#[tokio::test]
async fn requests_have_a_rate_and_a_refusal_says_when_to_come_back() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let limits = "[environments.default.limits]\nrequests_per_minute = 3\n";
        let gate = TestGate::explicit(&document(&origin, limits)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for _ in 0..3 {
            assert_eq!(
                client.get("allowed.test", "/hello").await.0,
                200,
                "{via:?} {kind:?}"
            );
        }
        let request = client.request("GET", "allowed.test", "/hello", empty());
        let response = client.send(request).await.unwrap();
        let retry_after: u64 = response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=20).contains(&retry_after), "{retry_after}");
        let (status, reason, text) = read(response).await;
        assert_eq!(
            (status, reason.as_str()),
            (429, "sandbox-request-rate"),
            "{via:?} {kind:?}"
        );
        assert!(text.contains("limits.requests_per_minute = 3, line 5"), "{text}");
        let denied = gate.events_of("denied", 1).await;
        assert_eq!(denied[0]["reason"], "sandbox-request-rate");
        assert_eq!(denied[0]["path"], "/hello");
        assert_eq!(origin.seen().len(), 3, "the fourth did not go out");
        let mut other = Client::to(&gate, "other.test", via).await;
        assert_eq!(
            other.get("other.test", "/hello").await.0,
            429,
            "the limit is the sandbox's"
        );
    }
}

#[tokio::test]
async fn each_host_has_a_rate_of_its_own_and_a_named_one_another() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = "[environments.default.limits.each_host]\nrequests_per_minute = 2\n\
        [[environments.default.limits.hosts]]\nhost = \"other.test\"\nrequests_per_minute = 3\n";
    let gate = TestGate::explicit(&document(&origin, limits)).await;
    for (host, most) in [("allowed.test", 2), ("other.test", 3)] {
        let mut client = Client::to(&gate, host, Via::H2).await;
        for _ in 0..most {
            assert_eq!(client.get(host, "/hello").await.0, 200, "{host}");
        }
        let (status, reason, _) = client.get(host, "/hello").await;
        assert_eq!((status, reason.as_str()), (429, "host-request-rate"), "{host}");
    }
}

#[tokio::test]
async fn so_many_requests_run_at_once_and_one_that_ended_makes_room() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = "[environments.default.limits]\nconcurrent_requests = 2\n";
    let gate = TestGate::explicit(&document(&origin, limits)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    let mut running = Vec::new();
    for _ in 0..2 {
        let request = client.request("GET", "allowed.test", "/events?1000", empty());
        running.push(client.send(request).await.unwrap());
    }
    let (status, reason, _) = client.get("allowed.test", "/hello").await;
    assert_eq!((status, reason.as_str()), (429, "sandbox-concurrent-requests"));
    drop(running.pop());
    for _ in 0..100 {
        if client.get("allowed.test", "/hello").await.0 == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a request that was given up counts no more");
}

#[tokio::test]
async fn connections_have_a_rate_whatever_they_carry() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = "[environments.default.limits]\nconnections_per_minute = 2\n";
    let gate = TestGate::explicit(&document(&origin, limits)).await;
    for _ in 0..2 {
        connect(&gate, "allowed.test:443").await.unwrap();
    }
    let refused = connect(&gate, "allowed.test:443").await.unwrap_err();
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(
        refused.contains("x-outwall-reason: sandbox-connection-rate\r\n"),
        "{refused}"
    );
    assert!(refused.contains("retry-after: "), "{refused}");
    assert_eq!(gate.events_of("denied", 1).await[0]["target"], "allowed.test:443");
}

#[tokio::test]
async fn a_captured_connection_too_many_is_told_inside_tls() {
    let origin = Origin::start(OriginKind::H2).await;
    let limits = "[environments.default.limits.each_host]\nconnections_per_minute = 1\n";
    let gate = TestGate::captured(&document(&origin, limits)).await;
    for (status, reason) in [(200, ""), (429, "host-connection-rate")] {
        let stream = gate.capture(gate.synthetic("allowed.test", 443)).await;
        let stream = handshake(&gate, stream, "allowed.test", Via::H2).await.unwrap();
        let mut client = Client::over(stream, Via::H2).await;
        let answer = client.get("allowed.test", "/hello").await;
        assert_eq!((answer.0, answer.1.as_str()), (status, reason));
    }
}

#[tokio::test]
async fn an_upload_that_does_not_fit_is_refused_before_it_goes_out() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let limits = "[environments.default.limits]\nupload_bytes_per_hour = \"100 kB\"\n";
        let gate = TestGate::explicit(&document(&origin, limits)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for (size, expected) in [
            (60_000, (200, "")),
            (60_000, (429, "sandbox-upload-budget")),
            (30_000, (200, "")), // what was refused used nothing
            (100_001, (413, "sandbox-upload-budget")),
        ] {
            let request = client.request("POST", "allowed.test", "/count", full(vec![b'x'; size]));
            let response = client.send(request).await.unwrap();
            assert_eq!(response.headers().contains_key("retry-after"), expected.0 == 429);
            let (status, reason, _) = read(response).await;
            assert_eq!((status, reason.as_str()), expected, "{size} {via:?} {kind:?}");
            if via == Via::Http1 && status != 200 {
                client = Client::to(&gate, "allowed.test", via).await; // its body was not read
            }
        }
        assert_eq!(origin.seen().len(), 2, "{via:?} {kind:?}");
    }
}

#[tokio::test]
async fn an_upload_of_unknown_length_is_cut_when_there_is_no_more() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let limits = "[environments.default.limits.each_host]\nupload_bytes_per_hour = \"100 kB\"\n";
        let gate = TestGate::explicit(&document(&origin, limits)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("POST", "allowed.test", "/count", chunks(5, 10_000));
        assert_eq!(
            read(client.send(request).await.unwrap()).await.2,
            "50000",
            "{via:?} {kind:?}"
        );
        let request = client.request("POST", "allowed.test", "/count", chunks(9, 10_000));
        let (status, reason, _) = read(client.send(request).await.unwrap()).await;
        assert_eq!(
            (status, reason.as_str()),
            (429, "host-upload-budget"),
            "{via:?} {kind:?}"
        );
        let closed = gate.events_of("exchange.came_back", 2).await;
        let error = closed[1]["error"].as_str().unwrap();
        assert!(
            error.contains("100 kB of upload per hour for allowed.test"),
            "{error}"
        );
        assert!(closed[1]["bytes_up"].as_u64().unwrap() <= 50_000, "{}", closed[1]);
        assert_eq!(gate.events_of("denied", 1).await.len(), 1, "once");
        origin.sees_a_body_end_badly().await;
    }
}

#[tokio::test]
async fn a_download_that_does_not_fit_is_refused_and_one_of_unknown_length_is_cut() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let limits = "[environments.default.limits]\ndownload_bytes_per_hour = \"100 kB\"\n";
        let gate = TestGate::explicit(&document(&origin, limits)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        assert_eq!(client.get("allowed.test", "/bytes?50000").await.2.len(), 50_000);
        let (status, reason, _) = client.get("allowed.test", "/sized?60000").await;
        assert_eq!(
            (status, reason.as_str()),
            (429, "sandbox-download-budget"),
            "{via:?} {kind:?}"
        );
        assert_eq!(client.get("allowed.test", "/sized?1000").await.2.len(), 1_000);
        let request = client.request("GET", "allowed.test", "/bytes?200000", empty());
        let taken = match client.send(request).await {
            Ok(response) => response.into_body().collect().await.map(drop),
            Err(error) => Err(error), // cut before its head went on
        };
        assert!(taken.is_err(), "it is not taken for whole");
        let closed = gate.events_of("exchange.came_back", 4).await;
        let error = closed[3]["error"].as_str().unwrap();
        assert!(error.contains("100 kB of download per hour"), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_are_relayed_unread_count_too() {
    let origin = Origin::start(OriginKind::H2).await;
    let document = format!(
        "[environments.default]\nnetwork = \"custom\"\ntcp = [\"stream.test:5432\"]\n\
         [environments.default.limits]\nupload_bytes_per_hour = 1000\n\
         [origins]\nhosts = {{ \"stream.test\" = \"{}\" }}\n",
        greeter().await
    );
    let gate = TestGate::captured(&document).await;
    let mut stream = gate.capture(gate.synthetic("stream.test", 5432)).await;
    let mut back = [0; 900];
    stream.read_exact(&mut back[..11]).await.unwrap();
    stream.write_all(&[b'x'; 900]).await.unwrap();
    stream.read_exact(&mut back).await.unwrap();
    stream.write_all(&[b'y'; 200]).await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "what was too much did not reach the origin");
    let closed = gate.events_of("connection.came_back", 1).await;
    assert_eq!(closed[0]["bytes_up"], 900);
    assert!(
        closed[0]["error"]
            .as_str()
            .unwrap()
            .contains("1 kB of upload per hour"),
        "{}",
        closed[0]
    );
    assert_eq!(
        gate.events_of("denied", 1).await[0]["reason"],
        "sandbox-upload-budget"
    );
    drop(origin);
}

#[tokio::test]
async fn a_reload_changes_the_limit_and_forgets_nothing() {
    let origin = Origin::start(OriginKind::H2).await;
    let with = |most: u32| {
        let limits = format!("[environments.default.limits]\nrequests_per_minute = {most}\n");
        document(&origin, &limits)
    };
    let gate = TestGate::explicit(&with(2)).await;
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    for status in [200, 200, 429] {
        assert_eq!(client.get("allowed.test", "/hello").await.0, status);
    }
    gate.replace(&with(4));
    for status in [200, 200, 429] {
        assert_eq!(
            client.get("allowed.test", "/hello").await.0,
            status,
            "two of four were used"
        );
    }
    gate.replace(&document(&origin, ""));
    for _ in 0..5 {
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200, "no limit");
    }
    gate.replace(&with(1));
    assert_eq!(client.get("allowed.test", "/hello").await.0, 429);
}

#[tokio::test]
async fn a_limit_that_comes_with_a_reload_is_for_tunnels_that_run() {
    let greeter = greeter().await;
    let with = |limits: &str| {
        format!(
            "[environments.default]\nnetwork = \"custom\"\ntcp = [\"stream.test:5432\"]\n{limits}\n\
             [origins]\nhosts = {{ \"stream.test\" = \"{greeter}\" }}\n"
        )
    };
    let gate = TestGate::captured(&with("")).await;
    let mut stream = gate.capture(gate.synthetic("stream.test", 5432)).await;
    let mut back = [0; 500];
    stream.read_exact(&mut back[..11]).await.unwrap();
    stream.write_all(&[b'x'; 500]).await.unwrap();
    stream.read_exact(&mut back).await.unwrap();
    let limits = "[environments.default.limits]\nupload_bytes_per_hour = 600\n";
    gate.replace(&with(limits));
    stream.write_all(&[b'x'; 500]).await.unwrap();
    stream.read_exact(&mut back).await.unwrap();
    stream.write_all(&[b'x'; 500]).await.unwrap();
    let ended = stream.read_exact(&mut back).await;
    assert!(ended.is_err(), "beyond the limit");
}

#[tokio::test]
async fn a_request_is_as_large_as_it_may_be_and_no_larger() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let sizes = "[[environments.default.sizes]]\nhost = \"allowed.test\"\nmethods = [\"POST\"]\nmax_body = 10_000\n\
            [[environments.default.sizes]]\nmax_url = 20\nmax_headers = 500\n";
        let gate = TestGate::explicit(&document(&origin, sizes)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        for (method, path, size, expected) in [
            ("POST", "/count", 10_000, (200, "")),
            ("POST", "/count", 10_001, (413, "body-too-large")),
            ("PUT", "/count", 10_001, (200, "")),
            ("GET", "/hello?0123456789012", 0, (200, "")),
            ("GET", "/hello?01234567890123", 0, (414, "url-too-large")),
        ] {
            let body = if size > 0 { full(vec![b'x'; size]) } else { empty() };
            let request = client.request(method, "allowed.test", path, body);
            let (status, reason, _) = read(client.send(request).await.unwrap()).await;
            assert_eq!(
                (status, reason.as_str()),
                expected,
                "{method} {path} {size} {via:?} {kind:?}"
            );
            if via == Via::Http1 && status == 413 {
                client = Client::to(&gate, "allowed.test", via).await;
            }
        }
        for (length, expected) in [(300, (200, "")), (600, (431, "headers-too-large"))] {
            let mut request = client.request("GET", "allowed.test", "/hello", empty());
            request
                .headers_mut()
                .insert("x-long", "x".repeat(length).parse().unwrap());
            let (status, reason, _) = read(client.send(request).await.unwrap()).await;
            assert_eq!((status, reason.as_str()), expected, "{via:?} {kind:?}");
        }
        assert_eq!(origin.seen().len(), 4, "{via:?} {kind:?}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_size_is_cut_at_the_limit_exactly() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let sizes = "[[environments.default.sizes]]\nmax_body = 25_000\n";
        let gate = TestGate::explicit(&document(&origin, sizes)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("POST", "allowed.test", "/count", chunks(5, 5_000));
        assert_eq!(
            read(client.send(request).await.unwrap()).await.2,
            "25000",
            "{via:?} {kind:?}"
        );
        let request = client.request("POST", "allowed.test", "/count", chunks(9, 10_000));
        let (status, reason, _) = read(client.send(request).await.unwrap()).await;
        assert_eq!(
            (status, reason.as_str()),
            (413, "body-too-large"),
            "{via:?} {kind:?}"
        );
        let closed = gate.events_of("exchange.came_back", 2).await;
        assert_eq!(closed[1]["bytes_up"], 25_000, "{via:?} {kind:?}");
        assert_eq!(gate.events_of("denied", 1).await[0]["reason"], "body-too-large");
        origin.sees_a_body_end_badly().await;
        assert!(origin.bytes_received() <= 50_000, "{}", origin.bytes_received());
    }
}
