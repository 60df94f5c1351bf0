//! From where a pull request comes: `GET /repos/OWNER/NAME/pulls/NUMBER`.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, Head, RepositoryName};
use serde::Deserialize;

use super::{ApiRequest, Fact, NoFact};

#[derive(Deserialize)]
struct PullRequest {
    head: HeadAnswer,
}

#[derive(Deserialize)]
struct HeadAnswer {
    #[serde(rename = "ref")]
    branch: String,
    /// Null where the fork was deleted.
    repo: Option<RepositoryAnswer>,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    full_name: String,
}

pub(super) fn request(host: &GithubHost, repository: &RepositoryName, number: u64) -> ApiRequest {
    ApiRequest {
        method: "GET",
        path: format!("{}/repos/{repository}/pulls/{number}", host.rest_prefix()),
        body: Bytes::new(),
    }
}

pub(super) fn read(status: u16, body: &[u8]) -> Result<Fact, NoFact> {
    match status {
        200 => head(body).map(Fact::PullRequest).ok_or(NoFact {
            status,
            what: Some("a pull request without a head"),
        }),
        404 | 410 => Ok(Fact::Missing),
        _ => Err(NoFact { status, what: None }),
    }
}

fn head(body: &[u8]) -> Option<Head> {
    let read: PullRequest = serde_json::from_slice(body).ok()?;
    let repository = match read.head.repo {
        Some(repository) => Some(repository.full_name.parse().ok()?),
        None => None,
    };
    Some(Head {
        repository,
        branch: read.head.branch.parse().ok()?,
    })
}
