//! The policy is replaced while requests run on several connections: what both policies allow never fails, what both refuse never
//! passes, and what only one allows is decided by the one that is in force when it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::empty;
use crate::support::origin::greeter;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// What both allow, and a host that only this one does.
fn document(origin: &Origin, greeter: std::net::SocketAddr, only: &str) -> String {
    let address = origin.address;
    format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"both.test\", \"{only}.test\"]\n\
         tcp = [\"stream.test:5432\"]\n[origins]\nhosts = {{ \"both.test\" = \"{address}\", \"one.test\" = \"{address}\", \
         \"two.test\" = \"{address}\", \"neither.test\" = \"{address}\", \"stream.test\" = \"{greeter}\" }}\n"
    )
}

#[derive(Default)]
struct Tally {
    over: AtomicBool,
    passed: AtomicUsize,
    refused: AtomicUsize,
    echoed: AtomicUsize,
}

impl Tally {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

async fn reload_under_load(times: usize) -> Arc<Tally> {
    let names = ["both.test", "one.test", "two.test", "neither.test"];
    let (origin, greeter) = (Origin::named(OriginKind::H2, &names).await, greeter().await);
    let (one, two) = (
        document(&origin, greeter, "one"),
        document(&origin, greeter, "two"),
    );
    let gate = Arc::new(TestGate::explicit(&one).await);
    let streams = Arc::new(TestGate::captured(&one).await);
    let tally = Arc::new(Tally::default());
    let mut tasks = Vec::new();
    for number in 0..6 {
        let via = if number % 2 == 0 { Via::Http1 } else { Via::H2 };
        let client = Client::to(&gate, "both.test", via).await;
        tasks.push(tokio::spawn(keep_asking(client, Arc::clone(&tally))));
    }
    tasks.push(tokio::spawn(keep_connecting(
        Arc::clone(&gate),
        Arc::clone(&tally),
    )));
    for _ in 0..3 {
        let stream = streams.capture(streams.synthetic("stream.test", 5432)).await;
        tasks.push(tokio::spawn(keep_echoing(stream, Arc::clone(&tally))));
    }
    let mut only_one = Client::to(&gate, "one.test", Via::H2).await;
    for turn in 0..times {
        for (document, status) in [(&two, 403), (&one, 200)] {
            gate.replace(document);
            streams.replace(document);
            assert_eq!(only_one.get("one.test", "/hello").await.0, status, "turn {turn}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tally.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(
        origin.seen().iter().all(|seen| !seen.uri.contains("never")),
        "what both refuse never arrives"
    );
    tally
}

/// On one connection: requests that both policies allow.
async fn keep_asking(mut client: Client, tally: Arc<Tally>) {
    while !tally.is_over() {
        let (status, reason, _) = client.get("both.test", "/hello").await;
        assert_eq!((status, reason.as_str()), (200, ""), "both allow it");
        tally.passed.fetch_add(1, Ordering::Relaxed);
    }
}

/// On connections of their own: what both allow, and what both refuse.
async fn keep_connecting(gate: Arc<TestGate>, tally: Arc<Tally>) {
    while !tally.is_over() {
        let mut client = Client::to(&gate, "both.test", Via::Http1).await;
        assert_eq!(client.get("both.test", "/hello").await.0, 200);
        tally.passed.fetch_add(1, Ordering::Relaxed);
        let request = client.request("GET", "neither.test", "/never", empty());
        assert_ne!(client.send(request).await.unwrap().status(), 200, "fronting");
        let refused = crate::support::client::connect(&gate, "neither.test:443").await;
        assert!(refused.unwrap_err().contains("host-not-allowed"));
        tally.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream that both allow, open for as long as it lasts.
async fn keep_echoing(mut stream: tokio::net::TcpStream, tally: Arc<Tally>) {
    let mut greeting = [0; 11];
    stream.read_exact(&mut greeting).await.unwrap();
    while !tally.is_over() {
        stream.write_all(b"ping").await.unwrap();
        let mut back = [0; 4];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"ping");
        tally.echoed.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_that_both_policies_allow_fails_and_none_that_both_refuse_passes() {
    let tally = reload_under_load(60).await;
    assert!(tally.passed.load(Ordering::Relaxed) > 60);
    assert!(tally.refused.load(Ordering::Relaxed) > 5);
    assert!(tally.echoed.load(Ordering::Relaxed) > 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "2,000 replacements under load"]
async fn the_same_a_thousand_times() {
    let tally = reload_under_load(1_000).await;
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let (passed, refused, echoed) = (count(&tally.passed), count(&tally.refused), count(&tally.echoed));
    eprintln!(
        "2000 replacements: {passed} requests passed, {refused} connections refused, {echoed} echoes over streams"
    );
    assert!(passed > 1_000 && refused > 100 && echoed > 1_000);
}
