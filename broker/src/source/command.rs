//! `{ command = ["PROGRAM", …] }`: what a program prints. There is no shell. It runs in `/`, where nothing is a sandbox's: in a working
//! directory, what an agent left there would be its configuration.
//!
//! What it prints in the form of the AWS tools (`credential_process`) says itself when it expires; the secret is then that text.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::{BoxFuture, join};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command as Process};
use zeroize::Zeroizing;

use super::{Fetched, Shown, Source, SourceError};
use crate::secret::{LONGEST_SECRET, Secret};

pub(super) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
    refresh: Duration,
}

/// Why a command gave no secret. What it printed on its standard output is never told.
#[derive(Debug, Error)]
pub enum CommandError {
    /// It cannot be run.
    #[error("cannot run `{program}`")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        #[source]
        why: io::Error,
    },
    /// It said that it failed.
    #[error("`{program}` failed ({status}); on stderr it said: {said}")]
    Failed {
        /// Which.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said on its standard error.
        said: Shown,
    },
    /// It takes too long.
    #[error("`{program}` did not end within {} seconds, and was killed", LONGEST_RUN.as_secs())]
    TooSlow {
        /// Which.
        program: String,
    },
    /// It prints too much.
    #[error("`{program}` printed more than {LONGEST_SECRET} bytes, and was killed")]
    TooMuch {
        /// Which.
        program: String,
    },
    /// What it printed looks like the output of a `credential_process`, and says no time at which it expires.
    #[error("`{program}` printed AWS credentials with an `Expiration` that is no time")]
    Expiration {
        /// Which.
        program: String,
    },
}

/// What the AWS tools read: "Sourcing credentials with an external process", AWS SDKs and Tools Reference Guide.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CredentialProcess<'a> {
    version: u32,
    #[serde(default, borrow)]
    expiration: Option<&'a str>,
}

/// Its whole process group is killed, unless it ended by itself.
struct Group(Option<Pid>);

impl Command {
    /// `program` is looked for in `$PATH` unless it has a slash.
    pub(super) fn new(program: PathBuf, arguments: &[String], refresh: Duration) -> Self {
        Self {
            program,
            arguments: arguments.to_vec(),
            refresh,
        }
    }

    async fn secret(&self) -> Result<Fetched, SourceError> {
        let text = self.run().await?;
        let secret = Secret::from_text(&text).map_err(SourceError::unfit(format!("`{}`", self.name())))?;
        Ok(Fetched {
            expires_at: self.expiration(&secret)?,
            secret,
            ask_again: Some(self.refresh),
            seen: None,
        })
    }

    async fn run(&self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let start = |why| CommandError::Start {
            program: self.name(),
            why,
        };
        let mut child = self.process().spawn().map_err(start)?;
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let ended = tokio::time::timeout(LONGEST_RUN, output(&mut child)).await;
        let (status, out, err) = ended
            .map_err(|_| CommandError::TooSlow { program: self.name() })?
            .map_err(start)?;
        let Some(status) = status else {
            return Err(CommandError::TooMuch { program: self.name() });
        };
        group.0 = None;
        if status.success() {
            return Ok(out);
        }
        Err(CommandError::Failed {
            program: self.name(),
            status,
            said: Shown::of(&err, &[&out]),
        })
    }

    fn process(&self) -> Process {
        let mut process = Process::new(&self.program);
        process
            .args(&self.arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        process
    }

    /// Without its arguments, among which a secret may be.
    fn name(&self) -> String {
        self.program.display().to_string()
    }

    fn expiration(&self, secret: &Secret) -> Result<Option<Timestamp>, CommandError> {
        let read = serde_json::from_slice::<CredentialProcess<'_>>(secret.expose());
        match read
            .ok()
            .filter(|read| read.version == 1)
            .and_then(|read| read.expiration)
        {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| CommandError::Expiration { program: self.name() }),
        }
    }
}

impl Source for Command {
    fn fetch(&self, _now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(self.secret())
    }
}

impl CommandError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Start { .. } => "name it by its path, or put it into a folder of $PATH".to_owned(),
            Self::Failed { program, .. } => format!("run `{program}` yourself, in `/` and without input"),
            Self::TooSlow { .. } => "let it ask nobody: it has no terminal".to_owned(),
            Self::TooMuch { .. } => "let it print the secret alone".to_owned(),
            Self::Expiration { .. } => "let it print a time as in 2026-01-31T12:00:00Z".to_owned(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

type Output = (Option<ExitStatus>, Zeroizing<Vec<u8>>, Vec<u8>);

/// How it ended (none: it printed too much), and what it printed. What it started may live on and hold its output.
async fn output(child: &mut Child) -> io::Result<Output> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // With room for all of it, so that no half of a secret is left where it was moved from.
    let mut out = Zeroizing::new(Vec::with_capacity(LONGEST_OUTPUT + 1));
    let mut err = Vec::new();
    let status = {
        let reading = join(
            read(stdout, &mut out, LONGEST_OUTPUT + 1),
            read(stderr, &mut err, LONGEST_COMPLAINT),
        );
        tokio::pin!(reading);
        tokio::select! {
            biased;
            _ = &mut reading => None,
            status = child.wait() => {
                let _ = tokio::time::timeout(LINGERING, reading).await;
                Some(status?)
            }
        }
    };
    let status = match status {
        _ if out.len() > LONGEST_OUTPUT => None,
        Some(status) => Some(status),
        None => Some(child.wait().await?),
    };
    Ok((status, out, err))
}

/// Up to `most` bytes. Of stderr what comes after those is lost; it may then be told that nobody reads.
async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, most: usize) {
    if let Some(pipe) = pipe {
        let _ = pipe.take(most as u64).read_to_end(into).await;
    }
}

const LONGEST_RUN: Duration = Duration::from_secs(30);
/// For what it printed to arrive, once it has ended.
const LINGERING: Duration = Duration::from_secs(1);
/// And a line break.
const LONGEST_OUTPUT: usize = LONGEST_SECRET + 2;
const LONGEST_COMPLAINT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    async fn fetch(script: &str) -> Result<Fetched, SourceError> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let command = Command::new("sh".into(), &arguments, Duration::from_mins(15));
        command.fetch(Timestamp::now()).await
    }

    async fn said(script: &str) -> String {
        fetch(script).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_it_prints_is_the_secret() {
        let fetched = fetch("echo hunter2; pwd >&2").await.unwrap();
        assert_eq!(fetched.secret.expose(), b"hunter2");
        assert_eq!(fetched.ask_again, Some(Duration::from_mins(15)));
        assert_eq!(fetched.expires_at, None);
        let fetched = fetch("pwd").await.unwrap();
        assert_eq!(fetched.secret.expose(), b"/");
    }

    #[tokio::test]
    async fn words_are_words_and_no_shell_reads_them() {
        let command = Command::new(
            "printf".into(),
            &["%s".into(), "$HOME;`id`".into()],
            Duration::from_mins(1),
        );
        let fetched = command.fetch(Timestamp::now()).await.unwrap();
        assert_eq!(fetched.secret.expose(), b"$HOME;`id`");
    }

    #[tokio::test]
    async fn a_failure_tells_stderr_and_never_what_was_printed() {
        let said = said("echo hunter2-hunter2; echo 'no key for hunter2-hunter2' >&2; exit 3").await;
        assert_eq!(
            said,
            "`sh` failed (exit status: 3); on stderr it said: no key for ***"
        );
        let nowhere = Command::new("/nowhere/at/all".into(), &[], Duration::from_mins(1));
        let error = nowhere.fetch(Timestamp::now()).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot run `/nowhere/at/all`");
    }

    #[tokio::test]
    async fn what_is_no_secret_is_named_and_not_told() {
        assert_eq!(said("true").await, "what `sh` gives cannot be used as a secret");
        assert_eq!(
            said("yes hunter2 | head -c 100000").await,
            "`sh` printed more than 65536 bytes, and was killed"
        );
    }

    #[tokio::test]
    async fn what_it_left_behind_is_not_waited_for() {
        let fetched = fetch("sleep 1000 & echo hunter2").await.unwrap();
        assert_eq!(fetched.secret.expose(), b"hunter2");
    }

    /// Its descendants as well: the pipe that they hold is closed.
    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_end_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!(
            "sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000'; true",
            pid.display()
        );
        let asked = tokio::spawn(async move { said(&script).await });
        let of = loop {
            if let Ok(text) = std::fs::read_to_string(&pid) {
                break text.trim().to_owned();
            }
            std::thread::sleep(Duration::from_millis(5));
            tokio::task::yield_now().await;
        };
        assert_eq!(
            asked.await.unwrap(),
            "`sh` did not end within 30 seconds, and was killed"
        );
        let state = || std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ")) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn what_the_aws_tools_read_says_when_it_expires() {
        let print = |expiration: &str| {
            format!(
                "printf '{{\n \"Version\": 1,\n \"AccessKeyId\": \"AKIA\",\n \"SecretAccessKey\": \"k\"{expiration}}}\n'"
            )
        };
        let fetched = fetch(&print(", \"Expiration\": \"2030-01-31T12:00:00+00:00\""))
            .await
            .unwrap();
        assert_eq!(fetched.expires_at, Some("2030-01-31T12:00:00Z".parse().unwrap()));
        assert!(fetched.secret.expose().starts_with(b"{  \"Version\": 1,"));
        assert_eq!(fetch(&print("")).await.unwrap().expires_at, None);
        assert_eq!(
            said(&print(", \"Expiration\": \"tomorrow\"")).await,
            "`sh` printed AWS credentials with an `Expiration` that is no time"
        );
    }
}
