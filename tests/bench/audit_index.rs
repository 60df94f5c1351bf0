//! Ten million events and questions to them: what the index of the audit log costs and answers.
//!
//! ```sh
//! cargo run --release --package outwall-tests --example audit_index -- /tmp/audit-10m 10000000
//! ```
//!
//! Makes a plausible log in that directory (a month of some thousand sandboxes behind four gates, in whole chains, segments of
//! 64 MiB), unless it has one; builds the index; asks each question twice, the first time with nothing of the index in memory;
//! verifies the chains, compresses the files as a gate does, and verifies again.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use outwall_audit::index::{Index, Order, Top};
use outwall_audit::query::{Filter, Hosts};
use outwall_audit::{AuditLog, Evidence, Options, verify};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().context("name a directory")?;
    let events: u64 = arguments.next().context("say how many events")?.parse()?;
    let directory = Path::new(&directory);
    if !directory.exists() {
        fs::create_dir_all(directory)?;
        let began = Instant::now();
        generate(directory, events)?;
        println!("log made in {:.1} s", began.elapsed().as_secs_f64());
    }
    build(directory)?;
    ask(directory)?;
    println!();
    check(directory)?;
    compress(directory)?;
    check(directory)
}

/// The chains of all files, by the hash of every line.
fn check(directory: &Path) -> Result<()> {
    let (began, began_cpu) = (Instant::now(), cpu());
    let report = verify(&[directory.to_owned()], &Evidence::beside(directory)?)?;
    let seconds = began.elapsed().as_secs_f64();
    let busy = cpu().saturating_sub(began_cpu).as_secs_f64();
    anyhow::ensure!(report.is_whole(), "the chains are whole");
    println!(
        "{} records verified in {seconds:.1} s ({busy:.1} s of a processor); files {:.2} GB",
        report.records(),
        f64::from(u32::try_from(size(directory, ".jsonl")? >> 10)?) / 1e6 * 1.024
    );
    Ok(())
}

/// By the thread that does it beside a gate.
fn compress(directory: &Path) -> Result<()> {
    let began_cpu = cpu();
    let log = AuditLog::open(directory, Options::default())?;
    for _ in 0..3600 {
        let plain = size(directory, ".jsonl")? - size(directory, ".jsonl.zst")?;
        if plain < 1 << 20 {
            drop(log);
            let busy = cpu().saturating_sub(began_cpu).as_secs_f64();
            println!("compressed in {busy:.1} s of a processor");
            return Ok(());
        }
        thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("an hour was not enough to compress")
}

fn month(day: u32, hour: u32) -> Result<jiff::Timestamp> {
    Ok(format!("2026-10-{day:02}T{hour:02}:30:00Z").parse()?)
}

/// Bytes of the files whose names contain this.
fn size(directory: &Path, end: &str) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(end) {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

fn build(directory: &Path) -> Result<()> {
    let mut index = Index::open_as_it_is(directory)?;
    index.clear()?;
    let (began, began_cpu) = (Instant::now(), cpu());
    let mut lines = 0;
    index.refresh_telling(&mut |read| lines = read)?;
    let seconds = began.elapsed().as_secs_f64();
    drop(index);
    let (log, index) = (size(directory, ".jsonl")?, size(directory, "index.sqlite")?);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let each = |bytes: u64| bytes as f64 / lines as f64;
    let busy = cpu().saturating_sub(began_cpu).as_secs_f64();
    println!(
        "index built in {busy:.1} s of one processor ({:.0} events/s of it)",
        f64::from(u32::try_from(lines)?) / busy
    );
    println!(
        "index of {lines} events built in {seconds:.1} s ({:.0} events/s); log {:.0} bytes per event, index {:.1} bytes per event",
        f64::from(u32::try_from(lines)?) / seconds,
        each(log),
        each(index)
    );
    Ok(())
}

type Question = (&'static str, Filter);

fn questions() -> Result<Vec<Question>> {
    let all = Filter::default;
    let hosts = |text: &str| -> Result<Filter> {
        Ok(Filter {
            hosts: Some(Hosts::parse(text)?),
            ..all()
        })
    };
    Ok(vec![
        ("everything", all()),
        ("one popular host", hosts("registry.npmjs.org")?),
        ("one rare host", hosts("r777.rare.example")?),
        ("hosts below a name, few events", hosts("*.rare.example")?),
        (
            "hosts below a name, many events",
            hosts("*.githubusercontent.com")?,
        ),
        ("a host that is not there", hosts("nowhere.test")?),
        (
            "denied",
            Filter {
                denied: true,
                ..all()
            },
        ),
        (
            "findings",
            Filter {
                findings: true,
                ..all()
            },
        ),
        (
            "one sandbox",
            Filter {
                sandbox: Some("s-00000fa0".into()),
                ..all()
            },
        ),
        (
            "one session",
            Filter {
                session: Some("work/4000".into()),
                ..all()
            },
        ),
        (
            "an environment",
            Filter {
                environment: Some("build".into()),
                ..all()
            },
        ),
        (
            "one hour",
            Filter {
                since: Some(month(14, 9)?),
                until: Some(month(14, 10)?),
                ..all()
            },
        ),
        (
            "POST to a popular host",
            Filter {
                method: Some("POST".into()),
                ..hosts("registry.npmjs.org")?
            },
        ),
        (
            "denied, below a name, one day",
            Filter {
                denied: true,
                since: Some(month(14, 9)?),
                until: Some(month(15, 9)?),
                ..hosts("*.rare.example")?
            },
        ),
        (
            "a credential",
            Filter {
                credential: Some("github-app".into()),
                ..all()
            },
        ),
        (
            "a program",
            Filter {
                program: Some("cargo".into()),
                ..all()
            },
        ),
    ])
}

fn ask(directory: &Path) -> Result<()> {
    println!(
        "\n{:34} {:>12} {:>12} {:>12} {:>8}",
        "page of 50", "cold, newest", "warm, newest", "warm, oldest", "events"
    );
    for (name, filter) in &questions()? {
        let cold = timed(directory, Memory::Cold, |index| {
            Ok(index.events(filter, Order::NewestFirst, None, 50)?.entries.len())
        })?;
        let warm = timed(directory, Memory::Warm, |index| {
            Ok(index.events(filter, Order::NewestFirst, None, 50)?.entries.len())
        })?;
        let oldest = timed(directory, Memory::Warm, |index| {
            Ok(index.events(filter, Order::OldestFirst, None, 50)?.entries.len())
        })?;
        row(name, &[cold.0, warm.0, oldest.0], cold.1);
    }
    ask_sums(directory)
}

fn ask_sums(directory: &Path) -> Result<()> {
    let all = Filter::default;
    println!("\n{:34} {:>12} {:>12}", "sums of everything", "cold", "warm");
    for what in Top::ALL {
        let top = |index: &Index| Ok(index.top(what, &all(), 10)?.len());
        let (cold, warm) = (
            timed(directory, Memory::Cold, top)?,
            timed(directory, Memory::Warm, top)?,
        );
        row(&format!("top {}", what.as_str()), &[cold.0, warm.0], cold.1);
    }
    let since = Filter {
        since: Some(month(29, 10)?),
        ..all()
    };
    let top = |index: &Index| Ok(index.top(Top::Hosts, &since, 10)?.len());
    row(
        "top hosts of the last days",
        &[
            timed(directory, Memory::Cold, top)?.0,
            timed(directory, Memory::Warm, top)?.0,
        ],
        10,
    );
    let denials = |index: &Index| Ok(index.denials(&all(), 50)?.len());
    row(
        "denials by target",
        &[
            timed(directory, Memory::Cold, denials)?.0,
            timed(directory, Memory::Warm, denials)?.0,
        ],
        50,
    );
    let extent = |index: &Index| Ok(usize::try_from(index.extent(&all())?.events)?);
    let (cold, warm) = (
        timed(directory, Memory::Cold, extent)?,
        timed(directory, Memory::Warm, extent)?,
    );
    row("extent", &[cold.0, warm.0], cold.1);
    let event = |index: &Index| Ok(index.event("000000000002-60001")?.before.len());
    let (cold, warm) = (
        timed(directory, Memory::Cold, event)?,
        timed(directory, Memory::Warm, event)?,
    );
    row("one event by its name", &[cold.0, warm.0], cold.1);
    Ok(())
}

fn row(name: &str, times: &[Duration], count: usize) {
    let times: String = times.iter().fold(String::new(), |mut line, time| {
        let _ = write!(line, " {:>9.1} ms", time.as_secs_f64() * 1000.0);
        line
    });
    println!("{name:34}{times} {count:>8}");
}

#[derive(Clone, Copy, PartialEq)]
enum Memory {
    Cold,
    Warm,
}

/// A machine that others load: what is warm waits for the processor alone, so its time there is what it takes on an idle one.
enum Clock {
    Wall(Instant),
    Cpu(Duration),
}

impl Clock {
    fn elapsed(&self) -> Duration {
        match self {
            Self::Wall(began) => began.elapsed(),
            Self::Cpu(began) => cpu().saturating_sub(*began),
        }
    }
}

/// Of this process, so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// With opening the index, as a command does: cold by the clock on the wall, warm by the processor's.
fn timed(
    directory: &Path,
    memory: Memory,
    ask: impl Fn(&Index) -> Result<usize>,
) -> Result<(Duration, usize)> {
    if memory == Memory::Cold {
        forget(directory)?;
    }
    let began = if memory == Memory::Cold {
        Clock::Wall(Instant::now())
    } else {
        Clock::Cpu(cpu())
    };
    let index = Index::open(directory)?;
    let count = ask(&index)?;
    Ok((began.elapsed(), count))
}

/// Nothing of these files is in memory afterwards.
fn forget(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let file = File::open(entry?.path())?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

/// One gate's chain.
struct Gate {
    writer: u64,
    seq: u64,
    previous: String,
    buffer: Vec<u8>,
    file: Option<File>,
    in_file: usize,
}

/// A sandbox at work.
struct Sandbox {
    number: u64,
    left: u64,
    connection: u64,
}

fn generate(directory: &Path, events: u64) -> Result<()> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut gates: Vec<Gate> = (0..4).map(Gate::new).collect();
    let mut sandboxes: Vec<Vec<Sandbox>> = gates.iter().map(|_| Vec::new()).collect();
    let (mut made, mut next_sandbox) = (0, 0);
    let start: jiff::Timestamp = "2026-10-01T00:00:00Z".parse()?;
    while made < events {
        let which = usize::try_from(random.below(4))?;
        let (gate, living) = (&mut gates[which], &mut sandboxes[which]);
        let at = start.as_nanosecond()
            + i128::from(made) * i128::from(MONTH / events)
            + i128::from(random.below(1000));
        if living.len() < 5 {
            living.push(Sandbox {
                number: next_sandbox,
                left: 100 + random.below(800),
                connection: next_sandbox * 1000,
            });
            next_sandbox += 1;
            made += gate.line(
                directory,
                at,
                "sandbox.started",
                &format!("{},\"program\":\"bash\"", who(next_sandbox - 1)),
            )?;
        }
        let place = usize::try_from(random.below(living.len() as u64))?;
        let sandbox = &mut living[place];
        sandbox.left -= 1;
        if random.below(5) == 0 {
            sandbox.connection += 1;
        }
        made += happen(directory, gate, sandbox, at, &mut random)?;
        if sandbox.left == 0 {
            let number = sandbox.number;
            living.remove(place);
            made += gate.line(
                directory,
                at + 5_000_000,
                "sandbox.ended",
                &format!(
                    "{},\"outcome\":\"exit 0\",\"lookups\":12,\"lookups_unrecorded\":0",
                    who(number)
                ),
            )?;
        }
    }
    gates.into_iter().try_for_each(Gate::finish)
}

fn who(number: u64) -> String {
    let environment = ["default", "build", "research"][usize::try_from(number % 3).expect("small")];
    let session = if number.is_multiple_of(2) {
        format!(
            ",\"session\":\"github.com/acme/app-{}#work/{number}\"",
            number % 40
        )
    } else {
        String::new()
    };
    format!("\"environment\":\"{environment}\",\"sandbox\":\"s-{number:08x}\"{session}")
}

fn happen(
    directory: &Path,
    gate: &mut Gate,
    sandbox: &Sandbox,
    at: i128,
    random: &mut Random,
) -> Result<u64> {
    let host = host(random);
    let who = who(sandbox.number);
    let connection = sandbox.connection;
    let program = [
        "/usr/bin/curl",
        "/usr/local/bin/node",
        "/root/.cargo/bin/cargo",
        "/usr/bin/git",
        "/usr/bin/python3.13",
    ];
    let program = program[usize::try_from(random.below(5))?];
    let process = format!(
        "\"process\":{{\"executable\":\"{program}\",\"pid\":{},\"ancestors\":[\"/usr/bin/bash\"]}}",
        random.below(40_000)
    );
    let method = if random.below(12) == 0 { "POST" } else { "GET" };
    match random.below(1000) {
        0..15 => gate.line(directory, at, "denied", &format!(
            "{who},\"connection\":{connection},{process},\"target\":\"{host}:443\",\"scheme\":\"https\",\"method\":\"{method}\",\"path\":\"/v1/things\",\"decision\":\"deny\",\"rule\":\"default\",\"reason\":\"host-not-allowed\",\"message\":\"{host} is not allowed\",\"remedy\":\"add \\\"{host}\\\" to allowed_domains\",\"protocol\":\"h2\""
        )),
        15..17 => gate.line(directory, at, "finding", &format!(
            "{who},\"connection\":{connection},\"target\":\"{host}:443\",\"reason\":\"secret-leaving\",\"message\":\"what looks like a key of AWS is in the body\""
        )),
        17..60 => gate.line(directory, at, "dns", &format!("{who},\"name\":\"{host}\",\"answer\":\"addresses\"")),
        _ => {
            let credential = if host.contains("github") { ",\"credential\":\"github-app\"" } else { "" };
            let size = random.below(100_000);
            let begun = gate.seq + 1;
            let lines = gate.line(directory, at, "exchange.going_out", &format!(
                "{who},\"connection\":{connection},{process},\"target\":\"{host}:443\",\"scheme\":\"https\",\"method\":\"{method}\",\"path\":\"/simple/package-{}/index\",\"decision\":\"allow\",\"rule\":\"allowed_domains \\\"{host}\\\"\"{credential},\"protocol\":\"h2\",\"tls\":{{\"version\":\"TLSv1_3\",\"sni\":\"{host}\"}}",
                random.below(5000)
            ))?;
            let ended = gate.line(directory, at + 2_000_000 + i128::from(random.below(300_000_000)), "exchange.came_back", &format!(
                "{who},\"connection\":{connection},\"for\":\"{:012x}-{begun}\",\"outcome\":\"complete\",\"address\":\"203.0.113.7:443\",\"status\":{},\"bytes_up\":{},\"bytes_down\":{size},\"duration_us\":{}",
                gate.writer,
                [200, 200, 200, 304, 404][usize::try_from(random.below(5))?],
                random.below(2000),
                2000 + random.below(300_000)
            ))?;
            Ok(lines + ended)
        }
    }
}

/// A few hosts get nearly everything, and there are many more.
fn host(random: &mut Random) -> String {
    let popular = [
        "registry.npmjs.org",
        "pypi.org",
        "files.pythonhosted.org",
        "github.com",
        "api.github.com",
        "static.crates.io",
        "index.crates.io",
        "raw.githubusercontent.com",
        "objects.githubusercontent.com",
        "api.anthropic.com",
    ];
    match random.below(100) {
        0..85 => popular[usize::try_from(random.below(popular.len() as u64)).expect("small")].to_owned(),
        85..97 => format!("host{}.example.com", random.below(200)),
        97..99 => format!("n{}.cdn.example.net", random.below(5000)),
        _ => format!("r{}.rare.example", random.below(20_000)),
    }
}

impl Gate {
    fn new(number: u64) -> Self {
        Self {
            writer: number + 1,
            seq: 0,
            previous: "0".repeat(64),
            buffer: Vec::new(),
            file: None,
            in_file: 0,
        }
    }

    fn line(&mut self, directory: &Path, at: i128, kind: &str, fields: &str) -> Result<u64> {
        let at = jiff::Timestamp::from_nanosecond(at)?;
        if self.in_file > SEGMENT {
            self.finish_file()?;
            self.writer += 4; // each file is a chain of its own
            (self.seq, self.previous) = (0, "0".repeat(64));
        }
        if self.file.is_none() {
            let start = at.strftime("%Y-%m-%dT%H-%M-%SZ");
            self.file = Some(File::create(
                directory.join(format!("{start}-1-{:012x}.jsonl", self.writer)),
            )?);
        }
        self.seq += 1;
        let start = self.buffer.len();
        write!(
            self.buffer,
            "{{\"v\":1,\"seq\":{},\"id\":\"{:012x}-{}\",\"at\":\"{at:.9}\",\"kind\":\"{kind}\",{fields},\"prev\":\"{}\"",
            self.seq, self.writer, self.seq, self.previous
        )?;
        let hash = digest(&SHA256, &self.buffer[start..]);
        self.previous.clear();
        for byte in hash.as_ref() {
            write!(self.previous, "{byte:02x}")?;
        }
        writeln!(self.buffer, ",\"hash\":\"{}\"}}", self.previous)?;
        self.in_file += self.buffer.len() - start;
        if self.buffer.len() > 1 << 20 {
            self.write_out()?;
        }
        Ok(1)
    }

    fn write_out(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.buffer)?;
        }
        self.buffer.clear();
        Ok(())
    }

    fn finish_file(&mut self) -> Result<()> {
        self.write_out()?;
        (self.file, self.in_file) = (None, 0);
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.finish_file()
    }
}

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Nanoseconds.
const MONTH: u64 = 30 * 24 * 3_600_000_000_000;
const SEGMENT: usize = 64 << 20;
