//! The binary under test, run as a user would: a command in a sandbox, then what the audit has of it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::catalogue::Client;
use super::event::Event;

/// No client needs more than some seconds; one that hangs is a failure, and not the end of the run.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// One Outwall with a state of its own: every sandbox of a run trusts the same CA.
pub(super) struct Wall {
    state: TempDir,
    clients: PathBuf,
    sources: PathBuf,
}

/// The environment that a sandbox starts from.
pub(super) struct Environment {
    /// None: the Trusted list and `allow`, from the command line. Some: these hosts and no other, from a file.
    pub(super) only: Option<Vec<String>>,
    pub(super) allow: &'static [&'static str],
    pub(super) nested_namespaces: bool,
}

/// What a command came to.
pub(super) struct Ran {
    /// None: it was ended after the time limit.
    pub(super) exit: Option<i32>,
    /// Standard output, then standard error.
    pub(super) output: String,
    pub(super) events: Vec<Event>,
    pub(super) took: Duration,
}

impl Environment {
    pub(super) fn trusted(client: &Client) -> Self {
        Self {
            only: None,
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
            only: Some(only.map(str::to_owned).collect()),
            ..Self::trusted(client)
        }
    }

    fn document(&self) -> String {
        let mut text = String::from("default_environment = \"clients\"\n[environments.clients]\n");
        if self.nested_namespaces {
            text.push_str("nested_namespaces = true\n");
        }
        match &self.only {
            None => text.push_str("network = \"trusted\"\n"),
            Some(hosts) => {
                let _ = writeln!(text, "network = \"custom\"\nallowed_domains = {hosts:?}");
            }
        }
        text
    }

    fn arguments(&self) -> Vec<&str> {
        match self.only {
            Some(_) => Vec::new(),
            None => ["--network", "trusted"]
                .into_iter()
                .chain(self.allow.iter().flat_map(|host| ["--allow", host]))
                .collect(),
        }
    }
}

impl Wall {
    pub(super) fn new() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("cargo's folder for tests lies in its target directory");
        Self {
            state: tempfile::tempdir().expect("a temporary directory can be made"),
            clients: target.join("clients"),
            sources: Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients"),
        }
    }

    /// The number that the client calls its version, asked outside of any sandbox.
    pub(super) fn version(&self, client: &Client) -> Result<String> {
        let mut asked = Command::new("sh");
        asked
            .args(["-c", client.version])
            .env("PATH", self.path(client))
            .env("NODE_PATH", self.node_path());
        let said = asked.stdin(Stdio::null()).output()?;
        ensure!(
            said.status.success(),
            "it is not installed. hint: `bash tests/clients/install.sh`"
        );
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let number = said.split_whitespace().map(|word| word.trim_start_matches('v'));
        let number = number
            .into_iter()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Ok(number
            .with_context(|| format!("no version in {said:?}"))?
            .to_owned())
    }

    /// Runs `command` by `sh -c` in a new sandbox, in a directory and a home that hold nothing of an earlier run.
    pub(super) fn run(&self, client: &Client, environment: &Environment, command: &str) -> Result<Ran> {
        let scene = tempfile::tempdir()?;
        let work = scene.path().join("work");
        self.furnish(&work, client)?;
        let document = scene.path().join("environment.toml");
        fs::write(&document, environment.document())?;
        let (out, err) = (scene.path().join("out"), scene.path().join("err"));

        let mut outwall = self.outwall();
        outwall
            .arg("--config")
            .arg(&document)
            .arg("run")
            .args(environment.arguments());
        outwall
            .arg("--mount")
            .arg(&self.clients)
            .arg("--env")
            .arg(format!("NODE_PATH={}", self.node_path()));
        if client.root {
            outwall.arg("--root");
        }
        outwall
            .args(["--", "sh", "-c", command])
            .current_dir(&work)
            .env("PATH", self.path(client));
        outwall
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);

        let started = Instant::now();
        let status = wait(outwall.spawn().context("outwall does not start")?)?;
        let took = started.elapsed();
        let read = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (out, err) = (read(&out)?, read(&err)?);
        let events =
            self.events(sandbox_of(&err).with_context(|| format!("no sandbox is named in: {err}"))?)?;
        Ok(Ran {
            exit: status.and_then(|status| status.code()),
            output: out + &err,
            events,
            took,
        })
    }

    fn events(&self, sandbox: &str) -> Result<Vec<Event>> {
        let audit = self
            .outwall()
            .args(["audit", "--sandbox", sandbox, "--format", "json"])
            .output()?;
        ensure!(
            audit.status.success(),
            "outwall audit: {}",
            String::from_utf8_lossy(&audit.stderr)
        );
        Event::read_all(&String::from_utf8(audit.stdout)?)
    }

    fn outwall(&self) -> Command {
        let mut outwall = Command::new(env!("CARGO_BIN_EXE_outwall"));
        outwall.arg("--state-dir").arg(self.state.path());
        outwall
    }

    fn furnish(&self, work: &Path, client: &Client) -> Result<()> {
        fs::create_dir(work)?;
        for program in fs::read_dir(&self.sources)? {
            let program = program?.path();
            let name = program.file_name().expect("an entry of a directory has a name");
            fs::copy(&program, work.join(name))?;
        }
        for (path, text) in client.files {
            let path = work.join(path);
            fs::create_dir_all(path.parent().expect("it lies in the working directory"))?;
            fs::write(path, text)?;
        }
        Ok(())
    }

    fn path(&self, client: &Client) -> String {
        let inherited = std::env::var("PATH").unwrap_or_default();
        format!("{}:{inherited}", self.clients.join(client.programs).display())
    }

    fn node_path(&self) -> String {
        self.clients.join("npm/node_modules").display().to_string()
    }
}

impl Ran {
    pub(super) fn shows(&self, text: &str) -> bool {
        self.exit == Some(0) && self.output.contains(text)
    }

    /// The end of the output, for a person who must find out what went wrong.
    pub(super) fn account(&self) -> String {
        let exit = self.exit.map_or_else(
            || format!("nothing after {} s", TIME_LIMIT.as_secs()),
            |code| format!("exit {code}"),
        );
        let lines: Vec<_> = self.output.lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n    ");
        format!("{exit}\n    {tail}")
    }
}

/// None: the time was up and it was ended, first politely.
fn wait(mut child: Child) -> Result<Option<ExitStatus>> {
    let limit = Instant::now() + TIME_LIMIT;
    let patience = limit + Duration::from_secs(5);
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((!asked).then_some(status));
        }
        if Instant::now() > patience {
            child.kill()?;
        } else if Instant::now() > limit && !asked {
            asked = true;
            Command::new("kill").arg(child.id().to_string()).status()?;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The sandbox that the line at the end of a run names.
fn sandbox_of(errors: &str) -> Option<&str> {
    let (_, after) = errors.rsplit_once("--sandbox ")?;
    after.get(.."s-01234567".len())
}

const TRUSTED_LIST: &str = include_str!("../../../policy/data/trusted-domains.txt");
