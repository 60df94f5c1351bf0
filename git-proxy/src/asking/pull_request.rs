//! From where a pull request comes: `GET /repos/OWNER/NAME/pulls/NUMBER`.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, Head, RepositoryName};
use serde::Deserialize;

use super::{ApiRequest, Fact, NoFact};

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    head: SideAnswer,
    base: SideAnswer,
}

#[derive(Deserialize)]
struct SideAnswer {
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

/// The answer has to be about the pull request that was asked for: one under another name is of a repository that was renamed.
pub(super) fn read(
    repository: &RepositoryName,
    number: u64,
    status: u16,
    body: &[u8],
) -> Result<Fact, NoFact> {
    let no_fact = |what| NoFact { status, what };
    match status {
        200 => {
            let read: PullRequest =
                serde_json::from_slice(body).map_err(|_| no_fact(Some("no pull request")))?;
            if read.number != number || read.base.repository().as_ref() != Ok(&Some(repository.clone())) {
                return Err(no_fact(Some("another pull request")));
            }
            head(&read.head)
                .map(Fact::PullRequest)
                .ok_or(no_fact(Some("a pull request with a head that has no name")))
        }
        404 | 410 => Ok(Fact::Missing),
        _ => Err(no_fact(None)),
    }
}

fn head(read: &SideAnswer) -> Option<Head> {
    Some(Head {
        repository: read.repository().ok()?,
        branch: read.branch.parse().ok()?,
    })
}

impl SideAnswer {
    fn repository(&self) -> Result<Option<RepositoryName>, ()> {
        let named = self.repo.as_ref().map(|repo| repo.full_name.parse());
        named.transpose().map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::asking::Question;

    fn question() -> Question {
        Question::PullRequest("acme/app".parse().unwrap(), 1)
    }

    fn read(head_repo: &str, branch: &str, base_repo: &str, number: u64) -> Result<Fact, NoFact> {
        let body = format!(
            r#"{{"number":{number},"head":{{"ref":"{branch}","repo":{head_repo}}},"base":{{"ref":"main","repo":{base_repo}}}}}"#
        );
        question().read(200, body.as_bytes())
    }

    #[test]
    fn it_is_asked_where_the_api_is() {
        let at = |host: &str| question().request(&host.parse().unwrap());
        assert_eq!(at("github.com").path, "/repos/acme/app/pulls/1");
        assert_eq!(at("ghe.example.com").path, "/api/v3/repos/acme/app/pulls/1");
    }

    #[test]
    fn a_head_is_of_the_repository_a_fork_or_nothing() {
        let (app, fork) = (r#"{"full_name":"acme/app"}"#, r#"{"full_name":"eve/app"}"#);
        for (written, repository) in [(app, Some("acme/app")), (fork, Some("eve/app")), ("null", None)] {
            let head = Head {
                repository: repository.map(|name| name.parse().unwrap()),
                branch: "outwall/x".parse().unwrap(),
            };
            assert_eq!(read(written, "outwall/x", app, 1), Ok(Fact::PullRequest(head)));
        }
    }

    #[test]
    fn what_says_nothing_of_it_is_no_answer() {
        let (app, fork) = (r#"{"full_name":"acme/app"}"#, r#"{"full_name":"eve/app"}"#);
        assert!(read(app, "outwall/x", fork, 1).is_err(), "of another repository");
        assert!(read(app, "outwall/x", "null", 1).is_err());
        assert!(read(app, "outwall/x", app, 2).is_err(), "another number");
        assert!(read(r#"{"full_name":"acme"}"#, "outwall/x", app, 1).is_err());
        assert!(read(app, "a..b", app, 1).is_err());
        assert_eq!(question().read(404, b""), Ok(Fact::Missing));
        for (status, body) in [(200, "{}"), (200, ""), (301, "{}"), (403, ""), (502, "")] {
            assert!(
                question().read(status, body.as_bytes()).is_err(),
                "{status} {body}"
            );
        }
    }
}
