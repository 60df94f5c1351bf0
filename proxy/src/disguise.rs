//! What a request does besides what its method says: a header that has the origin take it as another method, a body, an
//! upgrade. A gate that decides on the method alone is told `GET` by who means `PUT`.

use http::{HeaderMap, HeaderName, Method as HttpMethod, Request};
use hyper::body::Body;
use outwall_policy::{Method, Reason, Writing};

use crate::websocket::Handshake;

/// Headers by which frameworks take a request as one with another method: Rack, Express, Django, ASP.NET, Google's APIs.
static OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// The other method that headers have an origin take the request as. Frameworks give it upper case.
///
/// Two different ones are refused: which of them counts is the origin's secret.
pub(crate) fn acts_as(method: &HttpMethod, headers: &HeaderMap) -> Result<Option<Method>, Reason> {
    let values = OVERRIDES.iter().flat_map(|name| headers.get_all(name));
    let mut other = None;
    for value in values {
        let named = value.to_str().ok().map(|text| text.trim().to_ascii_uppercase());
        let named = named.and_then(|text| Method::parse(&text).ok());
        let named = named.ok_or_else(|| malformed("a method override names no method"))?;
        if other.as_ref().is_some_and(|other| *other != named) {
            return Err(malformed("two method overrides name different methods"));
        }
        other = Some(named);
    }
    Ok(other.filter(|other| other.as_str() != method.as_str()))
}

/// What the request carries besides its head. A handshake that was read is in its extensions.
pub(crate) fn writing<B: Body>(request: &Request<B>) -> Writing {
    if request.extensions().get::<Handshake>().is_some() {
        Writing::Upgrade
    } else if request.body().is_end_stream() {
        Writing::Nothing
    } else {
        Writing::Body
    }
}

fn malformed(what: &str) -> Reason {
    Reason::MalformedRequest {
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use bytes::Bytes;
    use http::HeaderValue;
    use http_body_util::Full;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn read(fields: &[(&'static str, &'static str)]) -> Result<Option<String>, &'static str> {
        let other = acts_as(&HttpMethod::POST, &headers(fields));
        other
            .map(|other| other.map(|method| method.to_string()))
            .map_err(|reason| reason.code())
    }

    #[test]
    fn every_header_that_frameworks_know_names_the_method() {
        assert_eq!(read(&[]), Ok(None));
        for name in &OVERRIDES {
            let mut put = HeaderMap::new();
            put.insert(name, HeaderValue::from_static("PUT"));
            let other = acts_as(&HttpMethod::GET, &put).unwrap();
            assert_eq!(other, Some(Method::parse("PUT").unwrap()), "{name}");
        }
        assert_eq!(
            read(&[("x-http-method-override", " put ")]),
            Ok(Some("PUT".to_owned()))
        );
        assert_eq!(read(&[("x-http-method-override", "POST")]), Ok(None), "its own");
        assert_eq!(
            read(&[("x-http-method", "PATCH"), ("x-method-override", "patch")]),
            Ok(Some("PATCH".to_owned()))
        );
    }

    #[test]
    fn what_names_two_methods_or_none_is_malformed() {
        for fields in [
            &[
                ("x-http-method-override", "PUT"),
                ("x-http-method-override", "GET"),
            ][..],
            &[("x-http-method-override", "POST"), ("x-http-method", "DELETE")],
            &[("x-http-method-override", "PUT, GET")],
            &[("x-http-method-override", "")],
        ] {
            assert_eq!(read(fields), Err("malformed-request"), "{fields:?}");
        }
    }

    #[test]
    fn a_body_is_seen_whatever_the_method() {
        let get = |body: &'static str| Request::builder().body(Full::new(Bytes::from(body))).unwrap();
        assert_eq!(writing(&get("")), Writing::Nothing);
        assert_eq!(writing(&get("secret")), Writing::Body);
    }
}
