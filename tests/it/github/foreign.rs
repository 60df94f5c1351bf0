//! Somebody else's token in the sandbox, and what the audit says of what a session did.

use serde_json::{Value, json};

use super::Desk;

/// What whoever gave the sandbox its instructions would have it use.
const THEIRS: &str = "ghp_Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll2";

#[test]
fn another_token_than_the_sessions_is_refused_and_a_finding() {
    let Some(desk) = Desk::new() else { return };
    desk.github.accept(THEIRS, "mallory", &["repo", "gist"]);
    let script = "theirs() { x git -c credential.helper= -c credential.helper='!f() { echo username=x; echo password=THEIRS; }; f' \"$@\"; }\n\
        theirs ls-remote https://github.com/acme/app; theirs push https://github.com/acme/app HEAD:outwall/x\n\
        export GH_TOKEN=THEIRS; x gh pr list; x gh gist create README.md; x curl -sS -u x:THEIRS https://api.github.com/user";
    let said = desk.refused(&script.replace("THEIRS", THEIRS));
    assert_eq!(
        said.matches("has a credential that Outwall did not issue")
            .count(),
        5,
        "{said}"
    );
    assert!(
        desk.github
            .requests()
            .iter()
            .all(|request| !request.holds(THEIRS))
    );
    let findings = desk.outwall.audit_of("finding");
    assert!(
        findings
            .iter()
            .filter(|finding| finding.to_string().contains("did not issue"))
            .count()
            >= 1,
        "{findings:?}"
    );
    let allowed = desk.work("x gh pr list; x git ls-remote origin").succeeded();
    assert_eq!(allowed.stdout.matches("[0]").count(), 2, "{allowed:?}");
}

#[test]
fn the_audit_has_refs_old_and_new_and_a_decision_on_each() {
    let Some(desk) = Desk::new() else { return };
    let ran = desk.work("commit new new.txt; git push --quiet origin HEAD; git rev-parse HEAD; git push --quiet origin HEAD:main HEAD:outwall/x 2>/dev/null\n\
        commit newer new.txt; git push --quiet origin HEAD HEAD:main 2>/dev/null; git rev-parse HEAD").succeeded();
    let ids: Vec<&str> = ran.stdout.lines().collect();
    let none = "0".repeat(40);
    let audit = desk.outwall.audit();
    let push = |kind: &str| -> Vec<&Value> {
        let of =
            |record: &&Value| record["kind"] == kind && record["github"]["operation"] == "git-receive-pack";
        audit.iter().filter(of).collect()
    };
    let [sent] = push("exchange.going_out")[..] else {
        panic!("one push went out: {audit:#?}")
    };
    assert_eq!(sent["github"]["repository"], "github.com/acme/app");
    assert_eq!(
        sent["github"]["details"],
        json!([format!("refs/heads/outwall/x {none}..{}", ids[0])])
    );
    let main = desk.github.refs("acme/app")["refs/heads/main"].clone();
    let refused = push("denied");
    let refused = refused
        .last()
        .unwrap_or_else(|| panic!("a push was refused: {audit:#?}"));
    let (details, actions) = (
        refused["github"]["details"].to_string(),
        refused["github"]["actions"].to_string(),
    );
    assert!(
        details.contains(&format!("refs/heads/main {main}..{}", ids[1])),
        "{refused:#}"
    );
    assert!(
        actions.contains("only refs/heads/outwall/x may be pushed"),
        "{refused:#}"
    );
    assert!(
        actions.contains("another ref in this push is not allowed"),
        "{refused:#}"
    );
}
