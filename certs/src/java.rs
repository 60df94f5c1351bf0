//! A Java key store (JKS, version 2) of trusted certificates, for `cacerts`.
//!
//! JKS and not PKCS #12: every JVM reads it without a password, and it is a few lines. The format is that of the JDK's
//! `sun.security.provider.JavaKeyStore.engineStore`: big-endian, strings as a 16-bit length and bytes.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::CertificateDer;

/// The store with every one of `roots`, under the password that JVMs expect (`changeit`). The alias of root n is `outwall-n`.
pub(crate) fn key_store<'a>(roots: impl ExactSizeIterator<Item = &'a CertificateDer<'static>>) -> Vec<u8> {
    let mut store = Vec::with_capacity(roots.len() * 1500);
    let number = |store: &mut Vec<u8>, value: usize| {
        store.extend(
            u32::try_from(value)
                .expect("a root certificate is small, and they are few")
                .to_be_bytes(),
        );
    };
    store.extend(MAGIC);
    store.extend(VERSION);
    number(&mut store, roots.len());
    for (index, root) in roots.enumerate() {
        store.extend(TRUSTED_CERTIFICATE);
        text(&mut store, &format!("outwall-{index}"));
        store.extend(NO_DATE);
        text(&mut store, "X.509");
        number(&mut store, root.len());
        store.extend_from_slice(root);
    }
    let digest = keyed_digest(&store);
    store.extend_from_slice(digest.as_ref());
    store
}

/// Modified UTF-8, which for ASCII is ASCII.
fn text(store: &mut Vec<u8>, ascii: &str) {
    store.extend(u16::try_from(ascii.len()).expect("ours are short").to_be_bytes());
    store.extend_from_slice(ascii.as_bytes());
}

/// SHA-1 over the password in UTF-16, the JDK's magic words, and the store. It guards against accidents, not against anyone.
fn keyed_digest(store: &[u8]) -> aws_lc_rs::digest::Digest {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        context.update(&unit.to_be_bytes());
    }
    context.update(b"Mighty Aphrodite");
    context.update(store);
    context.finish()
}

const MAGIC: [u8; 4] = 0xfeed_feed_u32.to_be_bytes();
const VERSION: [u8; 4] = 2_u32.to_be_bytes();
const TRUSTED_CERTIFICATE: [u8; 4] = 2_u32.to_be_bytes();
const NO_DATE: [u8; 8] = [0; 8];
const PASSWORD: &str = "changeit";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    use crate::{Ca, TrustBundle};

    #[test]
    fn keytool_reads_every_root_and_accepts_the_digest() {
        if Command::new("keytool").arg("-help").output().is_err() {
            eprintln!("SKIPPED: there is no `keytool` on this machine, so no JVM has read the store");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let ca = Ca::load_or_create(directory.path()).unwrap();
        let bundle = TrustBundle::assemble(&ca, &[]).unwrap();
        let path = directory.path().join("cacerts");
        std::fs::write(&path, bundle.java_key_store()).unwrap();
        let list = |password: &str| {
            Command::new("keytool")
                .args(["-list", "-v", "-storepass", password, "-keystore"])
                .arg(&path)
                .output()
                .unwrap()
        };
        let listed = list("changeit");
        let text = String::from_utf8_lossy(&listed.stdout);
        assert!(listed.status.success(), "{text}");
        let entries = text.matches("Entry type: trustedCertEntry").count();
        assert_eq!(entries, bundle.roots().len());
        assert!(
            text.contains("Owner: O=Outwall, CN=Outwall CA") || text.contains("CN=Outwall CA"),
            "{text}"
        );
        assert!(
            !list("another").status.success(),
            "the digest is checked, so the success above means something"
        );
    }
}
