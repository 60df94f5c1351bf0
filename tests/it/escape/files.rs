//! Files, processes and variables of the host: not there, or not to be written.

use std::fs;
use std::process::Command;

use outwall_tests::{Outwall, is_root, namespaces_available, skip};

use super::story;

/// What a home holds that is nobody else's business.
const SECRETS: [&str; 8] = [
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".config/gh/hosts.yml",
    ".netrc",
    ".cargo/credentials.toml",
    ".npmrc",
    ".pypirc",
    ".m2/settings.xml",
];

#[test]
fn an_ordinary_users_secrets_do_not_exist_inside() {
    nothing_of_the_home_is_inside(&story().variable("HOST_SECRET", "do-not-leak").as_ordinary_user());
}

#[test]
fn roots_secrets_do_not_exist_inside() {
    if !is_root() {
        return skip("files as root", "these tests do not run as root");
    }
    nothing_of_the_home_is_inside(&story().variable("HOST_SECRET", "do-not-leak"));
}

#[track_caller]
fn nothing_of_the_home_is_inside(outwall: &Outwall) {
    if !namespaces_available("escape") {
        return;
    }
    for secret in SECRETS {
        outwall.write_work_file(&format!("../home/{secret}"), "do-not-leak");
    }
    outwall.write_work_file(".env", "TOKEN=do-not-leak");
    outwall.write_work_file("readme.txt", "may-be-read");
    let script = "cat readme.txt; cd ~; for f in .ssh .aws .config/gh .netrc .npmrc .pypirc .m2; do test -e $f && echo EXISTS $f; done; \
         find . -type f 2>/dev/null | xargs -r cat 2>/dev/null; cat \"$OLDPWD/.env\"; env; \
         cat /etc/shadow /etc/ssh/ssh_host_* 2>/dev/null && echo SHADOW; tr '\\0' '\\n' < /proc/1/environ; ls -d /proc/[0-9]* | wc -l";
    let inside = outwall.shell(&[], script).stdout;
    assert!(
        inside.contains("may-be-read"),
        "the working directory is there:\n{inside}"
    );
    for leak in ["do-not-leak", "EXISTS", "SHADOW"] {
        assert!(!inside.contains(leak), "{leak}:\n{inside}");
    }
    let processes: usize = inside
        .lines()
        .last()
        .and_then(|n| n.trim().parse().ok())
        .expect("a count");
    assert!(processes <= 6, "{processes} processes are seen:\n{inside}");
}

#[test]
fn what_runs_on_the_host_later_cannot_be_planted() {
    if !namespaces_available("escape") {
        return;
    }
    let outwall = story().as_ordinary_user();
    let repository = outwall.work_dir();
    let made = Command::new("git")
        .args(["init", "-q"])
        .arg(&repository)
        .status()
        .expect("git is installed");
    assert!(made.success());
    outwall.write_work_file("outwall.toml", "[environments.default]\nnetwork = \"trusted\"\n");
    outwall.write_work_file("tracked.txt", "one"); // gives the repository to the story's user as well
    let script = "for f in .git/hooks/post-checkout .git/config .claude/settings.json .vscode/tasks.json outwall.toml; do \
           mkdir -p $(dirname $f) 2>/dev/null; (echo planted >> $f) 2>/dev/null && echo PLANTED $f; done; \
         mv .git/hooks .git/h2 2>/dev/null && echo MOVED hooks; mv .git .g2 2>/dev/null && echo MOVED git; \
         echo two > tracked.txt && git add tracked.txt && \
         git -c user.name=a -c user.email=a@example.com commit -qm two && echo COMMITTED";
    let inside = outwall.shell(&[], script);
    assert!(
        inside.stdout.contains("COMMITTED"),
        "git works all the same: {inside:?}"
    );
    assert!(
        !inside.stdout.contains("PLANTED") && !inside.stdout.contains("MOVED"),
        "{inside:?}"
    );
    assert!(!repository.join(".git/hooks/post-checkout").exists());
    assert_eq!(
        fs::read_to_string(repository.join("tracked.txt")).expect("the file is ours"),
        "two\n"
    );
}

#[test]
fn a_policy_that_the_sandbox_or_the_repository_wrote_changes_nothing() {
    if !namespaces_available("escape") {
        return;
    }
    let outwall = story().as_ordinary_user();
    let open = "[environments.default]\nnetwork = \"full\"\n";
    outwall.write_work_file("outwall.toml", open);
    let checked = outwall
        .run(&["policy", "check", "https://example.com/"])
        .exited_with(3);
    assert!(
        checked.stderr.contains("outwall trust"),
        "it says what to do: {checked:?}"
    );
    outwall.run(&["trust"]).succeeded();
    outwall
        .run(&["policy", "check", "https://example.com/"])
        .succeeded();
    outwall.write_work_file("outwall.toml", &format!("{open}# changed\n"));
    outwall
        .run(&["policy", "check", "https://example.com/"])
        .exited_with(3);
}
