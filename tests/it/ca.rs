//! The CA: made once, agreed on by all, its key read by nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

use outwall_tests::{Client, Outwall, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";

fn find(outwall: &Outwall, name: &str) -> PathBuf {
    let state = outwall.state_dir();
    [state.join(name), state.join("ca").join(name)]
        .into_iter()
        .find(|path| path.exists())
        .unwrap()
}

#[test]
fn two_first_starts_at_once_agree_on_one_ca() {
    for _ in 0..5 {
        let outwall = outwall().allowing(&[HOST]);
        let gates: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| outwall.gate())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let exported = outwall.run(&["ca", "export"]).succeeded().stdout;
        for gate in &gates {
            let client = Client::through(gate.address(), &exported);
            assert_eq!(client.get("https://other.example.test/").status(), 403);
        }
    }
}

#[test]
fn the_key_is_its_owners_alone() {
    let outwall = outwall().allowing(&[HOST]);
    outwall.gate().stop();
    let mode = fs::metadata(find(&outwall, "ca.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_export_is_the_certificate_and_a_bundle_is_all_roots() {
    let outwall = outwall();
    let pem = outwall.run(&["ca", "export"]).succeeded().stdout;
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(!pem.contains("PRIVATE KEY"));
    let bundle = outwall
        .run(&["ca", "export", "--format", "bundle"])
        .succeeded()
        .stdout;
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 10);
    assert!(bundle.contains(pem.trim()));
}

#[test]
fn after_a_rotation_clients_of_the_old_ca_are_turned_away_and_of_the_new_served() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let old = outwall.run(&["ca", "export"]).succeeded().stdout;
    outwall.run(&["ca", "rotate"]).exited_with(0);
    let new = outwall.run(&["ca", "export"]).succeeded().stdout;
    assert_ne!(old, new);
    let gate = outwall.gate();
    let with = |roots: &str| Client::through(gate.address(), roots).try_get(&format!("https://{HOST}/"));
    assert!(with(&old).is_err());
    assert_eq!(with(&new).unwrap().status(), 200);
}
