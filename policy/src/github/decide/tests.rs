#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;
use crate::github::{OtherKind, RepositoryName, SessionRepository, SessionRules};

fn grant(change: impl FnOnce(&mut SessionRules)) -> SessionGrant {
    let mut rules = SessionRules::default();
    change(&mut rules);
    let at = SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: "outwall/x".parse().unwrap(),
    };
    SessionGrant::sample(at, rules, "github".parse().unwrap())
}

fn ours() -> RepositoryName {
    "Acme/App".parse().unwrap()
}

fn theirs() -> RepositoryName {
    "other/lib".parse().unwrap()
}

fn branch(name: &str) -> RefName {
    format!("refs/heads/{name}").parse().unwrap()
}

fn head(repository: RepositoryName, branch: &str) -> Head {
    Head {
        repository: Some(repository),
        branch: branch.parse().unwrap(),
    }
}

fn why(grant: &SessionGrant, all: &[GithubAction]) -> Result<TokenUse, Vec<WhyNot>> {
    let actions = Actions {
        operation: "test".to_owned(),
        all: all.to_vec(),
    };
    grant
        .decide(&actions, Ground::Environment)
        .map_err(|refusal| refusal.refused.into_iter().map(|one| one.why).collect())
}

#[test]
fn the_sessions_branch_may_be_written_and_no_other_ref() {
    let grant = grant(|_| {});
    for action in [
        GithubAction::CreateRef(ours(), branch("outwall/x")),
        GithubAction::UpdateRef(ours(), branch("outwall/x")),
        GithubAction::ForceRef(ours(), branch("outwall/x")),
    ] {
        assert_eq!(why(&grant, &[action]), Ok(TokenUse::Session));
    }
    for name in [
        "refs/heads/main",
        "refs/heads/Outwall/x",
        "refs/heads/outwall/x2",
        "refs/tags/outwall/x",
        "refs/heads/outwall",
    ] {
        let name: RefName = name.parse().unwrap();
        for action in [
            GithubAction::CreateRef(ours(), name.clone()),
            GithubAction::UpdateRef(ours(), name.clone()),
            GithubAction::ForceRef(ours(), name.clone()),
            GithubAction::DeleteRef(ours(), name.clone()),
        ] {
            assert_eq!(why(&grant, &[action]), Err(vec![WhyNot::OtherRef]), "{name}");
        }
    }
    let elsewhere = GithubAction::UpdateRef(theirs(), branch("outwall/x"));
    assert_eq!(why(&grant, &[elsewhere]), Err(vec![WhyNot::OtherRepository]));
}

#[test]
fn one_refused_ref_refuses_the_push() {
    let both = [
        GithubAction::UpdateRef(ours(), branch("outwall/x")),
        GithubAction::UpdateRef(ours(), branch("main")),
    ];
    assert_eq!(
        why(&grant(|_| {}), &both),
        Err(vec![WhyNot::AnotherIsNot, WhyNot::OtherRef])
    );
}

type Change = fn(&mut SessionRules);

#[test]
fn each_rule_allows_what_it_says() {
    let own = || branch("outwall/x");
    let cases: [(GithubAction, Change, Change, WhyNot); 7] = [
        (
            GithubAction::UpdateRef(ours(), own()),
            |_| {},
            |rules| rules.push = PushRule::None,
            WhyNot::NoPush,
        ),
        (
            GithubAction::StoreObjects(ours()),
            |_| {},
            |rules| rules.push = PushRule::None,
            WhyNot::NoPush,
        ),
        (
            GithubAction::ForceRef(ours(), own()),
            |_| {},
            |rules| rules.force_push = false,
            WhyNot::NoForce,
        ),
        (
            GithubAction::DeleteRef(ours(), own()),
            |rules| rules.delete_branch = true,
            |_| {},
            WhyNot::NoDelete,
        ),
        (
            GithubAction::ChangeWorkflow(ours()),
            |rules| rules.workflows = true,
            |_| {},
            WhyNot::NoWorkflows,
        ),
        (
            GithubAction::CreateIssue(ours()),
            |rules| rules.create_issues = true,
            |_| {},
            WhyNot::NoIssues,
        ),
        (
            GithubAction::RerunWorkflow(ours()),
            |rules| rules.rerun_workflows = true,
            |_| {},
            WhyNot::NoRerun,
        ),
    ];
    for (action, allowing, refusing, reason) in cases {
        assert_eq!(
            why(&grant(allowing), std::slice::from_ref(&action)),
            Ok(TokenUse::Session),
            "{action}"
        );
        assert_eq!(
            why(&grant(refusing), std::slice::from_ref(&action)),
            Err(vec![reason]),
            "{action}"
        );
    }
}

#[test]
fn pull_requests_are_from_the_sessions_branch() {
    let create = |head| GithubAction::CreatePullRequest {
        repository: ours(),
        head,
    };
    let change = |head| GithubAction::ChangePullRequest {
        repository: ours(),
        head,
    };
    let full = grant(|_| {});
    assert_eq!(
        why(&full, &[create(head(ours(), "outwall/x"))]),
        Ok(TokenUse::Session)
    );
    assert_eq!(
        why(&full, &[change(head(ours(), "outwall/x"))]),
        Ok(TokenUse::Session)
    );
    assert_eq!(
        why(&full, &[GithubAction::Comment(ours())]),
        Ok(TokenUse::Session)
    );
    for foreign in [
        head(ours(), "main"),
        head(theirs(), "outwall/x"),
        Head {
            repository: None,
            ..head(ours(), "outwall/x")
        },
    ] {
        assert_eq!(
            why(&full, &[create(foreign.clone())]),
            Err(vec![WhyNot::OtherHead])
        );
        assert_eq!(why(&full, &[change(foreign)]), Err(vec![WhyNot::OtherHead]));
    }
    let read = grant(|rules| rules.pull_requests = PullRequestRule::Read);
    let none = grant(|rules| rules.pull_requests = PullRequestRule::None);
    assert_eq!(
        why(&read, &[GithubAction::ReadPullRequests(ours())]),
        Ok(TokenUse::Session)
    );
    assert_eq!(
        why(&none, &[GithubAction::ReadPullRequests(ours())]),
        Err(vec![WhyNot::NoPullRequests])
    );
    for grant in [read, none] {
        assert_eq!(
            why(&grant, &[create(head(ours(), "outwall/x"))]),
            Err(vec![WhyNot::PullRequestsReadOnly])
        );
        assert_eq!(
            why(&grant, &[GithubAction::Comment(ours())]),
            Err(vec![WhyNot::PullRequestsReadOnly])
        );
    }
}

#[test]
fn what_is_public_elsewhere_is_read_without_a_token_and_never_beside_the_sessions_own() {
    let read = |repository| GithubAction::Read(repository);
    let open = grant(|_| {});
    assert_eq!(why(&open, &[read(theirs())]), Ok(TokenUse::Anonymous));
    assert_eq!(
        why(&open, &[read(theirs()), read(ours())]),
        Err(vec![WhyNot::AnotherIsNot; 2])
    );
    assert_eq!(
        why(&open, &[GithubAction::Comment(theirs())]),
        Err(vec![WhyNot::OtherRepository])
    );
    let shut = grant(|rules| rules.public_repositories = PublicRule::None);
    assert_eq!(why(&shut, &[read(theirs())]), Err(vec![WhyNot::NoPublic]));
    assert_eq!(why(&shut, &[read(ours())]), Ok(TokenUse::Session));
    let actions = Actions {
        operation: "test".to_owned(),
        all: vec![read(theirs())],
    };
    assert!(
        open.decide(&actions, Ground::Session).is_err(),
        "the environment does not allow the host"
    );
}

#[test]
fn what_no_session_may_do_and_what_is_nothing_is_refused() {
    let everything = grant(|rules| {
        *rules = SessionRules {
            delete_branch: true,
            create_issues: true,
            rerun_workflows: true,
            workflows: true,
            ..SessionRules::default()
        };
    });
    for kind in OtherKind::ALL {
        let action = GithubAction::Other {
            operation: "x".to_owned(),
            kind,
        };
        assert_eq!(
            why(&everything, &[action]),
            Err(vec![WhyNot::NotForSessions(kind)])
        );
        assert_eq!(OtherKind::named(kind.as_str()), Some(kind));
    }
    assert_eq!(why(&everything, &[]), Err(vec![]));
    assert_eq!(
        why(&everything, &[GithubAction::ReadCommon]),
        Ok(TokenUse::Session)
    );
}

#[test]
fn who_names_no_branch_is_told_to_name_one() {
    let remedy = |name: &str| {
        let actions = Actions {
            operation: "repos/create-or-update-file-contents".to_owned(),
            all: vec![GithubAction::UpdateRef(ours(), name.parse().unwrap())],
        };
        let refusal = grant(|_| {}).decide(&actions, Ground::Session).unwrap_err();
        refusal.remedy()
    };
    assert!(remedy("HEAD").contains("\"branch\": \""), "{}", remedy("HEAD"));
    assert!(
        remedy("refs/heads/main").contains("git push origin HEAD:"),
        "{}",
        remedy("refs/heads/main")
    );
}
