//! A GitHub App as a session's credential: each session has a token for its repository alone, without more than its rules need.

use super::{Desk, POLICY};

/// `acme/app` and `acme/secret` are installed for the app, with everything that it could have.
fn desk(repositories: &str) -> Option<Desk> {
    let source = format!(
        "{{ github_app = 7, installation = 8, private_key = {{ env = \"APP_KEY\" }}, repositories = {repositories} }}"
    );
    let policy = POLICY.replace("{ env = \"REAL_TOKEN\" }", &source);
    let desk = Desk::at(&policy)?;
    let permissions = [
        ("contents", "write"),
        ("pull_requests", "write"),
        ("issues", "write"),
        ("workflows", "write"),
        ("administration", "write"),
        ("secrets", "write"),
        ("actions", "write"),
        ("checks", "read"),
        ("statuses", "read"),
        ("metadata", "read"),
    ];
    let key = desk
        .github
        .install("7", 8, &["acme/app", "acme/secret"], &permissions);
    Some(desk.with_variable("APP_KEY", &key))
}

#[test]
fn a_session_has_a_token_for_its_repository_alone() {
    let Some(desk) = desk("\"sessions\"") else { return };
    let ran = desk.work("commit new new.txt; x git push; x gh pr create --fill; x git ls-remote https://github.com/acme/secret\n\
        mkdir -p .github/workflows; commit 'on: push' .github/workflows/ci.yml; x git push").succeeded();
    assert!(
        ran.stdout.contains("[new branch]") && ran.stdout.contains("/pull/1"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("without `workflows` permission"),
        "{}",
        ran.stdout
    );
    let asked: Vec<_> = desk
        .github
        .requests()
        .into_iter()
        .filter(|request| request.path.contains("access_tokens"))
        .collect();
    assert!(!asked.is_empty());
    for request in &asked {
        let asked: serde_json::Value = serde_json::from_str(&request.text()).unwrap();
        assert_eq!(asked["repositories"], serde_json::json!(["app"]), "{asked}");
        let permissions = asked["permissions"].as_object().unwrap();
        for absent in ["workflows", "administration", "secrets"] {
            assert!(!permissions.contains_key(absent), "{asked}");
        }
        assert_eq!(permissions["contents"], "write");
    }
    // GitHub itself gives nothing else for it.
    let minted = desk
        .github
        .tokens()
        .into_iter()
        .find(|token| token.starts_with("ghs_"))
        .unwrap();
    for (repository, status) in [("app", "200"), ("secret", "404")] {
        assert_eq!(
            desk.status_with(
                &minted,
                &format!("https://api.github.com/repos/acme/{repository}")
            ),
            status
        );
    }
}

#[test]
fn a_session_begins_in_a_listed_repository_and_in_no_other() {
    let Some(desk) = desk("[212613002]") else { return };
    let id = desk.github.repository_id("acme/app");
    let listed = std::fs::read_to_string(desk.outwall.policy_file())
        .unwrap()
        .replace("[212613002]", &format!("[{id}]"));
    std::fs::write(desk.outwall.policy_file(), listed).unwrap();
    desk.work("git fetch").succeeded();
    let refused = desk
        .work_at("https://github.com/acme/secret", "true")
        .exited_with(125);
    assert!(
        refused
            .stderr
            .contains("none of those that the policy lists for the app"),
        "{}",
        refused.stderr
    );
}
