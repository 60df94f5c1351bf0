//! The matrix: `METHOD PATH [BODY]`, and what is decided.

use outwall_policy::github::{PublicRule, PullRequestRule, PushRule};

use super::*;

const OID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Splits `METHOD PATH BODY` and fills in `OID` and `S`.
fn words(case: &str) -> (String, String) {
    let case = case.replace("OID", OID).replace(" S/", " /repos/acme/app/");
    match case.find(" {") {
        Some(at) => (case[..at].to_owned(), case[at + 1..].to_owned()),
        None => (case, String::new()),
    }
}

fn allowed(cases: &[&str]) {
    for case in cases {
        let (asked, body) = words(case);
        assert_eq!(decided(&asked, &body), Ok(TokenUse::Session), "{case}");
    }
}

fn refused_for(why: &str, cases: &[&str]) {
    for case in cases {
        let (asked, body) = words(case);
        match decided(&asked, &body) {
            Err(told) => assert!(told.contains(why), "{case}: {told}"),
            Ok(token) => panic!("{case} is sent with {token:?}"),
        }
    }
}

#[test]
fn the_repository_is_read() {
    allowed(&[
        "GET /repos/acme/app",
        "HEAD /repos/ACME/APP",
        "GET S/contents",
        "GET S/contents/",
        "GET S/contents/a/b?ref=main",
        "GET S/git/refs/heads/main",
        "GET S/git/matching-refs/",
        "GET S/commits/feature/a/status",
        "GET S/pulls/2",
        "GET S/pulls/2/files?per_page=100&page=2",
        "GET S/issues/5/comments",
        "GET S/actions/runs/1/logs",
        "GET S/actions/workflows/ci.yml/runs?branch=main",
        "GET S/compare/main...acme:outwall/x",
        "GET S/compare/main...acme:app:outwall/x",
        "GET S/tarball",
        "GET S/tarball/main",
        "GET S/environments/a%2Fb",
        "GET S/branches/main/protection",
        "GET /repositories/7",
        "GET /repositories/7/pulls?page=2",
        "GET /rate_limit",
        "GET /",
        "GET /meta",
        "GET /search/issues?q=is:pr",
        "GET /search/code?q=x+repo:acme/app",
        "GET /search/labels?repository_id=7&q=bug",
    ]);
}

#[test]
fn what_is_sensitive_is_not_read() {
    refused_for(
        "Secrets",
        &[
            "GET S/actions/secrets",
            "GET S/environments/a/variables",
            "GET S/dependabot/secrets/public-key",
            "GET S/secret-scanning/alerts",
        ],
    );
    refused_for("Settings", &["GET S/hooks", "GET S/keys", "GET S/invitations"]);
    refused_for(
        "Administration",
        &[
            "GET S/actions/runners/downloads",
            "GET /app",
            "GET S/installation",
            "GET /installation/repositories",
        ],
    );
    refused_for(
        "Account",
        &[
            "GET /user/repos",
            "GET /users/octocat",
            "GET /orgs/acme",
            "GET /notifications",
            "GET S/codespaces",
        ],
    );
    refused_for(
        "Elsewhere",
        &[
            "GET /gists",
            "GET /events",
            "GET /search/users?q=x",
            "GET S/forks",
            "GET S/issues/1/timeline",
            "GET /repositories/8",
            "GET /repositories/8/issues",
            "GET S/compare/main...eve:main",
            "GET S/compare/acme:secret:main...main",
            "GET /search/labels?repository_id=8&q=x",
            "GET /search/labels?q=x",
        ],
    );
    refused_for(
        "Unknown",
        &[
            "GET S/nothing",
            "GET /repositories/7/nothing",
            "GET /Repos/acme/app",
            "POST S/pulls/1 {}",
            "OPTIONS S/pulls",
            "GET S/pulls/01",
            "GET S/pulls/1;x",
            "GET /repos%2Facme%2Fapp",
        ],
    );
}

#[test]
fn what_cannot_be_read_in_one_way_is_refused() {
    refused_for(
        "path",
        &[
            "GET S//pulls",
            "GET S/contents/a%2F..%2Fb",
            "GET /repos/acme/app/%2e%2e/x",
            "GET S/contents/a%00",
            "GET S/contents/%ff",
        ],
    );
    refused_for("one takes", &["GET S/environments/a%2Fsecrets"]);
    refused_for(
        "encoded twice",
        &["GET S/git/ref/heads%252Fmain", "GET S/branches/a%2541"],
    );
    refused_for(
        "query",
        &[
            "GET S/pulls?access_token=x",
            "GET /repos/acme/app?callback=f",
            "GET S/pulls?page=1&page=2",
            "GET S/pulls?_method=PUT",
            "POST S/issues/1/comments?body=x {\"body\":\"y\"}",
        ],
    );
    refused_for(
        "`q`",
        &[
            "GET /search/issues?q=repo:acme/secret",
            "GET /search/code?q=a+OR+b",
        ],
    );
    refused_for(
        "body",
        &[
            r#"POST S/issues/1/comments {"body":"a","body":"b"}"#,
            r#"POST S/issues/1/comments {"body":1}"#,
            r#"POST S/issues/1/comments {"body":"a","other":"b"}"#,
            r#"POST S/issues/1/comments {"body":"a"} {}"#,
            r#"POST S/pulls {"base":"main"}"#,
        ],
    );
    allowed(&[r#"POST S/issues/1/comments {"body":"a"}"#]);
}

#[test]
fn another_repository_is_read_without_a_token_or_not_at_all() {
    for asked in [
        "GET /repos/other/x",
        "GET /repos/acme/secret/contents/a",
        "GET /repos/other/x/pulls/1",
        "GET /repos/other/x/compare/a...b",
    ] {
        assert_eq!(decided(asked, ""), Ok(TokenUse::Anonymous), "{asked}");
        let rules = SessionRules {
            public_repositories: PublicRule::None,
            ..SessionRules::default()
        };
        assert_eq!(
            decided_by(rules, asked, ""),
            Err("NoPublic".to_owned()),
            "{asked}"
        );
    }
    refused_for(
        "OtherRepository",
        &[
            r#"POST /repos/other/x/issues/1/comments {"body":"a"}"#,
            r#"POST /repos/other/x/git/refs {"ref":"refs/heads/outwall/x","sha":"OID"}"#,
            r#"POST /repos/other/x/pulls {"head":"acme:outwall/x","base":"main"}"#,
            r#"POST /repos/other/x/git/blobs {"content":""}"#,
        ],
    );
    refused_for(
        "Elsewhere",
        &[
            r#"PATCH /repos/other/x/pulls/1 {"title":"a"}"#,
            "GET /repos/other/x/compare/a...acme:app:b",
        ],
    );
}

#[test]
fn one_branch_is_written() {
    allowed(&[
        r#"PUT S/contents/src/a.rs {"message":"m","content":"","branch":"outwall/x"}"#,
        r#"DELETE S/contents/src/a.rs {"message":"m","sha":"OID","branch":"outwall/x"}"#,
        r#"POST S/git/refs {"ref":"refs/heads/outwall/x","sha":"OID"}"#,
        r#"PATCH S/git/refs/heads/outwall/x {"sha":"OID"}"#,
        r#"PATCH S/git/refs/heads%2Foutwall%2Fx {"sha":"OID","force":true}"#,
        r#"POST S/merges {"base":"outwall/x","head":"main"}"#,
        r#"POST S/git/blobs {"content":"x","encoding":"utf-8"}"#,
        r#"POST S/git/trees {"base_tree":"OID","tree":[{"path":"src/a.rs","mode":"100644","type":"blob","sha":null}]}"#,
        r#"POST S/git/commits {"message":"m","tree":"OID","parents":["OID"]}"#,
        "PUT S/pulls/1/update-branch {}",
    ]);
    refused_for(
        "OtherRef",
        &[
            r#"PUT S/contents/src/a.rs {"message":"m","content":""}"#,
            r#"PUT S/contents/src/a.rs {"message":"m","content":"","branch":"main"}"#,
            r#"PUT S/contents/src/a.rs {"message":"m","content":"","branch":"outwall/X"}"#,
            r#"DELETE S/contents/src/a.rs {"message":"m","sha":"OID"}"#,
            r#"POST S/git/refs {"ref":"refs/heads/main","sha":"OID"}"#,
            r#"POST S/git/refs {"ref":"refs/tags/outwall/x","sha":"OID"}"#,
            r#"PATCH S/git/refs/heads/main {"sha":"OID"}"#,
            r#"PATCH S/git/refs/refs/heads/outwall/x {"sha":"OID"}"#,
            r#"PATCH S/git/refs/tags/v1 {"sha":"OID","force":true}"#,
            "DELETE S/git/refs/heads/main",
            r#"POST S/merges {"base":"main","head":"outwall/x"}"#,
            "PUT S/pulls/2/update-branch {}",
        ],
    );
    refused_for("OtherRepository", &["PUT S/pulls/3/update-branch {}"]);
    refused_for("Elsewhere", &["PUT S/pulls/4/update-branch {}"]);
    refused_for(
        "branch",
        &[
            r#"PUT S/contents/a {"message":"m","content":"","branch":"refs/heads/outwall/x"}"#,
            r#"PUT S/contents/a {"message":"m","content":"","branch":""}"#,
            r#"POST S/merges {"base":"refs/heads/outwall/x","head":"main"}"#,
            r#"POST S/merges {"base":"outwall/x","head":"eve:main"}"#,
        ],
    );
    refused_for(
        "ref",
        &[
            r#"POST S/git/refs {"ref":"heads/outwall/x","sha":"OID"}"#,
            r#"PATCH S/git/refs/heads%252Foutwall/x {"sha":"OID"}"#,
        ],
    );
    refused_for(
        "object",
        &[
            r#"PATCH S/git/refs/heads/outwall/x {"sha":"main"}"#,
            r#"PATCH S/git/refs/heads/outwall/x {"sha":"0000000000000000000000000000000000000000"}"#,
        ],
    );
    refused_for("Merge", &["POST S/merge-upstream {}"]);
    refused_for(
        "Settings",
        &[
            "POST S/branches/outwall%2Fx/rename {}",
            "PUT S/branches/main/protection {}",
            "POST S/rulesets {}",
        ],
    );
}

#[test]
fn workflows_are_written_if_the_rules_say_so() {
    for (asked, body) in [
        (
            "PUT /repos/acme/app/contents/.github/workflows/ci.yml",
            r#"{"message":"m","content":"","branch":"outwall/x"}"#,
        ),
        (
            "PUT /repos/acme/app/contents/.GitHub%2Fworkflows/ci.yml",
            r#"{"message":"m","content":"","branch":"outwall/x"}"#,
        ),
        (
            "PUT /repos/acme/app/contents/.github%252Fworkflows%252Fci.yml",
            r#"{"message":"m","content":"","branch":"outwall/x"}"#,
        ),
        (
            "POST /repos/acme/app/git/trees",
            r#"{"tree":[{"path":"a"},{"path":".github/workflows/ci.yml"}]}"#,
        ),
        (
            "POST /repos/acme/app/git/trees",
            r#"{"tree":[{"path":".github","type":"tree"}]}"#,
        ),
    ] {
        assert_eq!(decided(asked, body), Err("NoWorkflows".to_owned()), "{asked}");
        assert!(
            decided_by(
                SessionRules {
                    workflows: true,
                    ..SessionRules::default()
                },
                asked,
                body
            )
            .is_ok(),
            "{asked}"
        );
    }
    assert!(
        decided(
            "PUT /repos/acme/app/contents/.github/dependabot.yml",
            r#"{"message":"m","content":"","branch":"outwall/x"}"#
        )
        .is_ok()
    );
}

#[test]
fn rules_narrow_and_widen_what_is_written() {
    let force = r#"{"sha":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","force":true}"#;
    let at = "PATCH /repos/acme/app/git/refs/heads/outwall/x";
    let rules = SessionRules {
        force_push: false,
        ..SessionRules::default()
    };
    assert_eq!(decided_by(rules, at, force), Err("NoForce".to_owned()));
    assert!(decided_by(rules, at, &force.replace("true", "false")).is_ok());

    let delete = "DELETE /repos/acme/app/git/refs/heads/outwall/x";
    assert_eq!(decided(delete, ""), Err("NoDelete".to_owned()));
    assert!(
        decided_by(
            SessionRules {
                delete_branch: true,
                ..SessionRules::default()
            },
            delete,
            ""
        )
        .is_ok()
    );

    let none = SessionRules {
        push: PushRule::None,
        ..SessionRules::default()
    };
    assert_eq!(decided_by(none, at, force), Err("NoPush".to_owned()));
    assert_eq!(
        decided_by(none, "POST /repos/acme/app/git/blobs", r#"{"content":""}"#),
        Err("NoPush".to_owned())
    );

    let issue = ("POST /repos/acme/app/issues", r#"{"title":"t"}"#);
    assert_eq!(decided(issue.0, issue.1), Err("NoIssues".to_owned()));
    assert!(
        decided_by(
            SessionRules {
                create_issues: true,
                ..SessionRules::default()
            },
            issue.0,
            issue.1
        )
        .is_ok()
    );
    for rerun in ["runs/1/rerun", "runs/1/rerun-failed-jobs", "jobs/1/rerun"] {
        let asked = format!("POST /repos/acme/app/actions/{rerun}");
        assert_eq!(decided(&asked, ""), Err("NoRerun".to_owned()));
        assert!(
            decided_by(
                SessionRules {
                    rerun_workflows: true,
                    ..SessionRules::default()
                },
                &asked,
                ""
            )
            .is_ok()
        );
    }
}

#[test]
fn pull_requests_of_the_branch_are_opened_and_changed() {
    allowed(&[
        r#"POST S/pulls {"title":"t","head":"outwall/x","base":"main","draft":true}"#,
        r#"POST S/pulls {"title":"t","head":"acme:outwall/x","base":"main"}"#,
        r#"POST S/pulls {"title":"t","head":"outwall/x","head_repo":"acme/app","base":"main"}"#,
        r#"PATCH S/pulls/1 {"title":"t","state":"closed","base":"release"}"#,
        r#"POST S/pulls/1/requested_reviewers {"reviewers":["bob"]}"#,
        r#"DELETE S/pulls/1/requested_reviewers {"reviewers":["bob"]}"#,
        r#"PATCH S/issues/1 {"labels":["a"],"state":"closed"}"#,
        r#"POST S/issues/1/labels {"labels":["a"]}"#,
        "DELETE S/issues/1/labels/a%2Fb",
        r#"POST S/issues/1/assignees {"assignees":["bob"]}"#,
        r#"POST S/issues/5/comments {"body":"b"}"#,
        r#"PATCH S/issues/comments/1 {"body":"b"}"#,
        r#"PATCH S/pulls/comments/1 {"body":"b"}"#,
        r#"PATCH S/comments/1 {"body":"b"}"#,
        r#"PUT S/pulls/2/reviews/1 {"body":"b"}"#,
        r#"POST S/pulls/2/reviews {"event":"COMMENT","body":"b"}"#,
        r#"POST S/pulls/2/reviews {"comments":[{"path":"a","line":1,"body":"b"}]}"#,
        r#"POST S/pulls/2/reviews/1/events {"event":"COMMENT"}"#,
        r#"POST S/pulls/2/comments {"body":"b","commit_id":"OID","path":"a","line":1}"#,
        r#"POST S/issues/comments/1/reactions {"content":"+1"}"#,
    ]);
    refused_for(
        "OtherHead",
        &[
            r#"POST S/pulls {"title":"t","head":"main","base":"release"}"#,
            r#"POST S/pulls {"title":"t","head":"eve:outwall/x","base":"main"}"#,
            r#"POST S/pulls {"title":"t","head":"outwall/x","head_repo":"secret","base":"main"}"#,
            r#"PATCH S/pulls/2 {"title":"t"}"#,
            r#"PATCH S/pulls/3 {"title":"t"}"#,
            r#"PATCH S/pulls/4 {"title":"t"}"#,
            r#"POST S/pulls/2/requested_reviewers {"reviewers":["bob"]}"#,
            r#"PATCH S/issues/2 {"state":"closed"}"#,
            r#"POST S/issues/3/labels {"labels":["a"]}"#,
        ],
    );
    refused_for(
        "Organize",
        &[
            r#"POST S/pulls {"issue":5,"head":"outwall/x","base":"main"}"#,
            r#"PATCH S/issues/5 {"state":"closed"}"#,
            r#"POST S/issues/5/labels {"labels":["a"]}"#,
            "PUT S/issues/1/lock {}",
            "DELETE S/issues/comments/1",
            r#"PATCH S/issues/comments/2 {"body":"b"}"#,
            r#"PATCH S/issues/comments/3 {"body":"b"}"#,
            r#"PATCH S/pulls/comments/2 {"body":"b"}"#,
            r#"PATCH S/comments/4 {"body":"b"}"#,
            r#"PUT S/pulls/1/reviews/2 {"body":"b"}"#,
        ],
    );
    refused_for(
        "Approve",
        &[
            r#"POST S/pulls/2/reviews {"event":"APPROVE"}"#,
            r#"POST S/pulls/2/reviews {"event":"approve"}"#,
            r#"POST S/pulls/2/reviews {"event":"REQUEST_CHANGES","body":"b"}"#,
            r#"POST S/pulls/2/reviews/1/events {"event":"APPROVE"}"#,
            r#"PUT S/pulls/2/reviews/1/dismissals {"message":"m"}"#,
        ],
    );
    refused_for(
        "Merge",
        &["PUT S/pulls/1/merge {}", "PUT S/pulls/1/merge-async {}"],
    );
    refused_for("no such comment", &[r#"PATCH S/issues/comments/5 {"body":"b"}"#]);
    refused_for("no pull request", &[r#"PATCH S/pulls/5 {"title":"t"}"#]);
}

#[test]
fn rules_say_what_is_done_with_pull_requests() {
    let read = SessionRules {
        pull_requests: PullRequestRule::Read,
        ..SessionRules::default()
    };
    let none = SessionRules {
        pull_requests: PullRequestRule::None,
        ..SessionRules::default()
    };
    let open = (
        "POST /repos/acme/app/pulls",
        r#"{"head":"outwall/x","base":"main"}"#,
    );
    assert_eq!(
        decided_by(read, open.0, open.1),
        Err("PullRequestsReadOnly".to_owned())
    );
    for reads in [
        "GET /repos/acme/app/pulls",
        "GET /repos/acme/app/issues/1",
        "GET /search/issues?q=x",
        "GET /repos/acme/app/commits/main/pulls",
    ] {
        assert!(decided_by(read, reads, "").is_ok(), "{reads}");
        assert_eq!(
            decided_by(none, reads, ""),
            Err("NoPullRequests".to_owned()),
            "{reads}"
        );
    }
    for reads in [
        "GET /repos/acme/app/commits/main",
        "GET /search/issues?q=is:issue",
        "GET /search/code?q=x",
    ] {
        assert!(decided_by(none, reads, "").is_ok(), "{reads}");
    }
}

#[test]
fn no_session_does_what_is_a_persons() {
    refused_for(
        "Publish",
        &[
            "POST S/releases {}",
            "POST S/forks {}",
            "POST /gists {}",
            "POST /user/repos {}",
            "POST S/pages {}",
        ],
    );
    refused_for(
        "Automation",
        &[
            "POST S/dispatches {}",
            "POST S/actions/workflows/1/dispatches {}",
            "POST S/statuses/OID {}",
            "POST S/check-runs {}",
            "POST S/deployments {}",
            "POST S/actions/runs/1/cancel",
            "DELETE S/actions/runs/1/logs",
        ],
    );
    refused_for(
        "Settings",
        &[
            "PATCH /repos/acme/app {}",
            "DELETE /repos/acme/app",
            "POST S/transfer {}",
            "PUT S/collaborators/eve {}",
            "POST S/keys {}",
            "POST S/hooks {}",
        ],
    );
    refused_for(
        "Secrets",
        &["PUT S/actions/secrets/X {}", "POST S/actions/variables {}"],
    );
    refused_for(
        "Administration",
        &[
            "DELETE /installation/token",
            "POST /app/installations/1/access_tokens {}",
            "POST /authorizations {}",
        ],
    );
}
