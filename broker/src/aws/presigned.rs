//! The signature in the query of a presigned URL.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use http::request::Parts;

use super::authorization::{AuthorizationError, check_algorithm, check_signature, parse_credential};
use super::canonical::{decode, encoded};
use super::scope::Scope;
use super::signed_headers::SignedHeaders;

/// A signature of version 4 in a query, read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    key_id: String,
    scope: Scope,
    signed_headers: SignedHeaders,
    date: String,
    /// In seconds.
    expires: Option<u32>,
    /// `X-Amz-Content-Sha256`.
    payload: Option<String>,
}

impl Presigned {
    /// Reads it out of a head; None where the query has none of its parameters.
    pub fn read(parts: &Parts) -> Result<Option<Self>, AuthorizationError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }

    fn parse(query: &str) -> Result<Option<Self>, AuthorizationError> {
        let mut found: [Option<String>; NAMES.len()] = Default::default();
        for (name, value) in parameters(query) {
            let Some(at) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(&name)) else {
                continue;
            };
            // Another spelling is another parameter to the service, and the same one to somebody else.
            if name != NAMES[at] || found[at].replace(value).is_some() {
                return Err(AuthorizationError::Element);
            }
        }
        let [algorithm, credential, date, expires, headers, signature, payload] = found;
        if algorithm.is_none() && credential.is_none() && signature.is_none() {
            return Ok(None);
        }
        let needed = |value: Option<String>, at: usize| value.ok_or(AuthorizationError::Missing(NAMES[at]));
        check_algorithm(&needed(algorithm, 0)?)?;
        let credential = needed(credential, 1)?;
        let (key_id, scope) = parse_credential(&credential)?;
        check_signature(&needed(signature, 5)?)?;
        let expires = expires.map(|seconds| seconds.parse().map_err(|_| AuthorizationError::Element));
        Ok(Some(Self {
            key_id: key_id.to_owned(),
            scope,
            signed_headers: SignedHeaders::parse(&needed(headers, 4)?)?,
            date: needed(date, 2)?,
            expires: expires.transpose()?,
            payload,
        }))
    }

    /// The access key id that signed it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Day, region and service.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn signed_headers(&self) -> &SignedHeaders {
        &self.signed_headers
    }

    pub(super) fn date(&self) -> &str {
        &self.date
    }

    pub(super) fn expires(&self) -> Option<u32> {
        self.expires
    }

    pub(super) fn payload(&self) -> Option<&str> {
        self.payload.as_deref()
    }
}

/// The query as it is signed again: with the other key and token, wherever those that came stood and if they were taken out already,
/// and without the signature.
pub(super) fn unsigned_query(
    query: &str,
    key_id: &str,
    scope: &Scope,
    signed: &SignedHeaders,
    token: Option<&str>,
) -> String {
    let is_replaced = |parameter: &str| {
        let (name, _value) = parameters(parameter).next().unwrap_or_default();
        REPLACED
            .iter()
            .any(|replaced| replaced.eq_ignore_ascii_case(&name))
    };
    let kept = query
        .split('&')
        .filter(|parameter| !is_replaced(parameter))
        .map(str::to_owned);
    let with = |name: &str, value: &str| format!("{name}={}", encoded(value.as_bytes()));
    let own = [
        with(CREDENTIAL, &format!("{key_id}/{scope}")),
        with(SIGNED_HEADERS, &signed.to_string()),
    ];
    let token = token.map(|token| with(TOKEN, token));
    kept.chain(own).chain(token).collect::<Vec<_>>().join("&")
}

/// Names and values, decoded; what is no text is read as if it were none of ours.
fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let text = |written: &str| String::from_utf8_lossy(&decode(written)).into_owned();
        (text(name), text(value))
    })
}

const CREDENTIAL: &str = "X-Amz-Credential";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
const TOKEN: &str = "X-Amz-Security-Token";
const REPLACED: [&str; 4] = [CREDENTIAL, SIGNED_HEADERS, SIGNATURE, TOKEN];
const NAMES: [&str; 7] = [
    "X-Amz-Algorithm",
    CREDENTIAL,
    "X-Amz-Date",
    "X-Amz-Expires",
    SIGNED_HEADERS,
    SIGNATURE,
    "X-Amz-Content-Sha256",
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    const GOOD: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";

    #[test]
    fn a_presigned_url_has_each_parameter_once() {
        let read = Presigned::parse(&format!("response-content-type=a&{GOOD}"))
            .unwrap()
            .unwrap();
        assert_eq!(
            (read.key_id(), read.scope().service(), read.expires()),
            ("AKIDEXAMPLE", "s3", Some(3600))
        );
        assert_eq!(Presigned::parse("a=b"), Ok(None));
        for (wrong, why) in [
            (format!("{GOOD}&X-Amz-Credential=x"), AuthorizationError::Element),
            (format!("{GOOD}&x-amz-credential=x"), AuthorizationError::Element),
            (
                format!("{GOOD}&%58-Amz-Credential=x"),
                AuthorizationError::Element,
            ),
            (
                GOOD.replace("X-Amz-Signature", "x-amz-signature"),
                AuthorizationError::Element,
            ),
            (
                GOOD.replace("X-Amz-Date=20150830T123600Z&", ""),
                AuthorizationError::Missing("X-Amz-Date"),
            ),
            (GOOD.replace("HMAC", "ECDSA-P256"), AuthorizationError::Asymmetric),
            (GOOD.replace("3600&", "x&"), AuthorizationError::Element),
        ] {
            assert_eq!(Presigned::parse(&wrong).unwrap_err(), why, "{wrong}");
        }
    }
}
