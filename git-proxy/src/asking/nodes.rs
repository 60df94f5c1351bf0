//! To what nodes of GraphQL belong: one query for many.

use std::str::FromStr;

use bytes::Bytes;
use outwall_policy::github::{GithubHost, Head, RefName, RepositoryName};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

use super::{ApiRequest, Fact, NoFact};

/// The id of a node: what GitHub gave, opaque.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

/// Not 1 to 255 of `[A-Za-z0-9_=+/-]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the id of a node is 1 to 255 letters, digits, `_`, `-`, `=`, `+` and `/`")]
pub struct NodeIdError;

/// To what a node belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFact {
    /// Its type: `PullRequest`.
    pub type_name: String,
    /// The repository that has it; none for what is in none, or of which we do not know.
    pub repository: Option<RepositoryName>,
    /// From where it comes, if it is a pull request or something of one.
    pub head: Option<Head>,
    /// The ref that it is, if it is one.
    pub ref_name: Option<RefName>,
    /// Who wrote it.
    pub author: Author,
}

/// Who wrote something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The account of the session's token.
    Ours,
    /// Somebody else, or it is nothing that somebody wrote.
    Others,
}

impl NodeId {
    /// Of this text.
    pub fn parse(text: &str) -> Result<Self, NodeIdError> {
        let of_id = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=+/".contains(&byte);
        if (1..=255).contains(&text.len()) && text.bytes().all(of_id) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NodeIdError)
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NodeFact {
    /// Of something in a repository, about which nothing else is known.
    pub fn of(type_name: &str, repository: Option<RepositoryName>) -> Self {
        Self {
            type_name: type_name.to_owned(),
            repository,
            head: None,
            ref_name: None,
            author: Author::Others,
        }
    }
}

/// The most nodes that are asked about at once: what GitHub takes ("Rate limits and query limits for the GraphQL API", GitHub Docs).
pub const MOST_NODES: usize = 100;

pub(super) fn request(host: &GithubHost, ids: &[NodeId]) -> ApiRequest {
    let ids: Vec<&str> = ids.iter().map(NodeId::as_str).collect();
    let path = if host.has_api_host() {
        "/graphql"
    } else {
        "/api/graphql"
    };
    ApiRequest {
        method: "POST",
        path: path.to_owned(),
        body: Bytes::from(json!({"query": QUERY, "variables": {"ids": ids}}).to_string()),
    }
}

/// Nothing that servers of some years ago do not have.
const QUERY: &str = "query OutwallNodes($ids: [ID!]!) { nodes(ids: $ids) { __typename \
     ... on Repository { nameWithOwner } \
     ... on PullRequest { ...p } \
     ... on PullRequestReview { viewerDidAuthor pullRequest { ...p } } \
     ... on PullRequestReviewComment { viewerDidAuthor pullRequest { ...p } } \
     ... on PullRequestReviewThread { pullRequest { ...p } } \
     ... on Issue { repository { ...r } } \
     ... on IssueComment { viewerDidAuthor repository { ...r } } \
     ... on CommitComment { viewerDidAuthor repository { ...r } } \
     ... on Discussion { repository { ...r } } \
     ... on DiscussionComment { viewerDidAuthor discussion { repository { ...r } } } \
     ... on Ref { prefix name repository { ...r } } \
     ... on Commit { repository { ...r } } \
     ... on Tree { repository { ...r } } \
     ... on Blob { repository { ...r } } \
     ... on Tag { repository { ...r } } \
     ... on CheckSuite { repository { ...r } } \
     ... on CheckRun { repository { ...r } } \
     ... on WorkflowRun { checkSuite { repository { ...r } } } \
     ... on Label { repository { ...r } } \
     ... on Milestone { repository { ...r } } \
     ... on Release { repository { ...r } } \
     ... on Deployment { repository { ...r } } } } \
     fragment r on Repository { nameWithOwner } \
     fragment p on PullRequest { repository { ...r } headRefName headRepository { ...r } }";

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    nodes: Vec<Option<Node>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(rename = "__typename")]
    type_name: String,
    name_with_owner: Option<String>,
    repository: Option<Repository>,
    pull_request: Option<PullRequest>,
    check_suite: Option<Of>,
    discussion: Option<Of>,
    head_ref_name: Option<String>,
    head_repository: Option<Repository>,
    viewer_did_author: Option<bool>,
    prefix: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    name_with_owner: String,
}

#[derive(Deserialize)]
struct Of {
    repository: Repository,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullRequest {
    repository: Repository,
    head_ref_name: String,
    /// Null where the fork was deleted.
    head_repository: Option<Repository>,
}

/// The answer is an object whose `nodes` has a node or a null for each id, in order. Errors beside it say why one is null.
pub(super) fn read(ids: &[NodeId], status: u16, body: &[u8]) -> Result<Fact, NoFact> {
    let wrong = |what| NoFact { status, what };
    if status != 200 {
        return Err(wrong(None));
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| wrong(Some("no answer to a query of nodes")))?;
    let nodes = answer.data.ok_or(wrong(Some("errors instead of nodes")))?.nodes;
    if nodes.len() != ids.len() {
        return Err(wrong(Some("more or fewer nodes than were asked for")));
    }
    let facts = nodes.iter().map(|node| node.as_ref().map(fact).transpose());
    let facts: Result<Vec<Option<NodeFact>>, NoName> = facts.collect();
    facts
        .map(Fact::Nodes)
        .map_err(|NoName| wrong(Some("a node with a name that is none")))
}

/// GitHub names something in a way that is none.
struct NoName;

impl Node {
    /// What holds it, whichever way its type says so.
    fn holder(&self) -> Option<&Repository> {
        let through = self.check_suite.as_ref().or(self.discussion.as_ref());
        let of_pull_request = self.pull_request.as_ref().map(|of| &of.repository);
        self.repository
            .as_ref()
            .or(of_pull_request)
            .or(through.map(|of| &of.repository))
    }
}

fn fact(node: &Node) -> Result<NodeFact, NoName> {
    let own_name = node.name_with_owner.as_deref();
    let repository = own_name.or(node.holder().map(|holder| holder.name_with_owner.as_str()));
    let ref_name = match (&node.prefix, &node.name) {
        (Some(prefix), Some(name)) if node.type_name == "Ref" => Some(format!("{prefix}{name}")),
        _ => None,
    };
    let author = match node.viewer_did_author {
        Some(true) => Author::Ours,
        Some(false) | None => Author::Others,
    };
    Ok(NodeFact {
        repository: parsed(repository)?,
        head: head(node)?,
        ref_name: parsed(ref_name.as_deref())?,
        author,
        type_name: node.type_name.clone(),
    })
}

fn parsed<T: FromStr>(name: Option<&str>) -> Result<Option<T>, NoName> {
    name.map(str::parse).transpose().map_err(|_| NoName)
}

fn head(node: &Node) -> Result<Option<Head>, NoName> {
    let of_another = node.pull_request.as_ref();
    let own = node
        .head_ref_name
        .as_deref()
        .map(|branch| (branch, &node.head_repository));
    let Some((branch, repository)) =
        own.or(of_another.map(|of| (of.head_ref_name.as_str(), &of.head_repository)))
    else {
        return Ok(None);
    };
    Ok(Some(Head {
        repository: parsed(
            repository
                .as_ref()
                .map(|repository| repository.name_with_owner.as_str()),
        )?,
        branch: branch.parse().map_err(|_| NoName)?,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn ids(count: usize) -> Vec<NodeId> {
        (0..count)
            .map(|number| NodeId::parse(&format!("X_{number}")).unwrap())
            .collect()
    }

    fn read_all(nodes: &serde_json::Value) -> Result<Vec<Option<NodeFact>>, NoFact> {
        let count = nodes.as_array().unwrap().len();
        let body = json!({"data": {"nodes": nodes}, "errors": [{"type": "NOT_FOUND"}]}).to_string();
        read(&ids(count), 200, body.as_bytes()).map(|fact| match fact {
            Fact::Nodes(facts) => facts,
            _ => panic!("{fact:?}"),
        })
    }

    #[test]
    fn each_type_says_its_repository_in_its_own_way() {
        let (repository, pull) = (
            json!({"nameWithOwner": "acme/app"}),
            json!({"repository": {"nameWithOwner": "acme/app"}, "headRefName": "x", "headRepository": {"nameWithOwner": "fork/app"}}),
        );
        let facts = read_all(&json!([
            {"__typename": "Repository", "nameWithOwner": "acme/app"},
            {"__typename": "PullRequest", "repository": repository, "headRefName": "x", "headRepository": null},
            {"__typename": "PullRequestReviewThread", "pullRequest": pull},
            {"__typename": "PullRequestReviewComment", "pullRequest": pull, "viewerDidAuthor": true},
            {"__typename": "WorkflowRun", "checkSuite": {"repository": repository}},
            {"__typename": "Ref", "prefix": "refs/heads/", "name": "main", "repository": repository},
            {"__typename": "User"},
            null,
        ]))
        .unwrap();
        let app = Some("acme/app".parse().unwrap());
        for fact in facts[..6].iter().map(|fact| fact.as_ref().unwrap()) {
            assert_eq!(fact.repository, app, "{}", fact.type_name);
        }
        let head = |fact: &Option<NodeFact>| fact.as_ref().unwrap().head.as_ref().unwrap().to_string();
        assert_eq!(
            (head(&facts[1]), head(&facts[2])),
            ("(deleted):x".to_owned(), "fork/app:x".to_owned())
        );
        assert_eq!(facts[3].as_ref().unwrap().author, Author::Ours);
        assert_eq!(
            facts[5].as_ref().unwrap().ref_name.as_ref().unwrap().as_str(),
            "refs/heads/main"
        );
        assert_eq!(facts[6].as_ref().unwrap().repository, None);
        assert_eq!(facts[7], None);
    }

    #[test]
    fn an_answer_that_says_something_else_says_nothing() {
        assert!(read(&ids(2), 200, br#"{"data":{"nodes":[null]}}"#).is_err());
        for body in [
            r#"{"data":null,"errors":[]}"#,
            "{}",
            "",
            r#"{"data":{"nodes":[{}]}}"#,
            r#"{"data":{"nodes":[{"__typename":"Repository","nameWithOwner":"x"}]}}"#,
            r#"{"data":{"nodes":[{"__typename":"Ref","prefix":"refs/heads/","name":"a..b"}]}}"#,
        ] {
            assert!(read(&ids(1), 200, body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(&ids(1), 502, br#"{"data":{"nodes":[null]}}"#).is_err());
        assert!(read(&ids(1), 200, br#"{"data":{"nodes":[null]}}"#).is_ok());
    }

    #[test]
    fn the_question_goes_to_the_graphql_of_the_host() {
        let at = |host: &str| request(&host.parse().unwrap(), &ids(1)).path;
        assert_eq!(
            (at("github.com"), at("ghe.example.com")),
            ("/graphql".to_owned(), "/api/graphql".to_owned())
        );
    }

    #[test]
    fn the_query_is_one_of_the_schema() {
        let document = crate::graphql::asked_of_the_schema(QUERY);
        assert_eq!(document, Ok(()));
    }
}
