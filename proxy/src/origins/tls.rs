//! What the gate demands of origins: TLS, as one sandbox has it under one policy.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use outwall_policy::{ClientCertificate, Host, Scheme, Target};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::current::Snapshot;
use crate::dialer::Transport;
use crate::error::Error;
use crate::origin_stream::OriginStream;
use crate::protected::Protected;

/// How one sandbox's connections to origins are protected. Sessions are resumed within the sandbox and under one policy, and
/// never across: a session stands for a certificate that was verified, against roots that may count no more.
#[derive(Default)]
pub(crate) struct SandboxTls {
    newest: Mutex<Option<Newest>>,
}

/// What was made under the newest policy.
struct Newest {
    generation: u64,
    /// By the number of the client certificate. What was negotiated with one says nothing about another.
    made: HashMap<Option<usize>, OriginTls>,
}

/// The same under one policy, with one client certificate or none. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct OriginTls {
    connector: TlsConnector,
}

/// Which protocols an origin is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// h2 and http/1.1: the origin chooses.
    Any,
    /// http/1.1 alone, for what h2 cannot carry or not everywhere: an upgrade.
    Http1,
}

impl SandboxTls {
    /// What a policy demands, with the certificate that it shows.
    pub(crate) fn under(&self, snapshot: &Snapshot, shown: Option<&ClientCertificate>) -> OriginTls {
        let made = || OriginTls::new(snapshot, shown);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest
            .as_ref()
            .is_none_or(|known| known.generation < snapshot.generation)
        {
            *newest = Some(Newest::of(snapshot.generation));
        }
        match newest.as_mut() {
            Some(known) if known.generation == snapshot.generation => known
                .made
                .entry(shown.map(ClientCertificate::number))
                .or_insert_with(made)
                .clone(),
            _ => made(), // decided just before the policy was replaced
        }
    }
}

impl Newest {
    fn of(generation: u64) -> Self {
        Self {
            generation,
            made: HashMap::new(),
        }
    }
}

impl OriginTls {
    fn new(snapshot: &Snapshot, shown: Option<&ClientCertificate>) -> Self {
        let mut config = snapshot.trust.config(shown);
        config.resumption = Resumption::in_memory_sessions(RESUMABLE_ORIGINS);
        Self {
            connector: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Protects a connection to the parent proxy, which speaks http/1.1.
    pub(crate) async fn to_parent(&self, host: &Host, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = self.connector.with_alpn(vec![b"http/1.1".to_vec()]);
        connector.connect(server_name(host)?, stream).await
    }

    /// Protects a connection, as its scheme demands.
    pub(crate) async fn wrap(
        &self,
        scheme: Scheme,
        target: &Target,
        stream: Transport,
        offer: Offer,
    ) -> Result<OriginStream, Error> {
        match scheme {
            Scheme::Http => Ok(OriginStream::Plain(stream)),
            Scheme::Https => {
                let name = server_name(&target.host).map_err(Error::OriginTls)?;
                let shaking_hands = match offer {
                    Offer::Any => self.connector.connect(name, stream),
                    Offer::Http1 => self
                        .connector
                        .with_alpn(vec![b"http/1.1".to_vec()])
                        .connect(name, stream),
                };
                let stream = shaking_hands.await.map_err(Error::OriginTls)?;
                Ok(OriginStream::Tls(Box::new(Protected::new(stream))))
            }
        }
    }
}

fn server_name(host: &Host) -> io::Result<ServerName<'static>> {
    match host {
        Host::Address(address) => Ok(ServerName::IpAddress(IpAddr::into(*address))),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
    }
}

/// Origins whose sessions one sandbox may resume.
const RESUMABLE_ORIGINS: usize = 256;
