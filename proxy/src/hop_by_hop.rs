//! Fields that concern one connection and are not passed on (RFC 9110 section 7.6.1).

use http::header::{
    ALT_SVC, CONNECTION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};

/// Removes what concerns the connection to the client. `te: trailers` stays: gRPC servers insist on it.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    strip_named(headers);
    for name in [
        &TRANSFER_ENCODING,
        &UPGRADE,
        &PROXY_AUTHORIZATION,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
    ] {
        headers.remove(name);
    }
    if let Some(te) = headers.remove(TE)
        && accepts_trailers(&te)
    {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes from a request's trailers what must not come behind a body (RFC 9110 section 6.5.1): what frames it, routes it or
/// proves who sent it. A reader that merges trailers into the head would take it for what was decided on.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    for name in NEVER_BEHIND_A_BODY {
        trailers.remove(name);
    }
}

/// Removes what concerns the connection to the origin. `alt-svc` goes too: it would send clients to QUIC, which no sandbox has.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip_named(headers);
    for name in [
        &TRANSFER_ENCODING,
        &UPGRADE,
        &PROXY_AUTHENTICATE,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &ALT_SVC,
    ] {
        headers.remove(name);
    }
}

/// Removes `Connection` and the fields that it names.
fn strip_named(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
    headers.remove(CONNECTION);
    for name in named
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
    {
        let name = name.trim();
        // `Connection: host` must not make a field disappear that was decided on.
        if !name.is_empty() && !STAYS.iter().any(|stays| name.eq_ignore_ascii_case(stays)) {
            headers.remove(name);
        }
    }
}

fn accepts_trailers(te: &HeaderValue) -> bool {
    te.to_str().is_ok_and(|te| {
        te.split(',')
            .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
    })
}

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const NEVER_BEHIND_A_BODY: [&str; 22] = [
    "host",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "content-type",
    "content-range",
    "trailer",
    "te",
    "connection",
    "keep-alive",
    "upgrade",
    "expect",
    "range",
    "max-forwards",
    "cookie",
    "authorization",
    "proxy-authorization",
    "proxy-connection",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "forwarded",
];
/// Never meant for one connection, whoever names them; `te` is looked at by itself.
const STAYS: [&str; 6] = [
    "host",
    "content-length",
    "authorization",
    "content-type",
    "content-encoding",
    "te",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_connection_names_is_not_passed_on() {
        let mut map = headers(&[
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("x-public", "1"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
        ]);
        strip_request(&mut map);
        assert_eq!(map, headers(&[("x-public", "1")]));
    }

    #[test]
    fn connection_cannot_name_away_what_was_decided_on() {
        let mut map = headers(&[("connection", "Host, content-length"), ("host", "a.test")]);
        strip_request(&mut map);
        assert_eq!(map, headers(&[("host", "a.test")]));
    }

    #[test]
    fn only_trailers_are_accepted_of_transfer_codings() {
        let mut map = headers(&[("connection", "te"), ("te", "gzip, trailers;q=1, Trailers")]);
        strip_request(&mut map);
        assert_eq!(map, headers(&[("te", "trailers")]));
        let mut map = headers(&[("te", "gzip")]);
        strip_request(&mut map);
        assert!(map.is_empty());
    }

    #[test]
    fn trailers_frame_route_and_authorise_nothing() {
        let mut map = headers(&[
            ("host", "evil.test"),
            ("content-length", "5"),
            ("authorization", "Bearer x"),
            ("x-checksum", "1"),
        ]);
        strip_trailers(&mut map);
        assert_eq!(map, headers(&[("x-checksum", "1")]));
    }

    #[test]
    fn a_response_does_not_lead_to_quic() {
        let mut map = headers(&[("alt-svc", "h3=\":443\""), ("server", "x")]);
        strip_response(&mut map);
        assert_eq!(map, headers(&[("server", "x")]));
    }
}
