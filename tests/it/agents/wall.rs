//! An agent in a sandbox of its own, with the stand-in at the model's real name, and what the audit has of it.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use outwall_tests::{Finished, Outwall, is_root};
use serde_json::Value;

use super::catalogue::Case;
use super::key::{Access, Key};
use super::stand_in::StandIn;
use super::{clients_dir, path};

/// A place for one agent: its runs share a working directory and a home that is kept.
pub(super) struct Place {
    case: &'static Case,
    access: Access,
    outwall: Outwall,
}

/// One run, ended.
pub(super) struct Ran {
    pub(super) finished: Finished,
    /// What the audit has of this run.
    pub(super) events: Vec<Value>,
}

impl Place {
    /// A policy that allows this host and nothing else. An ordinary user's, where root runs the tests.
    pub(super) fn new(
        case: &'static Case,
        (stand_in, key): (&StandIn, &Key),
        access: Access,
        allowed: &str,
    ) -> Self {
        let policy = format!(
            "default_environment = \"agents\"\n[environments.agents]\nnetwork = \"custom\"\nallowed_domains = [{allowed:?}]\n\
             nested_namespaces = {}\n{}",
            case.nested,
            access.policy(case.service)
        );
        let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
            .policy(&policy)
            .root(stand_in.ca_file())
            .host(&format!("{}:443", case.service.host), &stand_in.address())
            .variable("PATH", &path());
        let outwall = Access::prepare(outwall, key);
        let outwall = if is_installed_for_users() {
            outwall.as_ordinary_user()
        } else {
            outwall
        };
        Self {
            case,
            access,
            outwall,
        }
    }

    /// Runs the agent with a person's words.
    pub(super) fn say(&self, command: &[&str], words: &str) -> Result<Ran> {
        self.run(&[command, &[words]].concat())
    }

    pub(super) fn run(&self, command: &[&str]) -> Result<Ran> {
        let mount = clients_dir().join("agents").display().to_string();
        let command = self.access.command(self.case, command);
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let options = ["--mount", &mount, "--home", "agent"];
        let finished = self
            .outwall
            .start_sandbox(&options, &command)
            .finish_within(PATIENCE);
        let (_, after) = finished
            .stderr
            .rsplit_once("--sandbox ")
            .with_context(|| format!("it names no sandbox: {finished:?}"))?;
        let sandbox = after
            .get(.."s-01234567".len())
            .context("a sandbox's name is longer")?
            .to_owned();
        let events = self.outwall.audit_with(&["--sandbox", &sandbox]);
        Ok(Ran { finished, events })
    }

    /// All that a sandbox of this place can read of its variables, its home and its processes.
    pub(super) fn everything_inside(&self) -> Result<String> {
        let script =
            "env; cat /proc/*/environ /proc/*/cmdline; find ~ -type f -size -1M -exec cat {} + 2>/dev/null";
        let Finished { stdout, .. } = self.run(&["sh", "-c", script])?.finished;
        Ok(stdout)
    }
}

impl Ran {
    /// Its output has `text`, on either stream.
    pub(super) fn says(&self, text: &str) -> bool {
        self.finished.stdout.contains(text) || self.finished.stderr.contains(text)
    }

    /// What was let out to `host`.
    pub(super) fn went_out(&self, host: &str) -> Vec<&Value> {
        let target = format!("{host}:443");
        let is_out = |event: &&Value| event["kind"] == "exchange.going_out" && event["target"] == target;
        self.events.iter().filter(is_out).collect()
    }

    /// Hosts that were refused, and why, each once.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        let mut refused = Vec::new();
        for event in self.events.iter().filter(|event| event["kind"] == "denied") {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            let host = text("target").trim_end_matches(":443").to_owned();
            if !refused.iter().any(|(other, _)| *other == host) {
                refused.push((host, text("reason")));
            }
        }
        refused.sort();
        refused
    }

    /// Those of them that are off the list, in order.
    pub(super) fn refused_hosts(&self) -> Vec<String> {
        let off = self
            .refused()
            .into_iter()
            .filter(|(_, reason)| reason == "host-not-allowed");
        off.map(|(host, _)| host).collect()
    }

    /// The ends of what it said, for a person who must find out what went wrong.
    pub(super) fn account(&self) -> String {
        let tail = |text: &str| {
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(30)..].join("\n    ")
        };
        let Finished {
            status,
            stdout,
            stderr,
            ..
        } = &self.finished;
        format!(
            "{status}\n    {}\n    --- stderr ---\n    {}",
            tail(stdout),
            tail(stderr)
        )
    }
}

/// The number that an agent calls its version, asked outside of any sandbox.
pub(super) fn version(program: &str) -> Result<String> {
    let said = asked_for_version(program).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(number
        .with_context(|| format!("no version in {said:?}"))?
        .to_owned())
}

fn asked_for_version(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .env("PATH", path())
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

/// Whether somebody who is not root can start them at all: the checkout may lie in root's home.
fn is_installed_for_users() -> bool {
    let mut asked = asked_for_version("claude");
    asked.stdout(Stdio::null()).stderr(Stdio::null());
    is_root()
        && asked
            .uid(ORDINARY)
            .gid(ORDINARY)
            .status()
            .is_ok_and(|status| status.success())
}

/// An agent computes for seconds before it asks anything; of an idle machine.
const PATIENCE: Duration = Duration::from_mins(4);
/// The test library's ordinary user.
const ORDINARY: u32 = 1000;
