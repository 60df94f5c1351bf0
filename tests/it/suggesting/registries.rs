//! The same with real clients: `npm install`, `pip install` and `git clone`, of real registries and of a git server of our own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use outwall_tests::github::GitHub;
use outwall_tests::{Finished, Outwall, namespaces_available, registries_reachable, skip};
use serde_json::Value;

use super::{entries, replay, without};
use crate::outwall;

const COMMANDS: &str = "echo '{\"name\":\"x\",\"version\":\"1.0.0\"}' > package.json && npm install is-odd \
                        && python3 -m pip install --target lib idna && git clone https://github.com/acme/app app";

const PROGRAMS: [&str; 3] = ["npm", "python3", "git"];

fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").output();
    asked.is_ok_and(|said| said.status.success())
}

/// One run of the commands, in a place of its own.
fn run(policy: &str, github: &GitHub) -> (Outwall, Finished, Vec<Value>) {
    let outwall = outwall().policy(policy).github(github);
    let finished = outwall.shell(&["--quiet"], COMMANDS);
    let denied = outwall.audit_with(&["--denied"]);
    (outwall, finished, denied)
}

fn told(records: &[Value]) -> BTreeSet<(String, String)> {
    let text = |record: &Value, field: &str| record[field].as_str().unwrap().to_owned();
    let told = records
        .iter()
        .map(|record| (text(record, "target"), text(record, "reason")));
    told.collect()
}

#[test]
#[ignore = "uses the real registries: bash tests/all.sh runs it"]
fn what_is_suggested_for_real_clients_is_enough_and_no_entry_is_too_many() {
    let name = "suggestions for npm, pip and git";
    if !namespaces_available(name) || !registries_reachable(name) {
        return;
    }
    if let Some(lacks) = PROGRAMS.iter().find(|program| !is_there(program)) {
        return skip(name, &format!("`{lacks}` is not installed"));
    }
    let github = GitHub::start();
    github
        .repository("acme/app")
        .file("README.md", "# app\n")
        .create();
    let (before, finished, denied) = run(
        "default_environment = \"a\"\n[environments.a]\nnetwork = \"trusted\"\n",
        &github,
    );
    let finished = finished.exited_with(0);
    assert_eq!(denied.len(), 0, "{finished:?}\n{denied:#?}");

    let suggested = before
        .run(&["policy", "suggest", "--from", "audit"])
        .succeeded()
        .stdout;
    let mut seen = format!("{suggested}\n");
    let (_, finished, denied) = run(&suggested, &github);
    finished.exited_with(0);
    assert_eq!(denied.len(), 0, "{suggested}\n{denied:#?}");

    let entries = entries(&suggested);
    assert!(entries.len() >= 4, "{suggested}");
    for entry in entries {
        let (after, finished, denied) = run(&without(&suggested, entry), &github);
        let replayed = replay(&before, &after.policy_file(), 1);
        let newly = replayed["newly_refused"].as_array().unwrap();
        assert!(!denied.is_empty(), "without {entry} nothing is refused");
        assert_ne!(
            finished.code(),
            0,
            "without {entry} the commands work: {finished:?}"
        );
        assert_eq!(told(newly), told(&denied), "without {entry}");
        writeln!(
            seen,
            "without {}: exit {}, {:?}",
            entry.trim(),
            finished.code(),
            told(&denied)
        )
        .unwrap();
    }
    eprintln!("{seen}");
}
