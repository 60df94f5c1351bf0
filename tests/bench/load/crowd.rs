//! 10,000 idle intercepted connections, and 2,000 busy ones at once beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use outwall_tests::TestGate;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::{Client, Connection};
use crate::sample::Sample;
use crate::{host, story};

/// How many there are, where there are descriptors for them.
const WANTED: Crowd = Crowd {
    idle: 10_000,
    busy: 2_000,
};
const BUSY_FOR: Duration = Duration::from_secs(15);
/// Handshakes at once: more would measure the client.
const OPENING: usize = 64;
const PATH: &str = "/bytes/1024";

#[derive(Clone, Copy)]
struct Crowd {
    idle: usize,
    busy: usize,
}

impl Crowd {
    /// The same, or as many as descriptors go: a gate lets in one connection for every two that it has, and this process is both
    /// the clients and the origins.
    fn here() -> Self {
        let Self { idle, busy } = WANTED;
        let descriptors = raise_descriptors();
        let room = descriptors.saturating_sub(BESIDES) / 2;
        if room >= idle + busy {
            return WANTED;
        }
        println!(
            "only {descriptors} file descriptors are to be had here: {room} connections, not {}",
            idle + busy
        );
        let idle = room * idle / (idle + busy);
        Self {
            idle,
            busy: room - idle,
        }
    }
}

/// As many as this process may have without rights: what it starts has as many.
fn raise_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_refused) => limit.current,
    };
    current.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// Descriptors of other things, with room to spare.
const BESIDES: usize = 512;

/// Prints what it saw; false when anything failed.
pub(crate) fn measure(binary: &str) -> bool {
    let (_origin, outwall) = story(binary);
    let gate = outwall.gate();
    let client = Client::new(gate.address(), &gate.ca_pem());
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads are to be had");
    threads.block_on(crowd(&gate, client))
}

async fn crowd(gate: &TestGate, client: Client) -> bool {
    let Crowd {
        idle: many,
        busy: at_once,
    } = Crowd::here();
    let mut failures = Vec::new();
    warm_up(&client).await;
    let before = gate.resident_kib();
    let started = Instant::now();
    let mut idle = open(&client, many, &mut failures).await;
    let opening = started.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let with_idle = gate.resident_kib();
    println!(
        "idle: {} connections opened in {} s, {:.1} KiB each ({} KiB before, {} KiB with them)",
        idle.len(),
        opening.as_secs(),
        per_connection(before, with_idle, idle.len()),
        before,
        with_idle
    );

    let busy = open(&client, at_once, &mut failures).await;
    let mut latencies = keep_busy(busy, &mut failures).await;
    let peak = gate.peak_resident_kib();
    println!(
        "busy: {at_once} at once for {} s beside them: {} requests, p50 {} µs, p99 {} µs, {} failed; at most {:.1} KiB each",
        BUSY_FOR.as_secs(),
        latencies.len(),
        latencies.quantile(0.5),
        latencies.quantile(0.99),
        failures.len(),
        per_connection(with_idle, peak, at_once),
    );

    let mut alive = 0;
    for connection in &mut idle {
        match connection.get(PATH).await {
            Ok(()) => alive += 1,
            Err(error) => failures.push(error),
        }
    }
    println!("then each idle one asked once more: {alive} of {many} answered");
    for failure in failures.iter().take(5) {
        println!("  failed: {failure:#}");
    }
    failures.is_empty() && alive == many
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure with one digit after the point"
)]
fn per_connection(before: u64, after: u64, connections: usize) -> f64 {
    after.saturating_sub(before) as f64 / connections.max(1) as f64
}

/// Leaves and pools exist afterwards, so that they are not counted as memory of connections.
async fn warm_up(client: &Client) {
    for number in 0..crate::HOSTS {
        if let Ok(mut connection) = client.open(&host(number)).await {
            let _ = connection.get(PATH).await;
        }
    }
}

/// Connections that have each had one answer.
async fn open(client: &Client, count: usize, failures: &mut Vec<anyhow::Error>) -> Vec<Connection> {
    let room = Arc::new(Semaphore::new(OPENING));
    let mut opening = JoinSet::new();
    for number in 0..count {
        let (client, room) = (client.clone(), Arc::clone(&room));
        opening.spawn(async move {
            let _room = room.acquire().await?;
            let mut connection = client.open(&host(number)).await?;
            connection.get(PATH).await?;
            Ok(connection)
        });
    }
    let mut open = Vec::with_capacity(count);
    while let Some(opened) = opening.join_next().await {
        match opened.expect("no task panics") {
            Ok(connection) => open.push(connection),
            Err(error) => failures.push(error),
        }
    }
    open
}

/// A request in flight on each, always.
async fn keep_busy(connections: Vec<Connection>, failures: &mut Vec<anyhow::Error>) -> Sample {
    let end = Instant::now() + BUSY_FOR;
    let mut running = JoinSet::new();
    for mut connection in connections {
        running.spawn(async move {
            let mut sample = Sample::default();
            while Instant::now() < end {
                let started = Instant::now();
                connection.get(PATH).await?;
                sample.add(started.elapsed());
            }
            Result::<Sample>::Ok(sample)
        });
    }
    let mut all = Sample::default();
    while let Some(ended) = running.join_next().await {
        match ended.expect("no task panics") {
            Ok(sample) => all.join(sample),
            Err(error) => failures.push(error),
        }
    }
    all
}
