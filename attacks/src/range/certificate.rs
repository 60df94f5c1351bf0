//! The CA of the range, and the one certificate that its origins show.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;

use crate::attack::DOMAIN;
use crate::tls::provider;

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Outwall's range of attacks");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key)
            .map(Self)
            .map_err(io::Error::other)
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server for every host of the list, that speaks these protocols. `hosts` are those outside of its domain.
    pub(super) fn config(&self, protocols: &[&str], hosts: &[&str]) -> io::Result<ServerConfig> {
        let names = ["h1", "h2"].map(|kind| format!("*.{kind}.{DOMAIN}")).into_iter();
        let names = names.chain(hosts.iter().map(|host| (*host).to_owned()));
        let params = CertificateParams::new(names.collect::<Vec<_>>()).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Ok(config)
    }
}
