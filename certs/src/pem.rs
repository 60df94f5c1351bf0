//! PEM (RFC 7468), as much of it as certificates need.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// One certificate as a PEM block, lines of 64 characters.
pub(crate) fn encode(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::with_capacity(certificate.len() * 7 / 5 + 64);
    append(&mut text, certificate);
    text
}

/// Appends one certificate as a PEM block.
pub(crate) fn append(text: &mut String, certificate: &CertificateDer<'_>) {
    let base64 = BASE64_STANDARD.encode(certificate);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64)); // base64 is ASCII: every index is a boundary
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
}

/// The first certificate in `text`.
pub(crate) fn first(text: &[u8]) -> Option<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back_whatever_its_length() {
        for length in [1, 47, 48, 49, 96, 1000] {
            let certificate = CertificateDer::from(vec![0xa5; length]);
            let text = encode(&certificate);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(first(text.as_bytes()), Some(certificate));
        }
    }
}
