//! Requests in the shape that whoever reads them expects: an origin over http/1.1 or h2, or a parent proxy.

use http::header::{COOKIE, HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri, Version};
use outwall_policy::Scheme;

use crate::body::Upload;
use crate::dialer::Form;

/// Origin form and `Host` (RFC 9112 section 3.2.1).
pub(super) fn shape_for_http1(request: &mut Request<Upload>, authority: &Authority) {
    *request.version_mut() = Version::HTTP_11;
    if request.uri().authority().is_some() {
        *request.uri_mut() = path_and_query(request.uri()).into();
    }
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    if host != Some(authority.as_str().as_bytes()) {
        let host = HeaderValue::from_str(authority.as_str()).expect("an authority has no odd bytes");
        request.headers_mut().insert(HOST, host);
    }
    join_cookies(request);
}

/// What a parent proxy that reads requests is to be told: the whole URL, and with whose name it is asked. An origin is not told
/// that, neither by the proxy, which keeps it to itself (RFC 9110 section 11.7.2), nor by a request that was shaped for the
/// proxy, not sent, and now goes to the origin itself.
pub(super) fn shape_for_parent(request: &mut Request<Upload>, authority: &Authority, form: &Form) {
    request.headers_mut().remove(PROXY_AUTHORIZATION);
    let Form::Absolute { authorization } = form else {
        return;
    };
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path_and_query(request.uri()));
    parts.authority = Some(authority.clone());
    parts.scheme = Some(http::uri::Scheme::HTTP);
    *request.uri_mut() = Uri::from_parts(parts).expect("all three parts are there");
    if let Some(authorization) = authorization {
        let name = PROXY_AUTHORIZATION;
        request.headers_mut().insert(name, authorization.clone());
    }
}

/// `:scheme` and `:authority` instead of `Host` (RFC 9113 section 8.3.1).
pub(super) fn shape_for_h2(request: &mut Request<Upload>, authority: &Authority, scheme: Scheme) {
    *request.version_mut() = Version::HTTP_2;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path_and_query(request.uri()));
    parts.authority = Some(authority.clone());
    parts.scheme = Some(match scheme {
        Scheme::Http => http::uri::Scheme::HTTP,
        Scheme::Https => http::uri::Scheme::HTTPS,
    });
    *request.uri_mut() = Uri::from_parts(parts).expect("all three parts are there");
    request.headers_mut().remove(HOST);
}

fn path_and_query(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// A client may split its cookies on h2; http/1.1 wants them in one field (RFC 9113 section 8.2.3).
fn join_cookies(request: &mut Request<Upload>) {
    let mut crumbs = request.headers().get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let all: Vec<&[u8]> = request
        .headers()
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let joined = HeaderValue::from_bytes(&all.join(&b"; "[..])).expect("field values joined by `; `");
    request.headers_mut().insert(COOKIE, joined);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shaped_for_a_parent_and_goes_to_the_origin_tells_it_no_password() {
        let mut request = Request::new(Upload::Empty);
        *request.uri_mut() = Uri::from_static("/x?y");
        let authority = Authority::from_static("a.test");
        let told = Form::Absolute {
            authorization: Some(HeaderValue::from_static("Basic b3V0")),
        };
        shape_for_http1(&mut request, &authority);
        shape_for_parent(&mut request, &authority, &told);
        assert_eq!(request.uri(), "http://a.test/x?y");
        assert_eq!(request.headers()[PROXY_AUTHORIZATION], "Basic b3V0");
        shape_for_http1(&mut request, &authority);
        shape_for_parent(&mut request, &authority, &Form::Origin);
        assert_eq!(request.uri(), "/x?y");
        assert!(!request.headers().contains_key(PROXY_AUTHORIZATION));
    }
}
