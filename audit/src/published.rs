//! Connections from the host to a port that a sandbox publishes: who came, when, and how much was said.
//!
//! Nothing of the sandbox's asks for these, so there is no permit; the record is the proof that a connection in is on record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use outwall_policy::Sandbox;

use crate::event::{EventId, Kind};
use crate::fields::Fields;
use crate::log::{AuditLog, who};
use crate::mask::MaskedText;
use crate::shared::Shared;
use crate::within::Within;
use crate::writer::WriteError;

/// Who comes to a published port.
#[derive(Clone, Copy, Debug)]
pub struct CameIn<'a> {
    /// Whose port it is.
    pub sandbox: &'a Sandbox,
    /// The number of the connection.
    pub connection: u64,
    /// The port inside.
    pub port: u16,
    /// Where it is published.
    pub at: SocketAddr,
    /// The client.
    pub client: SocketAddr,
    /// The user of this machine that the client's socket belongs to, where that can be told.
    pub user: Option<u32>,
}

/// A connection in that is on record. Dropped without an end, it records that the outcome is unknown.
#[derive(Debug)]
#[must_use = "a connection that is on record must be closed"]
pub struct RecordedIn {
    shared: Arc<Shared>,
    id: EventId,
    sandbox: Sandbox,
    connection: u64,
    since: Instant,
    closed: bool,
}

impl AuditLog {
    /// Records that a port of a sandbox is published.
    pub fn publishes(&self, sandbox: &Sandbox, port: u16, at: SocketAddr) -> Result<EventId, WriteError> {
        self.shared().write(Kind::PortPublished, |line| {
            who(line, sandbox);
            line.text("target", Inside(port));
            line.text("address", at);
        })
    }

    /// Records that somebody connected to a published port. It is with the kernel when this returns; on an error nothing may pass.
    pub fn came_in(&self, what: CameIn<'_>) -> Result<RecordedIn, WriteError> {
        let id = self.shared().write(Kind::PublishedCameIn, |line| {
            who(line, what.sandbox);
            Within::connection(what.connection).write(line);
            line.text("target", Inside(what.port));
            line.text("address", what.at);
            line.text("client", what.client);
            if let Some(user) = what.user {
                line.number("user", user.into());
            }
            line.plain("decision", "allow");
            line.text("rule", format_args!("publish {}", what.port));
        })?;
        Ok(RecordedIn {
            shared: Arc::clone(self.shared()),
            id,
            sandbox: what.sandbox.clone(),
            connection: what.connection,
            since: Instant::now(),
            closed: false,
        })
    }
}

impl RecordedIn {
    /// Records how it ended: `bytes_up` went to the server inside, `bytes_down` came from it.
    pub fn ended(mut self, bytes_up: u64, bytes_down: u64, error: Option<&str>) {
        let outcome = if error.is_some() { "failed" } else { "complete" };
        self.close(outcome, |line| {
            line.number("bytes_up", bytes_up);
            line.number("bytes_down", bytes_down);
            line.maybe("error", error.map(MaskedText));
        });
    }

    fn close(&mut self, outcome: &str, more: impl FnOnce(&mut Fields<'_>)) {
        self.closed = true;
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (sandbox, id, connection) = (&self.sandbox, self.id, self.connection);
        self.shared.append(Kind::PublishedEnded, |line| {
            who(line, sandbox);
            Within::connection(connection).write(line);
            line.text("for", id);
            line.plain("outcome", outcome);
            line.number("duration_us", micros);
            more(line);
        });
    }
}

impl Drop for RecordedIn {
    fn drop(&mut self) {
        if !self.closed {
            self.close("aborted", |_| {});
        }
    }
}

/// `localhost:3000`, as the server inside knows itself.
struct Inside(u16);

impl std::fmt::Display for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "localhost:{}", self.0)
    }
}
