//! The number of a repository: `GET /repos/OWNER/NAME`.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, RepositoryName};
use serde::Deserialize;

use super::{ApiRequest, Fact, NoFact};

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

pub(super) fn request(host: &GithubHost, repository: &RepositoryName) -> ApiRequest {
    ApiRequest {
        method: "GET",
        path: format!("{}/repos/{repository}", host.rest_prefix()),
        body: Bytes::new(),
    }
}

pub(super) fn read(status: u16, body: &[u8]) -> Result<Fact, NoFact> {
    match status {
        200 => {
            let read: Result<Repository, _> = serde_json::from_slice(body);
            let what = Some("a repository without a number");
            read.map(|read| Fact::RepositoryNumber(read.id))
                .map_err(|_| NoFact { status, what })
        }
        404 | 410 => Ok(Fact::Missing),
        _ => Err(NoFact { status, what: None }),
    }
}
