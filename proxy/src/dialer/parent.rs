//! By a parent proxy: it is dialled, spoken to in the clear or inside TLS, and asked for the target with CONNECT. Requests in the
//! clear are left to it in absolute form, for most proxies let nobody CONNECT to port 80.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::{Buf as _, BytesMut};
use http::HeaderValue;
use outwall_policy::{DomainName, ParentPermit, ParentProxy, Scheme, Target};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::transport::Link;
use super::{Dialer, Form, Load, Transport};
use crate::current::Snapshot;
use crate::error::{Error as Failure, Side};
use crate::parent_answer::{AnswerError, LONGEST, ParentAnswer};

/// Why the parent proxy did not lead to the target.
#[derive(Debug, Error)]
pub enum ParentError {
    /// Its name has no address, or nobody could be asked.
    #[error("its name `{name}` does not resolve")]
    Unresolved {
        /// Its name.
        name: DomainName,
    },
    /// It did not accept a connection.
    #[error("no connection to it at {address}")]
    Unreachable {
        /// Where it is.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its TLS failed; most often its certificate.
    #[error("its TLS cannot be trusted")]
    Tls(#[source] io::Error),
    /// Its connection failed while it was asked.
    #[error("its connection failed")]
    Lost(#[source] io::Error),
    /// What it answered cannot be read.
    #[error("its answer cannot be read")]
    Answer(#[source] AnswerError),
    /// It wants to be told a name and a password, and the policy has none.
    #[error("it asks for a name and a password: write `username` and `password` into [origins.parent_proxy]")]
    CredentialsDemanded,
    /// It was told a name and a password, and does not take them.
    #[error("it does not take the `username` and `password` of [origins.parent_proxy]")]
    CredentialsRefused,
    /// It refuses, or could not reach the target.
    #[error("it answered {status} {reason}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it said, in plain text.
        reason: String,
    },
    /// It is one of the gate's own listeners.
    #[error("it is this gate itself: name another in `parent_proxy`")]
    Loop,
}

impl ParentError {
    /// Whose fault it was: what an operator has to mend is ours.
    pub(crate) fn side(&self) -> Side {
        match self {
            Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::Tls(_)
            | Self::CredentialsDemanded
            | Self::CredentialsRefused
            | Self::Loop => Side::Proxy,
            Self::Lost(_) | Self::Answer(_) | Self::Refused { .. } => Side::Origin,
        }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unresolved { .. } | Self::Unreachable { .. } => "parent-proxy-unreachable",
            Self::Tls(_) => "parent-proxy-tls",
            Self::Lost(_) | Self::Answer(_) => "parent-proxy-failed",
            Self::CredentialsDemanded | Self::CredentialsRefused => "parent-proxy-credentials",
            Self::Refused { .. } => "parent-proxy-refused",
            Self::Loop => "parent-proxy-loop",
        }
    }

    /// Of a 407, by whether it was told anything.
    pub(crate) fn unauthorized(was_told: bool) -> Self {
        if was_told {
            Self::CredentialsRefused
        } else {
            Self::CredentialsDemanded
        }
    }
}

impl Dialer {
    /// Asks the parent, which is at one of these addresses, for one errand after the other, until it takes one.
    pub(super) async fn by_parent(
        &self,
        snapshot: &Snapshot,
        errands: Vec<ParentPermit>,
        parent_at: Vec<IpAddr>,
        load: Load,
    ) -> Result<Transport, Failure> {
        let origins = snapshot.policy.origins();
        let parent = origins
            .parent_proxy()
            .ok_or(Failure::Proxy("there is no parent proxy to ask"))?;
        let authorization = snapshot.trust.parent_authorization();
        let mut failure = Failure::Proxy("the parent proxy was asked for nothing");
        for errand in errands {
            let link = self.link(snapshot, parent, &errand, &parent_at).await?;
            let by_name = errand.asked_for() == errand.connection().target();
            if load == Load::Requests && by_name {
                let authorization = authorization.as_ref().map(|text| sensitive(text));
                return Ok(Transport::new(
                    bytes::Bytes::new(),
                    link,
                    Form::Absolute { authorization },
                ));
            }
            let told = authorization.as_ref().map(|text| text.as_str());
            match ask(link, errand.asked_for(), told).await {
                Ok(transport) => return Ok(transport),
                Err(error) => failure = Failure::Parent(error),
            }
        }
        Err(failure)
    }

    /// A connection to the parent itself.
    async fn link(
        &self,
        snapshot: &Snapshot,
        parent: &ParentProxy,
        errand: &ParentPermit,
        parent_at: &[IpAddr],
    ) -> Result<Link, Failure> {
        let mut dials = Vec::with_capacity(parent_at.len());
        for ip in parent_at {
            let address = SocketAddr::new(*ip, parent.target().port);
            if self.doors.lead_from(address, snapshot.policy.classify(*ip)) {
                return Err(Failure::Parent(ParentError::Loop));
            }
            let dial = snapshot.policy.admit_parent(errand, address);
            dials.push(dial.map_err(Failure::Address)?);
        }
        let stream = self.dial_in_turn(dials).await.map_err(of_parent)?;
        self.protect(snapshot, parent, stream).await
    }

    async fn protect(
        &self,
        snapshot: &Snapshot,
        parent: &ParentProxy,
        stream: TcpStream,
    ) -> Result<Link, Failure> {
        match parent.scheme() {
            Scheme::Http => Ok(Link::Clear(stream)),
            Scheme::Https => {
                let tls = self.tls.under(snapshot, None);
                let stream = tls.to_parent(&parent.target().host, stream).await;
                let stream = stream.map_err(|error| Failure::Parent(ParentError::Tls(error)))?;
                Ok(Link::Tls(Box::new(stream)))
            }
        }
    }
}

fn of_parent(failure: Failure) -> Failure {
    match failure {
        Failure::Connect { address, source } => Failure::Parent(ParentError::Unreachable { address, source }),
        other => other,
    }
}

/// Asks for `target`; what comes after the answer is the origin's.
pub(super) async fn ask(
    mut link: Link,
    target: &Target,
    authorization: Option<&str>,
) -> Result<Transport, ParentError> {
    let question = connect_head(target, authorization);
    link.write_all(&question).await.map_err(ParentError::Lost)?;
    link.flush().await.map_err(ParentError::Lost)?;
    let mut answered = BytesMut::with_capacity(1024);
    let mut passed = 0;
    loop {
        match ParentAnswer::parse(&answered).map_err(ParentError::Answer)? {
            Some(answer) if answer.is_interim() => {
                answered.advance(answer.length);
                passed += answer.length;
            }
            Some(answer) => return accepted(answer, answered, link, authorization.is_some()),
            None if passed + answered.len() >= LONGEST => {
                return Err(ParentError::Answer(AnswerError::TooLong));
            }
            None => {
                let read = link.read_buf(&mut answered).await.map_err(ParentError::Lost)?;
                if read == 0 {
                    return Err(ParentError::Answer(AnswerError::Ended));
                }
            }
        }
    }
}

fn accepted(
    answer: ParentAnswer,
    mut answered: BytesMut,
    link: Link,
    was_told: bool,
) -> Result<Transport, ParentError> {
    match answer.status {
        200..=299 => {
            answered.advance(answer.length);
            Ok(Transport::new(answered.freeze(), link, Form::Origin))
        }
        407 => Err(ParentError::unauthorized(was_told)),
        status => Err(ParentError::Refused {
            status,
            reason: answer.reason,
        }),
    }
}

/// RFC 9110 section 9.3.6.
fn connect_head(target: &Target, authorization: Option<&str>) -> Zeroizing<Vec<u8>> {
    let mut head = Zeroizing::new(Vec::with_capacity(1024));
    head.extend_from_slice(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").as_bytes());
    if let Some(authorization) = authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(authorization.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64 has no odd bytes");
    value.set_sensitive(true);
    value
}
