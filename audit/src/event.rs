//! One event: the line as it is written, and as it is read back.
//!
//! # Schema, version 1
//!
//! `schema/event.v1.json` has it as JSON Schema 2020-12, `SCHEMA.md` as a page.
//!
//! Every line has `v` (1), `seq` (from 1, in steps of 1, per file), `id` (unique everywhere), `at` (RFC 3339, UTC, nanoseconds, always
//! the same width), `kind`, and last `prev` and `hash` (64 hex digits). Between them, as far as the kind has them, those of [`Event`].
//! Fields may be added within a version; none changes its meaning.
//!
//! Text from the sandbox is hostile. Here it is cut to a length and escaped so that a line stays one line and a terminal that shows
//! it raw obeys nothing: control characters (C0, DEL, C1), line separators and bidirectional overrides are written as escapes.

mod kind;

use std::fmt;

use serde::Deserialize;

use crate::fields::HEX;
use crate::message::Message;

pub use kind::Kind;

/// The name of one event: which writer, and its how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    pub(crate) writer: WriterId,
    pub(crate) seq: u64,
}

/// A writer's random name, 48 bits; also in the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WriterId(pub(crate) u64);

impl WriterId {
    /// As it is written: 12 lower hex digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_written_so = text.len() == 12 && text.bytes().all(|byte| HEX.contains(&byte));
        is_written_so.then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.writer, self.seq)
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// An event as it is read. A field that its kind does not have is `None`. Text may hold control characters: sanitise before showing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// The line itself without its newline; as a log of ours wrote it, it is safe to print.
    #[serde(skip)]
    pub line: String,
    /// Version of the schema.
    pub v: u64,
    /// Place in its file, from 1.
    pub seq: u64,
    /// Unique name.
    pub id: String,
    /// When: RFC 3339, UTC, nanoseconds; sorts as text.
    pub at: String,
    /// What.
    pub kind: Kind,
    /// The environment of the sandbox.
    pub environment: Option<String>,
    /// Who: `s-` and eight hex digits.
    pub sandbox: Option<String>,
    /// The session of the sandbox, where it works at a repository: `github.com/acme/app#outwall/fix-login`.
    pub session: Option<String>,
    /// Which connection of its writer this was in: events of one writer with the same number belong together.
    pub connection: Option<u64>,
    /// The program in the sandbox that asked, where that is certain.
    pub process: Option<Process>,
    /// The name of a credential.
    pub credential: Option<String>,
    /// The address of a client of whom nothing else is known, or who came to a published port.
    pub client: Option<String>,
    /// The user of this machine that such a client's socket belongs to.
    pub user: Option<u32>,
    /// `host:port` that was asked for.
    pub target: Option<String>,
    /// The address that was dialled, or where a port is published, with port.
    pub address: Option<String>,
    /// `http` or `https`; for a connection `tunnel` or `stream`.
    pub scheme: Option<String>,
    /// The request's method.
    pub method: Option<String>,
    /// The request's path and the names of its query parameters, masked.
    pub path: Option<String>,
    /// The method that a header asks the origin to take the request as, when it is another one.
    pub acts_as: Option<String>,
    /// What the request carries besides its head: `body`, `upgrade`.
    pub carries: Option<String>,
    /// `allow` or `deny`.
    pub decision: Option<String>,
    /// The line of the policy that decided.
    pub rule: Option<String>,
    /// The name of the client certificate that the origin is shown: its file, as the policy names it.
    pub client_certificate: Option<String>,
    /// Code of a refusal's reason or of a finding.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub message: Option<String>,
    /// What an operator changes to allow it.
    pub remedy: Option<String>,
    /// The protocol of the client: `h2`, `http/1.1`.
    pub protocol: Option<String>,
    /// Facts of the client's TLS.
    pub tls: Option<Tls>,
    /// The trace that the client says its request belongs to: a W3C `traceparent`. The exchange is a [`Span`](crate::Span) in it.
    pub trace: Option<String>,
    /// What a request does at the GitHub that its session works at.
    pub github: Option<Github>,
    /// The `id` of the "going out" that this closes.
    #[serde(rename = "for")]
    pub closes: Option<String>,
    /// `complete`, `failed` or `aborted`; how a sandbox or a grant ended; what was answered.
    pub outcome: Option<String>,
    /// The origin's status.
    pub status: Option<u16>,
    /// Body bytes to the origin, or all bytes of a tunnel.
    pub bytes_up: Option<u64>,
    /// Body bytes from the origin, or all bytes of a tunnel.
    pub bytes_down: Option<u64>,
    /// From going out to coming back, microseconds.
    pub duration_us: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// The name that was looked up.
    pub name: Option<String>,
    /// What it was answered.
    pub answer: Option<String>,
    /// Lookups in all of a sandbox.
    pub lookups: Option<u64>,
    /// Lookups of names that have no event of their own, because there were too many.
    pub lookups_unrecorded: Option<u64>,
    /// This event stands for so many of its kind and reason that have none of their own, because there were too many. They may
    /// have had different targets, so it names none.
    pub repeated: Option<u64>,
    /// The program of a sandbox; name and version of a gate.
    pub program: Option<String>,
    /// The file that was repaired; the policy file; the stem of the segment that a checkpoint or a removal is about.
    pub file: Option<String>,
    /// The writer whose chain a checkpoint or a removal is about.
    pub writer: Option<String>,
    /// The number of the last record that it covers.
    pub last_seq: Option<u64>,
    /// The hash of that record.
    pub last_hash: Option<String>,
    /// When it was signed.
    pub signed_at: Option<String>,
    /// The id of the key that signed it.
    pub key: Option<String>,
    /// The signature, Ed25519, 128 hexadecimal digits.
    pub signature: Option<String>,
    /// SHA-256 over the policy file and the files that it names.
    pub sha256: Option<String>,
    /// How many bytes of it were cut off.
    pub bytes_removed: Option<u64>,
    /// What the sandbox sent besides, where its environment has that recorded: with what goes out the header fields, with what came back
    /// the body, with what was refused both.
    pub request: Option<Message>,
    /// What the sandbox received, where its environment has that recorded.
    pub response: Option<Message>,
}

/// The program in a sandbox that opened a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Its executable, by its path in the sandbox.
    pub executable: Option<String>,
    /// SHA-256 of that file, 64 hexadecimal digits.
    pub sha256: Option<String>,
    /// Its id, as the sandbox counts them.
    pub pid: Option<u64>,
    /// The executables of its ancestors in the sandbox, the nearest first.
    #[serde(default)]
    pub ancestors: Vec<String>,
    /// Why the program is not certain; nothing else is known then.
    pub unknown: Option<String>,
}

/// What a request does at the GitHub that its session works at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Github {
    /// The repository of the session: `github.com/acme/app`.
    pub repository: Option<String>,
    /// What GitHub calls it: `git-receive-pack`, `pulls/create`, `query PullRequestForBranch`.
    pub operation: Option<String>,
    /// What that does: `update refs/heads/outwall/x of acme/app`.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Refs with their old and new ids, fields and ids of GraphQL.
    #[serde(default)]
    pub details: Vec<String>,
    /// The host of GitHub that led a request to where this one goes: `github.com:443`.
    pub led_from: Option<String>,
    /// How a push may move refs: `forward`, where its session may not force. One that does not show that it does is cut off.
    pub moves: Option<String>,
}

/// Facts of a client's TLS.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Tls {
    /// `TLSv1_3` or the like.
    pub version: Option<String>,
    /// The name that the client sent, if it did.
    pub sni: Option<String>,
}

impl Event {
    /// Reads one line, without its newline. `None` when it is not an event.
    pub fn parse(line: &str) -> Option<Self> {
        let mut event: Self = serde_json::from_str(line).ok()?;
        line.clone_into(&mut event.line);
        Some(event)
    }
}
