#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use crate::github::{
    Actions, GithubAction, GithubService, Ground, PublicRule, PullRequestRule, PushRule, SessionRepository,
    SessionRules, TokenUse, WorkflowPermission,
};
use crate::{
    Action, ConnectionDecision, Method, Opening, Policy, PolicyDocument, RequestDecision, RequestPath,
    Sandbox, SandboxId, Scheme, Target,
};

const CREDENTIAL: &str = "[[credentials]]\nname = \"github\"\npreset = \"github\"\nsource = { env = \"GITHUB_TOKEN\" }\nenvironments = []\n";

fn policy(rest: &str) -> Result<Policy, String> {
    let text = format!("{CREDENTIAL}{rest}");
    let document = PolicyDocument::parse(&text, "outwall.toml").map_err(|errors| errors.to_string())?;
    Policy::compile(&document).map_err(|errors| errors.to_string())
}

fn working(environment: &str) -> Sandbox {
    Sandbox::new(SandboxId::from_random([1; 4]), environment.parse().unwrap()).working_at(SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: "outwall/x".parse().unwrap(),
    })
}

fn connect(policy: &Policy, sandbox: &Sandbox, target: &str) -> ConnectionDecision {
    policy.decide_connection(sandbox, &Target::parse(target).unwrap(), Opening::Unread)
}

fn action(target: &str, method: Method, path: &str) -> Action<()> {
    let target = Target::parse(target).unwrap();
    Action::new(
        Scheme::Https,
        target,
        method,
        RequestPath::parse(path).unwrap(),
        (),
    )
}

const GITHUB: &str = "[[github]]\nhost = \"github.com\"\ncredential = \"github\"\n";
const NONE: &str = "[environments.shut]\nnetwork = \"none\"\n";

#[test]
fn a_table_says_what_sessions_may_do() {
    let read = policy(&format!(
        "{GITHUB}token_without_workflows = true\n[github.sessions]\npush = \"none\"\ndelete_branch = true\nforce_push = false\n\
         pull_requests = \"read\"\ncreate_issues = true\nrerun_workflows = true\nworkflows = true\npublic_repositories = \"none\"\n"
    ))
    .unwrap();
    let [github] = read.githubs() else { panic!() };
    assert_eq!(
        *github.rules(),
        SessionRules {
            push: PushRule::None,
            delete_branch: true,
            force_push: false,
            pull_requests: PullRequestRule::Read,
            create_issues: true,
            rerun_workflows: true,
            workflows: true,
            public_repositories: PublicRule::None,
        }
    );
    assert_eq!(github.workflow_permission(), WorkflowPermission::ToldNone);
    let plain = policy(GITHUB).unwrap();
    assert_eq!(*plain.githubs()[0].rules(), SessionRules::default());
    assert_eq!(
        plain.githubs()[0].workflow_permission(),
        WorkflowPermission::Asked
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (written, line, said) in [
        ("[[github]]\nhost = \"github.com\"\n", 6, "has no `credential`"),
        ("[[github]]\ncredential = \"github\"\n", 6, "has no `host`"),
        (
            "[[github]]\nhost = \"10.0.0.1\"\ncredential = \"github\"\n",
            7,
            "not the host of a GitHub",
        ),
        (
            "[[github]]\nhost = \"github.com\"\ncredential = \"other\"\n",
            8,
            "no credential \"other\"",
        ),
        (
            "[[github]]\nhost = \"github.com\"\ncredential = \"github\"\nsession = 1\n",
            9,
            "session",
        ),
        (
            &format!("{GITHUB}[github.sessions]\npush = \"main\"\n"),
            10,
            "main",
        ),
        (
            &format!("{GITHUB}[[github]]\nhost = \"GitHub.com\"\ncredential = \"github\"\n"),
            9,
            "two tables",
        ),
    ] {
        let error = policy(written).unwrap_err();
        assert!(
            error.contains(said) && error.contains(&format!("{line}")),
            "{written}: {error}"
        );
    }
}

#[test]
fn a_session_reaches_its_github_at_every_level_and_other_sandboxes_as_their_environment_says() {
    let policy = policy(&format!("{GITHUB}{NONE}")).unwrap();
    for target in [
        "github.com:443",
        "api.github.com:443",
        "uploads.github.com:443",
        "codeload.github.com:443",
    ] {
        assert!(
            matches!(
                connect(&policy, &working("shut"), target),
                ConnectionDecision::Intercept(_)
            ),
            "{target}"
        );
        let other = Sandbox::new(SandboxId::from_random([2; 4]), "shut".parse().unwrap());
        assert!(
            matches!(connect(&policy, &other, target), ConnectionDecision::Deny(_)),
            "{target}"
        );
    }
    for target in ["github.com:80", "github.com:22", "github.com:8443"] {
        let ConnectionDecision::Deny(denial) = connect(&policy, &working("shut"), target) else {
            panic!("{target}")
        };
        assert_eq!(denial.code(), "plain-connection-not-allowed", "{target}");
    }
    for target in ["objects.githubusercontent.com:443", "pypi.org:443"] {
        assert!(
            matches!(
                connect(&policy, &working("shut"), target),
                ConnectionDecision::Deny(_)
            ),
            "{target}"
        );
    }
}

#[test]
fn a_request_for_a_session_is_not_allowed_before_it_is_understood() {
    let compiled = policy(&format!("{GITHUB}{NONE}")).unwrap();
    let ConnectionDecision::Intercept(via) = connect(&compiled, &working("shut"), "github.com:443") else {
        panic!()
    };
    let ask = || {
        let action = action(
            "github.com:443",
            Method::parse("POST").unwrap(),
            "/acme/app.git/git-receive-pack",
        );
        match compiled.decide_request(&via, action) {
            RequestDecision::Understand(undecided) => undecided,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (ask().service(), ask().ground()),
        (GithubService::Web, Ground::Session)
    );
    let push = |branch: &str| Actions {
        operation: "git-receive-pack".to_owned(),
        all: vec![GithubAction::UpdateRef(
            "acme/app".parse().unwrap(),
            format!("refs/heads/{branch}").parse().unwrap(),
        )],
    };
    let denial = ask().decide(push("main"), vec![]).unwrap_err();
    assert_eq!(denial.code(), "github-ref-refused");
    let permitted = ask().decide(push("outwall/x"), vec![]).unwrap();
    let permit = permitted.permit();
    assert_eq!(permit.github().unwrap().token(), TokenUse::Session);
    assert!(permit.brokerage().is_none());
    assert!(compiled.still_permits(permit));
    let stricter = policy(&format!("{GITHUB}[github.sessions]\npush = \"none\"\n{NONE}")).unwrap();
    assert!(
        !stricter.still_permits(permit),
        "a reload ends what it no longer allows"
    );
    let gone = policy(NONE).unwrap();
    assert!(!gone.still_permits(permit));
}

#[test]
fn only_what_was_allowed_there_is_led_elsewhere_and_only_over_tls_to_a_name() {
    let policy = policy(&format!("{GITHUB}{NONE}")).unwrap();
    let ConnectionDecision::Intercept(via) = connect(&policy, &working("shut"), "api.github.com:443") else {
        panic!()
    };
    let RequestDecision::Understand(undecided) = policy.decide_request(
        &via,
        action("api.github.com:443", Method::GET, "/repos/acme/app/tarball"),
    ) else {
        panic!()
    };
    let read = Actions {
        operation: "repos/download-tarball-archive".to_owned(),
        all: vec![GithubAction::Read("acme/app".parse().unwrap())],
    };
    let permit = undecided.decide(read, vec![]).unwrap().into_parts().0;
    let led = policy
        .decide_led(&permit, action("codeload.github.com:443", Method::GET, "/x"))
        .unwrap();
    assert!(policy.still_grants(led.connection()) && policy.still_permits(&led));
    assert!(
        policy
            .admit(led.connection(), "140.82.112.9:443".parse().unwrap())
            .is_ok()
    );
    assert!(
        policy
            .admit(led.connection(), "10.0.0.1:443".parse().unwrap())
            .is_err()
    );
    assert!(
        policy
            .decide_led(&permit, action("10.0.0.1:443", Method::GET, "/x"))
            .is_err()
    );
    let plain = Action {
        scheme: Scheme::Http,
        ..action("codeload.github.com:80", Method::GET, "/x")
    };
    assert!(policy.decide_led(&permit, plain).is_err());
    let ordinary = Policy::compile(&PolicyDocument::default()).unwrap();
    let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), "default".parse().unwrap());
    let ConnectionDecision::Intercept(via) = connect(&ordinary, &sandbox, "pypi.org:443") else {
        panic!()
    };
    let RequestDecision::Allow(permitted) =
        ordinary.decide_request(&via, action("pypi.org:443", Method::GET, "/"))
    else {
        panic!()
    };
    assert!(
        ordinary
            .decide_led(
                permitted.permit(),
                action("codeload.github.com:443", Method::GET, "/x")
            )
            .is_err()
    );
}
