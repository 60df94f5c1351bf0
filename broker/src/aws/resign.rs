//! Signing again.

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use thiserror::Error;

use super::authorization::{ALGORITHM, Authorization, AuthorizationError};
use super::canonical;
use super::chunks::Chunks;
use super::endpoint::{self, EndpointError};
use super::keys::Keys;
use super::moment::{Moment, MomentError};
use super::payload::{Payload, PayloadError, PayloadHash};
use super::presigned::{self, Presigned};
use super::scope::Scope;
use super::sign::{SigningKey, string_to_sign};
use super::signed_headers::SignedHeaders;

/// What a client signed, and where its signature stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// In `Authorization`.
    Header(Authorization),
    /// In the query.
    Query(Presigned),
}

/// Why a request is not signed again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResignError {
    /// Its time.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// Its host.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Its body.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A header that is not there, or is no text.
    #[error("the header {0} is signed, and is not in the request or no text")]
    Header(String),
    /// The session token cannot stand in a header.
    #[error("the session token of the credential cannot stand in a header")]
    Token,
    /// The URL has no room for the signature.
    #[error("the presigned URL is too long to be signed again")]
    Url,
    /// [`Payload::Unstated`]: whoever asks has not hashed the body.
    #[error("the body has not been hashed")]
    Unhashed,
}

impl Signature {
    /// Reads what a client signed; None where it signed nothing.
    pub fn read(parts: &Parts) -> Result<Option<Self>, AuthorizationError> {
        match (Authorization::read(parts)?, Presigned::read(parts)?) {
            (None, None) => Ok(None),
            (Some(signed), None) => Ok(Some(Self::Header(signed))),
            (None, Some(signed)) => Ok(Some(Self::Query(signed))),
            (Some(_), Some(_)) => Err(AuthorizationError::Element),
        }
    }

    /// The access key id that signed: a placeholder, where it is one of ours.
    pub fn key_id(&self) -> &str {
        match self {
            Self::Header(signed) => signed.key_id(),
            Self::Query(signed) => signed.key_id(),
        }
    }

    /// Day, region and service.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Header(signed) => signed.scope(),
            Self::Query(signed) => signed.scope(),
        }
    }

    /// What is known of the body.
    pub fn payload(&self, parts: &Parts) -> Result<Payload, PayloadError> {
        match self {
            Self::Header(_) => Payload::of(&parts.headers),
            Self::Query(signed) => Payload::of_presigned(signed.payload(), &parts.headers, signed.scope()),
        }
    }

    /// Refuses what the service would refuse, and what is signed for somewhere else: before a secret is used for it.
    pub fn check(&self, parts: &Parts, authority: &str, now: Timestamp) -> Result<(), ResignError> {
        endpoint::check(authority, self.scope())?;
        self.moment(parts, now)?;
        Ok(())
    }

    fn moment(&self, parts: &Parts, now: Timestamp) -> Result<Moment, MomentError> {
        let moment = match self {
            Self::Header(_) => Moment::of(&parts.headers)?,
            Self::Query(signed) => Moment::parse(signed.date())?,
        };
        moment.check_day(self.scope().day())?;
        match self {
            Self::Query(signed) if signed.expires().is_some() => {
                moment.check_lifetime(signed.expires().unwrap_or_default(), now)?;
            }
            Self::Header(_) | Self::Query(_) => moment.check_skew(now)?,
        }
        Ok(moment)
    }

    /// Signs a head with other keys, as it is now: nothing may be changed in it afterwards. `authority` is the Host that is sent.
    /// A body that is signed in chunks has to pass through what comes back.
    ///
    /// Headers that a proxy changes or drops are not among those that are signed again; the session token always is.
    pub fn resign(
        &self,
        parts: &mut Parts,
        authority: &str,
        payload: &Payload,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Option<Chunks>, ResignError> {
        endpoint::check(authority, self.scope())?;
        let moment = self.moment(parts, now)?;
        let (hash, chunked) = match payload {
            Payload::Stated(hash) => (hash, false),
            Payload::Chunks(hash) => (hash, true),
            Payload::Unstated => return Err(ResignError::Unhashed),
        };
        parts.headers.remove(TOKEN);
        let asked = Asked {
            authority,
            hash,
            keys,
            moment: &moment,
        };
        match self {
            Self::Header(signed) => {
                let (key, signature) = asked.in_header(signed, parts)?;
                Ok(chunked.then(|| Chunks::new(key, moment, signed.scope().clone(), signature, hash)))
            }
            Self::Query(_) if chunked => Err(PayloadError::Stated.into()),
            Self::Query(signed) => asked.in_query(signed, parts).map(|()| None),
        }
    }
}

/// What a signature is made of besides the head.
struct Asked<'a> {
    authority: &'a str,
    hash: &'a PayloadHash,
    keys: &'a Keys,
    moment: &'a Moment,
}

impl Asked<'_> {
    fn in_header(
        &self,
        signed: &Authorization,
        parts: &mut Parts,
    ) -> Result<(SigningKey, String), ResignError> {
        let scope = signed.scope();
        let mut headers = kept(signed.signed_headers());
        if let Some(token) = self.keys.token() {
            parts.headers.insert(TOKEN, secret(token)?);
            headers.add(TOKEN.as_str());
        }
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let (key, signature) = self.sign(parts, &query, scope, &headers)?;
        let id = self.keys.id();
        let value =
            format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={headers}, Signature={signature}");
        parts.headers.insert(AUTHORIZATION, secret(&value)?);
        Ok((key, signature))
    }

    fn in_query(&self, signed: &Presigned, parts: &mut Parts) -> Result<(), ResignError> {
        let scope = signed.scope();
        let headers = kept(signed.signed_headers());
        let came = parts.uri.query().unwrap_or_default();
        let query = presigned::unsigned_query(came, self.keys.id(), scope, &headers, self.keys.token());
        let (_key, signature) = self.sign(parts, &query, scope, &headers)?;
        let url = format!(
            "{}?{query}&{}={signature}",
            parts.uri.path(),
            presigned::SIGNATURE
        );
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::try_from(url).map_err(|_| ResignError::Url)?);
        parts.uri = Uri::from_parts(uri).map_err(|_| ResignError::Url)?;
        Ok(())
    }

    fn sign(
        &self,
        parts: &Parts,
        query: &str,
        scope: &Scope,
        headers: &SignedHeaders,
    ) -> Result<(SigningKey, String), ResignError> {
        let canonical = canonical::request(parts, query, self.authority, scope, headers, self.hash)?;
        let key = SigningKey::derive(self.keys, scope);
        let signature = key.sign(&string_to_sign(self.moment, scope, &canonical));
        Ok((key, signature))
    }
}

/// What a client signed, without what does not arrive as it left.
fn kept(signed: &SignedHeaders) -> SignedHeaders {
    let mut kept = signed.clone();
    kept.remove(|name| name == TOKEN.as_str() || CHANGED_ON_THE_WAY.contains(&name));
    kept
}

/// Neither indexed by HPACK nor shown in `Debug`.
fn secret(value: &str) -> Result<HeaderValue, ResignError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| ResignError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// Of one connection only (RFC 9110 section 7.6.1), or replaced by the gate.
const CHANGED_ON_THE_WAY: [&str; 9] = [
    "accept-encoding",
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
