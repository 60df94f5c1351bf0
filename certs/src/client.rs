//! A certificate of the operator's that the gate shows to origins, with its key: from PEM, checked before it is used.

use std::fmt;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroize as _;

/// A client certificate with its key, and the certificates that vouch for it.
#[derive(Clone)]
pub struct ClientIdentity {
    certified: Arc<CertifiedKey>,
}

/// Why two files are no client certificate and key. No text of it holds anything of the key.
#[derive(Debug, Error)]
pub enum ClientIdentityError {
    /// The certificate's file is no PEM.
    #[error("the certificate is not PEM")]
    CertificateNotPem(#[source] pem::Error),
    /// There is no certificate in its file.
    #[error("the file holds no certificate")]
    NoCertificate,
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate(#[source] rustls::Error),
    /// The key's file is no PEM.
    #[error("the key is not PEM")]
    KeyNotPem,
    /// There is no private key in its file.
    #[error("the file holds no private key")]
    NoKey,
    /// The key needs a passphrase, which nobody is there to type.
    #[error("the key is encrypted")]
    EncryptedKey,
    /// A kind of key that TLS clients do not use, or a broken one.
    #[error("the key is of a kind that cannot be used")]
    Key,
    /// Certificate and key are no pair.
    #[error("the key is not the certificate's")]
    Mismatch,
}

impl ClientIdentity {
    /// Reads the two files. The certificate's own comes first, then those that vouch for it.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, ClientIdentityError> {
        let chain = read_chain(certificate)?;
        let mut private = read_key(key)?;
        let signing = any_supported_type(&private).map_err(|_| ClientIdentityError::Key);
        private.zeroize();
        let certified = CertifiedKey::new(chain, signing?);
        match certified.keys_match() {
            Ok(()) => {}
            // A key that cannot say which certificate is its own would be found out only by the origin.
            Err(rustls::Error::InconsistentKeys(
                InconsistentKeys::KeyMismatch | InconsistentKeys::Unknown,
            )) => {
                return Err(ClientIdentityError::Mismatch);
            }
            Err(error) => return Err(ClientIdentityError::Certificate(error)),
        }
        Ok(Self {
            certified: Arc::new(certified),
        })
    }

    /// For TLS.
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// True when the certificate's time is over, as far as it says.
    pub fn has_expired(&self) -> bool {
        let own = self.certified.cert.first();
        let parsed = own.and_then(|der| X509Certificate::from_der(der).ok());
        parsed.is_some_and(|(_, certificate)| certificate.validity().time_to_expiration().is_none())
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(..)")
    }
}

impl ClientIdentityError {
    /// True when it is the key's file that is wrong, or neither alone.
    pub fn is_about_key(&self) -> bool {
        match self {
            Self::KeyNotPem | Self::NoKey | Self::EncryptedKey | Self::Key | Self::Mismatch => true,
            Self::CertificateNotPem(_) | Self::NoCertificate | Self::Certificate(_) => false,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::CertificateNotPem(_) | Self::NoCertificate | Self::Certificate(_) => {
                "name a file with the certificate first and then those that vouch for it, each `-----BEGIN CERTIFICATE-----`"
            }
            Self::KeyNotPem | Self::NoKey => "name a file with the key as `-----BEGIN PRIVATE KEY-----`",
            Self::EncryptedKey => {
                "decrypt it, and keep it readable by you only: `openssl pkey -in KEY -out client.key && chmod 600 client.key`"
            }
            Self::Key => {
                "use an ECDSA key (P-256, P-384, P-521), an RSA key of at least 2048 bits, or Ed25519"
            }
            Self::Mismatch => "name the key that the certificate was made for",
        }
    }
}

fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientIdentityError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(ClientIdentityError::CertificateNotPem)?;
    if chain.is_empty() {
        return Err(ClientIdentityError::NoCertificate);
    }
    Ok(chain)
}

/// An encrypted key is recognised by its label (RFC 7468 section 11) or by OpenSSL's older header.
fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ClientIdentityError> {
    let says = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    if says(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || says(b"Proc-Type: 4,ENCRYPTED") {
        return Err(ClientIdentityError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => ClientIdentityError::NoKey,
        _ => ClientIdentityError::KeyNotPem,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["client".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn read(certificate: &str, key: &str) -> Result<ClientIdentity, ClientIdentityError> {
        ClientIdentity::from_pem(certificate.as_bytes(), key.as_bytes())
    }

    #[test]
    fn a_certificate_with_its_key_is_one_and_may_be_in_one_file() {
        let (certificate, key) = pair();
        assert!(!read(&certificate, &key).unwrap().has_expired());
        let both = format!("{key}{certificate}");
        assert_eq!(read(&both, &both).unwrap().certified().cert.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_of_the_key() {
        let (certificate, key) = pair();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let torn = "-----BEGIN PRIVATE KEY-----\nAAAA\n";
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, says) in [
            (certificate.as_str(), pair().1.as_str(), "not the certificate's"),
            (&certificate, &encrypted, "encrypted"),
            (&certificate, older, "encrypted"),
            (&certificate, garbage, "cannot be used"),
            (&certificate, torn, "not PEM"),
            (&certificate, &certificate, "no private key"),
            (&key, &key, "no certificate"),
            (no_certificate, &key, "certificate cannot be read"),
        ] {
            let error = read(certificate, key).unwrap_err();
            let said = format!("{error} {error:?} {}", error.remedy());
            assert!(said.contains(says), "{says}: {said}");
            let secret = key.lines().nth(1).unwrap();
            assert!(secret == "AAAA" || !said.contains(secret), "{said}");
        }
        let shown = format!("{:?}", read(&certificate, &key).unwrap());
        assert_eq!(shown, "ClientIdentity(..)");
    }

    #[test]
    fn a_certificate_whose_time_is_over_is_found() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        assert!(
            read(&certificate.pem(), &key.serialize_pem())
                .unwrap()
                .has_expired()
        );
    }
}
