//! What is allowed and refused, and what is sent of it: the matrix, each denial with its allowing twin.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use outwall_policy::github::{Ground, Head, SessionRepository, SessionRules, TokenUse};
use serde_json::json;

use super::*;
use crate::asking::{Author, Comment, NodeFact, NodeId};

mod generator;
mod matrix;
mod property;

/// A session that works in `acme/app` on `outwall/x`, with rules that a case may change.
fn session(rules: SessionRules) -> SessionGrant {
    let at = SessionRepository {
        host: "github.com".parse().unwrap(),
        repository: "acme/app".parse().unwrap(),
        branch: "outwall/x".parse().unwrap(),
    };
    SessionGrant::sample(at, rules, "github".parse().unwrap())
}

/// GitHub's answers: `acme/app` has number 7; its pull request 1 is the session's, 2 of `main`, 3 of a fork, 4 of a deleted one. There
/// is no other.
fn facts() -> Facts {
    let app: RepositoryName = "acme/app".parse().unwrap();
    let mut facts = Facts::default();
    facts.learn(Question::RepositoryNumber(app.clone()), Fact::RepositoryNumber(7));
    for (number, repository, branch) in [
        (1, Some("Acme/App"), "outwall/x"),
        (2, Some("acme/app"), "main"),
        (3, Some("eve/app"), "outwall/x"),
        (4, None, "outwall/x"),
    ] {
        let head = Head {
            repository: repository.map(|name| name.parse().unwrap()),
            branch: branch.parse().unwrap(),
        };
        facts.learn(
            Question::PullRequest(app.clone(), number),
            Fact::PullRequest(head),
        );
    }
    for number in [5, 7] {
        facts.learn(Question::PullRequest(app.clone(), number), Fact::Missing);
    }
    learn_comments(&mut facts, &app);
    facts
}

/// Comment 1 of each kind is the session's, 2, 3 and 4 are of others, and 3 is said to be in another repository.
fn learn_comments(facts: &mut Facts, app: &RepositoryName) {
    for number in [1, 2, 3, 4, 5, 7] {
        let reviews = [1, 2, 3, 4, 5, 7].map(|of| Comment::Review { of, review: number });
        let others = [
            Comment::OfIssue(number),
            Comment::OfCommit(number),
            Comment::OfLines(number),
        ];
        let node = NodeId::parse(&format!("C_{number}")).unwrap();
        for comment in reviews.into_iter().chain(others) {
            let fact = if number < 5 {
                Fact::IsNode(node.clone())
            } else {
                Fact::Missing
            };
            facts.learn(Question::Comment(app.clone(), comment), fact);
        }
        let of = if number == 3 { "eve/app" } else { "acme/app" };
        let author = if number % 2 == 1 {
            Author::Ours
        } else {
            Author::Others
        };
        let fact = NodeFact {
            author,
            ..NodeFact::of("IssueComment", Some(of.parse().unwrap()))
        };
        facts.learn(Question::Node(node), Fact::Node(fact));
    }
}

/// `METHOD PATH[?QUERY]`, and a body.
fn ask(asked: &str, body: &str) -> Result<Understanding, NotUnderstood> {
    let (method, url) = asked.split_once(' ').unwrap();
    let (path, query) = url
        .split_once('?')
        .map_or((url, None), |(path, query)| (path, Some(query)));
    let request = RestRequest {
        root: ApiRoot::Api,
        method: &Method::parse(method).unwrap(),
        path,
        query,
        content_type: Some("application/json"),
        body: body.as_bytes(),
    };
    understand(&request, &session(SessionRules::default()), &facts())
}

fn known(asked: &str, body: &str) -> Understood {
    match ask(asked, body) {
        Ok(Understanding::Known(understood)) => understood,
        other => panic!("{asked} {body}: {other:?}"),
    }
}

/// The token that it is sent with; else why not, in a word.
fn decided_by(rules: SessionRules, asked: &str, body: &str) -> Result<TokenUse, String> {
    match ask(asked, body) {
        Ok(Understanding::Known(understood)) => session(rules)
            .decide(&understood.actions, Ground::Environment)
            .map_err(|refusal| format!("{:?}", refusal.first().unwrap())),
        Ok(Understanding::Ask(questions)) => Err(format!("asks {questions:?}")),
        Err(why) => Err(why.what),
    }
}

fn decided(asked: &str, body: &str) -> Result<TokenUse, String> {
    decided_by(SessionRules::default(), asked, body)
}

fn sent(asked: &str, body: &str) -> (String, Value) {
    let understood = known(asked, body);
    let query = understood
        .query
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let body = match understood.body {
        BodySent::These(bytes) => serde_json::from_slice(&bytes).unwrap(),
        BodySent::Nothing => Value::Null,
        BodySent::AsItComes => panic!("bytes of the client's"),
    };
    (format!("{}{query}", understood.path.unwrap()), body)
}

#[test]
fn a_request_is_written_anew() {
    assert_eq!(
        sent(
            "POST /repos/ACME/app/pulls/",
            r#"{ "head": "Acme:outwall/x", "title": "\u0061", "base":"main", "head_repo": "app" }"#
        ),
        (
            "/repos/ACME/app/pulls".to_owned(),
            json!({"head": "outwall/x", "title": "a", "base": "main"})
        )
    );
    assert_eq!(
        sent("GET /repositories/7/issues?page=2&state=open", ""),
        ("/repos/acme/app/issues?page=2&state=open".to_owned(), Value::Null)
    );
    assert_eq!(
        sent(
            "PATCH /repos/acme/app/git/refs/heads%2Foutwall%2Fx",
            r#"{"sha":"4b825dc642cb6eb9a060e54bf8d69288fbee4904"}"#
        )
        .0,
        "/repos/acme/app/git/refs/heads/outwall/x"
    );
    assert_eq!(
        sent("GET /repos/acme/app/contents/a%20b/%C3%A9?ref=main", "").0,
        "/repos/acme/app/contents/a%20b/%C3%A9?ref=main"
    );
    assert_eq!(
        sent("GET /search/issues?q=is:pr+repo:acme/app&sort=created", "").0,
        "/search/issues?q=is%3Apr%20repo%3Aacme%2Fapp&sort=created"
    );
}

#[test]
fn github_is_asked_what_the_request_does_not_say() {
    let app: RepositoryName = "acme/app".parse().unwrap();
    let asks = |asked: &str, body: &str| match ask(asked, body) {
        Ok(Understanding::Ask(questions)) => questions,
        other => panic!("{asked}: {other:?}"),
    };
    let of = |number| vec![Question::PullRequest(app.clone(), number)];
    assert_eq!(asks("PATCH /repos/acme/app/pulls/9", r#"{"title":"x"}"#), of(9));
    assert_eq!(
        asks("POST /repos/acme/app/issues/8/labels", r#"{"labels":["x"]}"#),
        of(8)
    );
    assert_eq!(asks("PUT /repositories/7/pulls/9/update-branch", "{}"), of(9));
    assert_eq!(
        asks("PATCH /repos/acme/app/issues/comments/9", r#"{"body":"x"}"#),
        [Question::Comment(app.clone(), Comment::OfIssue(9))]
    );
    let nothing_known = |path: &str| {
        let request = RestRequest {
            root: ApiRoot::Api,
            method: &Method::parse("GET").unwrap(),
            path,
            query: None,
            content_type: None,
            body: b"",
        };
        understand(&request, &session(SessionRules::default()), &Facts::default()).unwrap()
    };
    assert!(matches!(
        nothing_known("/repositories/7/issues"),
        Understanding::Ask(questions) if questions == [Question::RepositoryNumber(app.clone())]
    ));
    assert!(matches!(
        nothing_known("/repos/acme/app/issues"),
        Understanding::Known(_)
    ));
    assert!(
        matches!(
            ask("PATCH /repos/eve/app/pulls/9", "{}"),
            Ok(Understanding::Known(_))
        ),
        "of another repository nothing is asked"
    );
}

#[test]
fn what_of_a_body_is_wanted_depends_on_the_operation() {
    let wanted = |root, asked: &str| {
        let (method, path) = asked.split_once(' ').unwrap();
        body_wanted(root, &Method::parse(method).unwrap(), path)
    };
    let at_most = |asked: &str| match wanted(ApiRoot::Api, asked) {
        BodyWanted::Whole { at_most } => at_most,
        BodyWanted::Nothing => panic!("{asked}"),
    };
    assert!(at_most("POST /repos/acme/app/git/blobs") > 54 << 20);
    assert!(at_most("PUT /repositories/7/contents/a/b") > 54 << 20);
    assert!(at_most("POST /repos/acme/app/pulls") < 3 << 20);
    for none in [
        "GET /repos/acme/app/pulls",
        "POST /repos/acme/app/releases",
        "POST /gists",
        "POST /nothing",
        "POST /a//b",
    ] {
        assert_eq!(wanted(ApiRoot::Api, none), BodyWanted::Nothing, "{none}");
    }
    assert_eq!(
        wanted(ApiRoot::Uploads, "POST /repos/acme/app/git/blobs"),
        BodyWanted::Nothing
    );
}

#[test]
fn a_session_is_nobody() {
    let understood = known("GET /user?x=1", "");
    let AnswerTreatment::Here(answer) = understood.answer else {
        panic!("{understood:?}");
    };
    let user: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &user["login"]), (200, &json!(SESSION_LOGIN)));
    assert_eq!(decided("GET /user", ""), Ok(TokenUse::Session));
    assert!(decided("PATCH /user", "{}").is_err());
}

#[test]
fn an_operation_is_called_as_github_calls_it() {
    for (asked, id) in [
        ("GET /repos/acme/app/commits", "repos/list-commits"),
        ("GET /repos/acme/app/commits/", "repos/list-commits"),
        ("GET /repos/acme/app/commits/main", "repos/get-commit"),
        (
            "GET /repos/acme/app/commits/a/b/status",
            "repos/get-combined-status-for-ref",
        ),
        ("GET /repos/acme/app/branches", "repos/list-branches"),
        ("GET /repos/acme/app/contents", "repos/get-content"),
        (
            "GET /repos/acme/app/pulls/comments",
            "pulls/list-review-comments-for-repo",
        ),
        ("GET /repos/acme/app/git/refs", "git/list-refs"),
        ("GET /repos/acme/app/readme", "repos/get-readme"),
        ("PUT /repos/acme/app/pulls/1/merge", "pulls/merge"),
        ("GET /repositories/8/issues", "GET /repositories/8/issues"),
    ] {
        assert_eq!(known(asked, "").actions.operation, id, "{asked}");
    }
}

#[test]
fn uploads_publish() {
    let request = |root| RestRequest {
        root,
        method: &Method::GET,
        path: "/repos/acme/app/releases/1/assets",
        query: None,
        content_type: None,
        body: b"",
    };
    let decide = |root| {
        let Ok(Understanding::Known(understood)) =
            understand(&request(root), &session(SessionRules::default()), &facts())
        else {
            panic!("not understood");
        };
        session(SessionRules::default()).decide(&understood.actions, Ground::Session)
    };
    assert!(decide(ApiRoot::Api).is_ok());
    assert!(decide(ApiRoot::Uploads).is_err());
}
