use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Barrier;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// As a rustls client with only this CA would.
fn verifies(ca: &Ca, leaf: &CertifiedKey, host: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    verifier
        .verify_server_cert(&leaf.cert[0], &[], &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn the_ca_is_made_once_and_its_key_is_for_the_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state/ca");
    let first = Ca::load_or_create(&state).unwrap();
    let second = Ca::load_or_create(&state).unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(
        first.certificate_pem(),
        fs::read_to_string(state.join("ca.pem")).unwrap()
    );
    assert_eq!((mode(&state.join("ca.key")), mode(&state)), (0o600, 0o700));
}

#[test]
fn many_that_start_at_once_agree_on_one_ca() {
    let directory = tempfile::tempdir().unwrap();
    let barrier = Barrier::new(8);
    let fingerprints: Vec<_> = std::thread::scope(|scope| {
        let start = || {
            barrier.wait();
            Ca::load_or_create(directory.path()).unwrap().fingerprint()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(fingerprints.iter().all(|one| one == &fingerprints[0]));
}

#[test]
fn two_processes_that_start_at_once_agree_on_one_ca() {
    const CHILD: &str = "OUTWALL_CERTS_TEST_DIRECTORY";
    if let Some(directory) = std::env::var_os(CHILD) {
        println!(
            "fingerprint {}",
            Ca::load_or_create(Path::new(&directory)).unwrap().fingerprint()
        );
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["two_processes_that_start_at_once", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    let expected = |output: &str| output.split_once("fingerprint ").unwrap().1[..64].to_owned();
    let said: Vec<_> = children
        .into_iter()
        .map(|child| expected(&String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()))
        .collect();
    let kept = Ca::load_or_create(directory.path()).unwrap().fingerprint();
    assert!(said.iter().all(|one| one == &kept), "{said:?} {kept}");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    Ca::load_or_create(directory.path()).unwrap();
    let key = directory.path().join("ca.key");
    for bad in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(&key, fs::Permissions::from_mode(bad)).unwrap();
        let error = Ca::load_or_create(directory.path()).unwrap_err();
        assert!(
            matches!(error, CaError::KeyReadableByOthers { mode, .. } if mode == bad),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    Ca::load_or_create(directory.path()).unwrap();
}

#[test]
fn rotation_makes_another_ca_and_keeps_the_old_certificate_but_not_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let old = Ca::load_or_create(directory.path()).unwrap();
    let once = Ca::rotate(directory.path()).unwrap();
    let twice = Ca::rotate(directory.path()).unwrap();
    assert_eq!(
        fs::read_to_string(once.old_certificate.unwrap()).unwrap(),
        old.certificate_pem()
    );
    assert_eq!(
        fs::read_to_string(twice.old_certificate.unwrap()).unwrap(),
        once.ca.certificate_pem()
    );
    assert_eq!(
        Ca::load_or_create(directory.path()).unwrap().fingerprint(),
        twice.ca.fingerprint()
    );
    assert!(!verifies(&twice.ca, &old.leaf("a.test").unwrap(), "a.test"));
    let keys = fs::read_dir(directory.path()).unwrap().filter(|entry| {
        fs::read_to_string(entry.as_ref().unwrap().path()).is_ok_and(|text| text.contains("PRIVATE KEY"))
    });
    assert_eq!(keys.count(), 1);
}

#[test]
fn rotation_is_the_remedy_for_files_that_are_broken() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("ca.pem"), directory.path().join("ca.key"));
    let elsewhere = tempfile::tempdir().unwrap();
    Ca::load_or_create(elsewhere.path()).unwrap();
    let other_key = fs::read_to_string(elsewhere.path().join("ca.key")).unwrap();
    for (file, text, says) in [
        (&certificate, "rubbish", "not a CA certificate"),
        (&key, "rubbish", "not a private key"),
        (&key, &other_key, "do not belong together"),
    ] {
        Ca::rotate(directory.path()).unwrap();
        Ca::load_or_create(directory.path()).unwrap();
        fs::write(file, text).unwrap();
        let error = Ca::load_or_create(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("outwall ca rotate"),
            "{error}"
        );
    }
}

#[test]
fn a_death_between_the_two_files_leaves_no_ca_and_the_next_start_makes_one() {
    let directory = tempfile::tempdir().unwrap();
    Ca::load_or_create(directory.path()).unwrap();
    fs::remove_file(directory.path().join("ca.pem")).unwrap();
    fs::write(directory.path().join("ca.key.new"), "half a k").unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    assert!(verifies(&ca, &ca.leaf("a.test").unwrap(), "a.test"));
    assert!(!directory.path().join("ca.key.new").exists());
}

#[test]
fn a_leaf_is_good_for_its_host_and_for_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    let long = format!("{}.{}.test", "a".repeat(63), "b".repeat(60));
    for host in [
        "a.test",
        "xn--bcher-kva.test",
        "_under.score.test",
        "192.0.2.7",
        "2001:db8::7",
        long.as_str(),
    ] {
        let leaf = ca.leaf(host).unwrap();
        assert!(verifies(&ca, &leaf, host), "{host}");
        assert!(!verifies(&ca, &leaf, "b.a.test"), "{host}");
        assert!(!verifies(&ca, &leaf, "192.0.2.8"), "{host}");
    }
}

#[test]
fn what_is_no_single_host_gets_no_leaf() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    for host in [
        "",
        "*.a.test",
        "a.test.",
        "a test",
        "a.test:443",
        "[2001:db8::7]",
        "a.test\0.b.test",
        "münchen.test",
    ] {
        assert!(matches!(ca.leaf(host), Err(LeafError::NotAHost(_))), "{host:?}");
    }
}

#[test]
fn leaves_share_one_key_that_is_not_the_cas_and_have_serials_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    let (one, two) = (ca.leaf("one.test").unwrap(), ca.leaf("two.test").unwrap());
    assert!(Arc::ptr_eq(&one, &ca.clone().leaf("one.test").unwrap()), "cached");
    let (_, first) = X509Certificate::from_der(&one.cert[0]).unwrap();
    let (_, second) = X509Certificate::from_der(&two.cert[0]).unwrap();
    let (_, issuer) = X509Certificate::from_der(ca.certificate()).unwrap();
    assert_eq!(first.public_key().raw, second.public_key().raw);
    assert_ne!(first.public_key().raw, issuer.public_key().raw);
    assert_ne!(first.raw_serial(), second.raw_serial());
    assert_eq!(first.raw_serial().len(), 16);
    assert!(issuer.validity().not_before <= first.validity().not_before);
    let days = (first.validity().not_after.timestamp() - first.validity().not_before.timestamp()) / 86_400;
    assert_eq!(days, 390);
}

#[test]
fn openssl_accepts_a_leaf_under_its_strictest_rules() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: there is no `openssl` on this machine");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    let path = directory.path().join("leaf.pem");
    fs::write(&path, pem::encode(&ca.leaf("a.test").unwrap().cert[0])).unwrap();
    let verify = |host: &str| {
        Command::new("openssl")
            .args([
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-verify_hostname",
                host,
                "-CAfile",
            ])
            .args([&directory.path().join("ca.pem"), &path])
            .output()
            .unwrap()
    };
    let accepted = verify("a.test");
    assert!(
        accepted.status.success(),
        "{}",
        String::from_utf8_lossy(&accepted.stderr)
    );
    assert!(!verify("b.test").status.success());
}

/// `cargo test -p outwall-certs -- --ignored --nocapture minting`; with `--release` for figures to quote.
#[test]
#[ignore = "a measurement, not a check"]
fn cost_of_minting_and_of_a_cached_leaf() {
    let directory = tempfile::tempdir().unwrap();
    let ca = Ca::load_or_create(directory.path()).unwrap();
    let hosts: Vec<_> = (0..2000).map(|n| format!("host-{n}.example.test")).collect();
    for what in ["minted", "cached"] {
        let start = std::time::Instant::now();
        for host in &hosts {
            ca.leaf(host).unwrap();
        }
        eprintln!("{what}: {:?} each", start.elapsed() / 2000);
    }
    let start = std::time::Instant::now();
    let bundle = crate::TrustBundle::assemble(&ca, &[]).unwrap();
    eprintln!("bundle, certutil included: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let again = crate::TrustBundle::assemble(&ca, &[]).unwrap();
    eprintln!(
        "bundle, NSS database and system roots known: {:?}",
        start.elapsed()
    );
    let start = std::time::Instant::now();
    let files = bundle.files().len() + again.home_files().len();
    eprintln!("{files} files: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    Ca::load_or_create(directory.path()).unwrap();
    eprintln!("load: {:?}", start.elapsed());
}
