//! Which program of a sandbox made a connection: asked when it is accepted, answered on a thread of its own while the client's first
//! bytes are read, and waited for by its first record, in bounded time. Nothing is decided by it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use std::{io, thread};

use outwall_audit::event::Process;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Knows the programs of a sandbox.
pub trait Askers: fmt::Debug + Send + Sync + 'static {
    /// Who made each of these connections, in their order. It may block for as long as it takes.
    fn who(&self, connections: &[Made]) -> Vec<Asker>;
}

/// A connection as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The client's own end.
    pub from: SocketAddr,
    /// Where it connected to, before any redirection.
    pub to: SocketAddr,
}

/// Who made a connection.
pub struct Asker {
    /// What is known at once.
    pub process: Process,
    /// Finds out what takes longer and tells all of it, on another thread; none where that was all.
    pub more: Option<Box<dyn FnOnce() -> Process + Send>>,
}

/// The two threads that ask for one sandbox. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Inquiry {
    asking: SyncSender<(Made, Arc<Answer>)>,
}

/// Who made one connection, as far as it is known by now.
#[derive(Default)]
pub(crate) struct Answer {
    first: OnceLock<Process>,
    full: OnceLock<Process>,
    settled: AtomicBool,
    told: Notify,
}

type Remainder = (Box<dyn FnOnce() -> Process + Send>, Arc<Answer>);

impl Inquiry {
    pub(crate) fn start(askers: Arc<dyn Askers>) -> io::Result<Self> {
        let (asking, asked) = sync_channel(WAITING);
        let (passing_on, passed_on) = sync_channel::<Remainder>(WAITING);
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        named("outwall-askers").spawn(move || ask_all(&*askers, &asked, &passing_on))?;
        named("outwall-digests").spawn(move || {
            for (more, answer) in passed_on {
                answer.complete(more());
            }
        })?;
        Ok(Self { asking })
    }

    /// Begins to find out who made a connection.
    pub(crate) fn ask(&self, made: Made) -> Arc<Answer> {
        let answer = Arc::<Answer>::default();
        if self.asking.try_send((made, Arc::clone(&answer))).is_err() {
            answer.complete(Process::unknown("too many connections were made at once"));
        }
        answer
    }
}

/// Those that wait are looked for together: the processes are looked at once for all of them.
fn ask_all(askers: &dyn Askers, asked: &Receiver<(Made, Arc<Answer>)>, passing_on: &SyncSender<Remainder>) {
    while let Ok(first) = asked.recv() {
        let (made, answers): (Vec<_>, Vec<_>) = std::iter::once(first)
            .chain(asked.try_iter().take(TOGETHER - 1))
            .unzip();
        for (asker, answer) in askers.who(&made).into_iter().zip(answers) {
            answer.settle(asker, passing_on);
        }
    }
}

impl Answer {
    /// What is known by now.
    pub(crate) fn process(&self) -> &Process {
        static TOO_LONG: LazyLock<Process> =
            LazyLock::new(|| Process::unknown("it took too long to find out"));
        let known = self.full.get().or_else(|| self.first.get());
        known.unwrap_or(&TOO_LONG)
    }

    /// Waits until all is known, in bounded time. Costs nothing when it is.
    pub(crate) async fn known(&self) {
        let told = self.told.notified();
        if !self.settled.load(Ordering::Acquire) {
            let _ = timeout(PATIENCE, told).await;
            self.settled.store(true, Ordering::Release); // who comes later waits no more
        }
    }

    fn settle(self: Arc<Self>, asker: Asker, passing_on: &SyncSender<Remainder>) {
        let Some(more) = asker.more else {
            return self.complete(asker.process);
        };
        let _first = self.first.set(asker.process);
        if let Err(error) = passing_on.try_send((more, Arc::clone(&self))) {
            tracing::debug!(%error, "a program's digest is left out");
            self.tell();
        }
    }

    fn complete(&self, process: Process) {
        let _first = self.full.set(process);
        self.tell();
    }

    fn tell(&self) {
        self.settled.store(true, Ordering::Release);
        self.told.notify_waiters();
    }
}

/// How long a record waits for the program.
const PATIENCE: Duration = Duration::from_millis(20);
/// Connections that may wait to be looked for; those beyond have no program on record.
const WAITING: usize = 1024;
/// Connections that are looked for together.
const TOGETHER: usize = 256;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Answers when the test says so, with the port as pid.
    #[derive(Debug)]
    struct Slow(Mutex<Receiver<()>>);

    impl Askers for Slow {
        fn who(&self, connections: &[Made]) -> Vec<Asker> {
            self.0.lock().unwrap().recv().unwrap();
            let process = |made: &Made| Process {
                pid: Some(made.from.port().into()),
                ..Process::default()
            };
            let more = |process: &Process| {
                let full = Process {
                    sha256: Some("ab".to_owned()),
                    ..process.clone()
                };
                Box::new(|| full) as Box<dyn FnOnce() -> Process + Send>
            };
            let asker = |made| {
                let process = process(made);
                Asker {
                    more: Some(more(&process)),
                    process,
                }
            };
            connections.iter().map(asker).collect()
        }
    }

    fn made(port: u16) -> Made {
        Made {
            from: ([10, 99, 0, 2], port).into(),
            to: ([198, 18, 0, 1], 443).into(),
        }
    }

    #[tokio::test]
    async fn each_connection_gets_its_own_answer_and_the_last_word_counts() {
        let (go, wait) = sync_channel(8);
        let inquiry = Inquiry::start(Arc::new(Slow(Mutex::new(wait)))).unwrap();
        let answers = [1, 2, 3].map(|port| inquiry.ask(made(port)));
        (0..3).for_each(|_| go.send(()).unwrap());
        for (answer, pid) in answers.iter().zip(1..) {
            while !answer.settled.load(Ordering::Acquire) {
                tokio::task::yield_now().await;
            }
            assert_eq!(answer.process().pid, Some(pid));
            assert_eq!(answer.process().sha256.as_deref(), Some("ab"));
        }
    }

    #[tokio::test]
    async fn a_record_does_not_wait_for_ever_and_says_that_it_does_not_know() {
        let (go, wait) = sync_channel(1);
        let inquiry = Inquiry::start(Arc::new(Slow(Mutex::new(wait)))).unwrap();
        let answer = inquiry.ask(made(7));
        answer.known().await;
        assert_eq!(
            answer.process().unknown.as_deref(),
            Some("it took too long to find out")
        );
        go.send(()).unwrap();
        while answer.full.get().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(answer.process().pid, Some(7), "what is known later is said later");
    }

    #[test]
    fn a_flood_of_connections_is_not_queued_without_end() {
        let (go, wait) = sync_channel(2 * WAITING);
        let inquiry = Inquiry::start(Arc::new(Slow(Mutex::new(wait)))).unwrap();
        let answers: Vec<_> = (0..2 * WAITING).map(|_| inquiry.ask(made(1))).collect();
        let given_up = answers.iter().filter(|answer| answer.full.get().is_some());
        assert!(given_up.count() >= WAITING - TOGETHER);
        (0..2 * WAITING).for_each(|_| go.send(()).unwrap());
    }
}
