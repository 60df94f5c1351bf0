//! Whatever is posted to GraphQL is understood or refused; what may be sent, understood again, does the same and is sent the same. The first
//! byte says whether the rest is a body or a document; nodes are what their first
//! letter says: in upper case the session's, in lower case another branch's, `E` somebody else's.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::asking::{Fact, NodeFact, NodeId};
use outwall_git_proxy::graphql::{GraphqlRequest, understand};
use outwall_git_proxy::{BodySent, Facts, NotUnderstood, Question, Understanding, Understood};
use outwall_policy::github::{GithubAction, Ground, Head, SessionGrant, SessionRepository, SessionRules};
use serde_json::json;

static GRANT: LazyLock<SessionGrant> = LazyLock::new(|| {
    let at = SessionRepository {
        host: "github.com".parse().expect("a host"),
        repository: "acme/app".parse().expect("a repository"),
        branch: "outwall/x".parse().expect("a branch"),
    };
    let rules = SessionRules {
        create_issues: true,
        rerun_workflows: true,
        delete_branch: true,
        ..SessionRules::default()
    };
    SessionGrant::sample(at, rules, "github".parse().expect("a name"))
});

fn fact(id: &NodeId) -> Fact {
    let first = id.as_str().chars().next().unwrap_or_default();
    let type_name = match first.to_ascii_uppercase() {
        'P' => "PullRequest",
        'R' => "Repository",
        'B' => "Ref",
        'C' => "CheckSuite",
        'I' | 'E' => "Issue",
        _ => return Fact::Missing,
    };
    let (of, branch) = match first {
        'E' | 'e' => ("evil/lib", "outwall/x"),
        'a'..='z' => ("acme/app", "main"),
        _ => ("acme/app", "outwall/x"),
    };
    let of: Option<_> = of.parse().ok();
    let ref_name = format!("refs/heads/{branch}");
    Fact::Node(NodeFact {
        head: branch.parse().ok().map(|branch| Head {
            repository: of.clone(),
            branch,
        }),
        ref_name: ref_name.parse().ok(),
        ..NodeFact::of(type_name, of)
    })
}

fn understood(body: &[u8]) -> Result<Understood, NotUnderstood> {
    let mut facts = Facts::default();
    let request = GraphqlRequest {
        method: "POST",
        query: None,
        content_type: Some("application/json"),
        body,
    };
    for _ in 0..3 {
        match understand(&request, &GRANT, &facts)? {
            Understanding::Known(known) => return Ok(known),
            Understanding::Ask(questions) => {
                for question in questions {
                    let Question::Nodes(ids) = question else {
                        panic!("a question about {question:?}")
                    };
                    for id in ids {
                        let fact = fact(&id);
                        facts.learn(Question::Node(id), fact);
                    }
                }
            }
        }
    }
    panic!("it asks the same again")
}

fuzz_target!(|data: &[u8]| {
    let body = match data.split_first() {
        Some((0..=127, body)) => body.to_vec(),
        Some((_, text)) => {
            let query = String::from_utf8_lossy(text);
            json!({"query": query, "variables": {"id": "I", "o": "acme", "n": "app"}})
                .to_string()
                .into_bytes()
        }
        None => return,
    };
    let Ok(known) = understood(&body) else { return };
    if GRANT.decide(&known.actions, Ground::Session).is_err() {
        return;
    }
    for action in &known.actions.all {
        assert!(
            action
                .repository()
                .is_none_or(|named| *named == GRANT.at().repository)
        );
        assert!(
            action
                .written_ref()
                .is_none_or(|name| *name == GRANT.at().branch.to_ref())
        );
        assert!(!matches!(action, GithubAction::Other { .. }));
    }
    let BodySent::These(sent) = known.body else {
        panic!("nothing is sent")
    };
    let again = understood(&sent).expect("what is sent is understood");
    assert_eq!(again.actions, known.actions);
    assert_eq!(again.body, BodySent::These(sent));
});
