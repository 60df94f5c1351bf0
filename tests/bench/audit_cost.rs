//! What the audit costs: CPU of a request's two records beside that of the whole gate, records per second, what `durability = "power"` and
//! sharing its fsyncs change, bytes per event, compression, `verify`.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --package outwall-tests --example audit_cost -- DIRECTORY [target/release/outwall]
//! ```
//!
//! Logs are made in that directory, which is on the disk that is to be measured, and removed. A gate cannot be run without its audit, so "off"
//! is its CPU per request less that of the two records, measured alone in the same run, in turns.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use outwall_audit::{AuditLog, CameBack, Durability, Evidence, GoingOut, Options, verify};
use outwall_policy::{
    Action, ConnectionDecision, EnvironmentName, Method, Opening, Policy, PolicyDocument, RequestDecision,
    RequestPath, RequestPermit, Sandbox, SandboxId, Scheme, Target,
};
use outwall_tests::cost::{cpu_ticks, median};
use outwall_tests::{Outwall, TestOrigin, Versions};

const ROUNDS: usize = 5;
const PAIRS: u64 = 100_000;
const HOST: &str = "api.example.test";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().context("name a directory")?;
    let directory = Path::new(&directory);
    let permit = permit()?;
    cost_of_a_request(directory, &permit, arguments.next().as_deref())?;
    saturation(directory, &permit)?;
    power(directory, &permit)?;
    sizes(directory, &permit)
}

fn permit() -> Result<RequestPermit> {
    let text = format!(
        "default_environment = \"web\"\n[environments.web]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n"
    );
    let policy = Policy::compile(&PolicyDocument::parse(&text, "bench")?)?;
    let environment: EnvironmentName = "web".parse()?;
    let sandbox = Sandbox::new(SandboxId::from_random([0x7f, 0x3a, 0, 1]), environment);
    let target = Target::parse(&format!("{HOST}:443"))?;
    let ConnectionDecision::Intercept(connection) =
        policy.decide_connection(&sandbox, &target, Opening::Unread)
    else {
        bail!("the host is allowed");
    };
    let path = RequestPath::parse("/v1/projects/outwall/items/4711")?;
    let action = Action::new(Scheme::Https, target, Method::GET, path, ());
    match policy.decide_request(&connection, action) {
        RequestDecision::Allow(permitted) => Ok(permitted.into_parts().0),
        _ => bail!("the request is allowed"),
    }
}

/// A log of its own in the directory, gone afterwards.
fn with_log<T>(
    directory: &Path,
    options: Options,
    measure: impl FnOnce(&AuditLog, &Path) -> Result<T>,
) -> Result<T> {
    let place = tempfile::tempdir_in(directory)?;
    let log = AuditLog::open(place.path(), options)?;
    measure(&log, place.path())
}

/// What a request writes: that it goes out, and how it came back.
fn pair(log: &AuditLog, permit: &RequestPermit) -> Result<()> {
    let recorded = log.going_out(GoingOut::exchange(permit).query(Some("page=2")).protocol("h2"))?;
    recorded.came_back(CameBack {
        status: Some(200),
        bytes_up: 0,
        bytes_down: 4711,
        ..CameBack::default()
    });
    Ok(())
}

/// Microseconds of CPU of this process, threads of the log included.
fn own_cpu_us(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    let before = cpu_ticks(std::process::id());
    what()?;
    Ok(ticks_to_us(cpu_ticks(std::process::id()) - before))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ticks_to_us(ticks: u64) -> f64 {
    ticks as f64 * 10_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per(amount: f64, count: u64) -> f64 {
    amount / count as f64
}

fn cost_of_a_request(directory: &Path, permit: &RequestPermit, binary: Option<&str>) -> Result<()> {
    let gate = binary.map(Exchanges::start).transpose()?;
    let (mut records, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let cost = with_log(directory, Options::default(), |log, _| {
            own_cpu_us(|| (0..PAIRS).try_for_each(|_| pair(log, permit)))
        })?;
        records.push(per(cost, PAIRS));
        if let Some(gate) = &gate {
            requests.push(gate.cost_us()?);
        }
    }
    let records = median(records);
    println!("two records of a request: {records:.2} us of CPU");
    if !requests.is_empty() {
        let all = median(requests);
        println!(
            "a request through the gate: {all:.1} us of CPU, without the audit {:.1}: on/off {:.3}",
            all - records,
            all / (all - records)
        );
    }
    Ok(())
}

/// A gate, an origin and a client.
struct Exchanges {
    origin: TestOrigin,
    gate: outwall_tests::TestGate,
    _outwall: Outwall,
}

const REQUESTS: u64 = 4_000;

impl Exchanges {
    fn start(binary: &str) -> Result<Self> {
        let binary = std::fs::canonicalize(binary).with_context(|| format!("no binary at {binary}"))?;
        let origin = TestOrigin::start();
        let outwall = Outwall::at(binary).allowing(&[HOST]).origin(HOST, &origin);
        let gate = outwall.gate();
        Ok(Self {
            origin,
            gate,
            _outwall: outwall,
        })
    }

    /// Of requests on one HTTP/2 connection, the cheapest there are.
    fn cost_us(&self) -> Result<f64> {
        let reached = self.origin.requests().len();
        let mut connection = self
            .gate
            .client()
            .speaking(Versions::Http2Only)
            .try_open(&format!("https://{HOST}/"))?;
        let before = cpu_ticks(self.gate.pid());
        for number in 0..REQUESTS {
            connection.try_get(&format!(
                "https://{HOST}/v1/projects/outwall/items/{number}?page=2"
            ))?;
        }
        let cost = ticks_to_us(cpu_ticks(self.gate.pid()) - before);
        let came = self.origin.requests().len() - reached;
        anyhow::ensure!(came as u64 == REQUESTS, "{came} requests came of {REQUESTS}");
        Ok(per(cost, REQUESTS))
    }
}

/// Pairs per second by so many threads, for a time.
fn pairs_per_second(
    log: &AuditLog,
    permit: &RequestPermit,
    threads: usize,
    before_each: Option<&Mutex<()>>,
) -> Result<f64> {
    let began = Instant::now();
    let counts: Vec<Result<u64>> = thread::scope(|scope| {
        let write = || {
            let mut count = 0;
            while began.elapsed() < A_WHILE {
                let _alone = before_each.map(|alone| alone.lock().expect("nobody panics"));
                pair(log, permit)?;
                count += 1;
            }
            Ok(count)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(write)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let count: u64 = counts.into_iter().sum::<Result<u64>>()?;
    Ok(1.0 / per(began.elapsed().as_secs_f64(), count))
}

const A_WHILE: Duration = Duration::from_secs(2);

fn saturation(directory: &Path, permit: &RequestPermit) -> Result<()> {
    for threads in [1, 4, 16] {
        let pairs = with_log(directory, Options::default(), |log, _| {
            pairs_per_second(log, permit, threads, None)
        })?;
        println!(
            "durability process, {threads:2} threads: {:8.0} events/s",
            2.0 * pairs
        );
    }
    Ok(())
}

/// Behind a lock only one waits at a time: an fsync for each, as it would be without sharing.
fn power(directory: &Path, permit: &RequestPermit) -> Result<()> {
    let options = || Options {
        durability: Durability::Power,
        ..Options::default()
    };
    for threads in [1, 16, 64] {
        let shared = with_log(directory, options(), |log, _| {
            pairs_per_second(log, permit, threads, None)
        })?;
        let alone = with_log(directory, options(), |log, _| {
            pairs_per_second(log, permit, threads, Some(&Mutex::new(())))
        })?;
        println!(
            "durability power,   {threads:2} threads: {:8.0} events/s with shared fsyncs, {:6.0} with one for each: {:.1} times",
            2.0 * shared,
            2.0 * alone,
            shared / alone
        );
    }
    Ok(())
}

/// Plain, then compressed by the thread that does it in a gate.
fn sizes(directory: &Path, permit: &RequestPermit) -> Result<()> {
    let place = tempfile::tempdir_in(directory)?;
    let kept = |compress| Options {
        compress,
        segment_size: 16 << 20,
        ..Options::default()
    };
    let log = AuditLog::open(place.path(), kept(false))?;
    (0..5 * PAIRS).try_for_each(|_| pair(&log, permit))?;
    drop(log);
    let events = 10 * PAIRS;
    let plain = bytes(place.path(), ".jsonl")?;
    let (began, whole) = (
        Instant::now(),
        verify(&[place.path().to_owned()], &Evidence::beside(place.path())?)?,
    );
    anyhow::ensure!(whole.is_whole() && whole.records() >= events, "it is whole");
    println!(
        "{} events: {:.0} bytes each, verified in {:.2} s",
        whole.records(),
        per(plain, events),
        began.elapsed().as_secs_f64()
    );
    let log = AuditLog::open(place.path(), kept(true))?;
    let cost = own_cpu_us(|| {
        for _ in 0..600 {
            if bytes(place.path(), ".jsonl")? < 1e6 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(200));
        }
        bail!("two minutes were not enough to compress")
    })?;
    drop(log);
    let (compressed, began) = (bytes(place.path(), ".zst")?, Instant::now());
    let whole = verify(&[place.path().to_owned()], &Evidence::beside(place.path())?)?;
    anyhow::ensure!(whole.is_whole(), "it is whole");
    println!(
        "compressed: {:.0} bytes each (1/{:.1}), {:.2} us of CPU each with reading it back, verified in {:.2} s",
        per(compressed, events),
        plain / compressed,
        per(cost, events),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Of files whose names end so, but the checkpoints.
#[expect(clippy::cast_precision_loss, reason = "files are far below 2^52 bytes")]
fn bytes(directory: &Path, end: &str) -> Result<f64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(end) && name != "checkpoints.jsonl" {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum as f64)
}
