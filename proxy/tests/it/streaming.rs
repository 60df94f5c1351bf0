//! Bodies pass as they come: events one by one, bulk in flat memory, and a client that goes away stops its origin.

use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use crate::intercepted::{ALL, document};
use crate::support::client::{empty, read};
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

#[tokio::test]
async fn events_arrive_one_by_one() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let started = Instant::now();
        let request = client.request("GET", "allowed.test", "/events?8", empty());
        let mut body = client.send(request).await.unwrap().into_body();
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push((started.elapsed(), frame.unwrap().into_data().unwrap()));
        }
        assert!(frames.len() >= 6, "{via:?} {kind:?}: {} pieces", frames.len());
        let spread = frames.last().unwrap().0.saturating_sub(frames[0].0);
        assert!(
            spread.as_millis() > 120,
            "{via:?} {kind:?}: all within {spread:?}"
        );
    }
}

#[tokio::test]
async fn bulk_goes_through_in_flat_memory() {
    const BYTES: u64 = 192 << 20;
    for (via, kind) in [(Via::Http1, OriginKind::Http1), (Via::H2, OriginKind::H2)] {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let before = resident();
        let request = client.request("GET", "allowed.test", &format!("/bytes?{BYTES}"), empty());
        let mut body = client.send(request).await.unwrap().into_body();
        let (mut received, mut highest) = (0, before);
        while let Some(frame) = body.frame().await {
            received += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
            highest = highest.max(resident());
        }
        assert_eq!(received, BYTES);
        let chunk = Bytes::from(vec![b'u'; 65_536]);
        let chunks =
            stream::iter((0..BYTES / 65_536).map(move |_| Ok::<_, hyper::Error>(Frame::data(chunk.clone()))));
        let request = client.request("POST", "allowed.test", "/count", StreamBody::new(chunks).boxed());
        let (status, _, count) = read(client.send(request).await.unwrap()).await;
        assert_eq!((status, count), (200, BYTES.to_string()));
        highest = highest.max(resident());
        assert!(
            highest - before < 48 << 20,
            "{via:?} {kind:?}: grew by {} KiB",
            (highest - before) >> 10
        );
    }
}

#[tokio::test]
async fn a_slow_reader_holds_its_origin_back() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let before = resident();
        let request = client.request("GET", "allowed.test", "/bytes?1000000000", empty());
        let body = client.send(request).await.unwrap().into_body();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await; // nothing is read
        assert!(resident().saturating_sub(before) < 48 << 20, "{via:?} {kind:?}");
        drop(body);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_exchange_and_the_record_says_so() {
    for (via, kind) in ALL {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let mut client = Client::to(&gate, "allowed.test", via).await;
        let request = client.request("GET", "allowed.test", "/events?10000", empty());
        let mut body = client.send(request).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        drop((body, client));
        let closed = gate.events_of("exchange.came_back", 1).await;
        assert_eq!(closed.len(), 1, "{via:?} {kind:?}");
        assert_ne!(closed[0]["outcome"], "complete", "{via:?} {kind:?}");
    }
}

#[tokio::test]
async fn many_streams_of_one_connection_run_at_once() {
    for kind in [OriginKind::Http1, OriginKind::H2] {
        let origin = Origin::start(kind).await;
        let gate = TestGate::explicit(&document(&origin)).await;
        let client = Client::to(&gate, "allowed.test", Via::H2).await;
        let Client::H2(sender) = &client else { panic!("h2") };
        let requests = (0..64).map(|_| {
            let mut sender = sender.clone();
            let request = client.request("GET", "allowed.test", "/events?5", empty());
            async move { read(sender.send_request(request).await.unwrap()).await.0 }
        });
        let started = Instant::now();
        let statuses = futures_util::future::join_all(requests).await;
        assert!(statuses.iter().all(|status| *status == 200));
        assert!(
            started.elapsed().as_millis() < 5_000,
            "{kind:?}: {:?}",
            started.elapsed()
        );
        if kind == OriginKind::H2 {
            assert_eq!(
                origin.connections(),
                1,
                "a burst to an h2 origin opens one connection"
            );
        }
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
