//! What can go wrong with one connection or exchange, whose fault it was, and what follows from that.
//!
//! A denial is not among these: it is a decision, and a value of `policy`.

use std::io;
use std::net::SocketAddr;

use http::StatusCode;
use outwall_audit::WriteError;
use outwall_certs::LeafError;
use outwall_git_proxy::git::AdvertisementError;
use outwall_policy::{ClientCertificate, Denial, DomainName};
use rustls::AlertDescription;
use thiserror::Error as ThisError;

use crate::brokering::Unfit;
use crate::dialer::ParentError;
use crate::http_error::HttpError;
use crate::protected::alert_in;
use crate::refusal::status_of;
use crate::scrub::Unsearchable;
use crate::websocket::NoSocket;

/// Whose fault a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The peer inside the sandbox.
    Client,
    /// The server it wanted, or the way there.
    Origin,
    /// Us.
    Proxy,
}

/// A failure of one connection or exchange.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The client's bytes could not be read or written.
    #[error("the client's connection failed")]
    ClientLost(#[source] io::Error),
    /// The client sent what is no HTTP, or went away within it.
    #[error("the client's HTTP failed")]
    ClientHttp(#[source] HttpError),
    /// The body of the client's request ended otherwise than it must, so that its origin never had the whole of it.
    #[error("the body of the client's request is broken: {0}")]
    ClientBody(String),
    /// The client and we did not agree on TLS; a client that pins certificates ends here.
    #[error("the TLS handshake with the client failed")]
    ClientTls(#[source] io::Error),
    /// The client did not send in time what it had to send.
    #[error("the client sent nothing for too long")]
    ClientSilent,
    /// The origin's name has no address.
    #[error("`{0}` does not resolve: it has no address")]
    Unresolved(DomainName),
    /// The resolver did not answer, or not sensibly.
    #[error("`{name}` could not be resolved")]
    Resolver {
        /// What was asked.
        name: DomainName,
        /// What the resolver said.
        #[source]
        source: hickory_resolver::net::NetError,
    },
    /// No address of the origin accepted a connection; the last one tried is named.
    #[error("no connection to the origin at {address}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Resolving, connecting or the TLS handshake took too long.
    #[error("the origin did not accept a connection in time")]
    ConnectTimeout,
    /// An address that the policy refuses. The name was allowed; where it leads is not.
    #[error("{0}")]
    Address(Denial),
    /// The target is reached through a parent proxy, and that did not lead there.
    #[error("the parent proxy did not carry this")]
    Parent(#[source] ParentError),
    /// We ended what ran: it came to the end of what its environment lets it use, or a credential was about to leave. It was
    /// recorded when that happened.
    #[error("{0}")]
    CutOff(Denial),
    /// The origin's TLS failed; most often its certificate.
    #[error("the origin's TLS cannot be trusted: {}", what_is_wrong(.0))]
    OriginTls(#[source] io::Error),
    /// The origin ended TLS over the certificate that it was shown.
    #[error("the origin refused the client certificate `{shown}` ({alert:?})")]
    ClientCertificateRefused {
        /// Its name.
        shown: String,
        /// What the origin said.
        alert: AlertDescription,
    },
    /// The origin ended TLS because it was shown no certificate.
    #[error(
        "the origin demands a client certificate, and [origins.client_certificates] has none for this host and environment"
    )]
    ClientCertificateDemanded,
    /// The origin's HTTP failed.
    #[error("the origin's HTTP failed")]
    OriginHttp(#[source] HttpError),
    /// The origin closed a connection that was being relayed.
    #[error("the origin's connection failed")]
    OriginLost(#[source] io::Error),
    /// The origin was asked for a WebSocket and opened none.
    #[error("the origin opened no WebSocket")]
    NoSocket(#[source] NoSocket),
    /// A credential was used, and whether the response reflects it cannot be told; so it does not pass.
    #[error("the origin's response cannot be searched for the credential that was used")]
    Unsearchable(#[source] Unsearchable),
    /// The same of what an origin sends on a WebSocket.
    #[error("the origin's WebSocket cannot be searched for the credential that was used")]
    OriginFrames(#[source] io::Error),
    /// The client sent on a WebSocket what is no frame of one.
    #[error("the client's WebSocket failed")]
    ClientFrames(#[source] io::Error),
    /// No byte moved for too long.
    #[error("no byte moved for too long")]
    Silence,
    /// A request that is not done after as long as a request may take.
    #[error("the request took longer than a request may")]
    TooLong,
    /// GitHub answered git with what is no list of refs.
    #[error("GitHub's answer to git cannot be read")]
    RefList(#[from] AdvertisementError),
    /// The record could not be written; so nothing goes out.
    #[error("the audit log cannot be written")]
    Audit(#[from] WriteError),
    /// The secret that was to be put in does not fit into the request.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// No leaf for the host.
    #[error("no certificate could be made for the host")]
    Leaf(#[from] LeafError),
    /// The kernel did not say where a captured connection was going.
    #[error("the original destination of a captured connection is unknown")]
    OriginalDestination(#[source] io::Error),
    /// The policy in force no longer grants what was running.
    #[error("the permit was withdrawn")]
    Withdrawn,
    /// The gate is shutting down.
    #[error("the gate is shutting down")]
    ShuttingDown,
    /// A failure of ours without a better name.
    #[error("the proxy failed: {0}")]
    Proxy(&'static str),
}

impl Error {
    /// Whose fault it was.
    pub fn side(&self) -> Side {
        self.consequence().0
    }

    /// The status that a client is told, if one can still be sent.
    pub fn status(&self) -> StatusCode {
        self.consequence().1
    }

    /// The stable code for `x-outwall-reason` and the audit log.
    pub fn code(&self) -> &'static str {
        self.consequence().2
    }

    /// The origin speaks none of the protocols that it was offered.
    pub(crate) fn is_of_protocol(&self) -> bool {
        let Self::OriginTls(error) = self else {
            return false;
        };
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        matches!(
            tls,
            Some(rustls::Error::AlertReceived(
                AlertDescription::NoApplicationProtocol
            ))
        )
    }

    /// The one place where a failure is given its consequences.
    fn consequence(&self) -> (Side, StatusCode, &'static str) {
        match self {
            Self::ClientLost(_) => (Side::Client, StatusCode::BAD_REQUEST, "client-lost"),
            Self::ClientHttp(_) | Self::ClientBody(_) => {
                (Side::Client, StatusCode::BAD_REQUEST, "client-http")
            }
            Self::ClientTls(_) => (Side::Client, StatusCode::BAD_REQUEST, "client-tls"),
            Self::ClientSilent => (Side::Client, StatusCode::REQUEST_TIMEOUT, "client-silent"),
            Self::Unresolved(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "unresolved-name"),
            Self::Resolver { .. } => (Side::Origin, StatusCode::BAD_GATEWAY, "resolver-failed"),
            Self::Connect { .. } => (Side::Origin, StatusCode::BAD_GATEWAY, "origin-unreachable"),
            Self::ConnectTimeout => (Side::Origin, StatusCode::GATEWAY_TIMEOUT, "origin-timeout"),
            Self::Address(denial) => (Side::Origin, StatusCode::FORBIDDEN, denial.reason().code()),
            Self::Parent(error) => (error.side(), StatusCode::BAD_GATEWAY, error.code()),
            Self::CutOff(denial) => (Side::Client, status_of(denial.reason()), denial.reason().code()),
            Self::OriginTls(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "origin-tls"),
            Self::ClientCertificateRefused { .. } => (
                Side::Origin,
                StatusCode::BAD_GATEWAY,
                "client-certificate-refused",
            ),
            Self::ClientCertificateDemanded => (
                Side::Origin,
                StatusCode::BAD_GATEWAY,
                "client-certificate-demanded",
            ),
            Self::OriginHttp(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "origin-http"),
            Self::OriginLost(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "origin-lost"),
            Self::NoSocket(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "no-websocket"),
            Self::Unsearchable(_) | Self::OriginFrames(_) => {
                (Side::Origin, StatusCode::BAD_GATEWAY, "unsearchable-response")
            }
            Self::RefList(_) => (Side::Origin, StatusCode::BAD_GATEWAY, "unreadable-ref-list"),
            Self::ClientFrames(_) => (Side::Client, StatusCode::BAD_REQUEST, "client-frames"),
            Self::Silence => (Side::Origin, StatusCode::GATEWAY_TIMEOUT, "silence"),
            Self::TooLong => (Side::Client, StatusCode::GATEWAY_TIMEOUT, "request-timeout"),
            Self::Audit(_) => (Side::Proxy, StatusCode::SERVICE_UNAVAILABLE, "audit-unavailable"),
            Self::Unfit(_) => (
                Side::Proxy,
                StatusCode::SERVICE_UNAVAILABLE,
                "credential-unavailable",
            ),
            Self::Leaf(_) => (Side::Proxy, StatusCode::INTERNAL_SERVER_ERROR, "no-leaf"),
            Self::OriginalDestination(_) => (
                Side::Proxy,
                StatusCode::INTERNAL_SERVER_ERROR,
                "no-original-destination",
            ),
            Self::Withdrawn => (Side::Proxy, StatusCode::FORBIDDEN, "withdrawn"),
            Self::ShuttingDown => (Side::Proxy, StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
            Self::Proxy(_) => (Side::Proxy, StatusCode::INTERNAL_SERVER_ERROR, "proxy-failed"),
        }
    }

    /// What an alert of the origin says about the certificate that it was shown, or was not; none when it is about something
    /// else. RFC 8446 section 6.2.
    pub(crate) fn of_alert(alert: AlertDescription, shown: Option<&ClientCertificate>) -> Option<Self> {
        use AlertDescription as Alert;
        match (alert, shown) {
            (Alert::CertificateRequired, None) => Some(Self::ClientCertificateDemanded),
            (
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRequired
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError,
                Some(shown),
            ) => Some(Self::ClientCertificateRefused {
                shown: shown.name().to_owned(),
                alert,
            }),
            _ => None,
        }
    }

    /// The same failure of a handshake, said in terms of the certificate when it was about that.
    pub(crate) fn about(self, shown: Option<&ClientCertificate>) -> Self {
        let alert = match &self {
            Self::OriginTls(error) => alert_in(error),
            _ => None,
        };
        alert
            .and_then(|alert| Self::of_alert(alert, shown))
            .unwrap_or(self)
    }

    /// The whole chain in one line, for the audit log and for a client that must know why.
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// Logs at the level that fits the side: only our own failures are an operator's business.
    pub(crate) fn log(&self) {
        match self.side() {
            Side::Client | Side::Origin => tracing::debug!(code = self.code(), error = %self.chain()),
            Side::Proxy => tracing::warn!(code = self.code(), error = %self.chain()),
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

/// Says which problem a certificate has, in the words of people who read certificates.
fn what_is_wrong(error: &io::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(problem)) => match problem {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "its certificate has expired",
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            Certificate::UnknownIssuer => "its certificate was issued by nobody the gate knows",
            Certificate::Revoked => "its certificate is revoked",
            _ => "its certificate is not valid",
        },
        Some(rustls::Error::AlertReceived(_)) => "it ended the handshake",
        Some(_) => "the handshake failed",
        None => "the connection ended during the handshake",
    }
}
