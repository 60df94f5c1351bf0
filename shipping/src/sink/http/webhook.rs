//! Whatever takes a POST with JSON. A signature over the body, as it is before compression, shows that it is ours.

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderName, HeaderValue};
use outwall_policy::audit_sinks::WebhookBody;

use super::{Message, hex};
use crate::batch::Item;

/// `sha256=` and 64 hexadecimal digits: HMAC with SHA-256 (RFC 2104) over the body.
const SIGNATURE: HeaderName = HeaderName::from_static("x-outwall-signature");

pub(super) fn message(items: &[&Item], body: WebhookBody) -> Message {
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    let (content_type, body) = match body {
        WebhookBody::Array => ("application/json", format!("[{}]", texts.join(","))),
        WebhookBody::Lines => ("application/x-ndjson", texts.join("\n") + "\n"),
    };
    Message {
        path: String::new(),
        content_type,
        body: body.into_bytes(),
    }
}

pub(super) fn sign(headers: &mut HeaderMap, key: &[u8], body: &[u8]) {
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body);
    let value =
        HeaderValue::from_str(&format!("sha256={}", hex(signature.as_ref()))).expect("hexadecimal digits");
    headers.insert(SIGNATURE, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_rfc() {
        let mut headers = HeaderMap::new();
        sign(&mut headers, b"Jefe", b"what do ya want for nothing?"); // RFC 4231, case 2
        assert_eq!(
            headers[SIGNATURE],
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
