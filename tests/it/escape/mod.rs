//! Attempts to get out of a sandbox, with real system calls, and their allowing twins.
//!
//! `attempt.py` makes one attempt and says whether it got through. Inside, each must be
//! held; the very same attempt made outside must get through, or the test proves nothing.
//! Told as an ordinary user, and as root too where there is root.

mod files;
mod network;
mod planted;

use std::fs;
use std::process::Command;

use outwall_tests::{Outwall, is_root, namespaces_available, skip};

/// The sandbox's own Python: stories must not depend on a tool chain in somebody's home.
const PYTHON: &str = "/usr/bin/python3";

/// Attempts that need no network, each held by a defence of its own.
const SYSTEM_CALLS: [&str; 17] = [
    "raw_socket",
    "raw_socket_v6",
    "packet_socket",
    "vsock",
    "kernel_crypto",
    "flush_rules",
    "add_address",
    "new_network_namespace",
    "new_user_namespace",
    "new_user_namespace_by_clone",
    "new_user_namespace_by_clone3",
    "io_uring",
    "keyring",
    "mount_tmpfs",
    "enter_init_network",
    "trace_init",
    "write_kernel_setting",
];

#[test]
fn no_system_call_opens_a_way_out_for_an_ordinary_user() {
    every_system_call_is_held(&story().as_ordinary_user(), &[]);
}

#[test]
fn no_system_call_opens_a_way_out_for_root_inside_of_an_ordinary_users_sandbox() {
    every_system_call_is_held(&story().as_ordinary_user(), &["--root"]);
}

#[test]
fn no_system_call_opens_a_way_out_when_outwall_runs_as_root() {
    if !is_root() {
        return skip("escape as root", "these tests do not run as root");
    }
    every_system_call_is_held(&story(), &[]);
    every_system_call_is_held(&story(), &["--root"]);
}

/// One sandbox makes all attempts, so that the story takes a second and not a minute.
#[track_caller]
fn every_system_call_is_held(outwall: &Outwall, options: &[&str]) {
    if !namespaces_available("escape") {
        return;
    }
    let attempts = SYSTEM_CALLS.map(|name| format!("{PYTHON} attempt.py {name}"));
    let inside = outwall.shell(options, &attempts.join("; ")).stdout;
    for name in SYSTEM_CALLS {
        assert!(
            inside.contains(&format!("held: {name}")),
            "{name} was not held:\n{inside}"
        );
        let outside = in_own_namespaces(&[name]);
        if name == "kernel_crypto" && outside.contains("held") {
            skip(name, "this kernel has no AF_ALG, so that nothing is proved");
            continue;
        }
        assert!(
            outside.contains(&format!("through: {name}")),
            "the twin of {name} is held too: {outside}"
        );
    }
}

#[test]
fn namespaces_are_allowed_inside_where_the_environment_says_so_and_lead_nowhere() {
    if !namespaces_available("escape") {
        return;
    }
    let outwall = story()
        .policy("[environments.default]\nnetwork = \"full\"\nnested_namespaces = true\n")
        .as_ordinary_user();
    let script = format!(
        "{PYTHON} attempt.py new_user_namespace; unshare -Urn {PYTHON} attempt.py tcp 192.0.2.1 80; \
         unshare -Urn {PYTHON} attempt.py flush_rules; {PYTHON} attempt.py tcp 169.254.169.254 80"
    );
    let inside = outwall.shell(&[], &script).stdout;
    assert!(inside.contains("through: new_user_namespace"), "{inside}");
    assert!(
        inside.contains("held: tcp: [Errno 101]"),
        "a child namespace has no route:\n{inside}"
    );
    assert!(
        inside.trim_end().ends_with("literal-not-allowed"),
        "whatever happened in there, the sandbox is captured still:\n{inside}"
    );
}

/// A story whose working directory holds `attempt.py`.
fn story() -> Outwall {
    let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"));
    outwall.write_work_file("attempt.py", include_str!("attempt.py"));
    outwall
}

/// The same attempt outside: as root of namespaces of its own, in which all of it is allowed.
fn in_own_namespaces(attempt: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let program = directory.path().join("attempt.py");
    fs::write(&program, include_str!("attempt.py")).expect("a new directory takes files");
    let output = Command::new("unshare")
        .args(["-Urnm", "--pid", "--fork", "--mount-proc", "sh", "-c"])
        .arg("ip link set lo up; ip addr add 10.99.0.2/32 dev lo; \"$@\"; true")
        .args(["sh", PYTHON])
        .arg(&program)
        .args(attempt)
        .output()
        .expect("util-linux is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
