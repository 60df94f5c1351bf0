//! A request to GitHub's REST API (`METHOD PATH[?QUERY]`, a line break, a body): what is let through is sent in a form that is understood
//! as the same, and writes no ref but the session's, in no repository but its own.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::asking::{Author, Comment, Fact, NodeFact, NodeId};
use outwall_git_proxy::rest::{BodyWanted, RestRequest, body_wanted, understand};
use outwall_git_proxy::{AnswerTreatment, ApiRoot, BodySent, Facts, Question, Understanding, Understood};
use outwall_policy::github::{
    Ground, Head, RepositoryName, SessionGrant, SessionRepository, SessionRules, TokenUse,
};
use outwall_policy::{Method, RequestPath};
use serde_json::Value;

static SESSION: LazyLock<SessionGrant> = LazyLock::new(|| {
    let at = SessionRepository {
        host: "github.com".parse().expect("a host"),
        repository: app(),
        branch: "outwall/x".parse().expect("a branch"),
    };
    let rules = SessionRules {
        delete_branch: true,
        create_issues: true,
        rerun_workflows: true,
        workflows: true,
        ..SessionRules::default()
    };
    SessionGrant::sample(at, rules, "github".parse().expect("a name"))
});

fn app() -> RepositoryName {
    "acme/app".parse().expect("a repository")
}

/// 7 is the session's repository; of its pull requests and comments the odd ones are the session's, pull requests that three divides are of
/// forks.
fn fact(question: &Question) -> Fact {
    match question {
        Question::PullRequest(repository, number) => {
            assert_eq!(*repository, app(), "of another repository nothing is asked");
            let owner = if number % 3 == 0 { "eve" } else { "acme" };
            Fact::PullRequest(Head {
                repository: Some(RepositoryName::of(owner, "app").expect("a repository")),
                branch: if number % 2 == 1 { "outwall/x" } else { "main" }
                    .parse()
                    .expect("a branch"),
            })
        }
        Question::Comment(repository, comment) => {
            assert_eq!(*repository, app(), "of another repository nothing is asked");
            let odd = matches!(comment, Comment::OfIssue(n) | Comment::OfCommit(n) | Comment::OfLines(n) | Comment::Review { review: n, .. } if n % 2 == 1);
            Fact::IsNode(NodeId::parse(if odd { "ours" } else { "theirs" }).expect("an id"))
        }
        Question::Node(id) => Fact::Node(NodeFact {
            author: if id.as_str() == "ours" {
                Author::Ours
            } else {
                Author::Others
            },
            ..NodeFact::of("IssueComment", Some(app()))
        }),
        Question::RepositoryNumber(_) => Fact::RepositoryNumber(7),
        Question::Nodes(_) => panic!("REST has no ids of nodes"),
    }
}

fuzz_target!(|text: &str| {
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let Some((method, url)) = line.split_once(' ') else {
        return;
    };
    let (path, query) = url
        .split_once('?')
        .map_or((url, None), |(path, query)| (path, Some(query)));
    let (Ok(method), Ok(path)) = (Method::parse(method), RequestPath::parse(path)) else {
        return;
    };
    let Some((understood, token)) = let_through(&method, path.as_str(), query, body.as_bytes()) else {
        return;
    };
    let is_read = matches!(method.as_str(), "GET" | "HEAD");
    for action in &understood.actions.all {
        let is_ours = action.repository().is_none_or(|named| *named == app());
        assert!(is_ours || is_read && token == TokenUse::Anonymous, "{action}");
        assert!(
            action
                .written_ref()
                .is_none_or(|name| name.as_str() == "refs/heads/outwall/x"),
            "{action}"
        );
    }
    if matches!(understood.answer, AnswerTreatment::Here(_)) {
        return;
    }
    let sent_path = understood.path.as_deref().expect("a path is written");
    let normal = RequestPath::parse(sent_path).expect("what is sent is a path");
    assert_eq!(normal.as_str(), sent_path, "it is in normal form");
    let sent_body = match &understood.body {
        BodySent::These(bytes) => bytes.clone(),
        BodySent::Nothing => Default::default(),
        BodySent::AsItComes => panic!("the client's own bytes"),
    };
    assert!(!is_read || sent_body.is_empty());
    if let Some(named) = written_ref(method.as_str(), sent_path, &sent_body) {
        assert_eq!(named, "outwall/x", "{method} {sent_path}");
    }
    let (again, _) = let_through(&method, sent_path, understood.query.as_deref(), &sent_body)
        .expect("what is sent is understood");
    assert_eq!(again.actions, understood.actions);
    assert_eq!(
        (again.path, again.query, again.body),
        (understood.path, understood.query, understood.body)
    );
});

/// The ref that a request writes, as a second, simpler reader finds it in what is sent; of requests that always name one.
fn written_ref(method: &str, path: &str, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let in_path = path
        .split_once("/git/refs/")
        .map(|(_, name)| name.replace("%2F", "/"));
    let named = match (method, in_path) {
        ("PATCH" | "DELETE", Some(name)) => name,
        ("PUT" | "DELETE", None) if path.contains("/contents/") => member("branch"),
        ("POST", None) if path.ends_with("/git/refs") => member("ref"),
        ("POST", None) if path.ends_with("/merges") => member("base"),
        _ => return None,
    };
    let name = named.trim_start_matches("refs/").trim_start_matches("heads/");
    Some(name.to_owned())
}

fn let_through(
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Option<(Understood, TokenUse)> {
    let body = match body_wanted(ApiRoot::Api, method, path) {
        BodyWanted::Whole { at_most } if body.len() <= at_most => body,
        _ => b"",
    };
    let request = RestRequest {
        root: ApiRoot::Api,
        method,
        path,
        query,
        content_type: None,
        body,
    };
    let mut facts = Facts::default();
    for _round in 0..4 {
        match understand(&request, &SESSION, &facts).ok()? {
            Understanding::Known(understood) => {
                let token = SESSION.decide(&understood.actions, Ground::Environment).ok()?;
                return Some((understood, token));
            }
            Understanding::Ask(questions) => {
                for question in questions {
                    let fact = fact(&question);
                    facts.learn(question, fact);
                }
            }
        }
    }
    panic!("it asks again and again");
}
