//! The opening handshake in its two forms, and how one becomes the other.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Version};
use outwall_policy::Reason;
use thiserror::Error;

/// How a client asked for a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// By `Upgrade`, with a key that the answer is computed from.
    Http1 { key: HeaderValue },
    /// By extended CONNECT, which needs no key.
    H2,
}

/// Why an origin's answer opens no socket.
#[derive(Debug, Error)]
pub enum NoSocket {
    /// A 101 to what was asked otherwise, or to nothing of the kind.
    #[error("it switched protocols without being asked")]
    Unasked,
    /// `Upgrade` does not say `websocket`.
    #[error("its `Upgrade` does not say `websocket`")]
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    #[error("its `Connection` does not say `Upgrade`")]
    Connection,
    /// `Sec-WebSocket-Accept` is not that of the key.
    #[error("its `Sec-WebSocket-Accept` is not the answer to the key that it was sent")]
    Accept,
    /// It went on as if nothing had been asked.
    #[error("it answered {0} instead of opening a socket")]
    Ordinary(http::StatusCode),
    /// It speaks h2 and nothing else, and has not said that it takes extended CONNECT.
    #[error("it offers h2 only, and no WebSocket over h2 (RFC 8441)")]
    NotOverH2,
}

impl Handshake {
    /// Reads what a request asks for: a socket, or an ordinary response. Another protocol is refused, and so is CONNECT, which
    /// would be a second tunnel.
    pub(crate) fn read<B>(request: &Request<B>) -> Result<Option<Self>, Reason> {
        if let Some(protocol) = request.extensions().get::<h2::ext::Protocol>() {
            return match protocol.as_str() {
                "websocket" if request.method() == Method::CONNECT => read_h2(request.headers()).map(Some),
                other => Err(refused(other)),
            };
        }
        if request.method() == Method::CONNECT {
            return Err(malformed("CONNECT inside a connection"));
        }
        match asked_protocol(request)? {
            Some(protocol) if protocol.eq_ignore_ascii_case("websocket") => read_http1(request).map(Some),
            // Java asks for h2c with every request and goes on without it.
            Some(protocol) if protocol.eq_ignore_ascii_case("h2c") => Ok(None),
            Some(protocol) => Err(refused(protocol)),
            None => Ok(None),
        }
    }

    /// As the audit log names it.
    pub(crate) fn protocol(&self) -> &'static str {
        match self {
            Self::Http1 { .. } => "websocket/http/1.1",
            Self::H2 => "websocket/h2",
        }
    }

    /// The key to send to an origin of http/1.1: the client's own, or a new one.
    pub(crate) fn key(&self) -> HeaderValue {
        match self {
            Self::Http1 { key } => key.clone(),
            Self::H2 => new_key(),
        }
    }
}

/// What a request asks to be upgraded to. `Upgrade` counts only where `Connection` names it (RFC 9110 section 7.8).
fn asked_protocol<B>(request: &Request<B>) -> Result<Option<&str>, Reason> {
    let mut upgrades = request.headers().get_all(UPGRADE).iter();
    let Some(first) = upgrades
        .next()
        .filter(|_| names(request.headers(), &CONNECTION, "upgrade"))
    else {
        return Ok(None);
    };
    let protocol = first
        .to_str()
        .map_err(|_| malformed("Upgrade is not ASCII"))?
        .trim();
    match upgrades.next() {
        None => Ok(Some(protocol)),
        Some(second) => Err(refused(&format!(
            "{protocol}, {}",
            second.to_str().unwrap_or("?")
        ))),
    }
}

/// RFC 6455 section 4.2.1.
fn read_http1<B>(request: &Request<B>) -> Result<Handshake, Reason> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || request.method() != Method::GET {
        return Err(malformed("a WebSocket is opened by GET of HTTP/1.1"));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(malformed("a WebSocket is opened without a body"));
    }
    check_common(headers)?;
    if !headers.contains_key(SEC_WEBSOCKET_VERSION) {
        return Err(malformed("no Sec-WebSocket-Version"));
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY)?.ok_or_else(|| malformed("no Sec-WebSocket-Key"))?;
    if BASE64_STANDARD.decode(key.as_bytes()).map(|nonce| nonce.len()) != Ok(NONCE) {
        return Err(malformed("Sec-WebSocket-Key is not 16 bytes in base64"));
    }
    Ok(Handshake::Http1 { key: key.clone() })
}

/// RFC 8441 section 5: the same without key and answer.
fn read_h2(headers: &HeaderMap) -> Result<Handshake, Reason> {
    check_common(headers)?;
    Ok(Handshake::H2)
}

fn check_common(headers: &HeaderMap) -> Result<(), Reason> {
    if only(headers, &CONTENT_LENGTH)?.is_some_and(|length| length != "0") {
        return Err(malformed("a WebSocket is opened without a body"));
    }
    match only(headers, &SEC_WEBSOCKET_VERSION)? {
        Some(version) if version != "13" => Err(malformed("a WebSocket of another version than 13")),
        Some(_) | None => Ok(()),
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Reason> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(malformed(&format!("more than one {name}"))),
    }
}

/// Whether a field that is a list names `option`.
fn names(headers: &HeaderMap, field: &HeaderName, option: &str) -> bool {
    headers
        .get_all(field)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|named| named.trim().eq_ignore_ascii_case(option))
}

/// Makes a request that was stripped one for a socket over http/1.1.
pub(crate) fn ask_over_http1(headers: &mut HeaderMap, key: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, key);
}

/// Makes a request that was stripped one for a socket over h2.
pub(crate) fn ask_over_h2<B>(request: &mut Request<B>) {
    *request.method_mut() = Method::CONNECT;
    let protocol = h2::ext::Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let headers = request.headers_mut();
    headers.remove(SEC_WEBSOCKET_KEY);
    headers.remove(CONTENT_LENGTH);
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
}

/// Holds an origin to its 101: what is no answer to this key is a cache's, or somebody's who has not understood the question
/// (RFC 6455 section 4.1).
pub(crate) fn verify(headers: &HeaderMap, key: &HeaderValue) -> Result<(), NoSocket> {
    if !names(headers, &UPGRADE, "websocket") {
        return Err(NoSocket::Upgrade);
    }
    if !names(headers, &CONNECTION, "upgrade") {
        return Err(NoSocket::Connection);
    }
    match only(headers, &SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(accept)) if *accept == accept_for(key) => Ok(()),
        _ => Err(NoSocket::Accept),
    }
}

/// Shapes the answer that opens a socket for its client, of a head that was stripped.
pub(crate) fn tell(handshake: &Handshake, headers: &mut HeaderMap) -> http::StatusCode {
    headers.remove(CONTENT_LENGTH);
    headers.remove(SEC_WEBSOCKET_ACCEPT);
    match handshake {
        Handshake::H2 => http::StatusCode::OK,
        Handshake::Http1 { key } => {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept_for(key));
            http::StatusCode::SWITCHING_PROTOCOLS
        }
    }
}

fn accept_for(key: &HeaderValue) -> HeaderValue {
    let salted = [key.as_bytes(), SALT].concat();
    let answer = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted));
    HeaderValue::try_from(answer).expect("base64 is a field value")
}

fn new_key() -> HeaderValue {
    let mut nonce = [0; NONCE];
    aws_lc_rs::rand::fill(&mut nonce).expect("the machine has random bytes");
    HeaderValue::try_from(BASE64_STANDARD.encode(nonce)).expect("base64 is a field value")
}

fn refused(protocol: &str) -> Reason {
    Reason::UpgradeRefused {
        protocol: protocol.to_owned(),
    }
}

fn malformed(what: &str) -> Reason {
    Reason::MalformedRequest {
        what: what.to_owned(),
    }
}

/// Bytes of a key before base64.
const NONCE: usize = 16;
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(method: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().method(method).uri("/chat");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    fn upgrade(fields: &[(&str, &str)]) -> Request<()> {
        let mut request = request(
            "GET",
            &[
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "WebSocket"),
                ("sec-websocket-key", KEY),
                ("sec-websocket-version", "13"),
            ],
        );
        for (name, value) in fields {
            let name = HeaderName::try_from(*name).unwrap();
            request.headers_mut().remove(&name);
            if !value.is_empty() {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        request
    }

    fn code(request: &Request<()>) -> &'static str {
        match Handshake::read(request) {
            Ok(Some(_)) => "socket",
            Ok(None) => "ordinary",
            Err(reason) => reason.code(),
        }
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        let accept = accept_for(&HeaderValue::from_static(KEY));
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455 section 1.3
    }

    #[test]
    fn a_handshake_is_read_and_a_broken_one_is_refused() {
        assert_eq!(code(&upgrade(&[])), "socket");
        for broken in [
            ("sec-websocket-key", ""),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", "not base64 at all!!"),
            ("sec-websocket-version", ""),
            ("sec-websocket-version", "8"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            assert_eq!(code(&upgrade(&[broken])), "malformed-request", "{broken:?}");
        }
        let mut twice = upgrade(&[]);
        twice
            .headers_mut()
            .append("sec-websocket-key", KEY.parse().unwrap());
        assert_eq!(code(&twice), "malformed-request");
        let mut post = upgrade(&[]);
        *post.method_mut() = Method::POST;
        assert_eq!(code(&post), "malformed-request");
        let mut old = upgrade(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(code(&old), "malformed-request");
    }

    #[test]
    fn other_protocols_are_refused_and_an_upgrade_that_connection_does_not_name_is_none() {
        for other in ["x-tunnel", "websocket, x-tunnel", "TLS/1.0", "websocket/14"] {
            assert_eq!(
                code(&upgrade(&[("upgrade", other)])),
                "upgrade-refused",
                "{other}"
            );
        }
        let mut twice = upgrade(&[]);
        twice.headers_mut().append("upgrade", "x-tunnel".parse().unwrap());
        assert_eq!(code(&twice), "upgrade-refused");
        assert_eq!(code(&upgrade(&[("connection", "close")])), "ordinary");
        assert_eq!(code(&upgrade(&[("upgrade", "h2c")])), "ordinary");
        assert_eq!(code(&request("CONNECT", &[])), "malformed-request");
    }

    #[test]
    fn extended_connect_is_read_as_a_socket_for_this_protocol_alone() {
        let mut connect = request("CONNECT", &[("sec-websocket-version", "13")]);
        connect
            .extensions_mut()
            .insert(h2::ext::Protocol::from_static("websocket"));
        assert_eq!(Handshake::read(&connect).unwrap(), Some(Handshake::H2));
        connect
            .extensions_mut()
            .insert(h2::ext::Protocol::from_static("connect-udp"));
        assert_eq!(code(&connect), "upgrade-refused");
    }

    #[test]
    fn an_origin_is_held_to_its_answer() {
        let key = Handshake::H2.key();
        let mut headers = HeaderMap::new();
        tell(&Handshake::Http1 { key: key.clone() }, &mut headers);
        assert!(verify(&headers, &key).is_ok());
        assert!(matches!(verify(&headers, &new_key()), Err(NoSocket::Accept)));
        for (name, value) in [(UPGRADE, "x"), (CONNECTION, "close"), (SEC_WEBSOCKET_ACCEPT, "")] {
            let mut wrong = headers.clone();
            wrong.insert(&name, value.parse().unwrap());
            assert!(verify(&wrong, &key).is_err(), "{name}");
        }
        headers.append(SEC_WEBSOCKET_ACCEPT, accept_for(&key));
        assert!(verify(&headers, &key).is_err(), "two answers are none");
    }

    #[test]
    fn the_answer_is_shaped_for_its_client() {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_ACCEPT, "x".parse().unwrap());
        headers.insert("sec-websocket-protocol", "chat".parse().unwrap());
        assert_eq!(tell(&Handshake::H2, &mut headers), http::StatusCode::OK);
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["sec-websocket-protocol"]);
    }
}
