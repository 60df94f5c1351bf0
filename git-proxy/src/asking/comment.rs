//! Which node of GraphQL a comment is, as that can tell who wrote it: `GET /repos/OWNER/NAME/issues/comments/NUMBER` and its like.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, RepositoryName};
use serde::Deserialize;

use super::{ApiRequest, Fact, NoFact, NodeId};

/// A comment, by its number among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comment {
    /// On an issue, or on a pull request as a whole.
    OfIssue(u64),
    /// On a commit.
    OfCommit(u64),
    /// On lines of a pull request.
    OfLines(u64),
    /// A review of a pull request.
    Review {
        /// The number of the pull request.
        of: u64,
        /// The number of the review.
        review: u64,
    },
}

#[derive(Deserialize)]
struct Answer {
    node_id: String,
}

pub(super) fn request(host: &GithubHost, repository: &RepositoryName, comment: Comment) -> ApiRequest {
    let below = match comment {
        Comment::OfIssue(number) => format!("issues/comments/{number}"),
        Comment::OfCommit(number) => format!("comments/{number}"),
        Comment::OfLines(number) => format!("pulls/comments/{number}"),
        Comment::Review { of, review } => format!("pulls/{of}/reviews/{review}"),
    };
    ApiRequest {
        method: "GET",
        path: format!("{}/repos/{repository}/{below}", host.rest_prefix()),
        body: Bytes::new(),
    }
}

pub(super) fn read(status: u16, body: &[u8]) -> Result<Fact, NoFact> {
    match status {
        200 => {
            let read = serde_json::from_slice::<Answer>(body).ok();
            let node = read.and_then(|read| NodeId::parse(&read.node_id).ok());
            let what = Some("a comment without the id of a node");
            node.map(Fact::IsNode).ok_or(NoFact { status, what })
        }
        404 | 410 => Ok(Fact::Missing),
        _ => Err(NoFact { status, what: None }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::asking::Question;

    fn question(comment: Comment) -> Question {
        Question::Comment("acme/app".parse().unwrap(), comment)
    }

    #[test]
    fn each_kind_is_asked_for_where_it_is() {
        for (comment, path) in [
            (Comment::OfIssue(9), "/api/v3/repos/acme/app/issues/comments/9"),
            (Comment::OfCommit(9), "/api/v3/repos/acme/app/comments/9"),
            (Comment::OfLines(9), "/api/v3/repos/acme/app/pulls/comments/9"),
            (
                Comment::Review { of: 2, review: 9 },
                "/api/v3/repos/acme/app/pulls/2/reviews/9",
            ),
        ] {
            let request = question(comment).request(&"ghe.example.com".parse().unwrap());
            assert_eq!((request.method, request.path.as_str()), ("GET", path));
        }
    }

    #[test]
    fn it_is_a_node_or_there_is_none() {
        let read = |status, body: &str| question(Comment::OfIssue(9)).read(status, body.as_bytes());
        let node = NodeId::parse("IC_kw").unwrap();
        assert_eq!(read(200, r#"{"id":9,"node_id":"IC_kw"}"#), Ok(Fact::IsNode(node)));
        assert_eq!(read(404, ""), Ok(Fact::Missing));
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"node_id":""}"#),
            (200, r#"{"node_id":"a b"}"#),
            (500, ""),
        ] {
            assert!(read(status, body).is_err(), "{status} {body}");
        }
    }
}
