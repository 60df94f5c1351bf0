//! An `outwall proxy` of the stage: it is attacked, told to read its policy again, and killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::stage::lines;
use crate::failure::{Explain, Failure};

/// Killed, by its id, when it is dropped.
pub(super) struct Proxy {
    child: Child,
    address: SocketAddr,
    heard: Heard,
}

/// What it says on standard error.
#[derive(Clone, Default)]
struct Heard {
    text: Arc<Mutex<String>>,
    lines: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts it, and waits until it listens.
    pub(super) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.spawn().explain("cannot start a proxy")?;
        let heard = Heard::default();
        if let Some(errors) = child.stderr.take() {
            let heard = heard.clone();
            thread::spawn(move || {
                let lines = BufReader::new(errors).lines().map_while(Result::ok);
                lines.for_each(|line| heard.note(&line));
            });
        }
        let mut lines = lines(child.stdout.take());
        let address = lines.find_map(|line| line.strip_prefix("listening on ")?.trim().parse().ok());
        thread::spawn(move || lines.for_each(drop));
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::new(format!(
                "the proxy does not listen: {}",
                heard.text().trim()
            )));
        };
        Ok(Self {
            child,
            address,
            heard,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it read its policy again, and waits until it has said what came of it.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        let before = self.heard.lines.load(Ordering::Relaxed);
        self.signal(Signal::HUP)?;
        let asked = Instant::now();
        while self.heard.lines.load(Ordering::Relaxed) == before {
            if asked.elapsed() > PATIENCE {
                return Err(Failure::new(
                    "the proxy says nothing about its policy when it is told to read it again",
                ));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new("the proxy has no process id"))?;
        kill_process(pid, signal).explain("cannot signal the proxy")
    }

    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Has it finish its records.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        self.signal(Signal::TERM)?;
        self.child.wait().explain("lost sight of the proxy").map(drop)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Heard {
    fn note(&self, line: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long it may take to say that it has read its policy.
const PATIENCE: Duration = Duration::from_mins(1);
