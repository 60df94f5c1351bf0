//! [`AuditLog`]: the log as its writers see it. One file per process.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use outwall_policy::{
    AuditSettings as Options, Denial, Durability, Method, Reason, RequestPath, Sandbox, SandboxId, Scheme,
    Target,
};

use crate::checkpoint::{KeyError, SigningKey};
use crate::clock::Clock;
use crate::dns::{DnsAnswer, Note, RECORDED_NAMES};
use crate::event::{EventId, Kind};
use crate::fields::Fields;
use crate::flood::Frequent;
use crate::going_out::{GoingOut, Recorded, TlsFacts, message};
use crate::mask::{Masked, MaskedText};
use crate::message::Message;
use crate::segment;
use crate::shared::{Shared, lock};
use crate::summary::Summary;
use crate::within::Within;
use crate::writer::WriteError;
use crate::{query, repair};

/// The log of this process. Cheap to clone. When the last clone and the last [`Recorded`] are gone, what waits is written and the
/// file is marked as finished.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Shared>);

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("cannot use the audit directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No file can be made or locked in it.
    #[error("cannot make a file in the audit directory `{}`", path.display())]
    File {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread for late records cannot be started.
    #[error("cannot start the audit log's thread")]
    Thread(#[source] io::Error),
    /// There is no key to sign checkpoints with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The first records cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What a process wrote so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Records that are in its files.
    pub records: u64,
    /// Bytes of records that are not yet: how things ended.
    pub waiting_bytes: u64,
    /// How often somebody waited for the disk (`durability = "power"`).
    pub syncs: u64,
}

/// What was asked for, as far as it was read before it was refused. Where the denial names a target, that is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The connection that it was asked by.
    pub within: Within<'a>,
    /// Host and port.
    pub target: Option<&'a Target>,
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The request's method.
    pub method: Option<&'a Method>,
    /// The request's path.
    pub path: Option<&'a RequestPath>,
    /// Its query, raw; only the names of its parameters are written.
    pub query: Option<&'a str>,
    /// Parts of `path?query` that are known to hold a secret: they are not written.
    pub hidden: &'a [Range<usize>],
    /// What the client speaks: `h2`, `http/1.1`.
    pub protocol: Option<&'a str>,
    /// The client's TLS.
    pub tls: Option<TlsFacts<'a>>,
    /// What is recorded of the request besides: its header fields, and the beginning of what was read of its body.
    pub request: Option<&'a Message>,
}

/// What was done with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    /// One was issued.
    Issued,
    /// One, or all of a sandbox, were taken back.
    Revoked,
    /// The key that signs them was replaced.
    KeyRotated,
}

impl CredentialChange {
    fn kind(self) -> Kind {
        match self {
            Self::Issued => Kind::CredentialIssued,
            Self::Revoked => Kind::CredentialRevoked,
            Self::KeyRotated => Kind::CredentialKeyRotated,
        }
    }
}

impl<'a> Asked<'a> {
    fn masked_path(&self) -> Option<Masked<'a>> {
        self.path.map(|path| Masked {
            path: path.as_str(),
            query: self.query,
            hidden: self.hidden,
        })
    }
}

impl AuditLog {
    /// Begins a file in `directory` (made when it is not there, for the owner only), after repairing those of dead writers.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_by(directory, options, Timestamp::now)
    }

    /// The same, by a clock.
    pub(crate) fn open_by(directory: &Path, options: Options, clock: Clock) -> Result<Self, OpenError> {
        let in_directory = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        let in_file = |source| OpenError::File {
            path: directory.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(in_directory)?;
        let key = SigningKey::open(directory)?;
        let new = segment::create(directory, clock()).map_err(in_file)?;
        if options.durability == Durability::Power {
            segment::sync_directory(directory).map_err(in_directory)?;
        }
        let own = new.path.clone();
        let shared = Shared::new(directory, new, key, Arc::new(options), clock);
        shared.note_repairs(&repair::sweep(directory, &own).map_err(in_directory)?)?;
        shared.start_threads().map_err(OpenError::Thread)?;
        Ok(Self(Arc::new(shared)))
    }

    /// Is kept so from here on: another policy is in force.
    pub fn keep_as(&self, options: Options) {
        self.0.keep_as(options);
    }

    /// Records that something is about to leave. It is with the kernel when this returns; on an error nothing may leave.
    pub fn going_out(&self, what: GoingOut<'_>) -> Result<Recorded, WriteError> {
        let id = self.0.write(what.kind(), |line| what.write(line))?;
        Ok(Recorded::new(Arc::clone(&self.0), id, &what))
    }

    /// Records a refusal. `None`: there were so many of its sandbox that it is only counted, and the count is recorded.
    pub fn denied(
        &self,
        sandbox: &Sandbox,
        denial: &Denial,
        asked: Asked<'_>,
    ) -> Result<Option<EventId>, WriteError> {
        let event = Frequent {
            sandbox: Some(sandbox),
            kind: Kind::Denied,
            reason: denial.reason().code(),
            message: denial,
            size: asked.request.map_or(0, Message::size),
        };
        self.0.write_or_count(event, |line| {
            who(line, sandbox);
            asked.within.write(line);
            line.maybe("target", denial.reason().target().or(asked.target));
            line.maybe("scheme", asked.scheme);
            line.maybe("method", asked.method);
            line.maybe("path", asked.masked_path());
            line.plain("decision", "deny");
            line.maybe("rule", denial.rule());
            line.plain("reason", denial.reason().code());
            line.text("message", MaskedText(&denial.to_string())); // it may repeat the path
            line.maybe("remedy", denial.remedy().as_deref().map(MaskedText));
            if let Reason::Github(refusal) = denial.reason() {
                crate::github::refused(refusal, line);
            }
            line.maybe("protocol", asked.protocol);
            if let Some(tls) = asked.tls {
                tls.write(line);
            }
            message(line, "request", asked.request);
        })
    }

    /// Records that somebody was turned away of whom only this is known: an address, or a user of this machine. `None`: as with [`denied`](Self::denied); all
    /// strangers share one pace.
    pub fn turned_away(
        &self,
        stranger: impl fmt::Display,
        connection: u64,
        reason: &Reason,
    ) -> Result<Option<EventId>, WriteError> {
        let event = Frequent {
            sandbox: None,
            kind: Kind::Denied,
            reason: reason.code(),
            message: reason,
            size: 0,
        };
        self.0.write_or_count(event, |line| {
            Within::connection(connection).write(line);
            line.text("client", stranger);
            line.plain("decision", "deny");
            line.plain("reason", reason.code());
            line.text("message", reason);
        })
    }

    /// Records what was done with credentials, or with the one of this name. It is no secret.
    pub fn credential(
        &self,
        what: CredentialChange,
        name: Option<&str>,
        sandbox: Option<SandboxId>,
        message: &str,
    ) -> Result<EventId, WriteError> {
        self.0.write(what.kind(), |line| {
            line.maybe("sandbox", sandbox);
            line.maybe("credential", name);
            line.text("message", message);
        })
    }

    /// Records a lookup, if it is the first of its name by this sandbox and there were not too many. `None`: it is only counted.
    pub fn dns(
        &self,
        sandbox: &Sandbox,
        name: &str,
        answer: DnsAnswer,
    ) -> Result<Option<EventId>, WriteError> {
        let note = lock(&self.0.lookups).note(sandbox.id, name);
        let written = match note {
            Note::Count => return Ok(None),
            Note::TooMany => self.finding(
                Some(sandbox),
                "dns-flood",
                &format!(
                    "more than {RECORDED_NAMES} different names were looked up; further ones are only counted"
                ),
            ),
            Note::Record => self
                .0
                .write(Kind::Dns, |line| {
                    who(line, sandbox);
                    line.text("name", name);
                    line.plain("answer", answer.as_str());
                })
                .map(Some),
        };
        if written.is_err() {
            lock(&self.0.lookups).forget(sandbox.id, name);
        }
        written
    }

    /// Records that a sandbox exists. `program` is what it runs, without its arguments: those may hold secrets.
    pub fn sandbox_started(&self, sandbox: &Sandbox, program: &str) -> Result<EventId, WriteError> {
        self.0.write(Kind::SandboxStarted, |line| {
            who(line, sandbox);
            line.text("program", program);
        })
    }

    /// Records that a sandbox is gone, and how (`exit 0`, `signal 9`), with the number of its lookups.
    pub fn sandbox_ended(&self, sandbox: &Sandbox, outcome: &str) -> Result<EventId, WriteError> {
        let seen = lock(&self.0.lookups).end(sandbox.id);
        self.0.write_last(sandbox.id, Kind::SandboxEnded, |line| {
            who(line, sandbox);
            line.text("outcome", outcome);
            line.number("lookups", seen.lookups);
            line.number("lookups_unrecorded", seen.unrecorded);
        })
    }

    /// Records that a gate serves. `program`: name and version; `message`: how it can be reached.
    pub fn gate_started(&self, program: &str, message: &str) -> Result<EventId, WriteError> {
        self.0.write(Kind::GateStarted, |line| {
            line.text("program", program);
            line.text("message", message);
        })
    }

    /// Records that the gate ended in good order.
    pub fn gate_stopped(&self) -> Result<EventId, WriteError> {
        self.0.write(Kind::GateStopped, |_| {})
    }

    /// Records something that security people should look at: a stable code in kebab case, and a sentence. `None`: there were so
    /// many of this code and sandbox that it is only counted, and the count is recorded.
    pub fn finding(
        &self,
        sandbox: Option<&Sandbox>,
        code: &str,
        message: &str,
    ) -> Result<Option<EventId>, WriteError> {
        let fields = |line: &mut Fields<'_>| {
            if let Some(sandbox) = sandbox {
                who(line, sandbox);
            }
            line.text("reason", code);
            line.text("message", MaskedText(message));
        };
        match sandbox {
            None => self.0.write(Kind::Finding, fields).map(Some), // the gate's own
            Some(sandbox) => {
                let event = Frequent {
                    sandbox: Some(sandbox),
                    kind: Kind::Finding,
                    reason: code,
                    message: &message,
                    size: 0,
                };
                self.0.write_or_count(event, fields)
            }
        }
    }

    /// The same of something within a request of a sandbox.
    pub fn finding_in(
        &self,
        sandbox: &Sandbox,
        code: &str,
        message: &str,
        asked: Asked<'_>,
    ) -> Result<Option<EventId>, WriteError> {
        let event = Frequent {
            sandbox: Some(sandbox),
            kind: Kind::Finding,
            reason: code,
            message: &message,
            size: 0,
        };
        self.0.write_or_count(event, |line| {
            who(line, sandbox);
            asked.within.write(line);
            line.maybe("target", asked.target);
            line.maybe("scheme", asked.scheme);
            line.maybe("method", asked.method);
            line.maybe("path", asked.masked_path());
            line.text("reason", code);
            line.text("message", MaskedText(message));
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Writes what waits: before the process ends, and before somebody reads.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.0.flush()
    }

    /// What this process wrote so far.
    pub fn counts(&self) -> LogCounts {
        self.0.core().counts()
    }

    /// What a sandbox did according to the files of this process.
    pub fn summary(&self, sandbox: SandboxId) -> Result<Summary, query::ReadError> {
        let _ = self.flush(); // what cannot be written is missing from the sum, and was refused
        let (directory, writer) = (&self.0.core().directory, self.0.core().lock().writer.id());
        let mut segments = segment::list(directory).map_err(query::ReadError::of(directory))?;
        segments.retain(|segment| segment.of().is_some_and(|of| of.writer == writer));
        Summary::of_files(&segments, sandbox)
    }

    /// The file that this process writes at this moment.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }
}

/// The sandbox, and the session that works in it.
pub(crate) fn who(line: &mut Fields<'_>, sandbox: &Sandbox) {
    line.plain("environment", sandbox.environment.as_str());
    line.text("sandbox", sandbox.id);
    line.maybe("session", sandbox.repository.as_deref());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
