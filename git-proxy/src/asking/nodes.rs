//! To what a node of GraphQL belongs.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, Head, RepositoryName};
use thiserror::Error;

use super::{ApiRequest, Fact, NoFact};

/// The id of a node: what GitHub gave, opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

pub(super) fn request(host: &GithubHost, id: &NodeId) -> ApiRequest {
    let (_, _) = (host, id);
    ApiRequest {
        method: "POST",
        path: String::new(),
        body: Bytes::new(),
    } // the graphql door's author writes this
}

pub(super) fn read(status: u16, _body: &[u8]) -> Result<Fact, NoFact> {
    Err(NoFact {
        status,
        what: Some("not read yet"),
    })
}
