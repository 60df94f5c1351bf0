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

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::message::Message;

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

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A request is about to be sent.
    #[serde(rename = "exchange.going_out")]
    ExchangeGoingOut,
    /// How that ended; `for` names it.
    #[serde(rename = "exchange.came_back")]
    ExchangeCameBack,
    /// A tunnel or a stream is about to be opened.
    #[serde(rename = "connection.going_out")]
    ConnectionGoingOut,
    /// How that ended; `for` names it.
    #[serde(rename = "connection.came_back")]
    ConnectionCameBack,
    /// A connection or a request was refused.
    #[serde(rename = "denied")]
    Denied,
    /// A name was asked for the first time by its sandbox.
    #[serde(rename = "dns")]
    Dns,
    /// A sandbox exists.
    #[serde(rename = "sandbox.started")]
    SandboxStarted,
    /// It does not any more.
    #[serde(rename = "sandbox.ended")]
    SandboxEnded,
    /// A gate serves.
    #[serde(rename = "gate.started")]
    GateStarted,
    /// It ended in good order.
    #[serde(rename = "gate.stopped")]
    GateStopped,
    /// Something that security people should look at.
    #[serde(rename = "finding")]
    Finding,
    /// Another policy is in force.
    #[serde(rename = "policy.changed")]
    PolicyChanged,
    /// A new policy does not count: the one before stays in force.
    #[serde(rename = "policy.refused")]
    PolicyRefused,
    /// Somebody let running sandboxes reach a host.
    #[serde(rename = "grant.made")]
    GrantMade,
    /// That is over.
    #[serde(rename = "grant.ended")]
    GrantEnded,
    /// A person is asked whether a sandbox may reach a host.
    #[serde(rename = "question.asked")]
    QuestionAsked,
    /// What was answered, or why nobody was asked.
    #[serde(rename = "question.answered")]
    QuestionAnswered,
    /// A port of a sandbox is published on the host.
    #[serde(rename = "port.published")]
    PortPublished,
    /// Somebody connected to it from outside.
    #[serde(rename = "published.came_in")]
    PublishedCameIn,
    /// How that ended; `for` names it.
    #[serde(rename = "published.ended")]
    PublishedEnded,
    /// A credential was issued.
    #[serde(rename = "credential.issued")]
    CredentialIssued,
    /// One, or all of a sandbox, were taken back before their time.
    #[serde(rename = "credential.revoked")]
    CredentialRevoked,
    /// The key that signs them was replaced.
    #[serde(rename = "credential.key_rotated")]
    CredentialKeyRotated,
    /// The chain up to here, signed.
    #[serde(rename = "checkpoint")]
    Checkpoint,
    /// A file of the log is removed: it was old, or there was too much. Signed.
    #[serde(rename = "segment.removed")]
    SegmentRemoved,
    /// The torn last line of a dead writer's file was cut off.
    #[serde(rename = "repaired")]
    Repaired,
    /// Of a later version than this reader.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl Kind {
    /// All that this version writes.
    pub const ALL: [Self; 26] = [
        Self::ExchangeGoingOut,
        Self::ExchangeCameBack,
        Self::ConnectionGoingOut,
        Self::ConnectionCameBack,
        Self::Denied,
        Self::Dns,
        Self::SandboxStarted,
        Self::SandboxEnded,
        Self::GateStarted,
        Self::GateStopped,
        Self::Finding,
        Self::PolicyChanged,
        Self::PolicyRefused,
        Self::GrantMade,
        Self::GrantEnded,
        Self::QuestionAsked,
        Self::QuestionAnswered,
        Self::PortPublished,
        Self::PublishedCameIn,
        Self::PublishedEnded,
        Self::CredentialIssued,
        Self::CredentialRevoked,
        Self::CredentialKeyRotated,
        Self::Checkpoint,
        Self::SegmentRemoved,
        Self::Repaired,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExchangeGoingOut => "exchange.going_out",
            Self::ExchangeCameBack => "exchange.came_back",
            Self::ConnectionGoingOut => "connection.going_out",
            Self::ConnectionCameBack => "connection.came_back",
            Self::Denied => "denied",
            Self::Dns => "dns",
            Self::SandboxStarted => "sandbox.started",
            Self::SandboxEnded => "sandbox.ended",
            Self::GateStarted => "gate.started",
            Self::GateStopped => "gate.stopped",
            Self::Finding => "finding",
            Self::PolicyChanged => "policy.changed",
            Self::PolicyRefused => "policy.refused",
            Self::GrantMade => "grant.made",
            Self::GrantEnded => "grant.ended",
            Self::QuestionAsked => "question.asked",
            Self::QuestionAnswered => "question.answered",
            Self::PortPublished => "port.published",
            Self::PublishedCameIn => "published.came_in",
            Self::PublishedEnded => "published.ended",
            Self::CredentialIssued => "credential.issued",
            Self::CredentialRevoked => "credential.revoked",
            Self::CredentialKeyRotated => "credential.key_rotated",
            Self::Checkpoint => "checkpoint",
            Self::SegmentRemoved => "segment.removed",
            Self::Repaired => "repaired",
            Self::Unknown => "unknown",
        }
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

/// Writes the fields of one line, each `,"name":value`.
pub(crate) struct Fields<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer }
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        write!(Escaped::new(self.buffer), "{value}").expect("a buffer takes all");
    }

    pub(crate) fn text(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        self.buffer.push(b'"');
        // An error only says that the text was cut.
        let _ = write!(Escaped::new(self.buffer), "{value}");
        self.buffer.push(b'"');
    }

    /// A text known to need no escaping.
    pub(crate) fn plain(&mut self, name: &str, value: &str) {
        self.name(name);
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(value.as_bytes());
        self.buffer.push(b'"');
    }

    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(crate) fn object(&mut self, name: &str, inner: impl FnOnce(&mut Fields<'_>)) {
        self.name(name);
        self.braced(inner);
    }

    fn braced(&mut self, inner: impl FnOnce(&mut Fields<'_>)) {
        self.buffer.push(b'{');
        let start = self.buffer.len();
        inner(&mut Fields::new(self.buffer));
        if self.buffer.get(start) == Some(&b',') {
            self.buffer.remove(start);
        }
        self.buffer.push(b'}');
    }

    /// A text to its end: of bounded length, by who calls.
    pub(crate) fn whole_text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.buffer.push(b'"');
        let whole = Escaped {
            buffer: self.buffer,
            left: usize::MAX,
        };
        write!({ whole }, "{value}").expect("a buffer takes all");
        self.buffer.push(b'"');
    }

    /// What is so.
    pub(crate) fn flag(&mut self, name: &str) {
        self.name(name);
        self.buffer.extend_from_slice(b"true");
    }

    /// Objects, each written by `inner`.
    pub(crate) fn objects<T>(&mut self, name: &str, items: &[T], mut inner: impl FnMut(&T, &mut Fields<'_>)) {
        self.name(name);
        self.buffer.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.buffer.push(b',');
            }
            self.braced(|line| inner(item, line));
        }
        self.buffer.push(b']');
    }

    /// Texts, as many as are worth reading.
    pub(crate) fn texts(&mut self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) {
        self.name(name);
        self.buffer.push(b'[');
        for (at, value) in values.into_iter().take(MOST_TEXTS).enumerate() {
            self.buffer
                .extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            let _ = write!(Escaped::new(self.buffer), "{value}");
            self.buffer.push(b'"');
        }
        self.buffer.push(b']');
    }

    fn name(&mut self, name: &str) {
        self.buffer.extend_from_slice(b",\"");
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }
}

/// Appends text as the inside of a JSON string, at most [`LONGEST_TEXT`] bytes of it.
struct Escaped<'a> {
    buffer: &'a mut Vec<u8>,
    left: usize,
}

impl<'a> Escaped<'a> {
    fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self {
            buffer,
            left: LONGEST_TEXT,
        }
    }

    fn escape(&mut self, character: char) {
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            for shift in [12, 8, 4, 0] {
                let digit = HEX[usize::from((*unit >> shift) & 15)];
                if shift == 12 {
                    self.buffer.extend_from_slice(b"\\u");
                }
                self.buffer.push(digit);
            }
        }
    }

    fn cut(&mut self) -> fmt::Result {
        self.left = 0;
        self.buffer.extend_from_slice("…".as_bytes());
        Err(fmt::Error)
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left && text.bytes().all(is_plain) {
            self.left -= text.len();
            self.buffer.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            let length = character.len_utf8();
            if length > self.left {
                return self.cut();
            }
            self.left -= length;
            match character {
                '"' => self.buffer.extend_from_slice(b"\\\""),
                '\\' => self.buffer.extend_from_slice(b"\\\\"),
                '\n' => self.buffer.extend_from_slice(b"\\n"),
                '\r' => self.buffer.extend_from_slice(b"\\r"),
                '\t' => self.buffer.extend_from_slice(b"\\t"),
                _ if obeys_a_terminal(character) => self.escape(character),
                _ => self
                    .buffer
                    .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// C0, DEL and C1; line and paragraph separators; marks that turn the direction of what follows.
pub(crate) fn obeys_a_terminal(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || character == '\u{feff}'
}

/// No text of a line is longer, in bytes before escaping.
pub(crate) const LONGEST_TEXT: usize = 2048;
/// Of a list.
pub(crate) const MOST_TEXTS: usize = 64;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// `Unknown` stays the last one, and all before it are in `ALL`.
const _: () = assert!(Kind::Unknown as usize == Kind::ALL.len());

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn written(value: &str) -> (String, String) {
        let mut buffer = b"{\"a\":0".to_vec();
        Fields::new(&mut buffer).text("value", value);
        buffer.push(b'}');
        let line = String::from_utf8(buffer).unwrap();
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        (json["value"].as_str().unwrap().to_owned(), line)
    }

    #[test]
    fn hostile_text_is_read_back_as_it_was_and_shown_as_one_plain_line() {
        let hostile = "a\"b\\c\nd\re\x1b[2J\x07\0\x7f\u{9b}31m\u{202e}\u{2028}\u{feff}é漢😀";
        let (back, line) = written(hostile);
        assert_eq!(back, hostile);
        assert!(!line.chars().any(obeys_a_terminal), "{line}");
        assert!(line.contains("é漢😀"), "what is harmless stays readable");
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_the_line_stays_json() {
        let (back, _) = written(&"é\n".repeat(5000));
        assert!(back.len() <= LONGEST_TEXT + 3 && back.ends_with('…'));
        let (whole, _) = written(&"x".repeat(LONGEST_TEXT));
        assert_eq!(whole.len(), LONGEST_TEXT);
    }

    #[test]
    fn every_kind_is_read_as_it_is_written_and_a_later_one_is_not_an_error() {
        for kind in Kind::ALL {
            let quoted = format!("\"{}\"", kind.as_str());
            assert_eq!(serde_json::from_str::<Kind>(&quoted).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), quoted);
        }
        assert_eq!(
            serde_json::from_str::<Kind>("\"session.started\"").unwrap(),
            Kind::Unknown
        );
    }
}
