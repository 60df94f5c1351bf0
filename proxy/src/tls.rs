//! What the gate shows to clients: TLS with a leaf for the name that they asked for. What it demands of origins is in
//! `origins::tls`.

use std::sync::Arc;

use outwall_certs::{Ca, LeafCounts};
use outwall_policy::Host;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::error::Error;

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

    /// What became of the leaves that were asked for.
    pub(crate) fn leaf_counts(&self) -> LeafCounts {
        self.ca.leaf_counts()
    }

    /// The configuration to meet a client with that asked for `server_name`, or for `target` without one.
    pub(crate) fn config(
        &self,
        server_name: Option<&Host>,
        target: &Host,
    ) -> Result<Arc<ServerConfig>, Error> {
        let leaf = self.ca.leaf(&server_name.unwrap_or(target).to_string())?;
        if server_name.is_some_and(|host| host.name().is_some()) {
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

/// For clients that send no name: the leaf of what they connected to, or of the address that they sent in its place.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// AES-128 first: with AES-256 comes SHA-384, which is a tenth of the cost of a new connection.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| *suite != TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}
