//! `outwall proxy` as a child process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Finished, Running, TIME_LIMIT};
use crate::{Client, RawConnection};

/// A gate that listens. Killed, by its id, when it is dropped.
pub struct TestGate {
    running: Running,
    address: SocketAddr,
    state_dir: PathBuf,
}

impl TestGate {
    #[track_caller]
    pub(crate) fn start(command: Command, state_dir: PathBuf) -> Self {
        let running = Running::start(command);
        let Some(said) = running.stdout.waited_for("\n", TIME_LIMIT) else {
            panic!(
                "the gate does not listen: {:?}",
                running.finish(Duration::from_secs(5))
            );
        };
        let address = said
            .lines()
            .find_map(|line| line.strip_prefix("listening on "))
            .and_then(|address| address.trim().parse().ok())
            .unwrap_or_else(|| panic!("no `listening on ADDRESS` in `{said}`"));
        Self {
            running,
            address,
            state_dir,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// The certificate of its CA, in PEM.
    pub fn ca_pem(&self) -> String {
        fs::read_to_string(self.ca_file()).expect("a gate that listens has its CA")
    }

    /// The file that holds [`TestGate::ca_pem`].
    pub fn ca_file(&self) -> PathBuf {
        ["ca.pem", "ca/ca.pem"]
            .map(|name| self.state_dir.join(name))
            .into_iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("no ca.pem in {}", self.state_dir.display()))
    }

    /// A client that goes through this gate and trusts its CA and nothing else.
    pub fn client(&self) -> Client {
        Client::through(self.address, &self.ca_pem())
    }

    /// A connection on which the story writes the bytes itself.
    pub fn raw(&self) -> RawConnection {
        RawConnection::to(self.address)
    }

    /// All it has said on standard error.
    pub fn stderr(&self) -> String {
        self.running.stderr.text()
    }

    /// Waits until it says `text` on standard error.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) {
        self.running.stderr.wait_for(text, TIME_LIMIT);
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        status_kib(self.pid(), "VmRSS:")
    }

    /// The most memory it ever had resident, in KiB.
    pub fn peak_resident_kib(&self) -> u64 {
        status_kib(self.pid(), "VmHWM:")
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.running.signal("TERM");
        self.running.finish(TIME_LIMIT)
    }
}

fn status_kib(pid: u32, field: &str) -> u64 {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let status = fs::read_to_string(path).expect("the process lives");
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .expect("a process has memory");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of KiB")
}
