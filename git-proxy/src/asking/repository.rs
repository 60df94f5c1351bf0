//! The number of a repository: `GET /repos/OWNER/NAME`.

use bytes::Bytes;
use outwall_policy::github::{GithubHost, RepositoryName};
use serde::Deserialize;

use super::{ApiRequest, Fact, NoFact};

#[derive(Deserialize)]
struct Repository {
    id: u64,
    full_name: String,
}

pub(super) fn request(host: &GithubHost, repository: &RepositoryName) -> ApiRequest {
    ApiRequest {
        method: "GET",
        path: format!("{}/repos/{repository}", host.rest_prefix()),
        body: Bytes::new(),
    }
}

/// A repository that was renamed or transferred answers with a redirect, or under another name: neither is an answer.
pub(super) fn read(repository: &RepositoryName, status: u16, body: &[u8]) -> Result<Fact, NoFact> {
    let no_fact = |what| NoFact { status, what };
    match status {
        200 => {
            let read: Repository =
                serde_json::from_slice(body).map_err(|_| no_fact(Some("a repository without a number")))?;
            match read.full_name.parse::<RepositoryName>() {
                Ok(named) if named == *repository => Ok(Fact::RepositoryNumber(read.id)),
                _ => Err(no_fact(Some("another repository"))),
            }
        }
        404 | 410 => Ok(Fact::Missing),
        _ => Err(no_fact(None)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::asking::Question;

    fn question() -> Question {
        Question::RepositoryNumber("acme/app".parse().unwrap())
    }

    #[test]
    fn it_is_asked_where_the_api_is() {
        let at = |host: &str| question().request(&host.parse().unwrap());
        assert_eq!(at("github.com").path, "/repos/acme/app");
        assert_eq!(at("ghe.example.com").path, "/api/v3/repos/acme/app");
        assert_eq!(
            (at("github.com").method, at("github.com").body),
            ("GET", Bytes::new())
        );
    }

    #[test]
    fn the_number_is_that_of_the_repository_that_was_asked_for() {
        let read = |status, body: &str| question().read(status, body.as_bytes());
        let fact = Fact::RepositoryNumber(7);
        assert_eq!(read(200, r#"{"id":7,"full_name":"Acme/App","x":1}"#), Ok(fact));
        assert_eq!(read(404, ""), Ok(Fact::Missing));
        assert!(!question().is_settled(&Fact::Missing) && question().is_settled(&Fact::RepositoryNumber(7)));
        for (status, body) in [
            (200, r#"{"id":7,"full_name":"acme/renamed"}"#),
            (200, r#"{"id":7}"#),
            (200, r#"{"id":"7","full_name":"acme/app"}"#),
            (200, "<html>"),
            (301, ""),
            (401, ""),
            (500, ""),
        ] {
            let told = read(status, body).unwrap_err();
            assert!(told.to_string().contains(&status.to_string()), "{status} {body}");
        }
    }
}
