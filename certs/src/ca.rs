//! [`Ca`]: the signer. Made at first use, kept in a directory, the same for every process that looks there.
//!
//! How its two files are written and locked is [`crate::store`]'s; what a leaf looks like is [`crate::leaf`]'s.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::cache::{LeafCache, LeafCounts};
use crate::leaf::{LeafError, Minter};
use crate::store::{CaFiles, KeyText, Locked};
use crate::{leaf, pem};

/// A CA ready to sign. Cheap to clone; clones share the leaf key and the leaf cache.
#[derive(Clone)]
pub struct Ca(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    minter: Minter,
    leaves: LeafCache,
}

/// What [`Ca::rotate`] did.
#[derive(Debug)]
pub struct Rotated {
    /// The CA that signs from now on.
    pub ca: Ca,
    /// Where the certificate it replaced is kept. `None` when there was none.
    pub old_certificate: Option<PathBuf>,
}

impl Ca {
    /// The CA kept in `directory` (`ca.pem` and `ca.key`), made there when there is none yet.
    ///
    /// Processes that arrive at once agree on one CA: a lock file is held from looking to having written.
    pub fn load_or_create(directory: &Path) -> Result<Ca, CaError> {
        let files = CaFiles::in_directory(directory)?.lock()?;
        match files.read()? {
            Some((certificate, key)) => Self::from_files(&files, &certificate, &key),
            None => Self::create(&files),
        }
    }

    /// Makes a new CA in `directory` and keeps the old certificate (not its key) beside it, named with the time of the change.
    ///
    /// Works also when the old files are expired, unreadable to us or do not belong together: it is the remedy for those.
    /// A process that has the old CA loaded goes on with it; sandboxes started from now on trust the new one.
    pub fn rotate(directory: &Path) -> Result<Rotated, CaError> {
        let files = CaFiles::in_directory(directory)?.lock()?;
        let old_certificate = files.set_certificate_aside(Timestamp::now())?;
        let ca = Self::create(&files)?;
        Ok(Rotated { ca, old_certificate })
    }

    /// The CA's own certificate, one PEM block.
    pub fn certificate_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// SHA-256 of the certificate, lower hex, 64 characters.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0.certificate)
    }

    /// The directory it is kept in.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// A certificate and key for `host` (a name in normal form, or an IP literal without brackets), ready for a TLS resolver.
    ///
    /// From the cache, or minted: about 0.1 ms of CPU, so it may be called from an async task. Callers that ask for the same host at
    /// the same time wait for one mint.
    pub fn leaf(&self, host: &str) -> Result<Arc<CertifiedKey>, LeafError> {
        if let Some(known) = self.0.leaves.known(host) {
            return Ok(known);
        }
        let subject = leaf::Subject::parse(host)?; // before it takes a place in the cache
        self.0.leaves.obtain(host, || self.0.minter.mint(&subject))
    }

    /// What became of the leaves that were asked for so far.
    pub fn leaf_counts(&self) -> LeafCounts {
        self.0.leaves.counts()
    }

    fn create(files: &Locked) -> Result<Ca, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Make)?;
        let certificate = parameters()?.self_signed(&key).map_err(CaError::Make)?;
        let certificate_pem = pem::encode(certificate.der());
        let key_text = KeyText::new(key.serialize_pem());
        files.write(&certificate_pem, &key_text)?;
        Self::from_files(files, &certificate_pem, &key_text)
    }

    fn from_files(files: &Locked, certificate_pem: &str, key: &KeyText) -> Result<Ca, CaError> {
        let bad_certificate = || CaError::BadCertificate {
            path: files.certificate(),
        };
        let certificate = pem::first(certificate_pem.as_bytes()).ok_or_else(bad_certificate)?;
        let key = KeyPair::from_pem(key.as_str()).map_err(|source| CaError::BadKey {
            path: files.key(),
            source,
        })?;
        check_pair(files, &certificate, &key)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| bad_certificate())?;
        Ok(Ca(Arc::new(Inner {
            directory: files.directory().to_owned(),
            minter: Minter::new(issuer).map_err(CaError::Make)?,
            leaves: LeafCache::default(),
            certificate_pem: pem::encode(&certificate),
            certificate,
        })))
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("directory", &self.0.directory)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// Why there is no CA to sign with. Each message ends in what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The operating system refused a file operation.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it was refused.
        source: io::Error,
    },
    /// Others than the owner can read the key, so it may be known to them.
    #[error(
        "the CA's key `{}` has mode {mode:o}, so other users can read it; if none of them can have, `chmod 600` it, else make a new CA with `outwall ca rotate`",
        path.display()
    )]
    KeyReadableByOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("`{}` is not a private key in PEM; restore it, or make a new CA with `outwall ca rotate`", path.display())]
    BadKey {
        /// The key file.
        path: PathBuf,
        /// What the parser said.
        source: rcgen::Error,
    },
    /// The certificate file does not hold a certificate.
    #[error("`{}` is not a CA certificate in PEM; restore it, or make a new CA with `outwall ca rotate`", path.display())]
    BadCertificate {
        /// The certificate file.
        path: PathBuf,
    },
    /// The certificate is not for the key beside it.
    #[error(
        "`ca.pem` and `ca.key` in `{}` do not belong together; restore the pair, or make a new CA with `outwall ca rotate`",
        directory.display()
    )]
    NotAPair {
        /// The directory of both.
        directory: PathBuf,
    },
    /// The certificate's time is over; no client would accept a leaf under it.
    #[error("the CA certificate `{}` expired on {expired}; make a new CA with `outwall ca rotate`", path.display())]
    Expired {
        /// The certificate file.
        path: PathBuf,
        /// Its `notAfter`.
        expired: Timestamp,
    },
    /// A key or certificate could not be made.
    #[error("cannot make the CA's key or certificate")]
    Make(#[source] rcgen::Error),
}

pub(crate) fn fingerprint(certificate: &[u8]) -> String {
    hex(digest(&SHA256, certificate).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        })
}

fn check_pair(files: &Locked, certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<(), CaError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CaError::BadCertificate {
        path: files.certificate(),
    })?;
    if !parsed.is_ca() {
        return Err(CaError::BadCertificate {
            path: files.certificate(),
        });
    }
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(CaError::NotAPair {
            directory: files.directory().to_owned(),
        });
    }
    let expired = Timestamp::from_second(parsed.validity().not_after.timestamp()).map_err(|_| {
        CaError::BadCertificate {
            path: files.certificate(),
        }
    })?;
    if expired <= Timestamp::now() {
        return Err(CaError::Expired {
            path: files.certificate(),
            expired,
        });
    }
    Ok(())
}

fn parameters() -> Result<CertificateParams, CaError> {
    let mut parameters = CertificateParams::default();
    // Random in the name: after a rotation, or with two users' CAs in one store, clients that look issuers up by name find one.
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| CaError::Make(rcgen::Error::RingUnspecified))?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, format!("Outwall CA {}", hex(&random)));
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "Outwall");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.serial_number = Some(leaf::random_serial().map_err(CaError::Make)?);
    parameters.use_authority_key_identifier_extension = true;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    leaf::valid(
        &mut parameters,
        today.saturating_sub(1.year()),
        today.saturating_add(10.years()),
    );
    Ok(parameters)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
