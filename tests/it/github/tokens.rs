//! Which tokens a session may be given, and `.github/workflows`.

use insta::assert_snapshot;

use super::desk::shown;
use super::{Desk, TOKEN};

const CHANGES_A_WORKFLOW: &str =
    "mkdir -p .github/workflows; commit 'on: push' .github/workflows/ci.yml; x git push";

/// A desk whose token has these scopes; none is a fine-grained one.
fn desk(rules: &str, scopes: Option<&[&str]>) -> Option<Desk> {
    let desk = Desk::with(rules)?;
    desk.github.revoke(TOKEN);
    match scopes {
        Some(scopes) => desk.github.accept(TOKEN, "mona", scopes),
        None => desk.github.accept_fine_grained(TOKEN, "mona"),
    }
    Some(desk)
}

#[test]
fn a_workflow_is_refused_by_github_itself_where_the_token_may_not_change_one() {
    let Some(desk) = desk("", Some(&["repo"])) else {
        return;
    };
    let before = desk.github.state();
    let ran = desk.work(CHANGES_A_WORKFLOW).succeeded();
    assert_snapshot!(shown(&ran.stdout), @r#"
    $ git push
    remote: error: hook declined to update refs/heads/outwall/x
    To https://github.com/acme/app
     ! [remote rejected] outwall/x -> outwall/x (refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` without `workflow` scope)
    error: failed to push some refs to 'https://github.com/acme/app'
    [1]
    "#);
    assert_eq!(before.differences(&desk.github.state()), []);
    desk.work("commit new new.txt; git push").succeeded();
}

#[test]
fn a_token_that_could_change_workflows_begins_no_session_that_may_not() {
    let Some(desk) = desk("", Some(&["repo", "workflow"])) else {
        return;
    };
    let refused = desk.work("true").exited_with(125);
    assert_snapshot!(shown(&refused.stderr), @r#"
    error: no session can work at acme/app
      caused by: the session's token may change .github/workflows (it has the scope `workflow`), and sessions may not
    hint: use a token without the scope `workflow`, or a GitHub App; or let sessions change them: `workflows = true` in [github.sessions]
    "#);
    assert!(
        !desk.outwall.work_dir().join("app").exists(),
        "nothing is left of it"
    );
    let Some(allowed) = self::desk("workflows = true", Some(&["repo", "workflow"])) else {
        return;
    };
    let ran = allowed.work(CHANGES_A_WORKFLOW).succeeded();
    assert!(ran.stdout.contains("[new branch]"), "{ran:?}");
    let Some(reads) = self::desk("push = \"none\"", Some(&["repo", "workflow"])) else {
        return;
    };
    reads.work("git fetch").succeeded();
}

#[test]
fn a_fine_grained_token_says_nothing_so_the_operator_has_to() {
    let Some(desk) = desk("", None) else { return };
    let refused = desk.work("true").exited_with(125);
    assert_snapshot!(shown(&refused.stderr), @r#"
    error: no session can work at acme/app
      caused by: whether the session's token may change .github/workflows cannot be told, and sessions may not
    hint: use a GitHub App or a classic token; or, if the token has no permission for workflows, say so: `token_without_workflows = true` in [[github]]
    "#);
    let policy = super::POLICY.replace(
        "host = \"github.com\"",
        "host = \"github.com\"\ntoken_without_workflows = true",
    );
    let Some(allowed) = Desk::at(&policy) else { return };
    allowed.github.revoke(TOKEN);
    allowed.github.accept_fine_grained(TOKEN, "mona");
    let ran = allowed.work("commit new new.txt; x git push").succeeded();
    assert!(ran.stdout.contains("[new branch]"), "{ran:?}");
}

#[test]
fn a_token_that_github_does_not_take_or_that_sees_too_little_begins_no_session() {
    let Some(desk) = desk("", Some(&["repo"])) else {
        return;
    };
    desk.github.revoke(TOKEN);
    let refused = desk.work("true").exited_with(125);
    assert_snapshot!(shown(&refused.stderr), @r#"
    error: no session can work at acme/app
      caused by: GitHub does not take the session's token
    hint: `outwall credential check NAME` says where it comes from; make a new one at GitHub
    "#);
    desk.github.accept(TOKEN, "mona", &["read:org"]);
    let refused = desk.work("true").exited_with(125);
    assert_snapshot!(shown(&refused.stderr), @r#"
    error: no session can work at acme/app
      caused by: the session's token does not see acme/app
    hint: give the token access to the repository, or install the GitHub App for it; see that the name is right
    "#);
}

#[test]
fn a_token_that_is_revoked_at_github_is_told_so_by_git() {
    let Some(desk) = desk("", Some(&["repo"])) else {
        return;
    };
    let sandbox = desk.begin("echo ready; while ! test -e go; do sleep 0.05; done; x git fetch; x git push origin HEAD; touch done");
    sandbox.wait_for_output("ready");
    desk.github.revoke(TOKEN);
    std::fs::write(desk.outwall.work_dir().join("app/go"), "").unwrap();
    let said = sandbox.finish().stdout;
    assert_snapshot!(shown(said.strip_prefix("ready\n").unwrap()), @r#"
    $ git fetch
    remote: Outwall: GitHub does not take the session's token
    remote: Outwall: `outwall credential check NAME` says where it comes from; make a new one at GitHub
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    $ git push origin HEAD
    remote: Outwall: GitHub does not take the session's token
    remote: Outwall: `outwall credential check NAME` says where it comes from; make a new one at GitHub
    fatal: unable to access 'https://github.com/acme/app/': The requested URL returned error: 403
    [128]
    "#);
}
