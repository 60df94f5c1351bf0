//! What a sandbox leaves for later: for git on the host, for everybody on the host, for the next run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use outwall_tests::{Outwall, is_root, namespaces_available, skip};

use super::story;

#[test]
fn no_program_is_left_that_runs_as_somebody_else() {
    if !namespaces_available("planted") {
        return;
    }
    nothing_runs_as_somebody_else(&story().as_ordinary_user());
    if !is_root() {
        return skip("planted as root", "these tests do not run as root");
    }
    nothing_runs_as_somebody_else(&story());
}

#[track_caller]
fn nothing_runs_as_somebody_else(outwall: &Outwall) {
    for options in [&[][..], &["--root"]] {
        let script = "cp /bin/true p; chmod 6755 p; chmod 2755 p; install -m 4755 /bin/true q; chmod 711 p && echo HARMLESS";
        let inside = outwall.shell(options, script);
        assert!(inside.stdout.contains("HARMLESS"), "{inside:?}");
        for name in ["p", "q"] {
            let left = fs::metadata(outwall.work_dir().join(name));
            let mode = left.map_or(0, |left| left.permissions().mode());
            assert_eq!(mode & 0o6000, 0, "{name} {options:?}: {inside:?}");
        }
    }
}

#[test]
fn git_on_the_host_does_not_obey_a_repository_that_the_sandbox_made() {
    if !namespaces_available("planted") {
        return;
    }
    let outwall = story().as_ordinary_user();
    let plant = "printf '#!/bin/sh\\ntouch %s/executed\\n' $PWD > payload; chmod +x payload; git init -q; git config core.fsmonitor $PWD/payload; echo DONE";
    let inside = outwall.shell(&[], plant);
    assert!(inside.stdout.contains("DONE"), "{inside:?}");
    // The directory belongs to the story's user, and these tests may run as root.
    let on_the_host = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(outwall.work_dir());
        let safe = [("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", "*")];
        command.envs(safe.map(|(name, value)| (format!("GIT_CONFIG_{name}"), value)));
        command.output().expect("it is installed")
    };
    let status = || {
        on_the_host("git", &["status"]);
        outwall.work_dir().join("executed").exists()
    };
    assert!(!status(), "{inside:?}");
    on_the_host("sh", &["-c", plant]);
    assert!(status(), "the twin shows nothing");
}

#[test]
fn a_policy_is_not_read_through_a_link_that_the_sandbox_could_replace() {
    if !namespaces_available("planted") {
        return;
    }
    let outwall = story().as_ordinary_user();
    outwall.write_work_file(
        "../policies/strict.toml",
        "[environments.default]\nnetwork = \"none\"\n",
    );
    let policies = outwall.work_dir().join("../policies");
    let linked = outwall.work_dir().join("linked.toml");
    symlink("../policies/strict.toml", &linked).expect("a new name");
    let refused = outwall
        .run(&["--config", "linked.toml", "run", "--", "true"])
        .exited_with(125);
    assert!(
        refused.stderr.contains("could replace") && refused.stderr.contains("linked.toml"),
        "{refused:?}"
    );
    fs::remove_file(linked).expect("it is there");
    let direct = policies.join("strict.toml").display().to_string();
    outwall
        .run(&["--config", &direct, "run", "--", "true"])
        .succeeded();
}

#[test]
fn a_directory_as_standard_input_is_no_way_to_the_host() {
    if !namespaces_available("planted") {
        return;
    }
    let outwall = story().as_ordinary_user();
    outwall.write_work_file("input", "text\n");
    let launch = |stdin: &str| {
        let binary = env!("CARGO_BIN_EXE_outwall");
        let script = format!(
            "{binary} --state-dir \"$PWD/../standard-state\" run --quiet -- sh -c 'cat; (echo more > /proc/self/fd/0) 2>/dev/null; ls /proc/self/fd/0/' < {stdin}"
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .current_dir(outwall.work_dir())
            .env("HOME", "/nonexistent");
        String::from_utf8_lossy(&command.output().expect("there is a shell").stdout).into_owned()
    };
    assert_eq!(launch("input"), "text\n");
    assert_eq!(
        fs::read_to_string(outwall.work_dir().join("input")).expect("it is there"),
        "text\n"
    );
    assert_eq!(launch("/"), "");
}
