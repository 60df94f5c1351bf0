use rustls::pki_types::pem::PemObject as _;

use super::*;

fn bundle(extra: &[CertificateDer<'static>]) -> (tempfile::TempDir, Ca, TrustBundle) {
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    let bundle = TrustBundle::assemble(&ca, extra).unwrap();
    (directory, ca, bundle)
}

fn contents(bundle: &TrustBundle, path: &str) -> Arc<[u8]> {
    bundle
        .files()
        .into_iter()
        .find(|file| file.path.to_str() == Some(path))
        .expect(path)
        .contents
}

#[test]
fn the_bundle_holds_the_ca_the_extra_roots_and_every_root_of_the_system_once() {
    let (_keep, extra, _) = bundle(&[]);
    let of_the_system = &system_roots().unwrap()[0];
    let (_keep, ca, bundle) = bundle(&[
        extra.certificate().clone(),
        extra.certificate().clone(),
        of_the_system.clone(),
    ]);
    let parsed: Vec<_> = CertificateDer::pem_slice_iter(bundle.pem())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(parsed, bundle.roots());
    assert_eq!(
        &parsed[..2],
        [ca.certificate().clone(), extra.certificate().clone()]
    );
    assert_eq!(parsed.len(), 2 + system_roots().unwrap().len());
}

#[test]
fn every_variable_that_names_a_file_names_a_full_bundle_that_is_placed() {
    let (_keep, _ca, bundle) = bundle(&[]);
    let files = bundle.files();
    for (name, value) in bundle.variables() {
        if value.starts_with('/') {
            let file = files
                .iter()
                .find(|file| file.path.to_str() == Some(&value))
                .expect(name);
            assert_eq!(&*file.contents, bundle.pem(), "{name}");
        }
    }
}

#[test]
fn the_table_of_clients_is_complete_and_says_nothing_to_the_jvm() {
    let (_keep, _ca, bundle) = bundle(&[]);
    let mut names: Vec<_> = bundle.variables().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let expected = [
        "AWS_CA_BUNDLE",
        "CARGO_HTTP_CAINFO",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "CODEX_CA_CERTIFICATE",
        "CURL_CA_BUNDLE",
        "DENO_TLS_CA_STORE",
        "GIT_SSL_CAINFO",
        "NIX_SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "UV_SYSTEM_CERTS",
    ];
    assert_eq!(names, expected);
}

#[test]
fn debian_fedora_alpine_java_and_chromium_find_their_files() {
    let (_keep, ca, bundle) = bundle(&[]);
    for path in PEM_BUNDLES {
        assert_eq!(&*contents(&bundle, path), bundle.pem());
    }
    for path in JAVA_KEY_STORES {
        assert_eq!(&*contents(&bundle, path), bundle.java_key_store());
    }
    let base64: String = ca
        .certificate_pem()
        .lines()
        .filter(|line| !line.starts_with("---"))
        .collect();
    for path in CHROMIUM_POLICIES {
        let expected = format!("{{\"CACertificates\":[\"{base64}\"]}}\n");
        assert_eq!(String::from_utf8_lossy(&contents(&bundle, path)), expected);
    }
}

#[test]
fn a_client_that_looks_only_into_openssls_directory_finds_the_ca_there() {
    let (_keep, ca, bundle) = bundle(&[]);
    let path = format!(
        "/etc/ssl/certs/{}.0",
        openssl::subject_hash(ca.certificate()).unwrap()
    );
    assert_eq!(
        String::from_utf8_lossy(&contents(&bundle, &path)),
        ca.certificate_pem()
    );
}

#[test]
fn the_home_gets_an_nss_database_or_the_reason_why_not() {
    let (_keep, _ca, bundle) = bundle(&[]);
    let names: Vec<_> = bundle
        .home_files()
        .into_iter()
        .map(|file| file.path.display().to_string())
        .collect();
    match bundle.nss_database() {
        Ok(()) => assert_eq!(
            names,
            [
                ".pki/nssdb/cert9.db",
                ".pki/nssdb/key4.db",
                ".pki/nssdb/pkcs11.txt"
            ]
        ),
        Err(NssError::NoCertutil) => assert!(names.is_empty()),
        Err(other) => panic!("{other}"),
    }
}
