//! A certificate for servers that are not ours, as files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// A certificate with its key, and the CA that signed it, in PEM. Gone when it is dropped.
pub struct ServerIdentity {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    _directory: TempDir,
}

impl ServerIdentity {
    /// One for all of these names.
    pub fn of(names: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Test server CA");
        let key = KeyPair::generate().expect("P-256 keys are to be had");
        let ca = CertifiedIssuer::self_signed(params, key).expect("the parameters are those of a CA");
        let key = KeyPair::generate().expect("P-256 keys are to be had");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let leaf = CertificateParams::new(names).expect("names that TLS carries");
        let certificate = leaf.signed_by(&key, &ca).expect("the CA signs");

        let directory = tempfile::Builder::new()
            .prefix("outwall-server-identity-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory can be made");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).expect("a new directory takes files");
            path
        };
        Self {
            ca: write("ca.pem", &ca.pem()),
            certificate: write("certificate.pem", &certificate.pem()),
            key: write("key.pem", &key.serialize_pem()),
            _directory: directory,
        }
    }

    /// The CA's certificate.
    pub fn ca_file(&self) -> &Path {
        &self.ca
    }

    /// The certificate to be shown.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// Its key.
    pub fn key_file(&self) -> &Path {
        &self.key
    }
}
