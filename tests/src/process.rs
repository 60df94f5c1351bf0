//! Running the binary: to its end within a time limit, or in the background.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a command may take before its story fails.
pub(crate) const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A command that has ended, and everything it said.
#[derive(Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// The exit code; a command that a signal ended has none, and fails the story.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// Fails the story unless the command exited with 0. Returns itself, to be read on.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "did not succeed: {self:?}");
        self
    }

    /// Fails the story unless the command exited with `code`. Returns itself.
    #[track_caller]
    pub fn exited_with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "another exit code: {self:?}");
        self
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
            took,
        } = self;
        write!(
            f,
            "{status} after {took:?}\n--- stdout ---\n{stdout}\n--- stderr ---\n{stderr}"
        )
    }
}

/// `outwall run` in the background: it can be written to, signalled and waited for.
/// Killed, by its id, when it is dropped.
pub struct TestSandbox(Running);

impl TestSandbox {
    pub(crate) fn start(command: Command) -> Self {
        Self(Running::start(command))
    }

    /// The process id of `outwall` itself.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Writes to its standard input.
    pub fn write(&mut self, text: &str) {
        let stdin = self.0.stdin.as_mut().expect("standard input is still open");
        stdin
            .write_all(text.as_bytes())
            .expect("the command reads its standard input");
        stdin.flush().expect("a pipe flushes");
    }

    /// Waits until its standard output holds `text`; fails the story when it never does.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        self.0.stdout.wait_for(text, TIME_LIMIT);
    }

    /// Whether its standard output holds `text` by now.
    pub fn has_said(&self, text: &str) -> bool {
        self.0.stdout.text().contains(text)
    }

    /// Its standard output so far.
    pub fn output(&self) -> String {
        self.0.stdout.text()
    }

    /// Sends a signal, by name (`TERM`, `HUP`, `KILL`), to `outwall`.
    pub fn signal(&self, name: &str) {
        self.0.signal(name);
    }

    /// Waits for the end; fails the story when it does not come in time.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.finish_within(TIME_LIMIT)
    }

    /// As [`TestSandbox::finish`], for a command that may take so long on a busy machine.
    #[track_caller]
    pub fn finish_within(self, limit: Duration) -> Finished {
        self.0.finish(limit)
    }
}

/// A child process whose streams are read all the time, so that it never waits for us.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Heard,
    pub(crate) stderr: Heard,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
    ended: bool,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (stdout, stderr) = (Heard::default(), Heard::default());
        let readers = vec![
            stdout.listen(child.stdout.take().expect("stdout is a pipe")),
            stderr.listen(child.stderr.take().expect("stderr is a pipe")),
        ];
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            stdout,
            stderr,
            readers,
            started,
            ended: false,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "kill -{name} {} failed",
            self.pid()
        );
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.ended = true;
    }

    #[track_caller]
    pub(crate) fn finish(mut self, limit: Duration) -> Finished {
        drop(self.stdin.take());
        let Some(status) = self.ended_within(limit) else {
            self.kill();
            let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
            panic!("not ended after {limit:?}\n--- stdout ---\n{stdout}\n--- stderr ---\n{stderr}");
        };
        let took = self.started.elapsed();
        // A grandchild may hold the pipes open for longer: what it says is not waited for long.
        let patience = Instant::now() + Duration::from_secs(2);
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < patience {
            thread::sleep(Duration::from_millis(2));
        }
        Finished {
            status,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            took,
        }
    }

    pub(crate) fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = self.started.elapsed() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours to wait for") {
                self.ended = true;
                return Some(status);
            }
            if self.started.elapsed() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// What a stream has said so far.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<(Mutex<Transcript>, Condvar)>);

#[derive(Default)]
struct Transcript {
    bytes: Vec<u8>,
    closed: bool,
}

impl Heard {
    fn listen(&self, mut stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let heard = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                let length = stream.read(&mut buffer).unwrap_or(0);
                let (transcript, changed) = &*heard.0;
                let mut transcript = transcript.lock().expect("no reader panics");
                transcript.bytes.extend_from_slice(&buffer[..length]);
                transcript.closed = length == 0;
                changed.notify_all();
                if length == 0 {
                    return;
                }
            }
        })
    }

    pub(crate) fn text(&self) -> String {
        let transcript = self.0.0.lock().expect("no reader panics");
        String::from_utf8_lossy(&transcript.bytes).into_owned()
    }

    /// Waits until the stream has said `text`, and returns all it has said.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, limit: Duration) -> String {
        let said = self.waited_for(text, limit);
        said.unwrap_or_else(|| panic!("`{text}` was not heard within {limit:?}, but:\n{}", self.text()))
    }

    /// As [`Heard::wait_for`]; `None` when the stream closed or the time passed first.
    pub(crate) fn waited_for(&self, text: &str, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let (transcript, changed) = &*self.0;
        let mut transcript = transcript.lock().expect("no reader panics");
        loop {
            let said = String::from_utf8_lossy(&transcript.bytes);
            if said.contains(text) {
                return Some(said.into_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if transcript.closed || left.is_zero() {
                return None;
            }
            transcript = changed
                .wait_timeout(transcript, left)
                .expect("no reader panics")
                .0;
        }
    }
}
