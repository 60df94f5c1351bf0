//! [`GoingOut`] before, [`Recorded`] as the proof, [`CameBack`] after.
//!
//! The dialler and the origin client take a [`Recorded`] and nobody else can make one: no record, no request.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use outwall_policy::brokered::CredentialName;
use outwall_policy::{ClientCertificate, ConnectionPermit, RequestPermit, Treatment, Writing};

use crate::event::{EventId, Kind};
use crate::fields::Fields;
use crate::github;
use crate::log::who;
use crate::mask::{Masked, MaskedText};
use crate::message::Message;
use crate::shared::Shared;
use crate::trace::TraceContext;
use crate::within::Within;

/// What is about to leave. Made of a permit, so only what policy allowed can be recorded as going out.
#[derive(Clone, Copy, Debug)]
pub struct GoingOut<'a> {
    permit: Permit<'a>,
    within: Within<'a>,
    query: Option<&'a str>,
    hidden: &'a [Range<usize>],
    credential: Option<&'a CredentialName>,
    address: Option<SocketAddr>,
    protocol: Option<&'a str>,
    tls: Option<TlsFacts<'a>>,
    trace: Option<TraceContext>,
    request: Option<&'a Message>,
}

#[derive(Clone, Copy, Debug)]
enum Permit<'a> {
    Connection(&'a ConnectionPermit),
    Exchange(&'a RequestPermit),
}

/// The client's TLS, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsFacts<'a> {
    /// `TLSv1_3` or the like.
    pub version: Option<&'a str>,
    /// The name that the client sent.
    pub sni: Option<&'a str>,
}

impl<'a> GoingOut<'a> {
    /// A tunnel or a stream is about to be opened.
    pub fn connection(permit: &'a ConnectionPermit) -> Self {
        Self {
            permit: Permit::Connection(permit),
            within: Within::default(),
            query: None,
            hidden: &[],
            credential: None,
            address: None,
            protocol: None,
            tls: None,
            trace: None,
            request: None,
        }
    }

    /// A request is about to be sent.
    pub fn exchange(permit: &'a RequestPermit) -> Self {
        Self {
            permit: Permit::Exchange(permit),
            within: Within::default(),
            query: None,
            hidden: &[],
            credential: None,
            address: None,
            protocol: None,
            tls: None,
            trace: None,
            request: None,
        }
    }

    /// The connection that it came by.
    #[must_use]
    pub fn within(mut self, within: Within<'a>) -> Self {
        self.within = within;
        self
    }

    /// The request's query, raw, without `?`. Only the names of its parameters are written.
    #[must_use]
    pub fn query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// Parts of `path?query` that are known to hold a secret: they are not written.
    #[must_use]
    pub fn hidden(mut self, hidden: &'a [Range<usize>]) -> Self {
        self.hidden = hidden;
        self
    }

    /// The credential whose secret is put in.
    #[must_use]
    pub fn credential(mut self, credential: Option<&'a CredentialName>) -> Self {
        self.credential = credential;
        self
    }

    /// The address that is dialled, where it is known by now.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// What the client speaks: `h2`, `http/1.1`.
    #[must_use]
    pub fn protocol(mut self, protocol: &'a str) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// The client's TLS.
    #[must_use]
    pub fn tls(mut self, tls: TlsFacts<'a>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The trace that the client says it belongs to.
    #[must_use]
    pub fn trace(mut self, trace: Option<TraceContext>) -> Self {
        self.trace = trace;
        self
    }

    /// What is recorded of the request besides, as the sandbox sent it.
    #[must_use]
    pub fn request(mut self, request: Option<&'a Message>) -> Self {
        self.request = request;
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.permit {
            Permit::Connection(_) => Kind::ConnectionGoingOut,
            Permit::Exchange(_) => Kind::ExchangeGoingOut,
        }
    }

    pub(crate) fn connection_permit(&self) -> &ConnectionPermit {
        match self.permit {
            Permit::Connection(permit) => permit,
            Permit::Exchange(permit) => permit.connection(),
        }
    }

    pub(crate) fn write(&self, line: &mut Fields<'_>) {
        let connection = self.connection_permit();
        who(line, connection.sandbox());
        self.within.write(line);
        line.text("target", connection.target());
        line.maybe("address", self.address);
        match self.permit {
            Permit::Connection(permit) => {
                line.plain("scheme", treatment(permit.treatment()));
                line.plain("decision", "allow");
                line.text("rule", permit.rule());
            }
            Permit::Exchange(permit) => {
                line.plain("scheme", permit.scheme().as_str());
                line.text("method", permit.method());
                line.text(
                    "path",
                    Masked {
                        path: permit.path().as_str(),
                        query: self.query,
                        hidden: self.hidden,
                    },
                );
                line.maybe("acts_as", permit.acts_as());
                match permit.writing() {
                    Writing::Nothing => {}
                    Writing::Body => line.plain("carries", "body"),
                    Writing::Upgrade => line.plain("carries", "upgrade"),
                }
                line.plain("decision", "allow");
                line.text("rule", permit.rule());
                line.maybe("credential", self.credential);
                if let Some(used) = permit.github() {
                    github::allowed(used, line);
                }
                line.maybe(
                    "client_certificate",
                    permit.client_certificate().map(ClientCertificate::name),
                );
            }
        }
        line.maybe("protocol", self.protocol);
        if let Some(tls) = self.tls {
            tls.write(line);
        }
        line.maybe("trace", self.trace);
        message(line, "request", self.request);
    }
}

impl TlsFacts<'_> {
    pub(crate) fn write(self, line: &mut Fields<'_>) {
        line.object("tls", |tls| {
            tls.maybe("version", self.version);
            tls.maybe("sni", self.sni);
        });
    }
}

/// What is recorded of a message, if anything is.
pub(crate) fn message(line: &mut Fields<'_>, name: &str, message: Option<&Message>) {
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        line.object(name, |line| message.write(line));
    }
}

fn treatment(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Intercept => "intercept",
        Treatment::Forward => "forward",
        Treatment::Tunnel => "tunnel",
        Treatment::Stream => "stream",
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct CameBack<'a> {
    /// The origin's status, when there was a response.
    pub status: Option<u16>,
    /// Body bytes to the origin, or all bytes of a tunnel.
    pub bytes_up: u64,
    /// Body bytes from the origin, or all bytes of a tunnel.
    pub bytes_down: u64,
    /// The address that was dialled, when it was not known before.
    pub address: Option<SocketAddr>,
    /// What went wrong; `None` when it is complete.
    pub error: Option<&'a str>,
    /// What is recorded of the request besides, that was not known when it went out.
    pub request: Option<&'a Message>,
    /// What is recorded of the response besides, as the sandbox received it.
    pub response: Option<&'a Message>,
}

/// Proof that something is on record as going out. Only [`AuditLog::going_out`](crate::AuditLog::going_out) makes one:
///
/// ```compile_fail,E0451
/// # use outwall_audit::*;
/// fn forge(genuine: Recorded) -> Recorded {
///     Recorded { ..genuine } // private fields
/// }
/// ```
///
/// It is closed by [`Recorded::came_back`]; dropped unclosed (a task that was
/// cancelled, a panic) it records that the outcome is unknown.
#[derive(Debug)]
#[must_use = "what is recorded as going out must be sent or closed"]
pub struct Recorded {
    shared: Arc<Shared>,
    id: EventId,
    closing: Kind,
    connection: ConnectionPermit,
    number: Option<u64>,
    since: Instant,
    closed: bool,
}

impl Recorded {
    pub(crate) fn new(shared: Arc<Shared>, id: EventId, what: &GoingOut<'_>) -> Self {
        let closing = match what.permit {
            Permit::Connection(_) => Kind::ConnectionCameBack,
            Permit::Exchange(_) => Kind::ExchangeCameBack,
        };
        let connection = what.connection_permit().clone();
        Self {
            shared,
            id,
            closing,
            connection,
            number: what.within.connection,
            since: Instant::now(),
            closed: false,
        }
    }

    /// The name of the record.
    pub fn event_id(&self) -> EventId {
        self.id
    }

    /// The permit of the connection that it was recorded for: what may be dialled with this proof.
    pub fn connection(&self) -> &ConnectionPermit {
        &self.connection
    }

    /// Records how it ended: buffered, in the file at most 100 ms later.
    pub fn came_back(mut self, how: CameBack<'_>) {
        let outcome = if how.error.is_some() { "failed" } else { "complete" };
        self.close(outcome, &how);
    }

    fn close(&mut self, outcome: &str, how: &CameBack<'_>) {
        self.closed = true;
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (sandbox, id) = (self.connection.sandbox(), self.id);
        let within = Within {
            connection: self.number,
            process: None, // what it closes has it
        };
        self.shared.append(self.closing, |line| {
            who(line, sandbox);
            within.write(line);
            line.text("for", id);
            line.plain("outcome", outcome);
            line.maybe("address", how.address);
            if let Some(status) = how.status {
                line.number("status", status.into());
            }
            if outcome != "aborted" {
                line.number("bytes_up", how.bytes_up);
                line.number("bytes_down", how.bytes_down);
            }
            line.number("duration_us", micros);
            line.maybe("error", how.error.map(MaskedText));
            message(line, "request", how.request);
            message(line, "response", how.response);
        });
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.closed {
            self.close("aborted", &CameBack::default());
        }
    }
}
