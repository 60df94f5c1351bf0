//! The commands beside `run` and `proxy`: what they print, and where they find things.

use std::fs;

use outwall_tests::TestOrigin;

use crate::{as_each_user, outwall};

const HOST: &str = "api.example.test";

#[test]
fn doctor_says_what_this_machine_offers() {
    as_each_user(|outwall| {
        let finished = outwall.run(&["doctor"]);
        let said = finished.stdout.to_lowercase();
        for part in ["namespaces", "control groups", "system roots"] {
            assert!(said.contains(part), "{part}: {finished:?}");
        }
        assert_eq!(finished.code(), 0, "stories of sandboxes run here: {finished:?}");
    });
}

#[test]
fn follow_prints_events_as_they_are_written() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let follow = outwall.start(&["audit", "--follow", "--format", "json"]);
    // It follows from when it has started, and nothing says when that is.
    while !follow.has_said("/n/first") {
        gate.client().get(&format!("https://{HOST}/n/first")).into_text();
    }
    gate.client()
        .get("https://other.example.test/n/second")
        .into_text();
    follow.wait_for_output("host-not-allowed");
    // Another writer's file, made while we follow.
    let late = outwall.gate();
    late.client().get(&format!("https://{HOST}/n/third")).into_text();
    follow.wait_for_output("/n/third");
}

#[test]
fn a_table_of_the_log_survives_hostile_names() {
    let outwall = outwall().allowing(&[HOST]);
    let gate = outwall.gate();
    let mut raw = gate.raw();
    raw.send(
        "GET http://other.example.test/\x1b]0;owned\x07%1b[2J HTTP/1.1\r\nhost: other.example.test\r\n\r\n",
    );
    raw.read_head();
    gate.client()
        .get("https://other.example.test/%1b%5B2J")
        .into_text();
    let table = outwall.run(&["audit"]).succeeded().stdout;
    assert!(table.contains("other.example.test"), "{table}");
    assert!(!table.chars().any(|c| c.is_control() && c != '\n'), "{table:?}");
}

#[test]
fn an_empty_log_is_no_error() {
    let outwall = outwall();
    assert_eq!(outwall.audit().len(), 0);
    outwall.run(&["audit"]).exited_with(0);
    outwall.run(&["audit", "verify"]).exited_with(0);
}

#[test]
fn the_users_own_file_counts_and_a_named_one_before_it() {
    let outwall = outwall();
    let config = outwall.home_dir().join(".config/outwall");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("outwall.toml"),
        "[environments.default]\nnetwork = \"none\"\n",
    )
    .unwrap();
    outwall
        .run(&["policy", "check", "https://pypi.org/"])
        .exited_with(3);
    let named = outwall.write_work_file("named.toml", "[environments.default]\nnetwork = \"full\"\n");
    let named = named.to_str().unwrap();
    outwall
        .run(&["--config", named, "policy", "check", "https://example.com/"])
        .exited_with(0);
    let outwall = outwall.variable("OUTWALL_CONFIG", named);
    outwall
        .run(&["policy", "check", "https://example.com/"])
        .exited_with(0);
}

#[test]
fn an_environment_is_chosen_by_name() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .policy(&format!(
            "default_environment = \"shut\"\n[environments.shut]\nnetwork = \"none\"\n\
             [environments.open]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n"
        ))
        .origin(HOST, &origin);
    let url = format!("https://{HOST}/");
    outwall.run(&["policy", "check", &url]).exited_with(3);
    outwall
        .run(&["policy", "check", "--environment", "open", &url])
        .exited_with(0);
    assert_eq!(outwall.gate().client().get(&url).reason(), "network-none");
    assert_eq!(
        outwall
            .gate_with(&["--anonymous=open"])
            .client()
            .get(&url)
            .status(),
        200
    );
}

#[test]
fn a_wrong_command_line_is_a_2_and_help_is_none() {
    let outwall = outwall();
    outwall.run(&["audit", "--denyed"]).exited_with(2);
    outwall.run(&["no-such-command"]).exited_with(2);
    let help = outwall.run(&["--help"]).exited_with(0).stdout;
    for command in [
        "run",
        "proxy",
        "credential",
        "policy",
        "audit",
        "ca",
        "init",
        "trust",
        "doctor",
    ] {
        assert!(help.contains(command), "{help}");
    }
}
