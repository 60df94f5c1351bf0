//! Connections to receivers: from this machine's own network, since the operator says where they are and no sandbox has a say.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outwall_broker::Surroundings;
use outwall_certs::{ClientIdentity, ClientIdentityError, RootsError, origin_roots};
use outwall_policy::audit_sinks::SinkTls;
use outwall_policy::{Host, Target};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use rustls::sign::SingleCertAndKey;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Bytes in both directions, and what is below them.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Io for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Io for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Connects to one receiver.
pub(super) struct Dialer {
    target: Target,
    tls: Option<Tls>,
}

/// How TLS is spoken.
struct Tls {
    roots: Vec<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    /// Made of the files when it is first needed, and anew after a failure: they may be other ones by then.
    connector: Option<TlsConnector>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum DialError {
    #[error("cannot find `{host}`")]
    Resolve {
        host: Host,
        #[source]
        source: io::Error,
    },
    #[error("cannot connect to {target}")]
    Connect {
        target: Target,
        #[source]
        source: io::Error,
    },
    #[error("{target} does not answer within {} seconds", PER_ADDRESS.as_secs())]
    Silent { target: Target },
    #[error("there is no TLS with {target}")]
    Tls {
        target: Target,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("cannot read `{}`", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the client certificate cannot be used")]
    Identity(#[from] ClientIdentityError),
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
    #[error("the receiver has no name that TLS knows")]
    Name(#[from] InvalidDnsNameError),
}

impl Dialer {
    /// Over TLS where there is something said of it.
    pub(super) fn new(
        target: Target,
        tls: Option<&SinkTls>,
        (files, roots): (&Surroundings, &[PathBuf]),
    ) -> Self {
        let tls = tls.map(|tls| Tls {
            roots: roots
                .iter()
                .cloned()
                .chain(tls.roots.as_ref().map(|path| files.place(path)))
                .collect(),
            identity: tls
                .identity
                .as_ref()
                .map(|(one, other)| (files.place(one), files.place(other))),
            connector: None,
        });
        Self { target, tls }
    }

    pub(super) async fn connect(&mut self) -> Result<Box<dyn Io>, DialError> {
        let stream = self.tcp().await?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &mut self.tls else {
            return Ok(Box::new(stream));
        };
        let name = match &self.target.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned())?,
        };
        let connector = tls.connector()?;
        let shaken = timeout(HANDSHAKE, connector.connect(name, stream)).await;
        let shaken = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match shaken {
            Ok(stream) => Ok(Box::new(stream)),
            Err(source) => {
                tls.connector = None;
                Err(DialError::Tls {
                    target: self.target.clone(),
                    source,
                })
            }
        }
    }

    /// The first address that accepts.
    #[expect(
        clippy::disallowed_methods,
        reason = "where the audit is delivered, the operator says: no sandbox is asked, and no permit needed"
    )]
    async fn tcp(&self) -> Result<TcpStream, DialError> {
        let target = &self.target;
        let host = match &target.host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.as_str().to_owned(),
        };
        let resolve = |source| DialError::Resolve {
            host: target.host.clone(),
            source,
        };
        let found = timeout(PER_ADDRESS, lookup_host((host, target.port))).await;
        let addresses = found
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(resolve)?;
        let mut failure = resolve(io::ErrorKind::NotFound.into());
        for address in addresses {
            match timeout(PER_ADDRESS, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(source)) => {
                    failure = DialError::Connect {
                        target: target.clone(),
                        source,
                    };
                }
                Err(_) => {
                    failure = DialError::Silent {
                        target: target.clone(),
                    }
                }
            }
        }
        Err(failure)
    }
}

impl Tls {
    fn connector(&mut self) -> Result<TlsConnector, DialError> {
        if let Some(connector) = &self.connector {
            return Ok(connector.clone());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(origin_roots(&self.roots)?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let identity = ClientIdentity::from_pem(&read(certificate)?, &read(key)?)?;
                let certified = Arc::clone(identity.certified());
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        self.connector = Some(connector.clone());
        Ok(connector)
    }
}

fn read(path: &PathBuf) -> Result<zeroize::Zeroizing<Vec<u8>>, DialError> {
    let bytes = fs::read(path).map_err(|source| DialError::File {
        path: path.clone(),
        source,
    })?;
    Ok(bytes.into())
}

const PER_ADDRESS: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(10);
