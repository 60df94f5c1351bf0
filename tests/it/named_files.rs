//! Files that a policy names: what is wrong with one is said with the line that names it, and none comes in force half read.

use std::os::unix::fs::PermissionsExt as _;

use outwall_tests::{Outwall, TestOrigin};

use crate::{as_each_user, outwall};

/// Line 4 names the certificate.
const POLICY: &str = "\
[environments.default]
network = \"custom\"
allowed_domains = [\"api.example.test\"]
[[origins.client_certificates]]
hosts = [\"api.example.test\"]
certificate = \"client.pem\"
key = \"client.key\"
environments = [\"default\"]
";

/// Writes beside the policy file.
fn place(outwall: &Outwall, name: &str, contents: &str) {
    let path = outwall.policy_file().with_file_name(name);
    std::fs::write(&path, contents).expect("the story's directory is writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
}

fn gate_says(outwall: &Outwall) -> String {
    outwall
        .run(&["proxy", "--listen", "127.0.0.1:0"])
        .exited_with(1)
        .stderr
}

#[test]
fn a_client_certificate_that_cannot_be_used_stops_the_gate_and_names_its_line() {
    let outwall = outwall().policy(POLICY);
    let said = gate_says(&outwall);
    assert!(
        said.contains("policy.toml:4: the client certificate \"client.pem\"") && said.contains("cannot read"),
        "{said}"
    );
    let (certificate, key) = TestOrigin::client_certificate("client");
    place(&outwall, "client.pem", &certificate);
    place(&outwall, "client.key", &TestOrigin::client_certificate("other").1);
    let said = gate_says(&outwall);
    assert!(
        said.contains("client.key` is wrong") && said.contains("not the certificate's"),
        "{said}"
    );
    place(
        &outwall,
        "client.key",
        &key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    );
    let said = gate_says(&outwall);
    assert!(
        said.contains("encrypted") && said.contains("hint: decrypt it"),
        "{said}"
    );
    let secret = key.lines().nth(1).expect("a key has lines");
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn the_policy_shows_its_client_certificates_and_warns_of_a_key_that_others_may_read() {
    let outwall = outwall().policy(POLICY);
    let (certificate, key) = TestOrigin::client_certificate("client");
    place(&outwall, "client.pem", &certificate);
    place(&outwall, "client.key", &key);
    let shown = outwall.run(&["policy", "show"]).exited_with(0);
    let row = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("client.pem"))
        .unwrap_or_default();
    assert!(
        row.contains("api.example.test") && row.trim_end().ends_with('4'),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stderr.contains("others may read") && shown.stderr.contains("chmod 600"),
        "{}",
        shown.stderr
    );
}

#[test]
fn a_sandbox_that_could_read_the_key_is_not_started() {
    as_each_user(|outwall| {
        let (certificate, key) = TestOrigin::client_certificate("client");
        let inside = POLICY.replace(
            "client.key",
            &outwall.work_dir().join("client.key").display().to_string(),
        );
        outwall.write_work_file("client.key", &key);
        let outwall = outwall.policy(&inside);
        place(&outwall, "client.pem", &certificate);
        let refused = outwall.sandbox(&[], &["true"]).exited_with(125);
        assert!(
            refused.stderr.contains("the sandbox could read"),
            "{}",
            refused.stderr
        );
        let outwall = outwall.policy(POLICY);
        place(&outwall, "client.key", &key);
        outwall.sandbox(&[], &["true"]).exited_with(0);
    });
}
