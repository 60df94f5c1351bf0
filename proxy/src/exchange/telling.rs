//! What a client is told, and the audit log, of a request that got no response from its origin.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri, Version};
use outwall_audit::Asked;
use outwall_policy::{ConnectionPermit, Denial, Method, Reason, RequestPath};

use super::{ClientTlsFacts, Exchanges, Grant};
use crate::action;
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::ResponseBody;
use crate::brokering::Objection;
use crate::error::Error;
use crate::excerpt::Excerpt;
use crate::leaks;
use crate::refusal::{Format, Refusal};
use crate::websocket::Handshake;

/// Why a request got no response from its origin.
pub(crate) enum Stopped {
    Denied(Denial),
    /// The same, and this is what its client is told, in its own words.
    Told(Denial, Box<Response<Bytes>>),
    /// The gate answers: nothing is asked of the origin, and nothing is refused.
    Answered(Box<Response<Bytes>>),
    Failed(Error),
}

/// What is remembered of a request, to be told when it is not forwarded.
pub(super) struct Question {
    format: Format,
    method: http::Method,
    uri: Uri,
    version: Version,
    protocol: &'static str,
    /// What is recorded of it besides; none where nothing is.
    excerpt: Option<Arc<Excerpt>>,
}

impl Question {
    pub(super) fn of(request: &Request<Arriving>) -> Self {
        let handshake = Handshake::read(request).ok().flatten();
        Self {
            format: Format::accepted(request.headers()),
            method: if handshake.is_some() {
                http::Method::GET
            } else {
                request.method().clone()
            },
            uri: request.uri().clone(),
            version: request.version(),
            protocol: handshake.map_or_else(|| protocol(request), |handshake| handshake.protocol()),
            excerpt: Excerpt::of(request),
        }
    }

    /// The code of a reset that says more to a gRPC client than any response of ours: it retries, or gives up, by it.
    fn reset_by(&self, error: &Error) -> Option<h2::Reason> {
        match error {
            Error::OriginHttp(error) if self.format == Format::Grpc && self.version == Version::HTTP_2 => {
                error.reset()
            }
            _ => None,
        }
    }
}

impl From<Denial> for Stopped {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Objection> for Stopped {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::Denied(denial) => Self::Denied(denial),
            Objection::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Exchanges {
    /// What a client is told of a request that was given up while it waited.
    pub(crate) fn given_up(&self, error: &Error) -> Answer {
        error.log();
        let running = self.pulse.run();
        let response = Refusal::of_error(error).response(Format::Text);
        Answer::Response(response.map(|text| ResponseBody::text(text, running)))
    }

    /// Tells the client, and the audit log what it does not know yet.
    pub(super) fn tell(&self, stopped: &Stopped, question: &Question) -> Answer {
        let refusal = match stopped {
            Stopped::Answered(response) => return self.say((**response).clone()),
            Stopped::Told(denial, response) => {
                self.write_down(denial, question);
                return self.say((**response).clone());
            }
            Stopped::Denied(denial) => {
                self.write_down(denial, question);
                self.refusal_of(denial, question)
            }
            Stopped::Failed(error) => {
                error.log();
                if let Error::Address(denial) = error {
                    self.gate.denied(denial, Asked::default());
                }
                if let Some(reason) = question.reset_by(error) {
                    return Answer::Reset(reason);
                }
                Refusal::of_error(error)
            }
        };
        self.say(refusal.response(question.format))
    }

    /// An answer of ours.
    pub(crate) fn say(&self, response: Response<Bytes>) -> Answer {
        let running = self.pulse.run();
        Answer::Response(response.map(|text| ResponseBody::text(text, running)))
    }

    fn refusal_of(&self, denial: &Denial, question: &Question) -> Refusal {
        let refusal = Refusal::of_denial(denial);
        match (denial.reason(), &self.grant) {
            (Reason::Fronting { .. }, Grant::Target(..)) if question.version == Version::HTTP_2 => {
                refusal.misdirected()
            }
            // What is asked inside is asked of the origin, and 407 is a proxy's.
            (Reason::Credential(_), Grant::Target(..)) => refusal.forbidden(),
            _ => refusal,
        }
    }

    /// What a client is told whose head could not be read, as bytes of http/1.1. Its format is unknown, as all else.
    pub(crate) fn refusal_of_malformed_head(&self, status: u16) -> Vec<u8> {
        let denial = match &self.grant {
            Grant::Refused(denial) => denial.clone(),
            Grant::Target(..) | Grant::EachItsOwn => self.gate.denial(Reason::MalformedRequest {
                what: action::malformed_head(status).to_owned(),
            }),
        };
        Refusal::of_malformed_head(&denial, status).to_http1(Format::Text)
    }

    /// Writes down that the client broke the rules of its protocol, which ends its connection.
    pub(crate) fn violated(&self, protocol: &'static str, what: &dyn std::fmt::Display) {
        if let Grant::Refused(_) = self.grant {
            return; // written when the connection was refused
        }
        let what = format!("{protocol}: {what}");
        let denial = self.gate.denial(Reason::MalformedRequest { what });
        let asked = Asked {
            target: self.permit().map(ConnectionPermit::target),
            scheme: self.scheme(),
            protocol: Some(protocol),
            tls: self.tls.as_ref().map(ClientTlsFacts::as_audited),
            ..Asked::default()
        };
        self.gate.denied(&denial, asked);
    }

    fn write_down(&self, denial: &Denial, question: &Question) {
        if let Grant::Refused(_) = self.grant {
            return; // written when the connection was refused
        }
        let method = Method::parse(question.method.as_str()).ok();
        let path = RequestPath::parse(question.uri.path()).ok();
        let named = || action::absolute_target(&question.uri).ok();
        let target = self.permit().map(|permit| permit.target().clone()).or_else(named);
        let hidden = leaks::hidden(&self.gate, &question.uri);
        let recorded = question.excerpt.as_ref().map(|excerpt| excerpt.refused());
        let asked = Asked {
            target: target.as_ref(),
            scheme: self.scheme(),
            method: method.as_ref(),
            path: path.as_ref(),
            query: question.uri.query(),
            hidden: hidden.parts(),
            protocol: Some(question.protocol),
            tls: self.tls.as_ref().map(ClientTlsFacts::as_audited),
            request: recorded.as_ref(),
            ..Asked::default()
        };
        self.gate.denied(denial, asked);
    }
}

/// As the audit log names it.
pub(super) fn protocol<B>(request: &Request<B>) -> &'static str {
    if let Some(handshake) = request.extensions().get::<Handshake>() {
        return handshake.protocol();
    }
    match request.version() {
        Version::HTTP_2 => "h2",
        Version::HTTP_10 => "http/1.0",
        _ => "http/1.1",
    }
}
