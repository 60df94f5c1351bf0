//! The name under which OpenSSL looks for a root in a directory of certificates: `<hash of the subject>.0`.
//!
//! Clients that use OpenSSL without `SSL_CERT_FILE` (a cleaned environment, `sudo`) may look only there. The hash is that of
//! OpenSSL 1.0 and later (`X509_NAME_hash`): SHA-1 over the canonical form of the name (`x509_name_canon` in its `x_name.c`).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, X509Certificate};

/// The eight hex digits for a certificate, or `None` for a subject in an encoding that nobody uses any more.
pub(crate) fn subject_hash(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut canonical = Vec::new();
    for relative_name in certificate.subject().iter_rdn() {
        let mut set = Vec::new();
        for attribute in relative_name.iter() {
            set.extend(canonical_attribute(attribute)?);
        }
        canonical.extend(tagged(SET, &set)?);
    }
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    let first = digest.as_ref().first_chunk().expect("SHA-1 has 20 bytes");
    Some(format!("{:08x}", u32::from_le_bytes(*first)))
}

/// The value as UTF-8, lower case, white space trimmed and collapsed.
fn canonical_attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<Vec<u8>> {
    let words: Vec<_> = attribute.as_str().ok()?.split_ascii_whitespace().collect();
    let value = words.join(" ").to_ascii_lowercase();
    let mut pair = tagged(OBJECT_IDENTIFIER, attribute.attr_type().as_bytes())?;
    pair.extend(tagged(UTF8_STRING, value.as_bytes())?);
    tagged(SEQUENCE, &pair)
}

/// One DER value. Names longer than two length bytes can say do not exist.
fn tagged(tag: u8, contents: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(contents.len()).ok()?.to_be_bytes();
    let mut der = match length {
        [0, short @ ..0x80] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    der.extend_from_slice(contents);
    Some(der)
}

const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{Ca, pem, system_roots};

    #[test]
    fn our_hash_is_that_of_openssl_for_our_ca_and_for_the_roots_of_the_system() {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: there is no `openssl` on this machine to compare with");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(directory.path()).unwrap();
        let path = directory.path().join("one.pem");
        let some_of_the_system = system_roots().unwrap().iter().step_by(9);
        let mut compared = 0;
        for root in std::iter::once(ca.certificate()).chain(some_of_the_system) {
            let Some(ours) = subject_hash(root) else { continue };
            std::fs::write(&path, pem::encode(root)).unwrap();
            let theirs = Command::new("openssl")
                .args(["x509", "-noout", "-subject_hash", "-in"])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(ours, String::from_utf8_lossy(&theirs.stdout).trim());
            compared += 1;
        }
        assert!(compared > 5, "{compared}");
    }
}
