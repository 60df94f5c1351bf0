//! What a gRPC client understands of a refusal: a status and a message in the head of a response without a body ("trailers-only",
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). The status of HTTP stays what it is; clients prefer ours.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// Whether a request is a call of gRPC.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
}

/// Tells a call's client what a status of HTTP means to it, and why.
pub(crate) fn tell(headers: &mut HeaderMap, status: StatusCode, message: &str) {
    headers.insert(&STATUS, HeaderValue::from_static(code(status)));
    headers.insert(&MESSAGE, escape(message));
}

/// The code that says the same as a status of ours.
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "7",   // PERMISSION_DENIED
        StatusCode::BAD_REQUEST => "3", // INVALID_ARGUMENT
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => "8", // RESOURCE_EXHAUSTED
        StatusCode::NOT_IMPLEMENTED => "12", // UNIMPLEMENTED
        StatusCode::GATEWAY_TIMEOUT => "4", // DEADLINE_EXCEEDED
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => "14", // UNAVAILABLE
        _ => "2",                       // UNKNOWN
    }
}

/// Percent-encoding of all but printable ASCII.
fn escape(message: &str) -> HeaderValue {
    let mut escaped = Vec::with_capacity(message.len());
    for byte in message.bytes().take(LONGEST) {
        match byte {
            b'%' | ..b' ' | 0x7f.. => escaped.extend(format!("%{byte:02X}").into_bytes()),
            plain => escaped.push(plain),
        }
    }
    HeaderValue::from_bytes(&escaped).expect("it is printable ASCII")
}

static STATUS: HeaderName = HeaderName::from_static("grpc-status");
static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// Bytes of a message before they are escaped: clients bound their heads at 8 KiB.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_escaped_and_a_call_is_known_by_its_type() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, StatusCode::FORBIDDEN, "100 % no:\r\nx: \u{e9}");
        assert_eq!(headers["grpc-status"], "7");
        assert_eq!(headers["grpc-message"], "100 %25 no:%0D%0Ax: %C3%A9");
        assert!(!is_call(&headers));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
        assert!(is_call(&headers));
    }
}
