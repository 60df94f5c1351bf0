//! [`TrustBundle`]: what a sandbox gets so that every usual client in it trusts the CA, and what it trusted before.
//!
//! Knows where each distribution and program looks. How the files come to lie there, over an `/etc` that may be read-only
//! and may lack the directory, is the sandbox runtime's affair.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;

use crate::nss::{self, NssError};
use crate::roots::{RootsError, system_roots};
use crate::{Ca, java, openssl, pem};

/// The CA, the extra roots and the system's roots, in every form that is asked for.
#[derive(Debug)]
pub struct TrustBundle {
    roots: Vec<CertificateDer<'static>>, // the CA, the extra ones, the system's, each once
    added: usize,                        // how many of them the system does not have
    pem: Arc<[u8]>,
    nss: Result<Vec<(&'static str, Vec<u8>)>, NssError>,
}

/// A file to place in a sandbox: world-readable, never writable there.
#[derive(Debug, Clone)]
pub struct TrustFile {
    /// Absolute for [`TrustBundle::files`], below the home directory for [`TrustBundle::home_files`].
    pub path: PathBuf,
    /// The whole file. Shared between those with the same contents.
    pub contents: Arc<[u8]>,
}

impl TrustBundle {
    /// Gathers the system's roots, ours and `extra_roots`. Fails when the system has none: a sandbox that trusts only us could not
    /// verify anything that is tunnelled.
    ///
    /// The first call with a CA runs `certutil` where there is one; that failing is told by [`Self::nss_database`] and no error here.
    pub fn assemble(ca: &Ca, extra_roots: &[CertificateDer<'static>]) -> Result<Self, RootsError> {
        let mut roots = vec![ca.certificate().clone()];
        for root in extra_roots {
            if !roots.contains(root) {
                roots.push(root.clone());
            }
        }
        let added = roots.len();
        let nss = nss::database(ca, &roots);
        roots.extend(
            system_roots()?
                .iter()
                .filter(|root| !roots.contains(root))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let mut text = String::with_capacity(roots.len() * 2000);
        for root in &roots {
            pem::append(&mut text, root);
        }
        Ok(Self {
            roots,
            added,
            pem: text.into_bytes().into(),
            nss,
        })
    }

    /// The full bundle in PEM: the CA first, then the extra roots, then the system's.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// Every certificate in the bundle.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// The full bundle as a Java key store (JKS, password `changeit`), for a JVM that brings a `cacerts` of its own.
    pub fn java_key_store(&self) -> Vec<u8> {
        java::key_store(self.roots.iter())
    }

    /// The files to place at absolute paths. Their directories may not exist, and on some distributions a path is a symbolic link that
    /// must be followed.
    pub fn files(&self) -> Vec<TrustFile> {
        let java: Arc<[u8]> = self.java_key_store().into();
        let chromium: Arc<[u8]> = self.chromium_policy().into_bytes().into();
        let mut files = Vec::new();
        let mut place = |paths: &[&str], contents: &Arc<[u8]>| {
            files.extend(paths.iter().map(|path| TrustFile {
                path: path.into(),
                contents: Arc::clone(contents),
            }));
        };
        place(&PEM_BUNDLES, &self.pem);
        place(&JAVA_KEY_STORES, &java);
        place(&CHROMIUM_POLICIES, &chromium);
        files.extend(self.hashed_files());
        files
    }

    /// The files to place below the sandbox's home directory: the NSS database that Chromium reads.
    pub fn home_files(&self) -> Vec<TrustFile> {
        let Ok(database) = &self.nss else {
            return Vec::new();
        };
        let file = |(name, contents): &(&str, Vec<u8>)| TrustFile {
            path: [".pki/nssdb", name].iter().collect(),
            contents: contents.as_slice().into(),
        };
        database.iter().map(file).collect()
    }

    /// Whether there is an NSS database, and if not why, for a report on what the machine offers.
    pub fn nss_database(&self) -> Result<(), &NssError> {
        self.nss.as_ref().map(|_| ())
    }

    /// The variables for clients that do not look at the system's bundle. Each points to a *full* bundle.
    ///
    /// Not among them, on purpose: `JAVA_TOOL_OPTIONS` (the JVM prints it at every start), `SSL_CERT_DIR` (it would replace
    /// OpenSSL's directory, which works as it is).
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let bundle = BUNDLE_VARIABLES.iter().map(|name| (*name, BUNDLE.to_owned()));
        let settings = SETTING_VARIABLES
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        bundle.chain(settings).collect()
    }

    /// The names of those variables that hold the path of a full bundle, for a machine where it lies elsewhere.
    pub fn bundle_variables() -> &'static [&'static str] {
        &BUNDLE_VARIABLES
    }

    fn added(&self) -> &[CertificateDer<'static>] {
        &self.roots[..self.added]
    }

    /// What the system does not have, under the names by which OpenSSL finds it in a directory.
    fn hashed_files(&self) -> Vec<TrustFile> {
        let mut files = Vec::<TrustFile>::new();
        for root in self.added() {
            let Some(hash) = openssl::subject_hash(root) else {
                continue;
            };
            let same_hash = |file: &&TrustFile| file.path.file_stem() == Some(hash.as_ref());
            let number = files.iter().filter(same_hash).count(); // OpenSSL goes through .0, .1, ... until one is missing
            let path = PathBuf::from(format!("/etc/ssl/certs/{hash}.{number}"));
            files.push(TrustFile {
                path,
                contents: pem::encode(root).into_bytes().into(),
            });
        }
        files
    }

    /// `CACertificates`: base64 of DER, in addition to Chromium's own roots.
    fn chromium_policy(&self) -> String {
        let certificates: Vec<_> = self
            .added()
            .iter()
            .map(|root| format!("\"{}\"", BASE64_STANDARD.encode(root)))
            .collect();
        format!("{{\"CACertificates\":[{}]}}\n", certificates.join(","))
    }
}

/// The bundle that the variables point to: there on Debian, Ubuntu, Alpine, Arch, and placed everywhere else.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

const PEM_BUNDLES: [&str; 6] = [
    BUNDLE,
    "/etc/ssl/cert.pem", // Alpine; the default of LibreSSL and of much that is built statically
    "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
    "/etc/pki/tls/cert.pem", // Fedora's OpenSSL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // what Fedora's links lead to
    "/etc/ssl/ca-bundle.pem", // openSUSE
];

const JAVA_KEY_STORES: [&str; 2] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
];

const CHROMIUM_POLICIES: [&str; 2] = [
    "/etc/chromium/policies/managed/outwall.json",
    "/etc/opt/chrome/policies/managed/outwall.json",
];

const BUNDLE_VARIABLES: [&str; 11] = [
    "SSL_CERT_FILE",                      // OpenSSL, httpx, uv, rustls, go
    "REQUESTS_CA_BUNDLE",                 // Python requests
    "AWS_CA_BUNDLE",                      // boto3, aws
    "PIP_CERT",                           // pip before 24.2
    "NODE_EXTRA_CA_CERTS",                // node and what runs on it
    "GIT_SSL_CAINFO",                     // git, the one with GnuTLS included
    "CARGO_HTTP_CAINFO",                  // cargo
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", // gcloud
    "CODEX_CA_CERTIFICATE",               // codex
    "NIX_SSL_CERT_FILE",                  // nix
    "CURL_CA_BUNDLE",                     // curl built elsewhere
];

const SETTING_VARIABLES: [(&str, &str); 2] =
    [("UV_SYSTEM_CERTS", "1"), ("DENO_TLS_CA_STORE", "system,mozilla")];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
