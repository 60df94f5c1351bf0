//! The origin's own CA, and the right and the wrong certificates it shows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use super::Versions;
use crate::crypto;

/// What an origin shows to who asks for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One for the name that was asked for, signed by the origin's CA.
    Right,
    /// One for this name, whatever was asked for.
    For(String),
    /// One for the name that was asked for, that ended in 2001.
    Expired,
    /// One for the name that was asked for, signed by a CA that nobody was told of.
    SignedByAStranger,
}

/// A CA that lives as long as its origin.
pub(crate) struct OriginCa(CertifiedIssuer<'static, KeyPair>);

impl OriginCa {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Test origin CA");
        let key = KeyPair::generate().expect("P-256 keys are to be had");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are those of a CA"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn leaf(&self, name: &str, expired: bool) -> CertifiedKey {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name that TLS carried");
        if expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("P-256 keys are to be had");
        let certificate = params.signed_by(&key, &self.0).expect("the CA signs");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key that was just made");
        let key = any_supported_type(&key).expect("P-256 is supported");
        CertifiedKey::new(vec![certificate.der().clone()], key)
    }
}

pub(crate) fn server_config(ca: OriginCa, versions: Versions, certificate: &Certificate) -> ServerConfig {
    let shown = Shown {
        ca: if *certificate == Certificate::SignedByAStranger {
            OriginCa::new()
        } else {
            ca
        },
        certificate: certificate.clone(),
        minted: Mutex::default(),
    };
    let mut config = ServerConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = match versions {
        Versions::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Versions::Http1Only => vec![b"http/1.1".to_vec()],
        Versions::Http2Only => vec![b"h2".to_vec()],
    };
    config
}

struct Shown {
    ca: OriginCa,
    certificate: Certificate,
    minted: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = match &self.certificate {
            Certificate::For(name) => name.as_str(),
            _ => hello.server_name().unwrap_or("127.0.0.1"),
        };
        let mut minted = self.minted.lock().expect("minting does not panic");
        let leaf = minted
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(self.ca.leaf(name, self.certificate == Certificate::Expired)));
        Some(Arc::clone(leaf))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.certificate).finish()
    }
}
