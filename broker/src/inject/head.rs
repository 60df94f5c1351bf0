//! A secret in the head of a request.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};
use outwall_policy::brokered::Injection;
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a secret cannot be put into a head. It never says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotInjected {
    /// It has bytes that no field may have.
    #[error("the secret has bytes that no header field may have")]
    Value,
    /// The URL with it is none.
    #[error("the secret does not fit into a URL")]
    Url,
}

/// Puts a secret into a head by that way. The ways that lead into a body change nothing here.
pub fn into_head(parts: &mut Parts, way: &Injection, secret: &[u8]) -> Result<(), NotInjected> {
    match way {
        Injection::Header { name, scheme } => {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| NotInjected::Value)?;
            let scheme = scheme
                .as_ref()
                .map(|scheme| format!("{scheme} "))
                .unwrap_or_default();
            let value = Zeroizing::new([scheme.as_bytes(), secret].concat());
            parts.headers.insert(name, sensitive(&value)?);
        }
        Injection::Basic { user } => {
            let pair = Zeroizing::new([user.as_bytes(), b":", secret].concat());
            let value = Zeroizing::new(format!(
                "Basic {}",
                *Zeroizing::new(BASE64_STANDARD.encode(&*pair))
            ));
            parts.headers.insert(AUTHORIZATION, sensitive(value.as_bytes())?);
        }
        Injection::Query(name) => parts.uri = with_parameter(&parts.uri, name, secret)?,
        Injection::JsonBody | Injection::Aws4 => {}
    }
    Ok(())
}

/// It is never indexed by HPACK (RFC 7541 section 7.1.3), nor shown in `Debug`.
fn sensitive(value: &[u8]) -> Result<HeaderValue, NotInjected> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| NotInjected::Value)?;
    value.set_sensitive(true);
    Ok(value)
}

fn with_parameter(uri: &Uri, name: &str, secret: &[u8]) -> Result<Uri, NotInjected> {
    let mut whole = Zeroizing::new(uri.path().to_owned());
    whole.push('?');
    if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
        whole.push_str(query);
        whole.push('&');
    }
    push_encoded(&mut whole, name.as_bytes());
    whole.push('=');
    push_encoded(&mut whole, secret);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(whole.as_bytes()).map_err(|_| NotInjected::Url)?);
    Uri::from_parts(parts).map_err(|_| NotInjected::Url)
}

/// All but the unreserved characters (RFC 3986 section 2.3) are encoded.
fn push_encoded(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn parts(uri: &str) -> Parts {
        http::Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    fn header(name: &str, scheme: Option<&str>) -> Injection {
        Injection::Header {
            name: name.to_owned(),
            scheme: scheme.map(str::to_owned),
        }
    }

    #[test]
    fn a_secret_goes_into_fields_pairs_and_parameters() {
        let mut parts = parts("https://api.example.com/v1/x?a=1");
        into_head(&mut parts, &header("x-api-key", None), b"s3cret").unwrap();
        assert_eq!(parts.headers["x-api-key"], "s3cret");
        assert!(parts.headers["x-api-key"].is_sensitive());
        into_head(&mut parts, &header("authorization", Some("Bearer")), b"s3cret").unwrap();
        assert_eq!(parts.headers["authorization"], "Bearer s3cret");
        let basic = Injection::Basic {
            user: "__token__".to_owned(),
        };
        into_head(&mut parts, &basic, b"s3cret").unwrap();
        assert_eq!(parts.headers["authorization"], "Basic X190b2tlbl9fOnMzY3JldA==");
        into_head(&mut parts, &Injection::Query("key".to_owned()), b"a b&c/=+").unwrap();
        assert_eq!(
            parts.uri,
            "https://api.example.com/v1/x?a=1&key=a%20b%26c%2F%3D%2B"
        );
    }

    #[test]
    fn one_that_fits_nowhere_is_an_error_that_does_not_show_it() {
        let mut parts = parts("https://api.example.com/");
        let failed = into_head(&mut parts, &header("x-api-key", None), b"a\nb").unwrap_err();
        assert_eq!(failed, NotInjected::Value);
        assert!(parts.headers.is_empty());
    }
}
