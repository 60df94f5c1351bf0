//! Where the attacks take place: a directory with the policy, the state and the sandbox's working directory, and the processes
//! that are started in it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use outwall_attacks::{Attack, Made, Range, Record, Side, Surroundings};
use serde_json::Value;
use tempfile::TempDir;

use super::policy::{AUTHORITY, Edited};
use super::proxy::Proxy;
use super::tokens;
use crate::failure::{Explain, Failure};

pub(super) struct Stage {
    place: TempDir,
    program: PathBuf,
    environment: String,
    policy: String,
}

impl Stage {
    pub(super) fn set(range: &Range, edited: &Edited) -> Result<Self, Failure> {
        let place = tempfile::Builder::new().prefix("outwall-attack-").tempdir();
        let place = place.explain("cannot make a temporary directory")?;
        fs::create_dir(place.path().join("work"))?;
        fs::write(place.path().join(AUTHORITY), range.authority_pem())?;
        let stage = Self {
            place,
            program: std::env::current_exe().explain("cannot tell where this program is")?,
            environment: edited.environment.clone(),
            policy: edited.text.clone(),
        };
        stage.write_policy(&stage.policy)?;
        Ok(stage)
    }

    fn write_policy(&self, text: &str) -> Result<(), Failure> {
        Ok(fs::write(self.place.path().join("policy.toml"), text)?)
    }

    /// This program with the stage's policy and state.
    fn command(&self, subcommand: &str) -> Command {
        let place = self.place.path();
        let mut command = Command::new(&self.program);
        command
            .arg("--state-dir")
            .arg(place.join("state"))
            .arg("--config")
            .arg(place.join("policy.toml"))
            .arg(subcommand)
            .current_dir(place.join("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the sandbox in which the attempts are made.
    pub(super) fn sandbox(&self, victim: u16) -> Result<Child, Failure> {
        self.command("run")
            .args(["--quiet", "--environment", &self.environment, "--mount"])
            .arg(&self.program)
            .arg("--")
            .arg(&self.program)
            .args(["attempt", "--victim", &victim.to_string()])
            .spawn()
            .explain("cannot start a sandbox")
    }

    /// Notes every attempt that the sandbox tells of, until it ends.
    pub(super) fn inside(mut sandbox: Child, note: &(impl Fn(Made) + Sync)) -> Result<(), Failure> {
        let errors = sandbox.stderr.take();
        let read = move || errors.map(std::io::read_to_string);
        let said = thread::spawn(read);
        for line in lines(sandbox.stdout.take()) {
            if let Ok(made) = serde_json::from_str(&line) {
                note(made);
            }
        }
        let status = sandbox.wait().explain("lost sight of the sandbox")?;
        if status.success() {
            return Ok(());
        }
        let said = said
            .join()
            .ok()
            .flatten()
            .and_then(Result::ok)
            .unwrap_or_default();
        let failure = Failure::new(format!("the sandbox ended with {status}: {}", said.trim()));
        Err(failure.hint("`outwall doctor` says what this machine lacks"))
    }

    /// Makes the attempts beside a proxy: as it is, and after each thing that could have it forget its policy.
    pub(super) fn beside_a_proxy(
        &self,
        list: &[Attack],
        victim: u16,
        note: &(impl Fn(Made) + Sync),
    ) -> Result<(), Failure> {
        let attempts = |proxy: &Proxy, side| {
            let around = Surroundings {
                victim,
                proxy: Some(proxy.address()),
                ..Surroundings::default()
            };
            outwall_attacks::run(list, side, &around, note);
        };
        let mut proxy = self.anonymous_proxy()?;
        attempts(&proxy, Side::Proxy);
        self.write_policy(&format!("{}\n# read again\n", self.policy))?;
        proxy.reload()?;
        attempts(&proxy, Side::AfterReload);
        self.write_policy("[environments.broken\n")?;
        proxy.reload()?;
        attempts(&proxy, Side::AfterBrokenReload);
        self.write_policy(&self.policy)?;
        proxy.kill();
        let proxy = self.anonymous_proxy()?;
        attempts(&proxy, Side::AfterRestart);
        proxy.stop()
    }

    /// Makes the attempts beside a proxy that many share, each known by what it shows.
    pub(super) fn beside_a_shared_proxy(
        &self,
        list: &[Attack],
        victim: u16,
        note: &(impl Fn(Made) + Sync),
    ) -> Result<(), Failure> {
        let around = Surroundings {
            victim,
            proxy: None,
            tokens: tokens::issue(self.place.path(), &self.environment)?,
        };
        let proxy = Proxy::start(self.proxy())?;
        let around = Surroundings {
            proxy: Some(proxy.address()),
            ..around
        };
        outwall_attacks::run(list, Side::Clients, &around, note);
        proxy.stop()
    }

    fn proxy(&self) -> Command {
        let mut command = self.command("proxy");
        command.args(["--listen", "127.0.0.1:0"]);
        command
    }

    fn anonymous_proxy(&self) -> Result<Proxy, Failure> {
        let mut command = self.proxy();
        command.arg(format!("--anonymous={}", self.environment));
        Proxy::start(command)
    }

    /// What the audit has of it all.
    pub(super) fn records(&self) -> Result<Vec<Record>, Failure> {
        let output = self.command("audit").args(["--format", "json"]).output();
        let output = output.explain("cannot read the audit")?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(record)
            .collect())
    }
}

/// A refusal or a finding.
fn record(line: &str) -> Option<Record> {
    let event: Value = serde_json::from_str(line).ok()?;
    let counts = matches!(event["kind"].as_str(), Some("denied" | "finding"));
    counts.then(|| Record {
        reason: event["reason"].as_str().unwrap_or_default().to_owned(),
        line: line.to_owned(),
    })
}

/// The lines of a child's output, as they come.
pub(super) fn lines(stream: Option<ChildStdout>) -> impl Iterator<Item = String> + Send + 'static {
    let streams = stream.into_iter();
    streams.flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok))
}
