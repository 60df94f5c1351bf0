//! 5,000 clients that begin and do not end, and a good one beside them.
//!
//! A third of them dribbles the head of a request, a third its TLS hello, a third a body. They are another process, so that
//! their own work is not the good client's. Windows with and without them take turns.

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use crate::client::Client;
use crate::sample::Sample;
use crate::{host, story};

const LORISES: usize = 5_000;
const ROUNDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(8);
/// Between two bytes of one loris: what such tools send, shorter than the gate's patience for a head.
const PAUSE: Duration = Duration::from_secs(5);
/// By how much the median of the good client may rise.
const MOST: f64 = 1.5;

/// Latencies of a good client: requests on an open connection, and new connections.
#[derive(Default)]
struct Good {
    requests: Sample,
    connections: Sample,
}

/// Prints what it saw; false when the good client suffered more than it may.
pub(crate) fn measure(binary: &str) -> bool {
    let (_origin, outwall) = story(binary);
    let gate = outwall.gate();
    let client = Client::new(gate.address(), &gate.ca_pem());
    let runtime = Runtime::new().expect("threads are to be had");
    let (mut alone, mut beside) = (Good::default(), Good::default());
    for _ in 0..ROUNDS {
        alone.join(
            runtime
                .block_on(good(&client))
                .expect("the good client is served"),
        );
        let mut lorises = start(&gate.address().to_string(), &gate.ca_file().display().to_string());
        std::thread::sleep(Duration::from_secs(8)); // until all are there
        beside.join(
            runtime
                .block_on(good(&client))
                .expect("the good client is served"),
        );
        let _ = lorises.kill();
        let _ = lorises.wait();
        std::thread::sleep(Duration::from_secs(2)); // until the gate has seen them go
    }
    let requests = told(
        "requests on an open connection",
        &mut alone.requests,
        &mut beside.requests,
    );
    let connections = told("new connections", &mut alone.connections, &mut beside.connections);
    requests <= MOST && connections <= MOST
}

/// The ratio of the medians.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio with two digits after the point"
)]
fn told(what: &str, alone: &mut Sample, beside: &mut Sample) -> f64 {
    let ratio = |share: f64, alone: &mut Sample, beside: &mut Sample| {
        let (a, b) = (alone.quantile(share), beside.quantile(share));
        (a, b, b as f64 / a.max(1) as f64)
    };
    let (a50, b50, median) = ratio(0.5, alone, beside);
    let (a99, b99, late) = ratio(0.99, alone, beside);
    println!(
        "{LORISES} slow-loris beside {what}: p50 {a50} µs alone, {b50} µs beside ({median:.2}); p99 {a99} and {b99} µs ({late:.2})"
    );
    median
}

impl Good {
    fn join(&mut self, other: Self) {
        self.requests.join(other.requests);
        self.connections.join(other.connections);
    }
}

async fn good(client: &Client) -> Result<Good> {
    let mut good = Good::default();
    let mut open = client.open(&host(0)).await?;
    let end = Instant::now() + WINDOW;
    while Instant::now() < end {
        for _ in 0..20 {
            let started = Instant::now();
            open.get("/bytes/1024").await?;
            good.requests.add(started.elapsed());
        }
        let started = Instant::now();
        client.open(&host(1)).await?.get("/bytes/1024").await?;
        good.connections.add(started.elapsed());
    }
    Ok(good)
}

fn start(gate: &str, ca: &str) -> Child {
    let this = std::env::current_exe().expect("a program knows its file");
    Command::new(this)
        .args(["drive-loris", gate, ca, &LORISES.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts again")
}

/// The process of the lorises: until it is killed, or two minutes at most.
pub(crate) fn drive(gate: &str, ca: &str, count: &str) -> ExitCode {
    let gate = gate.parse().expect("an address");
    let ca = std::fs::read_to_string(ca).expect("the CA's file");
    let client = Client::new(gate, &ca);
    let count: usize = count.parse().expect("a number");
    let runtime = Runtime::new().expect("threads are to be had");
    runtime.block_on(async {
        for number in 0..count {
            tokio::spawn(again_and_again(client.clone(), number));
            if number % 100 == 99 {
                sleep(Duration::from_millis(100)).await; // the machine's queue of new connections is short
            }
        }
        sleep(Duration::from_mins(2)).await;
    });
    ExitCode::SUCCESS
}

/// The gate may end one: then it comes again.
async fn again_and_again(client: Client, number: usize) {
    loop {
        let _ = match number % 3 {
            0 => slow_head(&client, number).await,
            1 => slow_hello(&client, number).await,
            _ => slow_body(&client, number).await,
        };
        sleep(PAUSE).await;
    }
}

async fn slow_head(client: &Client, number: usize) -> Result<()> {
    let mut connection = client.open(&host(number)).await?;
    connection.write(b"GET /bytes/1024 HTTP/1.1\r\n").await?;
    loop {
        sleep(PAUSE).await;
        connection.write(b"x").await?;
    }
}

async fn slow_hello(client: &Client, number: usize) -> Result<()> {
    let mut stream = client.tunnel(&host(number)).await?;
    stream
        .write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
        .await
        .context("a record's beginning")?;
    loop {
        sleep(PAUSE).await;
        stream.write_all(b"x").await?;
    }
}

async fn slow_body(client: &Client, number: usize) -> Result<()> {
    let name = host(number);
    let mut connection = client.open(&name).await?;
    let head = format!("POST /upload HTTP/1.1\r\nhost: {name}\r\ncontent-length: 1000000\r\n\r\n");
    connection.write(head.as_bytes()).await?;
    loop {
        sleep(PAUSE).await;
        connection.write(b"x").await?;
    }
}
