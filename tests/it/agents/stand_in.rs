//! The stand-in for the models' servers, `tests/clients/agents/model_server.py`: one of its own for each case, and its record.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use outwall_tests::ServerIdentity;
use serde_json::Value;

use super::catalogue::Case;
use super::key::Key;
use super::{clients_dir, programs};

/// The words that it waits for, as `plot.py` has them.
pub(super) const FIRST: &str = "Have the shell multiply the two numbers.";
pub(super) const AGAIN: &str = "What did the shell say before?";

/// A server that runs; gone when it is dropped.
pub(super) struct StandIn {
    identity: ServerIdentity,
    directory: tempfile::TempDir,
    address: SocketAddr,
    child: Child,
}

impl StandIn {
    /// Starts one that takes this key and no other, where the case's service wants it.
    pub(super) fn start(case: &Case, key: &Key) -> Result<Self> {
        let free = TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let identity = ServerIdentity::of(HOSTS);
        let directory = tempfile::tempdir()?;
        let child = Command::new(clients_dir().join("venv-protocols/bin/python3"))
            .arg(programs().join("model_server.py"))
            .args([identity.certificate_file(), identity.key_file()])
            .arg(address.port().to_string())
            .arg(directory.path().join(RECORD))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("STAND_IN_KEY", key.real())
            .env("STAND_IN_PLACE", case.service.place)
            .env("STAND_IN_WEBSOCKET", case.socket.described())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join(LOG))?)
            .spawn()?;
        let server = Self {
            identity,
            directory,
            address,
            child,
        };
        server.wait()?;
        Ok(server)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test that waits for its server is no gate"
    )]
    fn wait(&self) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let log = || fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default();
            ensure!(
                started.elapsed() < Duration::from_secs(30),
                "the stand-in does not listen: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub(super) fn ca_file(&self) -> &Path {
        self.identity.ca_file()
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Everything that came in since the last time that this was asked.
    pub(super) fn received(&self) -> Result<Received> {
        let path = self.directory.path().join(RECORD);
        let text = fs::read_to_string(&path).context("the stand-in has no record")?;
        fs::write(&path, "")?; // it appends, so it goes on at the beginning
        let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Received(lines))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests, as the stand-in saw them.
pub(super) struct Received(Vec<Value>);

impl Received {
    /// What it would not have: each is a sentence.
    pub(super) fn faults(&self) -> Vec<&str> {
        self.0.iter().filter_map(|line| line["fault"].as_str()).collect()
    }

    /// How many of them showed the real key, of those that were no model's.
    pub(super) fn with_key(&self) -> usize {
        self.0.iter().filter(|line| line["key"] == true).count()
    }

    /// How many asked the model, whatever they showed and were told.
    pub(super) fn models(&self) -> usize {
        let asks = |target: &str| target.starts_with("/v1/messages") || target.starts_with("/v1/responses");
        let targets = self.0.iter().filter_map(|line| line["target"].as_str());
        targets.filter(|target| asks(target)).count()
    }

    /// How often it did this.
    pub(super) fn did(&self, what: &str) -> usize {
        self.0.iter().filter(|line| line["did"] == what).count()
    }

    /// What it had the model say at the end.
    pub(super) fn answer(&self) -> Option<&str> {
        let mut lines = self.0.iter().rev();
        lines.find(|line| line["did"] == "answer")?["text"].as_str()
    }
}

const HOSTS: &[&str] = &["api.anthropic.com", "api.openai.com"];
const RECORD: &str = "record.jsonl";
const LOG: &str = "log";
