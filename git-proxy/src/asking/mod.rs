//! What GitHub has to be asked before a request is understood: whose a node is, from which branch a pull request comes.
//!
//! A [`Question`] is a request of the gate's own, with the session's token. [`Facts`] are the answers.

mod comment;
mod nodes;
mod pull_request;
mod repository;

use std::collections::HashMap;

use bytes::Bytes;
use outwall_policy::github::{GithubHost, Head, RepositoryName};
use thiserror::Error;

pub use comment::Comment;
pub use nodes::{Author, MOST_NODES, NodeFact, NodeId, NodeIdError};

/// Something that GitHub has to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The number of a repository, which is in the paths of pages that follow: `/repositories/1296269/issues?page=2`.
    RepositoryNumber(RepositoryName),
    /// From where a pull request of a repository comes.
    PullRequest(RepositoryName, u64),
    /// Which node of GraphQL a comment is.
    Comment(RepositoryName, Comment),
    /// To what a node of GraphQL belongs.
    Node(NodeId),
    /// To what several belong, at most [`MOST_NODES`]. The answer is learnt for each as that to [`Node`](Self::Node).
    Nodes(Vec<NodeId>),
}

/// What GitHub answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The number of a repository.
    RepositoryNumber(u64),
    /// From where a pull request comes.
    PullRequest(Head),
    /// Which node something is.
    IsNode(NodeId),
    /// To what a node belongs.
    Node(NodeFact),
    /// To what several belong, in the order in which they were asked about; none for one that is missing.
    Nodes(Vec<Option<NodeFact>>),
    /// There is no such thing, or the token may not see it.
    Missing,
}

/// A request of the gate's own to the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query, at [`GithubHost::api_host`].
    pub path: String,
    /// JSON; empty for none.
    pub body: Bytes,
}

/// GitHub answered something that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("GitHub answered {status} to a question of the gate{}", .what.map(|what| format!(": {what}")).unwrap_or_default())]
pub struct NoFact {
    /// The status.
    pub status: u16,
    /// What is wrong with the answer.
    pub what: Option<&'static str>,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    known: HashMap<Question, Fact>,
}

impl Question {
    /// The request that asks it.
    pub fn request(&self, host: &GithubHost) -> ApiRequest {
        match self {
            Self::RepositoryNumber(repository) => repository::request(host, repository),
            Self::PullRequest(repository, number) => pull_request::request(host, repository, *number),
            Self::Comment(repository, comment) => comment::request(host, repository, *comment),
            Self::Node(id) => nodes::request(host, std::slice::from_ref(id)),
            Self::Nodes(ids) => nodes::request(host, ids),
        }
    }

    /// What the answer to it says.
    pub fn read(&self, status: u16, body: &[u8]) -> Result<Fact, NoFact> {
        match self {
            Self::RepositoryNumber(repository) => repository::read(repository, status, body),
            Self::PullRequest(repository, number) => pull_request::read(repository, *number, status, body),
            Self::Comment(..) => comment::read(status, body),
            Self::Node(id) => match nodes::read(std::slice::from_ref(id), status, body)? {
                Fact::Nodes(mut nodes) => Ok(nodes.pop().flatten().map_or(Fact::Missing, Fact::Node)),
                other => Ok(other),
            },
            Self::Nodes(ids) => nodes::read(ids, status, body),
        }
    }

    /// Whether an answer is the same for ever. From where a pull request comes does not change; an issue may be transferred to another
    /// repository, a ref renamed, and what is missing come to be.
    pub fn is_settled(&self, answer: &Fact) -> bool {
        match self {
            _ if *answer == Fact::Missing => false,
            Self::RepositoryNumber(_) | Self::PullRequest(..) | Self::Comment(..) => true,
            Self::Node(_) | Self::Nodes(_) => false,
        }
    }
}

impl Facts {
    /// The answer to a question, if it was asked.
    pub fn known(&self, question: &Question) -> Option<&Fact> {
        self.known.get(question)
    }

    /// How many answers are known.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Adds an answer.
    pub fn learn(&mut self, question: Question, fact: Fact) {
        match (question, fact) {
            (Question::Nodes(ids), Fact::Nodes(facts)) => {
                for (id, fact) in ids.into_iter().zip(facts) {
                    self.known
                        .insert(Question::Node(id), fact.map_or(Fact::Missing, Fact::Node));
                }
            }
            (question, fact) => {
                self.known.insert(question, fact);
            }
        }
    }
}
