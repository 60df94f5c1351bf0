//! Ending a sandbox from outside: politely, then for good.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::Shutdown;
use rustix::process::pidfd_send_signal;

/// How long a command that was asked to end has before it is killed with everything else in its sandbox.
const GRACE: Duration = Duration::from_secs(10);

/// Ends a sandbox, from any thread.
#[derive(Clone, Debug)]
pub struct Ender(Arc<Ending>);

#[derive(Debug)]
struct Ending {
    command: OwnedFd,
    lifeline: OwnedFd,
    over: AtomicBool,
    killed: AtomicBool,
}

/// What a command is told when its sandbox is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`, as Ctrl-C sends.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGHUP`: the terminal went away.
    HangUp,
    /// `SIGKILL`: at once, with everything in the sandbox.
    Kill,
}

impl Ender {
    /// Ends the sandbox whose command is the process `command`, by a descriptor, and which lives while `lifeline` does.
    pub(super) fn new(command: OwnedFd, lifeline: OwnedFd) -> Self {
        Self(Arc::new(Ending {
            command,
            lifeline,
            over: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        }))
    }

    /// Notes that the command ended, so that nothing is left to end.
    pub(super) fn is_over(&self) {
        self.0.over.store(true, Ordering::SeqCst);
    }

    /// Whether the sandbox was killed by this.
    pub(super) fn killed(&self) -> bool {
        self.0.killed.load(Ordering::SeqCst)
    }

    /// Sends `signal` to the command, which has ten seconds; then, or at once for [`Signal::Kill`], the whole sandbox is killed.
    /// Does nothing when the command has ended.
    pub fn end(&self, signal: Signal) {
        let polite = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::HangUp => rustix::process::Signal::HUP,
            Signal::Kill => return self.kill(),
        };
        pidfd_send_signal(&self.0.command, polite).ok(); // it may have ended already
        let late = self.clone();
        let waiting = std::thread::Builder::new()
            .name("outwall-grace".into())
            .spawn(move || {
                std::thread::sleep(GRACE);
                late.kill();
            });
        if waiting.is_err() {
            self.kill(); // without a thread to wait in, ending matters more than grace
        }
    }

    fn kill(&self) {
        if !self.0.over.load(Ordering::SeqCst) {
            self.0.killed.store(true, Ordering::SeqCst);
            rustix::net::shutdown(&self.0.lifeline, Shutdown::Both).ok();
        }
    }
}
