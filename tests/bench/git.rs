//! Clone and push of a large repository, through the gate and directly, in turns.
//!
//! ```text
//! cargo build --release --package outwall
//! cargo run --release --package outwall-tests --example git -- target/release/outwall [MIB] [ROUNDS]
//! ```
//!
//! The repository's content does not compress. Both sides talk to the same stand-in GitHub, in this process: directly by its own
//! CONNECT, which serves TLS on the connection itself, and in a sandbox through the gate. Printed: wall time, the CPU that git used, the
//! CPU that the gate used, and the most memory that it had.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use outwall_tests::cost::cpu_ticks;
use outwall_tests::github::GitHub;
use outwall_tests::{Outwall, TestSandbox};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TOKEN: &str = "ghp_Zq8Lx2Vn7Rt4Yw9Kd3Mf6Hb1Js5Gp0Tc";
const POLICY: &str = "[environments.web]\nnetwork = \"none\"\n[[credentials]]\nname = \"github\"\npreset = \"github\"\nsource = { env = \"REAL_TOKEN\" }\n\
    environments = []\n[[github]]\nhost = \"github.com\"\ncredential = \"github\"\n";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().ok_or("the binary to measure")?;
    let mib: usize = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let github = GitHub::start();
    let source = tempfile::tempdir()?;
    fill(source.path(), mib)?;
    github
        .repository("acme/app")
        .private()
        .from(source.path())
        .create();
    github.accept(TOKEN, "mona", &["repo"]);
    println!("{mib} MiB that do not compress; {rounds} rounds");
    for round in 1..=rounds {
        let direct = Direct::new(&github)?;
        report(
            round,
            "clone",
            "directly",
            &direct.time("clone", &["clone", "-q", "https://github.com/acme/app", "app"])?,
        );
        direct.prepare(mib, &format!("direct-{round}"))?;
        report(
            round,
            "push",
            "directly",
            &direct.time("push", &["-C", "app", "push", "-q", "origin", "HEAD"])?,
        );
        through(&github, &binary, mib, round)?;
    }
    Ok(())
}

/// What one of them took.
struct Took {
    wall: Duration,
    git: f64,
    gate: Option<Gate>,
}

struct Gate {
    cpu: f64,
    peak_kib: u64,
}

fn report(round: usize, what: &str, how: &str, took: &Took) {
    let gate = took.gate.as_ref().map_or(String::new(), |gate| {
        format!(
            "  gate {:6.2} s CPU, {:4} MiB at most",
            gate.cpu,
            gate.peak_kib / 1024
        )
    });
    println!(
        "{round} {what:5} {how:11} {:6.2} s  git {:6.2} s CPU{gate}",
        took.wall.as_secs_f64(),
        took.git
    );
}

fn fill(directory: &Path, mib: usize) -> Result<()> {
    run("git", directory, &["init", "-q", "-b", "main"])?;
    for number in 0..mib.div_ceil(4) {
        let file = format!("of=blob-{number}");
        run(
            "dd",
            directory,
            &["if=/dev/urandom", &file, "bs=1M", "count=4", "status=none"],
        )?;
    }
    commit(directory, "all of it")
}

fn commit(directory: &Path, message: &str) -> Result<()> {
    run("git", directory, &["add", "."])?;
    run(
        "git",
        directory,
        &[
            "-c",
            "user.name=Mona",
            "-c",
            "user.email=mona@example.com",
            "commit",
            "-q",
            "-m",
            message,
        ],
    )
}

fn run(program: &str, directory: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .current_dir(directory)
        .args(arguments)
        .status()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{program} {arguments:?}: {status}").into())
}

/// A person's own git.
struct Direct {
    home: tempfile::TempDir,
    proxy: String,
    ca: PathBuf,
}

impl Direct {
    fn new(github: &GitHub) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let helper =
            format!("[credential]\n\thelper = \"!f() {{ echo username=x; echo password={TOKEN}; }}; f\"\n");
        fs::write(home.path().join(".gitconfig"), helper)?;
        Ok(Self {
            home,
            proxy: format!("http://{}", github.proxy_address()),
            ca: github.ca_file().to_owned(),
        })
    }

    fn prepare(&self, mib: usize, branch: &str) -> Result<()> {
        let app = self.home.path().join("app");
        run("git", &app, &["checkout", "-q", "-b", branch])?;
        run(
            "dd",
            &app,
            &[
                "if=/dev/urandom",
                "of=more",
                "bs=1M",
                &format!("count={mib}"),
                "status=none",
            ],
        )?;
        commit(&app, "more")
    }

    fn time(&self, what: &str, arguments: &[&str]) -> Result<Took> {
        let begun = (Instant::now(), children_ticks());
        let mut git = Command::new("git");
        git.current_dir(self.home.path())
            .args(arguments)
            .env("HOME", self.home.path())
            .env("HTTPS_PROXY", &self.proxy)
            .env("GIT_SSL_CAINFO", &self.ca);
        let status = git.status()?;
        if !status.success() {
            return Err(format!("{what}: {status}").into());
        }
        Ok(Took {
            wall: begun.0.elapsed(),
            git: seconds(children_ticks() - begun.1),
            gate: None,
        })
    }
}

/// The same in a sandbox. The script says when it begins and ends.
fn through(github: &GitHub, binary: &str, mib: usize, round: usize) -> Result<()> {
    let outwall = Outwall::at(binary)
        .policy(POLICY)
        .github(github)
        .variable("REAL_TOKEN", TOKEN);
    let script = format!(
        "set -e; export GIT_AUTHOR_NAME=M GIT_AUTHOR_EMAIL=m@example.com GIT_COMMITTER_NAME=M GIT_COMMITTER_EMAIL=m@example.com\n\
         go() {{ echo \"begin $1\"; read _; }}\n\
         go clone; git clone -q https://github.com/acme/app /tmp/again; echo end clone; read _\n\
         dd if=/dev/urandom of=more bs=1M count={mib} status=none; git add more; git commit -q -m more\n\
         go push; git push -q origin HEAD; echo end push; read _\n"
    );
    let branch = format!("outwall/{round}");
    let options = ["--quiet", "--repository", "acme/app", "--session-branch", &branch];
    let mut sandbox = outwall.start_sandbox(&options, &["sh", "-c", &script]);
    for what in ["clone", "push"] {
        report(round, what, "in a sandbox", &measure(&mut sandbox, what)?);
    }
    sandbox.finish_within(Duration::from_mins(2));
    Ok(())
}

fn measure(sandbox: &mut TestSandbox, what: &str) -> Result<Took> {
    wait(sandbox, &format!("begin {what}"));
    let pid = sandbox.pid();
    let (begun, ticks) = (Instant::now(), cpu_ticks(pid));
    sandbox.write("go\n");
    wait(sandbox, &format!("end {what}"));
    let took = Took {
        wall: begun.elapsed(),
        git: 0.0,
        gate: Some(Gate {
            cpu: seconds(cpu_ticks(pid) - ticks),
            peak_kib: peak(pid)?,
        }),
    };
    sandbox.write("go\n");
    Ok(took)
}

fn wait(sandbox: &TestSandbox, text: &str) {
    let begun = Instant::now();
    while !sandbox.has_said(text) {
        assert!(
            begun.elapsed() < Duration::from_mins(5),
            "it did not say `{text}`"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Of this process's children that have ended, in hundredths of a second.
fn children_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split(' ')
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    fields.get(13).unwrap_or(&0) + fields.get(14).unwrap_or(&0)
}

fn seconds(ticks: u64) -> f64 {
    f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) / 100.0
}
