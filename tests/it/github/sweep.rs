//! Every operation of GitHub's description, and documents at random from its schema, from within a session: the state of the stand-in
//! GitHub is compared before and after, and nothing is different but what is the session's.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use outwall_git_proxy::graphql::generate::{Generator, Pool};
use outwall_tests::Outwall;
use outwall_tests::github::{Change, Difference, GitHub, State};
use serde_json::{Value, json};

use super::{POLICY, TOKEN};

#[path = "../../../git-proxy/src/rest/tests/generator.rs"]
mod rest;

const SEND: &str = include_str!("send.py");

/// What each sends in the usual run, and what is enough to be sure.
#[derive(Clone, Copy)]
struct Size {
    /// Of each operation of REST.
    rest: usize,
    documents: usize,
    /// Where others keep the processors busy too.
    at_most: Duration,
}

#[test]
fn nothing_changes_but_what_is_the_sessions() {
    sweep(Size {
        rest: 1,
        documents: 700,
        at_most: Duration::from_mins(5),
    });
}

#[test]
#[ignore = "15,000 requests: some minutes"]
fn nothing_changes_but_what_is_the_sessions_however_often() {
    sweep(Size {
        rest: 5,
        documents: 10_000,
        at_most: Duration::from_mins(30),
    });
}

fn sweep(size: Size) {
    let github = planted();
    let outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
        .policy(POLICY)
        .github(&github)
        .variable("REAL_TOKEN", TOKEN);
    let before = github.state();
    let theirs = github.node_id("acme/app", 2); // the pull request of another branch
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("send.py"), SEND).expect("it is ours");
    fs::write(folder.path().join("requests"), requests(&github, size)).expect("it is ours");
    let (mount, script) = (
        folder.path().display().to_string(),
        format!("python3 {0}/send.py {0}/requests", folder.path().display()),
    );
    let options = [
        "run",
        "--quiet",
        "--mount",
        &mount,
        "--repository",
        "acme/app",
        "--session-branch",
        "outwall/x",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let ran = outwall.run_within(size.at_most, &options).succeeded();
    let counted: Value = serde_json::from_str(ran.stdout.trim()).expect("it counts");
    println!("{counted}");
    let different = before.differences(&github.state());
    let foreign: Vec<String> = different
        .iter()
        .filter(|one| !is_the_sessions(one, &theirs))
        .map(ToString::to_string)
        .collect();
    assert!(foreign.is_empty(), "{}", foreign.join("\n"));
    assert!(
        counted["2"].as_u64() > Some(50) && counted["refused"].as_u64() > Some(100),
        "{counted}"
    );
    assert!(!different.is_empty(), "what a session may do was done");
}

/// What a session may change: its branch, pull requests of it, and what is said about issues and pull requests of its repository.
fn is_the_sessions(one: &Difference, theirs: &str) -> bool {
    match one {
        Difference::Ref { repository, name, .. } => {
            repository == "acme/app" && name == "refs/heads/outwall/x"
        }
        // Whoever is named is somebody, here: that is the stand-in's doing.
        Difference::Record {
            before: None,
            after: Some(after),
            ..
        } if after["__typename"] == "User" => true,
        Difference::Record { before, after, .. } => [before, after].into_iter().flatten().all(is_own_record),
        Difference::Change(change) => is_own_change(change, theirs),
        Difference::Lfs { .. } => false,
    }
}

/// What is recorded as done and has no record of its own: things said in the session's repository, objects that no ref names, and what
/// its pull request says beside its text.
fn is_own_change(change: &Change, theirs: &str) -> bool {
    let begins = |with: &[&str]| with.iter().any(|begin| change.operation.starts_with(begin));
    let is_here = change
        .repository
        .as_deref()
        .is_some_and(|name| name.eq_ignore_ascii_case("acme/app"));
    let mut subject = change.arguments.clone();
    if let Some(arguments) = subject.as_object_mut() {
        arguments.retain(|name, _| !name.ends_with("Ids")); // who is assigned, what labels: not what is changed
    }
    let named = subject.to_string();
    let names_theirs = named.contains(theirs)
        || named.contains("/issues/2")
        || named.contains("/issues/3")
        || named.contains("/pulls/2");
    is_here && (begins(&SAID) || begins(&OF_OWN_PULL_REQUEST) && !names_theirs)
}

/// How operations begin that a session may do anywhere in its repository.
const SAID: [&str; 10] = [
    "reactions/",
    "repos/create-commit-comment",
    "repos/update-commit-comment",
    "git/create-blob",
    "git/create-tree",
    "git/create-commit",
    "git/create-tag",
    "addReaction",
    "removeReaction",
    "addPullRequestReviewComment",
];
/// How those begin that it may do to its own pull request, which is an issue, too.
const OF_OWN_PULL_REQUEST: [&str; 20] = [
    "issues/add-labels",
    "issues/set-labels",
    "issues/remove-label",
    "issues/remove-all-labels",
    "issues/add-assignees",
    "issues/remove-assignees",
    "pulls/update",
    "pulls/request-reviewers",
    "pulls/remove-requested-reviewers",
    "requestReviews",
    "updatePullRequest",
    "closePullRequest",
    "reopenPullRequest",
    "markPullRequestReadyForReview",
    "convertPullRequestToDraft",
    "addLabelsToLabelable",
    "removeLabelsFromLabelable",
    "clearLabelsFromLabelable",
    "addAssigneesToAssignable",
    "removeAssigneesFromAssignable",
];

fn is_own_record(record: &Value) -> bool {
    record["$repository"] == "acme/app"
        && match record["__typename"].as_str().unwrap_or_default() {
            "PullRequest" => record["headRefName"] == "outwall/x" && record["state"] != "MERGED",
            "PullRequestReview" => record["state"] != "APPROVED",
            "IssueComment" | "PullRequestReviewComment" | "PullRequestReviewThread" | "Reaction" => true,
            _ => false,
        }
}

fn planted() -> GitHub {
    let github = GitHub::start();
    github
        .repository("acme/app")
        .private()
        .file("README.md", "# app\n")
        .create();
    github
        .repository("eve/lib")
        .file("README.md", "# theirs\n")
        .create();
    github
        .repository("acme/secret")
        .private()
        .file("README.md", "# secret\n")
        .create();
    github.accept(
        TOKEN,
        "mona",
        &["repo", "read:org", "gist", "admin:org", "delete_repo"],
    );
    for branch in ["outwall/x", "other"] {
        github.commit("acme/app", branch, &[("new.txt", branch)]);
    }
    github.pull_request("acme/app", "mona", "outwall/x", "main", "Ours");
    github.pull_request("acme/app", "mona", "other", "main", "Theirs");
    github.issue("acme/app", "mona", "An issue");
    github.comment("acme/app", "mona", 1, "A comment");
    github.label("acme/app", "bug");
    github.workflow_run("acme/app", "outwall/x", "CI", Some("SUCCESS"));
    github.release("acme/app", "v1", "app.tar.gz", b"asset");
    github.commit("eve/lib", "fork", &[("x", "x")]);
    github.pull_request("eve/lib", "mona", "fork", "main", "Elsewhere");
    github.issue("eve/lib", "mona", "Elsewhere");
    github
}

/// As JSON lines.
fn requests(github: &GitHub, size: Size) -> String {
    let mut lines = String::new();
    let mut add = |method: &str, path: &str, body: &str| {
        let request = json!({"method": method, "path": path, "body": body});
        writeln!(lines, "{request}").expect("a string takes all");
    };
    for operation in rest::Description::read().operations {
        let mut dice = rest::Dice::of(&operation.id);
        for _ in 0..size.rest {
            let request = operation.request(&mut dice);
            let query = request.query.map(|query| format!("?{query}")).unwrap_or_default();
            add(
                &request.method,
                &format!("{}{query}", request.path),
                &request.body,
            );
        }
    }
    let mut generator = Generator::new(7, pool(github));
    for _ in 0..size.documents {
        let document = generator.document();
        let body = json!({"query": document.query, "variables": document.variables});
        add("POST", "/graphql", &body.to_string());
    }
    lines
}

fn pool(github: &GitHub) -> Pool {
    let pair = |owner: &str, name: &str| (owner.to_owned(), name.to_owned());
    let of_state = |state: &State, own: bool| {
        let is_own = |record: &Value| {
            is_own_record(record) || record["__typename"] == "Issue" && record["$repository"] == "acme/app"
        };
        let ids = state.records.iter().filter(|(_, record)| is_own(record) == own);
        ids.map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    let state = github.state();
    let mut ids = of_state(&state, true);
    ids.push(github.repository_node_id("acme/app"));
    ids.push(github.ref_node_id("acme/app", "refs/heads/outwall/x"));
    let mut foreign_ids = of_state(&state, false);
    foreign_ids.push(github.repository_node_id("eve/lib"));
    foreign_ids.push(github.repository_node_id("acme/secret"));
    foreign_ids.push(github.ref_node_id("acme/app", "refs/heads/main"));
    Pool {
        repository: pair("acme", "app"),
        foreign: pair("eve", "lib"),
        branch: "outwall/x".to_owned(),
        other_branch: "main".to_owned(),
        ids,
        foreign_ids,
    }
}
