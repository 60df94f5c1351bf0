#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
//! Requests as a sandbox sends them, and what is decided on them.

mod generated;
mod gh;
mod mutations;
mod reach;
mod reading;

use outwall_policy::github::{Ground, Head, RefName, SessionGrant, SessionRepository, SessionRules};
use serde_json::{Value as Json, json};

use super::*;
use crate::asking::{Author, Fact, NodeFact, NodeId, Question};

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

fn head(of: &str, branch: &str) -> Head {
    Head {
        repository: Some(of.parse().unwrap()),
        branch: branch.parse().unwrap(),
    }
}

/// What a GitHub with two repositories says of a node.
fn fact(id: &NodeId) -> Fact {
    let of = |type_name: &str, repository: &str| NodeFact::of(type_name, Some(repository.parse().unwrap()));
    let pull = |type_name: &str, repository: &str, head: Head| NodeFact {
        head: Some(head),
        ..of(type_name, repository)
    };
    let branch = |repository: &str, name: &str| NodeFact {
        ref_name: Some(name.parse::<RefName>().unwrap()),
        ..of("Ref", repository)
    };
    let ours = |fact: NodeFact| NodeFact {
        author: Author::Ours,
        ..fact
    };
    let (own, main) = (|| head("acme/app", "outwall/x"), || head("acme/app", "main"));
    Fact::Node(match id.as_str() {
        "R_kgDOAAAAAQ" => of("Repository", "acme/app"),
        "R_evil" => of("Repository", "evil/lib"),
        "PR_kwDOAAAAAc4AAAAB" => pull("PullRequest", "acme/app", own()),
        "PR_main" => pull("PullRequest", "acme/app", main()),
        "PR_fork" => pull("PullRequest", "acme/app", head("fork/app", "outwall/x")),
        "PR_evil" => pull("PullRequest", "evil/lib", head("evil/lib", "outwall/x")),
        "I_1" => of("Issue", "acme/app"),
        "I_evil" => of("Issue", "evil/lib"),
        "IC_1" => ours(of("IssueComment", "acme/app")),
        "IC_theirs" => of("IssueComment", "acme/app"),
        "IC_evil" => ours(of("IssueComment", "evil/lib")),
        "PRR_1" => ours(pull("PullRequestReview", "acme/app", own())),
        "PRRC_1" => ours(pull("PullRequestReviewComment", "acme/app", own())),
        "PRRT_1" => pull("PullRequestReviewThread", "acme/app", main()),
        "PRRT_evil" => pull("PullRequestReviewThread", "evil/lib", main()),
        "LA_1" => of("Label", "acme/app"),
        "LA_evil" => of("Label", "evil/lib"),
        "MI_1" => of("Milestone", "acme/app"),
        "CS_1" => of("CheckSuite", "acme/app"),
        "D_1" => of("Discussion", "acme/app"),
        "REF_x" => branch("acme/app", "refs/heads/outwall/x"),
        "REF_main" => branch("acme/app", "refs/heads/main"),
        "REF_evil" => branch("evil/lib", "refs/heads/outwall/x"),
        "U_1" => NodeFact::of("User", None),
        _ => return Fact::Missing,
    })
}

fn posted(body: &str) -> GraphqlRequest<'_> {
    GraphqlRequest {
        method: "POST",
        query: None,
        content_type: Some("application/json; charset=utf-8"),
        body: body.as_bytes(),
    }
}

/// Understands, with the answers of that GitHub to what is asked.
fn understood(grant: &SessionGrant, body: &str) -> Result<Understood, NotUnderstood> {
    let mut facts = Facts::default();
    for _ in 0..3 {
        match understand(&posted(body), grant, &facts)? {
            Understanding::Known(known) => return Ok(known),
            Understanding::Ask(questions) => {
                for question in questions {
                    let Question::Nodes(ids) = question else {
                        panic!("{question:?}")
                    };
                    for id in ids {
                        let fact = fact(&id);
                        facts.learn(Question::Node(id), fact);
                    }
                }
            }
        }
    }
    panic!("it asks again and again: {body}")
}

/// `allowed`, or why not.
fn decided(grant: &SessionGrant, query: &str, variables: &Json) -> String {
    decided_on(
        grant,
        &json!({"query": query, "variables": variables}).to_string(),
    )
}

fn decided_on(grant: &SessionGrant, body: &str) -> String {
    match understood(grant, body) {
        Err(wrong) => format!("not understood: {wrong}"),
        Ok(known) => match grant.decide(&known.actions, Ground::Session) {
            Ok(_) => "allowed".to_owned(),
            Err(refusal) => refusal.to_string(),
        },
    }
}

/// What is sent, if it may be.
fn sent(query: &str, variables: &Json) -> Json {
    let known = understood(
        &grant(|_| {}),
        &json!({"query": query, "variables": variables}).to_string(),
    )
    .unwrap();
    match known.body {
        BodySent::These(bytes) => serde_json::from_slice(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}
