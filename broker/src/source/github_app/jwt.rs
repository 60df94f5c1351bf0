//! What an app proves itself with: a JSON web token, signed with its private key (RS256, RFC 7518 section 3.3).
//! "Generating a JSON Web Token (JWT) for a GitHub App", GitHub Docs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

/// The private key of an app.
pub(super) struct AppKey(KeyPair);

/// Why it cannot be used. It never says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No PEM, or one of something else.
    #[error("it is no private key in PEM")]
    NotPem,
    /// Not RSA, or weak.
    #[error("it is no RSA key of 2048 to 8192 bits")]
    NotRsa,
    /// The library refuses.
    #[error("it cannot sign")]
    Sign,
}

impl AppKey {
    /// PKCS#1, as GitHub gives it, or PKCS#8. In a variable its line breaks may be written as `\n`.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let text = Zeroizing::new(std::str::from_utf8(pem).map_err(|_| KeyError::NotPem)?.to_owned());
        let text = if text.contains('\n') {
            text
        } else {
            Zeroizing::new(text.replace("\\n", "\n"))
        };
        let mut der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotPem)?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(KeyError::NotRsa),
        };
        der.zeroize();
        pair.map(Self).map_err(|_| KeyError::NotRsa)
    }

    /// Says that we are the app, from a minute ago, for clocks differ, until in nine minutes: ten is the most.
    pub(super) fn jwt(&self, app: u64, now: Timestamp) -> Result<Zeroizing<String>, KeyError> {
        let now = now.as_second();
        let claims = format!(r#"{{"iat":{},"exp":{},"iss":"{app}"}}"#, now - 60, now + 9 * 60);
        let mut jwt = Zeroizing::new(String::with_capacity(1024));
        URL_SAFE_NO_PAD.encode_string(r#"{"alg":"RS256","typ":"JWT"}"#, &mut jwt);
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                jwt.as_bytes(),
                &mut signature,
            )
            .map_err(|_| KeyError::Sign)?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut jwt);
        Ok(jwt)
    }
}
