//! A client's command in a sandbox of its own, and what the audit has of it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use outwall_tests::{Finished, Outwall};

use super::catalogue::Client;
use super::event::Event;

/// Who runs Outwall.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// Whoever runs the tests.
    Same,
    /// An ordinary user, where root runs the tests.
    Ordinary,
}

/// The environment that a sandbox starts from.
pub(super) struct Environment {
    reach: Reach,
    allow: &'static [&'static str],
    nested_namespaces: bool,
}

/// What it reaches.
enum Reach {
    /// The Trusted list and `allow`, from the command line.
    Trusted,
    /// These hosts and no other, from a file.
    Only(Vec<String>),
    /// Nothing, from a file.
    Nothing,
}

/// What a command came to.
pub(super) struct Ran {
    finished: Finished,
    pub(super) events: Vec<Event>,
}

impl Environment {
    pub(super) fn trusted(client: &Client) -> Self {
        Self {
            reach: Reach::Trusted,
            allow: client.allow,
            nested_namespaces: client.nested_namespaces,
        }
    }

    /// All that [`Self::trusted`] allows, but `host`.
    pub(super) fn without(client: &Client, host: &str) -> Self {
        let trusted = TRUSTED_LIST
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let only = trusted
            .chain(client.allow.iter().copied())
            .filter(|entry| *entry != host);
        Self {
            reach: Reach::Only(only.map(str::to_owned).collect()),
            ..Self::trusted(client)
        }
    }

    /// At level `none`.
    pub(super) fn none(client: &Client) -> Self {
        Self {
            reach: Reach::Nothing,
            ..Self::trusted(client)
        }
    }

    pub(super) fn without_nesting(self) -> Self {
        Self {
            nested_namespaces: false,
            ..self
        }
    }

    fn document(&self) -> String {
        let network = match &self.reach {
            Reach::Trusted => "network = \"trusted\"".to_owned(),
            Reach::Only(hosts) => format!("network = \"custom\"\nallowed_domains = {hosts:?}"),
            Reach::Nothing => "network = \"none\"".to_owned(),
        };
        let nested = self.nested_namespaces;
        format!(
            "default_environment = \"clients\"\n[environments.clients]\n{network}\nnested_namespaces = {nested}\n"
        )
    }

    fn options(&self) -> Vec<&str> {
        let network = ["--network", "trusted"].into_iter();
        match self.reach {
            Reach::Trusted => network
                .chain(self.allow.iter().flat_map(|host| ["--allow", host]))
                .collect(),
            Reach::Only(_) | Reach::Nothing => Vec::new(),
        }
    }
}

/// Runs `command` by `sh -c` in a new sandbox, in a directory and a home that hold nothing of an earlier run.
pub(super) fn run(client: &Client, environment: &Environment, command: &str, user: User) -> Result<Ran> {
    let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
        .policy(&environment.document())
        .variable("PATH", &path(client));
    furnish(&outwall.work_dir(), client)?;
    let outwall = match user {
        User::Same => outwall.variable("HOME", &home()), // toolchains are found by it
        User::Ordinary => outwall.as_ordinary_user(),
    };

    let (clients, node_path) = (
        clients_dir().display().to_string(),
        format!("NODE_PATH={}", node_path()),
    );
    let mut options = environment.options();
    options.extend(["--mount", &clients, "--env", &node_path]);
    options.extend(client.root.then_some("--root"));
    let finished = outwall.shell(&options, command);

    let sandbox = sandbox_of(&finished.stderr);
    let sandbox = sandbox.with_context(|| format!("it names no sandbox: {finished:?}"))?;
    let events = outwall
        .audit_with(&["--sandbox", sandbox])
        .into_iter()
        .map(Event::from)
        .collect();
    Ok(Ran { finished, events })
}

/// The number that the client calls its version, asked outside of any sandbox.
pub(super) fn version(client: &Client) -> Result<String> {
    let said = asked_for_version(client).output()?;
    ensure!(
        said.status.success(),
        "it is not installed. hint: `bash tests/clients/install.sh`"
    );
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = said.split_whitespace().map(|word| word.trim_start_matches('v'));
    let number = numbers.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(number
        .with_context(|| format!("no version in {said:?}"))?
        .to_owned())
}

/// Whether `uid` can start the client at all: it may lie in root's home.
pub(super) fn is_installed_for(client: &Client, uid: u32) -> bool {
    let mut asked = asked_for_version(client);
    asked.uid(uid).gid(uid).env("HOME", "/nonexistent"); // not that of whoever runs the tests
    asked
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn asked_for_version(client: &Client) -> Command {
    let mut asked = Command::new("sh");
    asked
        .args(["-c", client.version])
        .env("PATH", path(client))
        .env("NODE_PATH", node_path());
    asked.current_dir("/").stdin(Stdio::null());
    asked
}

/// Puts the programs of `tests/clients` and the client's files into its working directory.
fn furnish(work: &Path, client: &Client) -> Result<()> {
    for program in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients"))? {
        let program = program?;
        if program.file_type()?.is_file() {
            fs::copy(program.path(), work.join(program.file_name()))?;
        }
    }
    for (path, text) in client.files {
        let path = work.join(path);
        fs::create_dir_all(path.parent().expect("it lies in the working directory"))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Where `tests/clients/install.sh` put them, without symbolic links: a sandbox shows a mount at its real path.
pub(crate) fn clients_dir() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let clients = target
        .expect("cargo's folder for tests lies in its target directory")
        .join("clients");
    clients.canonicalize().unwrap_or(clients)
}

fn path(client: &Client) -> String {
    path_with(client.programs)
}

/// `PATH`, with a folder of the installed clients first.
pub(crate) fn path_with(programs: &str) -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("{}:{inherited}", clients_dir().join(programs).display())
}

pub(super) fn home() -> String {
    std::env::var("HOME").unwrap_or_else(|_| "/nonexistent".to_owned())
}

fn node_path() -> String {
    clients_dir().join("npm/node_modules").display().to_string()
}

impl Ran {
    /// It ended well, and its output has `text`.
    pub(super) fn shows(&self, text: &str) -> bool {
        self.finished.status.success() && self.says(text)
    }

    /// Its output has `text`, however it ended.
    pub(super) fn says(&self, text: &str) -> bool {
        self.finished.stdout.contains(text) || self.finished.stderr.contains(text)
    }

    pub(super) fn took(&self) -> Duration {
        self.finished.took
    }

    /// None: a signal ended it.
    pub(super) fn exit(&self) -> Option<i32> {
        self.finished.status.code()
    }

    /// The ends of what it said, for a person who must find out what went wrong.
    pub(super) fn account(&self) -> String {
        let Finished {
            status,
            stdout,
            stderr,
            ..
        } = &self.finished;
        format!("{status}\n    {}\n    {}", tail(stdout), tail(stderr))
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n    ")
}

/// The sandbox that the line at the end of a run names.
fn sandbox_of(errors: &str) -> Option<&str> {
    let (_, after) = errors.rsplit_once("--sandbox ")?;
    after.get(.."s-01234567".len())
}

const TRUSTED_LIST: &str = include_str!("../../../policy/data/trusted-domains.txt");
