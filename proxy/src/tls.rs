//! TLS on both sides: what the gate shows to clients, and what it demands of origins.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use outwall_certs::Ca;
use outwall_policy::{Host, Scheme, Target};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::origin_stream::OriginStream;

/// What clients meet: one configuration for every host, so that sessions resume and a connection costs no setup.
#[derive(Clone)]
pub(crate) struct ClientTls {
    shared: Arc<ServerConfig>,
    ca: Arc<Ca>,
}

impl ClientTls {
    pub(crate) fn new(ca: Arc<Ca>) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(MintByName { ca: Arc::clone(&ca) }));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ignore_client_order = true; // the provider's order is the cheap one
        config.ticketer = Ticketer::new()?;
        Ok(Self {
            shared: Arc::new(config),
            ca,
        })
    }

    /// The configuration to meet a client with that asked for `server_name`, or for `target` without a name.
    pub(crate) fn config(
        &self,
        server_name: Option<&Host>,
        target: &Host,
    ) -> Result<Arc<ServerConfig>, Error> {
        let leaf = self.ca.leaf(&server_name.unwrap_or(target).to_string())?;
        if server_name.is_some() {
            return Ok(Arc::clone(&self.shared)); // its resolver finds the same leaf in the cache
        }
        let mut config = ServerConfig::clone(&self.shared);
        config.cert_resolver = Arc::new(Only(leaf));
        Ok(Arc::new(config))
    }
}

/// Whose leaf is shown: that of the name in SNI, which was compared with the target before.
#[derive(Debug)]
struct MintByName {
    ca: Arc<Ca>,
}

impl ResolvesServerCert for MintByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = Host::parse(hello.server_name()?).ok()?;
        let name = host.name()?;
        self.ca.leaf(name.as_str()).ok()
    }
}

/// For clients that send no name: the leaf of what they connected to.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// How one sandbox's connections to origins are protected. Sessions are resumed within the sandbox and never across.
#[derive(Clone)]
pub(crate) struct OriginTls {
    connector: TlsConnector,
}

impl OriginTls {
    pub(crate) fn new(roots: Arc<RootCertStore>) -> Result<Self, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(RESUMABLE_ORIGINS);
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Protects a connection, as its scheme demands.
    pub(crate) async fn wrap(
        &self,
        scheme: Scheme,
        target: &Target,
        stream: TcpStream,
    ) -> Result<OriginStream, Error> {
        match scheme {
            Scheme::Http => Ok(OriginStream::Plain(stream)),
            Scheme::Https => {
                let name = server_name(&target.host).map_err(Error::OriginTls)?;
                let stream = self
                    .connector
                    .connect(name, stream)
                    .await
                    .map_err(Error::OriginTls)?;
                Ok(OriginStream::Tls(Box::new(stream)))
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

/// AES-128 first: with AES-256 comes SHA-384, which is a tenth of the cost of a new connection.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| *suite != TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// Origins whose sessions one sandbox may resume.
const RESUMABLE_ORIGINS: usize = 256;
