//! What an origin is asked for where its response is searched: what can be read here, and all of it.

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, HeaderName, HeaderValue, IF_MATCH, IF_RANGE, RANGE, SEC_WEBSOCKET_EXTENSIONS,
};
use outwall_policy::brokered::Injection;

/// Narrows what a client asks for.
///
/// - `Accept-Encoding` to the codings that can be undone here, of those that the client named; `identity` where none is left, or it
///   named none, since that would be leave to send any (RFC 9110 section 12.5.3).
/// - No ranges: a secret cannot be fetched in halves. An origin may ignore them, so that every client knows what to do with all of
///   it (RFC 9110 section 14.2).
/// - No deltas, no extensions of WebSocket, no compressed messages of gRPC and Connect.
/// - The `W/` that [`reading`](super::reading) puts before an `ETag` is taken back: `If-Match` never matches a weak one (RFC 9110
///   section 13.1.1).
///
/// What is signed for AWS may be asked for in ranges: the key is never sent, and clients put large objects together of them.
pub(crate) fn ask(headers: &mut HeaderMap, way: &Injection) {
    let codings = readable(headers);
    headers.insert(ACCEPT_ENCODING, codings);
    for name in [&SEC_WEBSOCKET_EXTENSIONS, &A_IM] {
        headers.remove(name);
    }
    if *way != Injection::Aws4 {
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
    }
    for name in [&GRPC_ACCEPT_ENCODING, &CONNECT_ACCEPT_ENCODING] {
        if headers.contains_key(name) {
            headers.insert(name, IDENTITY);
        }
    }
    take_back_weakness(headers);
}

fn readable(headers: &HeaderMap) -> HeaderValue {
    let mut named: Vec<&str> = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|named| {
            READABLE
                .iter()
                .any(|readable| coding(named).eq_ignore_ascii_case(readable))
        })
        .collect();
    // Where there is another, a stream of events need not wait for zstd, which gives nothing out before it has a window of it.
    if named
        .iter()
        .any(|named| is_wanted(named) && coding(named) != "zstd")
    {
        named.retain(|named| coding(named) != "zstd");
    }
    if named.iter().any(|named| is_wanted(named)) {
        HeaderValue::try_from(named.join(", ")).unwrap_or(IDENTITY)
    } else {
        IDENTITY
    }
}

/// Without its weight.
fn coding(named: &str) -> &str {
    named.split(';').next().unwrap_or_default().trim()
}

/// Whether its weight is not nought.
fn is_wanted(named: &str) -> bool {
    let weight = named.split_once(';').map(|(_, weight)| weight.trim());
    weight
        .and_then(|weight| weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q=")))
        .is_none_or(|weight| {
            weight
                .trim_matches(['0', '.'])
                .contains(|digit: char| digit.is_ascii_digit())
        })
}

fn take_back_weakness(headers: &mut HeaderMap) {
    let tags: Vec<HeaderValue> = headers.get_all(IF_MATCH).iter().cloned().collect();
    if !tags.iter().any(|tags| tags.as_bytes().starts_with(b"W/")) {
        return;
    }
    headers.remove(IF_MATCH);
    for tags in tags {
        let strong = tags
            .to_str()
            .ok()
            .and_then(|text| HeaderValue::try_from(text.replace("W/\"", "\"")).ok());
        headers.append(IF_MATCH, strong.unwrap_or(tags));
    }
}

static A_IM: HeaderName = HeaderName::from_static("a-im");
static GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
static CONNECT_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("connect-accept-encoding");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const READABLE: [&str; 5] = ["identity", "gzip", "x-gzip", "br", "zstd"];

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        ask(&mut headers, &Injection::Query("key".to_owned()));
        headers
    }

    #[test]
    fn only_codings_that_can_be_undone_are_asked_for() {
        let cases = [
            ("gzip, deflate, br, zstd", "gzip, br"),
            ("GZIP;q=1.0, *;q=0.1", "GZIP;q=1.0"),
            ("zstd", "zstd"),
            ("gzip;q=0, zstd", "gzip;q=0, zstd"),
            ("gzip;q=0.000", "identity"),
            ("gzip;q=0.010", "gzip;q=0.010"),
            ("deflate, dcb, aes128gcm", "identity"),
            ("*", "identity"),
            ("", "identity"),
            ("identity", "identity"),
            ("br;q=0.5, identity;q=0", "br;q=0.5, identity;q=0"),
        ];
        for (offered, narrowed) in cases {
            assert_eq!(
                asked(&[("accept-encoding", offered)])["accept-encoding"],
                narrowed,
                "{offered}"
            );
        }
        assert_eq!(asked(&[])["accept-encoding"], "identity");
        let twice = asked(&[("accept-encoding", "compress"), ("accept-encoding", "br")]);
        assert_eq!(
            twice.get_all("accept-encoding").iter().collect::<Vec<_>>(),
            ["br"]
        );
    }

    #[test]
    fn parts_deltas_and_extensions_are_not_asked_for_and_the_rest_is() {
        let headers = asked(&[
            ("range", "bytes=0-3"),
            ("if-range", "\"x\""),
            ("a-im", "gzip"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("grpc-accept-encoding", "gzip,identity"),
            ("grpc-encoding", "gzip"),
            ("te", "trailers"),
            ("accept", "text/event-stream"),
            ("if-match", "W/\"a\", \"b\""),
            ("if-none-match", "W/\"a\""),
        ]);
        let mut left: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")))
            .collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                ("accept", "text/event-stream"),
                ("accept-encoding", "identity"),
                ("grpc-accept-encoding", "identity"),
                ("grpc-encoding", "gzip"), // is that of the request's own messages
                ("if-match", "\"a\", \"b\""),
                ("if-none-match", "W/\"a\""),
                ("te", "trailers"),
            ]
        );
    }
}
