//! The signature that a client shows: `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.

use http::header::AUTHORIZATION;
use http::request::Parts;
use thiserror::Error;

use super::scope::{Scope, ScopeError};
use super::signed_headers::{SignedHeaders, SignedHeadersError};

/// A signature of version 4 in a header, read strictly. The signature itself is not kept: it is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    key_id: String,
    scope: Scope,
    signed_headers: SignedHeaders,
}

/// Why a request has no signature that can be made again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationError {
    /// Two fields: another reader might take the other one.
    #[error("there is more than one Authorization field")]
    More,
    /// A signature, and not of this kind.
    #[error(
        "the signature is of SigV4A (several regions at once), which is not made again here; use an endpoint of one region"
    )]
    Asymmetric,
    /// Another scheme, or bytes that are no text.
    #[error("the Authorization field is no signature of AWS Signature Version 4")]
    Scheme,
    /// An element that is not one of the three, or one twice.
    #[error("the signature has an element that it should not have, or has one twice")]
    Element,
    /// One of the three is not there.
    #[error("the signature has no `{0}`")]
    Missing(&'static str),
    /// Not an access key id.
    #[error("the access key id of the signature has not the form of one")]
    KeyId,
    /// Not the scope of a signature.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Not a list of headers.
    #[error(transparent)]
    SignedHeaders(#[from] SignedHeadersError),
    /// Not 64 hexadecimal digits.
    #[error("the signature is not 64 hexadecimal digits")]
    Signature,
}

impl Authorization {
    /// Reads it out of a head; None where there is no `Authorization`.
    pub fn read(parts: &Parts) -> Result<Option<Self>, AuthorizationError> {
        let mut fields = parts.headers.get_all(AUTHORIZATION).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(AuthorizationError::More),
            (Some(field), None) => Self::parse(field.as_bytes()).map(Some),
        }
    }

    /// Reads the value of the field.
    pub fn parse(value: &[u8]) -> Result<Self, AuthorizationError> {
        let text = std::str::from_utf8(value).map_err(|_| AuthorizationError::Scheme)?;
        let (scheme, elements) = text.split_once(' ').ok_or(AuthorizationError::Scheme)?;
        check_algorithm(scheme)?;
        let (mut credential, mut headers, mut signature) = (None, None, None);
        for element in elements.split(',') {
            let (name, value) = element
                .trim_matches(' ')
                .split_once('=')
                .ok_or(AuthorizationError::Element)?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut headers,
                "Signature" => &mut signature,
                _ => return Err(AuthorizationError::Element),
            };
            if slot.replace(value).is_some() {
                return Err(AuthorizationError::Element);
            }
        }
        let (key_id, scope) = parse_credential(credential.ok_or(AuthorizationError::Missing("Credential"))?)?;
        let headers = headers.ok_or(AuthorizationError::Missing("SignedHeaders"))?;
        check_signature(signature.ok_or(AuthorizationError::Missing("Signature"))?)?;
        Ok(Self {
            key_id: key_id.to_owned(),
            scope,
            signed_headers: SignedHeaders::parse(headers)?,
        })
    }

    /// The access key id that signed it: a placeholder, where it is one of ours.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Day, region and service.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Which headers are signed.
    pub fn signed_headers(&self) -> &SignedHeaders {
        &self.signed_headers
    }
}

/// `AWS4-HMAC-SHA256`, and the kind for several regions told apart.
pub(super) fn check_algorithm(written: &str) -> Result<(), AuthorizationError> {
    match written {
        ALGORITHM => Ok(()),
        "AWS4-ECDSA-P256-SHA256" => Err(AuthorizationError::Asymmetric),
        _ => Err(AuthorizationError::Scheme),
    }
}

/// `KEYID/20150830/us-east-1/iam/aws4_request`.
pub(super) fn parse_credential(text: &str) -> Result<(&str, Scope), AuthorizationError> {
    let (key_id, scope) = text.split_once('/').ok_or(AuthorizationError::KeyId)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !(1..=LONGEST_KEY_ID).contains(&key_id.len()) || !key_id.bytes().all(fits) {
        return Err(AuthorizationError::KeyId);
    }
    Ok((key_id, Scope::parse(scope)?))
}

pub(super) fn check_signature(text: &str) -> Result<(), AuthorizationError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(is_hex) {
        Ok(())
    } else {
        Err(AuthorizationError::Signature)
    }
}

/// The one algorithm that is made again here.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// `https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html`.
const LONGEST_KEY_ID: usize = 128;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

    fn error(value: &str) -> AuthorizationError {
        Authorization::parse(value.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_signature_is_key_scope_and_headers() {
        for good in [
            GOOD.to_owned(),
            GOOD.replace(", ", ","),
            GOOD.replace("256 Cred", "256   Cred"),
        ] {
            let read = Authorization::parse(good.as_bytes()).unwrap();
            assert_eq!(read.key_id(), "AKIDEXAMPLE");
            assert_eq!(read.scope().to_string(), "20150830/us-east-1/iam/aws4_request");
            assert_eq!(read.signed_headers().to_string(), "content-type;host;x-amz-date");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        for (wrong, why) in [
            (
                GOOD.replace("AWS4-HMAC-SHA256 ", "Bearer "),
                AuthorizationError::Scheme,
            ),
            (
                GOOD.replace("AWS4-HMAC-SHA256 ", "aws4-hmac-sha256 "),
                AuthorizationError::Scheme,
            ),
            (
                GOOD.replace("HMAC-SHA256", "ECDSA-P256-SHA256"),
                AuthorizationError::Asymmetric,
            ),
            (
                format!("{GOOD}, Credential=EVIL/20150830/us-east-1/iam/aws4_request"),
                AuthorizationError::Element,
            ),
            (format!("{GOOD}, X=1"), AuthorizationError::Element),
            (format!("{GOOD},"), AuthorizationError::Element),
            (
                GOOD.replace(", Signature=", ", Sig="),
                AuthorizationError::Element,
            ),
            (
                GOOD.replace("SignedHeaders=content-type;host;x-amz-date, ", ""),
                AuthorizationError::Missing("SignedHeaders"),
            ),
            (GOOD.replace("AKIDEXAMPLE", ""), AuthorizationError::KeyId),
            (
                GOOD.replace("AKIDEXAMPLE", "AKID EXAMPLE"),
                AuthorizationError::KeyId,
            ),
            (GOOD.replace("=5d67", "=5D67"), AuthorizationError::Signature),
            (GOOD.replace("=5d67", "=5d6"), AuthorizationError::Signature),
        ] {
            assert_eq!(error(&wrong), why, "{wrong}");
        }
        let mut parts = http::Request::new(()).into_parts().0;
        assert_eq!(Authorization::read(&parts), Ok(None));
        parts.headers.append(AUTHORIZATION, GOOD.parse().unwrap());
        assert!(Authorization::read(&parts).unwrap().is_some());
        parts.headers.append(AUTHORIZATION, GOOD.parse().unwrap());
        assert_eq!(Authorization::read(&parts), Err(AuthorizationError::More));
    }
}
