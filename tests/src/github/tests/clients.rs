//! The clients' everyday.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Desk, ghs};
use crate::process::TIME_LIMIT;
use crate::skip;

#[test]
fn git_clones_in_every_way_and_pushes() {
    let desk = Desk::new();
    desk.github
        .repository("acme/sha256")
        .sha256()
        .file("a.txt", "a\n")
        .create();
    desk.git(
        "",
        &[
            "clone",
            "--quiet",
            "--depth",
            "1",
            "https://github.com/acme/app",
            "shallow",
        ],
    );
    desk.git(
        "",
        &[
            "clone",
            "--quiet",
            "--filter=blob:none",
            "https://github.com/acme/app.git",
            "partial",
        ],
    );
    desk.git(
        "",
        &["clone", "--quiet", "https://github.com/ACME/sha256", "sha256"],
    );
    assert_eq!(desk.git("sha256", &["rev-parse", "HEAD"]).len(), 64);
    assert_eq!(desk.read("partial/src/main.rs"), b"fn main() {}\n");
    desk.git(
        "",
        &[
            "clone",
            "--quiet",
            "https://ghe.example.com/acme/app",
            "enterprise",
        ],
    );
    for version in ["0", "1", "2"] {
        let version = format!("protocol.version={version}");
        assert!(
            desk.git("", &["-c", &version, "ls-remote", "https://github.com/acme/app"])
                .contains("refs/heads/main")
        );
    }

    desk.with_a_commit();
    let before = desk.github.state();
    let pushed = desk.run("app", "git", &["push", "origin", "session"]).succeeded();
    let told = "remote:      https://github.com/acme/app/pull/new/session";
    assert!(pushed.stderr.contains(told), "{pushed:?}");
    let head = desk.git("app", &["rev-parse", "HEAD"]);
    let changed: Vec<_> = before
        .differences(&desk.github.state())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changed, [format!("acme/app refs/heads/session: none -> {head}")]);
    desk.git("app", &["commit", "--quiet", "--amend", "-m", "Another"]);
    desk.run("app", "git", &["push", "origin", "session"])
        .exited_with(1);
    desk.git(
        "app",
        &[
            "push",
            "--quiet",
            "--force",
            "-o",
            "an.option",
            "origin",
            "session",
        ],
    );
    desk.git("app", &["push", "--quiet", "origin", ":session"]);
    assert_eq!(before.differences(&desk.github.state()), []);
}

#[test]
fn a_large_push_streams_and_a_submodule_is_cloned() {
    let desk = Desk::new();
    desk.with_a_commit();
    let mut seeded = crate::credentials::Seeded::new(1);
    let noise: Vec<u8> = (0..1 << 19).flat_map(|_| seeded.number().to_le_bytes()).collect();
    desk.write("app/noise.bin", &noise);
    desk.git("app", &["add", "."]);
    desk.git("app", &["commit", "--quiet", "-m", "Noise"]);
    desk.git("app", &["push", "--quiet", "origin", "session"]);
    let pushes = desk
        .github
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("git-receive-pack"));
    let lengths: Vec<u64> = pushes
        .filter(|request| request.method == "POST")
        .map(|request| request.length)
        .collect();
    assert!(
        matches!(lengths[..], [4, large] if large > 4 << 20),
        "a probe, then all of it: {lengths:?}"
    );

    desk.github.repository("acme/whole").private().create();
    desk.git("", &["clone", "--quiet", "https://github.com/acme/whole"]);
    desk.git(
        "whole",
        &[
            "submodule",
            "--quiet",
            "add",
            "https://github.com/acme/app",
            "part",
        ],
    );
    desk.git("whole", &["commit", "--quiet", "-m", "A part"]);
    desk.git("whole", &["push", "--quiet", "origin", "HEAD:main"]);
    desk.git(
        "",
        &[
            "clone",
            "--quiet",
            "--recurse-submodules",
            "https://github.com/acme/whole",
            "again",
        ],
    );
    assert_eq!(desk.read("again/part/README.md"), b"# app\n");
    let listed = desk.git(
        "",
        &[
            "archive",
            "--remote=https://github.com/acme/app",
            "main",
            "README.md",
        ],
    );
    assert!(listed.contains("# app"));
}

#[test]
fn who_has_no_token_is_asked_and_a_workflow_needs_its_scope() {
    let desk = Desk::new();
    desk.with_a_commit();
    let bare = ["-c", "credential.helper="];
    let denied = desk.run(
        "",
        "git",
        &[&bare[..], &["ls-remote", "https://github.com/acme/app"]].concat(),
    );
    assert!(denied.stderr.contains("could not read Username"), "{denied:?}");
    desk.github.repository("acme/public").file("a", "a").create();
    desk.git(
        "",
        &[&bare[..], &["clone", "--quiet", "https://github.com/acme/public"]].concat(),
    );
    let denied = desk.run(
        "public",
        "git",
        &[&bare[..], &["push", "origin", "HEAD:new"]].concat(),
    );
    assert!(denied.stderr.contains("could not read Username"), "{denied:?}");

    fs::create_dir_all(desk.home.path().join("app/.github/workflows")).unwrap();
    desk.write("app/.github/workflows/ci.yml", "on: push\n");
    desk.git("app", &["add", "."]);
    desk.git("app", &["commit", "--quiet", "-m", "A workflow"]);
    desk.github.accept("ghp_narrow", "mona", &["repo"]);
    let narrow = "credential.helper=!f() { echo username=x; echo password=ghp_narrow; }; f";
    let push = [
        "-c",
        "credential.helper=",
        "-c",
        narrow,
        "push",
        "origin",
        "session",
    ];
    let before = desk.github.state();
    let refused = desk.run("app", "git", &push);
    assert!(
        refused
            .stderr
            .contains(" ! [remote rejected] session -> session (refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` without `workflow` scope)"),
        "{refused:?}"
    );
    assert_eq!(before.differences(&desk.github.state()), []);
    desk.git("app", &["push", "--quiet", "origin", "session"]);
}

#[test]
fn gh_works_on_pull_requests_issues_and_runs() {
    for gh in ghs("gh against the stand-in") {
        let desk = Desk::new();
        desk.with_a_commit();
        desk.git("app", &["push", "--quiet", "-u", "origin", "session"]);
        desk.github
            .workflow_run("acme/app", "session", "CI", Some("SUCCESS"));
        desk.github.issue("acme/app", "mona", "An issue of old");
        desk.github.label("acme/app", "bug");
        let run = |arguments: &[&str]| desk.run("app", &gh, arguments).succeeded().stdout;

        assert_eq!(
            run(&[
                "pr", "create", "--draft", "--title", "A title", "--body", "A body"
            ]),
            "https://github.com/acme/app/pull/2\n"
        );
        assert!(run(&["pr", "view"]).contains("A body"));
        assert!(
            run(&[
                "pr",
                "view",
                "2",
                "--json",
                "number,title,state,isDraft,headRefName,files,commits"
            ])
            .contains("new.txt")
        );
        assert!(run(&["pr", "list"]).contains("A title"));
        assert!(run(&["pr", "status"]).contains("A title"));
        assert!(run(&["pr", "checks", "2"]).contains("build"));
        assert!(run(&["pr", "diff", "2"]).contains("+new"));
        assert!(run(&["pr", "comment", "2", "--body", "A comment"]).contains("#issuecomment-"));
        assert!(run(&["pr", "view", "2", "--comments"]).contains("A comment"));
        run(&[
            "pr",
            "edit",
            "2",
            "--title",
            "Another title",
            "--add-label",
            "bug",
        ]);
        run(&["pr", "ready", "2"]);
        run(&["pr", "review", "2", "--comment", "--body", "Read"]);
        assert!(
            run(&["pr", "view", "2", "--json", "title,labels,isDraft,reviews"]).contains("Another title")
        );
        run(&["pr", "close", "2"]);
        run(&["pr", "reopen", "2"]);
        assert!(run(&["issue", "list"]).contains("An issue of old"));
        assert!(run(&["issue", "create", "--title", "Fresh", "--body", "B"]).contains("/issues/3"));
        run(&["issue", "comment", "3", "--body", "Seen"]);
        assert!(run(&["issue", "view", "3", "--comments"]).contains("Seen"));
        run(&["issue", "close", "3"]);
        assert!(run(&["api", "repos/acme/app/pulls/2", "--jq", ".head.ref"]).contains("session"));
        assert!(run(&["api", "graphql", "-f", "query={viewer{login}}"]).contains("mona"));
        assert!(run(&["run", "list"]).contains("CI"));
        run(&["pr", "merge", "2", "--merge"]);
        assert!(
            desk.github.state().refs["acme/app"]["refs/heads/main"]
                != desk.git("app", &["rev-parse", "origin/main"])
        );
    }
}

#[test]
fn gh_works_on_repositories_gists_releases_and_an_enterprise() {
    for gh in ghs("gh against the stand-in") {
        let desk = Desk::new();
        let run = |arguments: &[&str]| desk.run("", &gh, arguments).succeeded().stdout;
        assert!(run(&["repo", "view", "acme/app"]).contains("# app"));
        run(&["repo", "clone", "acme/app", "cloned"]);
        desk.github.release("acme/app", "v1", "app.txt", b"an asset\n");
        assert!(run(&["release", "list", "-R", "acme/app"]).contains("v1"));
        assert!(run(&["release", "view", "v1", "-R", "acme/app"]).contains("app.txt"));
        run(&["release", "download", "v1", "-R", "acme/app", "--dir", "got"]);
        assert_eq!(desk.read("got/app.txt"), b"an asset\n");
        desk.write("note.txt", "a note\n");
        run(&[
            "release", "create", "v2", "note.txt", "-R", "acme/app", "--notes", "N",
        ]);
        let gist = run(&["gist", "create", "note.txt"]);
        assert!(gist.contains("gist.github.com/"), "{gist}");
        desk.git("", &["clone", "--quiet", gist.trim(), "gist"]);
        desk.write("gist/note.txt", "another note\n");
        let before = desk.github.state();
        desk.git("gist", &["commit", "--quiet", "--all", "-m", "Another"]);
        desk.git("gist", &["push", "--quiet"]);
        assert_eq!(before.differences(&desk.github.state()).len(), 1);
        let id = desk
            .github
            .workflow_run("acme/app", "main", "CI", Some("FAILURE"))
            .to_string();
        assert!(run(&["run", "view", &id, "-R", "acme/app"]).contains("build"));
        run(&["run", "download", &id, "-R", "acme/app", "--dir", "results"]);
        run(&["run", "rerun", &id, "-R", "acme/app"]);
        run(&["repo", "fork", "acme/app", "--clone=false"]);
        let status = desk.run("", &gh, &["auth", "status"]).succeeded();
        assert!(
            format!("{status:?}").contains("Logged in to github.com"),
            "{status:?}"
        );
        assert!(run(&["repo", "view", "ghe.example.com/acme/app"]).contains("# app"));
        assert!(
            run(&[
                "api",
                "--hostname",
                "ghe.example.com",
                "repos/acme/app",
                "--jq",
                ".html_url"
            ])
            .contains("https://ghe.example.com/acme/app")
        );
    }
}

#[test]
fn git_lfs_pushes_pulls_and_locks() {
    let desk = Desk::new();
    if !desk.run("", "git", &["lfs", "version"]).status.success() {
        skip("git-lfs against the stand-in", "git-lfs is not installed");
        return;
    }
    desk.with_a_commit();
    desk.git("app", &["lfs", "install", "--local"]);
    desk.git("app", &["lfs", "track", "*.bin"]);
    desk.write("app/large.bin", vec![7; 300_000]);
    desk.git("app", &["add", "."]);
    desk.git("app", &["commit", "--quiet", "-m", "A large file"]);
    desk.git("app", &["push", "--quiet", "origin", "session"]);
    assert_eq!(desk.github.state().lfs["acme/app"].len(), 1);
    desk.git("app", &["lfs", "lock", "large.bin"]);
    assert!(desk.git("app", &["lfs", "locks"]).contains("large.bin"));
    desk.git("app", &["lfs", "unlock", "large.bin"]);

    desk.git(
        "",
        &[
            "clone",
            "--quiet",
            "--branch",
            "session",
            "https://github.com/acme/app",
            "pulled",
        ],
    );
    desk.git("pulled", &["lfs", "install", "--local"]);
    desk.git("pulled", &["lfs", "pull"]);
    assert_eq!(desk.read("pulled/large.bin"), vec![7; 300_000]);
}

#[test]
fn a_pull_request_follows_its_branch_and_what_was_sent_is_found() {
    let desk = Desk::new();
    desk.with_a_commit();
    desk.git("app", &["push", "--quiet", "origin", "session"]);
    desk.github
        .pull_request("acme/app", "mona", "session", "main", "A title");
    desk.git("app", &["fetch", "--quiet", "origin", "pull/1/head"]);
    let head = desk.git("app", &["rev-parse", "HEAD"]);
    assert_eq!(desk.git("app", &["rev-parse", "FETCH_HEAD"]), head);
    desk.run("app", "git", &["push", "origin", "main:refs/pull/1/head"])
        .exited_with(1);
    let state =
        |desk: &Desk| desk.github.state().records[&desk.github.node_id("acme/app", 1)]["state"].clone();
    assert_eq!(state(&desk), "OPEN");
    desk.git("app", &["push", "--quiet", "origin", ":session"]);
    assert_eq!(state(&desk), "CLOSED");
    assert!(!desk.github.requests_with(super::TOKEN).is_empty());
    assert!(desk.github.requests_with("ghp_another").is_empty());
}

#[test]
fn a_push_that_breaks_off_moves_no_ref_and_a_whole_one_does() {
    let desk = Desk::new();
    desk.with_a_commit();
    desk.git("app", &["push", "--quiet", "origin", "session"]);
    let mut pushes = desk.github.requests().into_iter();
    let body = pushes
        .rfind(|request| request.path.ends_with("/git-receive-pack"))
        .unwrap()
        .body;
    let ca = fs::read_to_string(desk.github.ca_file()).unwrap();
    let send = |body: &[u8], length: usize| {
        let client = crate::Client::through(desk.github.proxy_address(), &ca);
        let mut raw = client.raw("github.com");
        raw.send(format!(
            "POST /acme/app.git/git-receive-pack HTTP/1.1\r\nhost: github.com\r\nauthorization: token {}\r\n\
             content-type: application/x-git-receive-pack-request\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",
            super::TOKEN
        ));
        raw.send(body);
        raw
    };
    let there = || desk.github.refs("acme/app").contains_key("refs/heads/session");
    desk.git("app", &["push", "--quiet", "origin", ":session"]);
    drop(send(&body[..body.len() - 1], body.len()));
    desk.git("app", &["push", "--quiet", "origin", "main:another"]);
    assert!(!there());
    let mut whole = send(&body, body.len());
    let said = whole.read_for(TIME_LIMIT);
    assert!(said.contains("ok refs/heads/session"), "{said}");
    assert!(there());
    let deadline = Instant::now() + TIME_LIMIT;
    while works_on(&desk.github.git_dir("acme/app")) {
        assert!(Instant::now() < deadline, "git reads on");
        sleep(Duration::from_millis(20));
    }
}

/// Whether a program that serves this repository runs.
fn works_on(repository: &Path) -> bool {
    let root = repository.parent().unwrap().as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environments
        .into_iter()
        .any(|environment| memchr::memmem::find(&environment, root).is_some())
}
