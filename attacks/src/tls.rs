//! TLS as a client that trusts everybody speaks it: who answers is seen by what arrives, not by a certificate.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::attack::Speaks;

/// A new session; without a name there is none in SNI.
pub(crate) fn session(name: Option<&str>, speaks: Speaks) -> io::Result<ClientConnection> {
    connection(config(provider(), rustls::DEFAULT_VERSIONS, speaks)?, name)
}

/// A session of TLS 1.2 whose keys can be taken out of it, with the cipher that [`crate::renegotiate`] knows.
pub(crate) fn session_to_extract(name: &str) -> io::Result<ClientConnection> {
    let mut provider = default_provider();
    provider
        .cipher_suites
        .retain(|suite| *suite == TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    let mut config = config(Arc::new(provider), &[&rustls::version::TLS12], Speaks::Http1)?;
    config.enable_secret_extraction = true;
    connection(config, Some(name))
}

/// A client that trusts everybody.
pub(crate) fn config(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    speaks: Speaks,
) -> io::Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Everybody))
        .with_no_client_auth();
    config.alpn_protocols = match speaks {
        Speaks::Http1 => vec![b"http/1.1".to_vec()],
        Speaks::H2 => vec![b"h2".to_vec()],
        Speaks::Unknown => vec![b"h3".to_vec(), b"outwall/0".to_vec()],
    };
    Ok(config)
}

/// A connection; without a name there is none in SNI.
pub(crate) fn connection(mut config: ClientConfig, name: Option<&str>) -> io::Result<ClientConnection> {
    config.enable_sni = name.is_some();
    let name = ServerName::try_from(name.unwrap_or("nobody.invalid").to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

/// The first message of a session as it would leave.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut session = session(Some(name), Speaks::Http1).expect("a name that TLS carries");
    session.write_tls(&mut bytes).expect("memory takes bytes");
    bytes
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

#[derive(Debug)]
struct Everybody;

impl ServerCertVerifier for Everybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
