//! What mutations do: each that is allowed has a twin that is refused.

use outwall_policy::github::{PullRequestRule, PushRule};

use super::*;

/// One mutation with this input, by a session that may do all that one can be allowed.
fn asked(name: &str, input: &Json) -> String {
    asked_by(
        &grant(|rules| {
            (rules.create_issues, rules.rerun_workflows, rules.delete_branch) = (true, true, true);
        }),
        name,
        input,
    )
}

fn asked_by(grant: &SessionGrant, name: &str, input: &Json) -> String {
    let ty = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($input: {ty}!) {{ {name}(input: $input) {{ clientMutationId }} }}");
    decided(grant, &query, &json!({"input": input}))
}

#[test]
fn what_is_the_sessions_may_be_done_and_what_is_not_may_not() {
    let lines: Vec<&str> = TWINS
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert!(lines.len() > 120);
    for case in lines.chunks(3) {
        let [name, allowed, refused] = case else {
            panic!("{case:?}")
        };
        let input = |text: &str| -> Json {
            let text = text
                .replace("PR_own", "PR_kwDOAAAAAc4AAAAB")
                .replace("R_own", "R_kgDOAAAAAQ");
            serde_json::from_str(&text.replace("\"OID\"", &format!("{OID:?}"))).unwrap()
        };
        assert_eq!(asked(name, &input(allowed)), "allowed", "{name} {allowed}");
        let decision = asked(name, &input(refused));
        let is_refused =
            decision.starts_with("mutation ") || decision.ends_with("says not what it is done to");
        assert!(is_refused, "{name} {refused}: {decision}");
    }
    for (name, mutation) in &classes::CLASSES.mutations {
        let is_understood = matches!(mutation, classes::Mutation::Understood(_));
        let elsewhere = ["createPullRequest", "createCommitOnBranch"].contains(&name.as_str());
        assert!(
            !is_understood || elsewhere || lines.contains(&name.as_str()),
            "no twins for {name}"
        );
    }
}

/// A mutation; an input with which it is allowed; one with which it is not.
const TWINS: &str = r#"
closePullRequest
    {"pullRequestId": "PR_own"}
    {"pullRequestId": "PR_main"}
reopenPullRequest
    {"pullRequestId": "PR_own"}
    {"pullRequestId": "PR_fork"}
updatePullRequest
    {"pullRequestId": "PR_own", "title": "x"}
    {"pullRequestId": "PR_evil", "title": "x"}
updatePullRequest
    {"pullRequestId": "PR_own", "labelIds": ["LA_1"], "projectIds": []}
    {"pullRequestId": "PR_own", "labelIds": ["LA_1", "LA_evil"]}
updatePullRequest
    {"pullRequestId": "PR_own", "state": "CLOSED"}
    {"pullRequestId": "PR_own", "projectIds": ["PRO_1"]}
markPullRequestReadyForReview
    {"pullRequestId": "PR_own"}
    {"pullRequestId": "PR_main"}
convertPullRequestToDraft
    {"pullRequestId": "PR_own"}
    {"pullRequestId": "I_1"}
requestReviews
    {"pullRequestId": "PR_own", "userIds": ["U_1"]}
    {"pullRequestId": "PR_main", "userIds": ["U_1"]}
requestReviewsByLogin
    {"pullRequestId": "PR_own", "userLogins": ["a"]}
    {"pullRequestId": "PR_main", "userLogins": ["a"]}
addLabelsToLabelable
    {"labelableId": "PR_own", "labelIds": ["LA_1"]}
    {"labelableId": "I_1", "labelIds": ["LA_1"]}
removeLabelsFromLabelable
    {"labelableId": "PR_own", "labelIds": ["LA_1"]}
    {"labelableId": "PR_main", "labelIds": ["LA_1"]}
clearLabelsFromLabelable
    {"labelableId": "PR_own"}
    {"labelableId": "I_1"}
addAssigneesToAssignable
    {"assignableId": "PR_own", "assigneeIds": ["U_1"]}
    {"assignableId": "I_1", "assigneeIds": ["U_1"]}
removeAssigneesFromAssignable
    {"assignableId": "PR_own", "assigneeIds": ["U_1"]}
    {"assignableId": "PR_fork", "assigneeIds": ["U_1"]}
replaceActorsForAssignable
    {"assignableId": "PR_own", "actorLogins": ["a"]}
    {"assignableId": "I_evil", "actorLogins": ["a"]}
updatePullRequestBranch
    {"pullRequestId": "PR_own"}
    {"pullRequestId": "PR_main"}
addComment
    {"subjectId": "PR_main", "body": "x"}
    {"subjectId": "PR_evil", "body": "x"}
addComment
    {"subjectId": "I_1", "body": "x"}
    {"subjectId": "D_1", "body": "x"}
addReaction
    {"subjectId": "IC_theirs", "content": "HEART"}
    {"subjectId": "I_evil", "content": "HEART"}
removeReaction
    {"subjectId": "I_1", "content": "HEART"}
    {"subjectId": "R_own", "content": "HEART"}
addPullRequestReview
    {"pullRequestId": "PR_main", "event": "COMMENT", "body": "x"}
    {"pullRequestId": "PR_main", "event": "APPROVE"}
addPullRequestReview
    {"pullRequestId": "PR_own", "event": "COMMENT", "body": "x"}
    {"pullRequestId": "PR_own", "event": "REQUEST_CHANGES", "body": "x"}
addPullRequestReview
    {"pullRequestId": "PR_main"}
    {"pullRequestId": "PR_evil"}
submitPullRequestReview
    {"pullRequestReviewId": "PRR_1", "event": "COMMENT"}
    {"pullRequestReviewId": "PRR_1", "event": "APPROVE"}
submitPullRequestReview
    {"pullRequestId": "PR_main", "event": "COMMENT"}
    {"event": "COMMENT"}
addPullRequestReviewComment
    {"pullRequestId": "PR_main", "body": "x", "inReplyTo": "PRRC_1"}
    {"pullRequestId": "PR_main", "body": "x", "inReplyTo": "IC_evil"}
addPullRequestReviewThread
    {"pullRequestId": "PR_main", "body": "x", "path": "a", "line": 1}
    {"pullRequestId": "PR_evil", "body": "x", "path": "a", "line": 1}
addPullRequestReviewThread
    {"pullRequestReviewId": "PRR_1", "body": "x", "path": "a"}
    {"body": "x", "path": "a"}
addPullRequestReviewThreadReply
    {"pullRequestReviewThreadId": "PRRT_1", "body": "x"}
    {"pullRequestReviewThreadId": "PRRT_evil", "body": "x"}
resolveReviewThread
    {"threadId": "PRRT_1"}
    {"threadId": "PRRT_evil"}
unresolveReviewThread
    {"threadId": "PRRT_1"}
    {"threadId": "nothing"}
updateIssueComment
    {"id": "IC_1", "body": "x"}
    {"id": "IC_theirs", "body": "x"}
updateIssueComment
    {"id": "IC_1", "body": "x"}
    {"id": "IC_evil", "body": "x"}
updatePullRequestReview
    {"pullRequestReviewId": "PRR_1", "body": "x"}
    {"pullRequestReviewId": "PR_main", "body": "x"}
updatePullRequestReviewComment
    {"pullRequestReviewCommentId": "PRRC_1", "body": "x"}
    {"pullRequestReviewCommentId": "IC_theirs", "body": "x"}
createIssue
    {"repositoryId": "R_own", "title": "x", "milestoneId": "MI_1"}
    {"repositoryId": "R_evil", "title": "x"}
createIssue
    {"repositoryId": "R_own", "title": "x", "projectIds": null}
    {"repositoryId": "R_own", "title": "x", "parentIssueId": "I_evil"}
createIssue
    {"repositoryId": "R_own", "title": "x", "labelIds": "LA_1"}
    {"repositoryId": "I_1", "title": "x"}
rerequestCheckSuite
    {"repositoryId": "R_own", "checkSuiteId": "CS_1"}
    {"repositoryId": "R_evil", "checkSuiteId": "CS_1"}
createRef
    {"repositoryId": "R_own", "name": "refs/heads/outwall/x", "oid": "OID"}
    {"repositoryId": "R_own", "name": "refs/heads/y", "oid": "OID"}
createRef
    {"repositoryId": "R_own", "name": "refs/heads/outwall/x", "oid": "OID"}
    {"repositoryId": "R_evil", "name": "refs/heads/outwall/x", "oid": "OID"}
updateRef
    {"refId": "REF_x", "oid": "OID"}
    {"refId": "REF_main", "oid": "OID"}
updateRef
    {"refId": "REF_x", "oid": "OID", "force": true}
    {"refId": "REF_evil", "oid": "OID"}
deleteRef
    {"refId": "REF_x"}
    {"refId": "REF_main"}
updateRefs
    {"repositoryId": "R_own", "refUpdates": [{"name": "refs/heads/outwall/x", "afterOid": "OID"}]}
    {"repositoryId": "R_own", "refUpdates": [{"name": "refs/heads/outwall/x", "afterOid": "OID"}, {"name": "refs/heads/main", "afterOid": "OID"}]}
"#;

const OID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

#[test]
fn a_pull_request_is_opened_from_the_sessions_branch() {
    let with = |more: &[(&str, &str)]| {
        let mut input = json!({"repositoryId": "R_kgDOAAAAAQ", "baseRefName": "main", "headRefName": "outwall/x", "title": "T"});
        for (name, value) in more {
            input[*name] = (*value).into();
        }
        asked("createPullRequest", &input)
    };
    for right in [
        &[][..],
        &[("headRefName", "acme:outwall/x")],
        &[("headRefName", "ACME:outwall/x")],
        &[("headRepositoryId", "R_kgDOAAAAAQ")],
        &[("baseRefName", "release")],
    ] {
        assert_eq!(with(right), "allowed", "{right:?}");
    }
    for wrong in [
        &[("headRefName", "main")][..],
        &[("headRefName", "evil:outwall/x")],
        &[("headRefName", "refs/heads/outwall/x")],
        &[("headRefName", "acme:evil:outwall/x")],
        &[("headRefName", "")],
        &[("headRefName", "Outwall/x")],
        &[("headRepositoryId", "R_evil")],
        &[("headRepositoryId", "I_evil")],
        &[("headRepositoryId", "nothing")],
        &[("repositoryId", "R_evil")],
        &[("repositoryId", "I_1")],
        &[("repositoryId", "U_1")],
    ] {
        assert_ne!(with(wrong), "allowed", "{wrong:?}");
    }
}

#[test]
fn a_commit_is_made_on_the_sessions_branch() {
    let on = |branch: Json, paths: &[&str]| {
        let additions: Vec<Json> = paths
            .iter()
            .map(|path| json!({"path": path, "contents": "eA=="}))
            .collect();
        json!({"branch": branch, "message": {"headline": "x"}, "expectedHeadOid": OID, "fileChanges": {"additions": additions}})
    };
    let named =
        |repository: &str, branch: &str| json!({"repositoryNameWithOwner": repository, "branchName": branch});
    for branch in [
        named("acme/app", "outwall/x"),
        named("ACME/app", "outwall/x"),
        json!({"id": "REF_x"}),
        json!({"id": "REF_x", "branchName": null}),
    ] {
        assert_eq!(
            asked("createCommitOnBranch", &on(branch.clone(), &["src/a"])),
            "allowed",
            "{branch}"
        );
    }
    for branch in [
        named("acme/app", "main"),
        named("evil/lib", "outwall/x"),
        named("acme/app", "refs/heads/outwall/x"),
        json!({"id": "REF_main"}),
        json!({"id": "REF_evil"}),
        json!({"id": "I_1"}),
        json!({"id": "REF_x", "branchName": "main"}),
        json!({"id": "REF_x", "repositoryNameWithOwner": "acme/app"}),
        json!({}),
        json!({"branchName": "outwall/x"}),
        json!({"id": "nothing"}),
    ] {
        assert_ne!(
            asked("createCommitOnBranch", &on(branch.clone(), &["src/a"])),
            "allowed",
            "{branch}"
        );
    }
    let own = || named("acme/app", "outwall/x");
    for path in [
        ".github/workflows/ci.yml",
        ".GitHub/Workflows/ci.yml",
        "./.github/workflows/ci.yml",
        "a/../.github/workflows/x",
        ".github//workflows/x",
        "",
        "/x",
    ] {
        assert_ne!(
            asked("createCommitOnBranch", &on(own(), &["src/a", path])),
            "allowed",
            "{path}"
        );
    }
    let deletes = |path: &str| {
        let mut input = on(own(), &[]);
        input["fileChanges"] = json!({"deletions": [{"path": path}]});
        input
    };
    assert_eq!(asked("createCommitOnBranch", &deletes("src/a")), "allowed");
    assert_ne!(
        asked("createCommitOnBranch", &deletes(".github/workflows/ci.yml")),
        "allowed"
    );
    let workflows = grant(|rules| rules.workflows = true);
    assert_eq!(
        asked_by(
            &workflows,
            "createCommitOnBranch",
            &on(own(), &[".github/workflows/ci.yml"])
        ),
        "allowed"
    );
}

#[test]
fn rules_say_what_is_written() {
    let read = grant(|rules| rules.pull_requests = PullRequestRule::Read);
    let no_push = grant(|rules| rules.push = PushRule::None);
    let no_force = grant(|rules| rules.force_push = false);
    let plain = grant(|_| {});
    let own = json!({"pullRequestId": "PR_kwDOAAAAAc4AAAAB"});
    for (grant, name, input) in [
        (&read, "closePullRequest", &own),
        (&read, "addComment", &json!({"subjectId": "I_1", "body": "x"})),
        (&no_push, "updatePullRequestBranch", &own),
        (&no_push, "updateRef", &json!({"refId": "REF_x", "oid": OID})),
        (
            &no_force,
            "updateRef",
            &json!({"refId": "REF_x", "oid": OID, "force": true}),
        ),
        (
            &no_force,
            "updatePullRequestBranch",
            &json!({"pullRequestId": "PR_kwDOAAAAAc4AAAAB", "updateMethod": "REBASE"}),
        ),
        (
            &plain,
            "createIssue",
            &json!({"repositoryId": "R_kgDOAAAAAQ", "title": "x"}),
        ),
        (
            &plain,
            "rerequestCheckSuite",
            &json!({"repositoryId": "R_kgDOAAAAAQ", "checkSuiteId": "CS_1"}),
        ),
        (&plain, "deleteRef", &json!({"refId": "REF_x"})),
    ] {
        assert_eq!(asked(name, input), "allowed", "{name} by who may all");
        assert_ne!(asked_by(grant, name, input), "allowed", "{name}");
    }
}

/// Every mutation that no session may do, with whatever input: it is refused by its name.
#[test]
fn every_other_mutation_is_refused() {
    let mut count = 0;
    for (name, mutation) in &classes::CLASSES.mutations {
        if matches!(mutation, classes::Mutation::Refused(_)) {
            let decision = decided(
                &grant(|_| {}),
                &format!("mutation {{ x: {name}(input: {{}}) {{ clientMutationId }} }}"),
                &json!({}),
            );
            assert!(decision.starts_with(&format!("mutation {name}: ")), "{decision}");
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn one_refused_mutation_refuses_the_document() {
    let both = "mutation { a: addComment(input: {subjectId: \"I_1\", body: \"x\"}) { clientMutationId } \
                b: addComment(input: {subjectId: \"I_evil\", body: \"x\"}) { clientMutationId } }";
    assert!(decided(&grant(|_| {}), both, &json!({})).contains("evil/lib"));
    let selects = "mutation { addComment(input: {subjectId: \"I_1\", body: \"x\"}) { subject { ... on Issue { author { ... on User { email } } } } } }";
    assert_ne!(decided(&grant(|_| {}), selects, &json!({})), "allowed");
    let own = "mutation { addComment(input: {subjectId: \"I_1\", body: \"x\"}) { commentEdge { node { body author { login } } } } }";
    assert_eq!(decided(&grant(|_| {}), own, &json!({})), "allowed");
}

#[test]
fn a_refusal_says_what_to_do() {
    let grant = grant(|_| {});
    let body = json!({"query": "mutation { updateRef(input: {refId: \"REF_main\", oid: \"4b825dc642cb6eb9a060e54bf8d69288fbee4904\"}) { clientMutationId } }"});
    let known = understood(&grant, &body.to_string()).unwrap();
    let refusal = grant.decide(&known.actions, Ground::Session).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "mutation updateRef: only refs/heads/outwall/x may be pushed in this session (update refs/heads/main of acme/app)"
    );
}
