//! `{ github_app = APP, installation = ID, … }`: a token of an installation of a GitHub App, for some of its repositories. It lives for
//! an hour and is fetched again before.
//!
//! "Create an installation access token for an app" of GitHub's REST description (2022-11-28). Without `repository_ids` such a token is
//! for every repository of the installation: none is asked for without, and one that is for more than was asked is not used.

mod jwt;

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use outwall_policy::SecretSource;
use outwall_policy::brokered::ServiceUrl;
use outwall_policy::github::RepositoryName;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use self::jwt::AppKey;
pub use self::jwt::KeyError;
use super::{Answer, Fetched, Means, NotAnswered, Question, Says, Shown, Source, SourceError};
use crate::secret::Secret;

/// An app as it is installed somewhere.
pub(super) struct GithubApp {
    pub(super) app: u64,
    pub(super) installation: u64,
    pub(super) private_key: SecretSource,
    /// Empty where only sessions use it.
    pub(super) repositories: Vec<u64>,
    /// The repository of a session, one of those where any are listed.
    pub(super) only: Option<RepositoryName>,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) api: ServiceUrl,
    pub(super) means: Means,
}

/// Why GitHub gave no token.
#[derive(Debug, Error)]
pub enum GithubAppError {
    /// The policy names none, and a token would be for all of them.
    #[error("no repository is named, and a token would be for all of them")]
    NoRepository,
    /// The key of the app cannot be used.
    #[error("the private key of the GitHub App cannot be used")]
    Key(#[from] KeyError),
    /// It cannot be asked.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
    /// 401.
    #[error("GitHub does not believe that we are the app {app}: {said}")]
    NotTheApp {
        /// The number of the app.
        app: u64,
        /// What it said.
        said: Shown,
    },
    /// 403.
    #[error("GitHub forbids the app {app} to have a token: {said}")]
    Forbidden {
        /// The number of the app.
        app: u64,
        /// What it said.
        said: Shown,
    },
    /// 404.
    #[error("the app {app} has no installation {installation}: {said}")]
    NotInstalled {
        /// The number of the app.
        app: u64,
        /// The number of the installation.
        installation: u64,
        /// What it said.
        said: Shown,
    },
    /// 422.
    #[error("GitHub gives no token for these repositories and permissions: {said}")]
    NotCovered {
        /// What it said.
        said: Shown,
    },
    /// The token is for more than was asked.
    #[error("GitHub gave a token for other repositories than those that were asked for; it is not used")]
    TooWide,
    /// The token may do more than was asked.
    #[error("GitHub gave a token with the permission `{0}`, which was not asked for; it is not used")]
    MayTooMuch(String),
    /// The repository of a session is none of those that the policy lists.
    #[error("the repository {0} is none of those that the policy lists for the app")]
    NotListed(RepositoryName),
    /// Something else.
    #[error("GitHub answered {status}: {said}")]
    Status {
        /// The status code.
        status: u16,
        /// What it said.
        said: Shown,
    },
    /// It answered what it never does.
    #[error("what GitHub answered is not what it documents")]
    Malformed,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    repository_ids: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
    expires_at: Timestamp,
    #[serde(default)]
    repository_selection: Option<String>,
    #[serde(default)]
    repositories: Option<Vec<Repository>>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
    #[serde(default)]
    full_name: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    message: String,
}

impl GithubApp {
    async fn secret(&self, now: Timestamp) -> Result<Fetched, SourceError> {
        if self.repositories.is_empty() && self.only.is_none() {
            return Err(GithubAppError::NoRepository.into());
        }
        let key = AppKey::from_pem(&self.means.read(&self.private_key)?).map_err(GithubAppError::Key)?;
        let mut answer = self.ask(&key, now).await?;
        let ahead = answer.ahead(now);
        if answer.status == 401 && ahead.abs() > TOLERATED {
            let theirs = now.saturating_add(ahead).unwrap_or(now); // by their clock, which is what counts there
            answer = self.ask(&key, theirs).await?;
        }
        let (token, expires_at) = self.token(&answer)?;
        let place = "GitHub's token";
        Ok(Fetched {
            secret: Secret::from_text(token.as_bytes()).map_err(SourceError::unfit(place))?,
            expires_at: Some(expires_at.saturating_sub(ahead).unwrap_or(expires_at)),
            ask_again: None,
            seen: None,
        })
    }

    async fn ask(&self, key: &AppKey, now: Timestamp) -> Result<Answer, GithubAppError> {
        let jwt = key.jwt(self.app, now)?;
        let request = TokenRequest {
            repository_ids: if self.only.is_some() {
                &[]
            } else {
                &self.repositories
            },
            repositories: self.only.as_ref().map(|only| [only.name()]),
            permissions: &self.permissions,
        };
        let plain = |text: &str| Zeroizing::new(text.to_owned());
        let question = Question {
            method: "POST",
            service: self.api.clone(),
            path: format!("/app/installations/{}/access_tokens", self.installation),
            headers: vec![
                ("authorization", Zeroizing::new(format!("Bearer {}", *jwt))),
                ("accept", plain("application/vnd.github+json")),
                ("content-type", plain("application/json")),
                ("user-agent", plain("outwall")),
                ("x-github-api-version", plain("2022-11-28")),
            ],
            body: Zeroizing::new(serde_json::to_vec(&request).expect("numbers and texts are JSON")),
        };
        Ok(self.means.services.ask(question).await?)
    }

    fn token(&self, answer: &Answer) -> Result<(Zeroizing<String>, Timestamp), GithubAppError> {
        let said = || {
            let read = serde_json::from_slice::<ErrorAnswer>(&answer.body);
            Shown::of(read.map(|read| read.message).unwrap_or_default().as_bytes(), &[])
        };
        let (app, installation) = (self.app, self.installation);
        match answer.status {
            201 => self.read(&answer.body),
            401 => Err(GithubAppError::NotTheApp { app, said: said() }),
            403 => Err(GithubAppError::Forbidden { app, said: said() }),
            404 => Err(GithubAppError::NotInstalled {
                app,
                installation,
                said: said(),
            }),
            422 => Err(GithubAppError::NotCovered { said: said() }),
            status => Err(GithubAppError::Status { status, said: said() }),
        }
    }

    fn read(&self, body: &[u8]) -> Result<(Zeroizing<String>, Timestamp), GithubAppError> {
        let read: TokenAnswer = serde_json::from_slice(body).map_err(|_| GithubAppError::Malformed)?;
        let token = Zeroizing::new(read.token);
        self.check_repositories(read.repository_selection.as_deref(), read.repositories.as_deref())?;
        self.check_permissions(&read.permissions)?;
        Ok((token, read.expires_at))
    }

    /// For a session GitHub has to say that it is for that repository alone: a name is asked for, and names are given anew.
    fn check_repositories(
        &self,
        selection: Option<&str>,
        all: Option<&[Repository]>,
    ) -> Result<(), GithubAppError> {
        let listed = |repository: &Repository| self.repositories.contains(&repository.id);
        match (&self.only, all) {
            _ if selection == Some("all") => Err(GithubAppError::TooWide),
            (None, all) if all.is_none_or(|all| all.iter().all(listed)) => Ok(()),
            (Some(only), Some([one])) if one.full_name.parse().as_ref() == Ok(only) => {
                if self.repositories.is_empty() || listed(one) {
                    return Ok(());
                }
                Err(GithubAppError::NotListed(only.clone()))
            }
            (None | Some(_), _) => Err(GithubAppError::TooWide),
        }
    }

    /// What a session's token may is what was asked for: that one without `workflows` cannot change them is relied on.
    fn check_permissions(&self, given: &BTreeMap<String, String>) -> Result<(), GithubAppError> {
        let asked = |name: &String| name == "metadata" || self.permissions.contains_key(name);
        match given.keys().find(|name| self.only.is_some() && !asked(name)) {
            Some(name) => Err(GithubAppError::MayTooMuch(
                Shown::of(name.as_bytes(), &[]).to_string(),
            )),
            None => Ok(()),
        }
    }
}

impl Source for GithubApp {
    fn fetch(&self, now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(self.secret(now))
    }
}

impl GithubAppError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoRepository => "write the ids of the repositories that it is for".into(),
            Self::Key(_) => "give the file that GitHub had you download for the app, whole".into(),
            Self::NotAnswered(_) => "see that the gate reaches it, and that its certificate leads to a root that the gate knows: `extra_roots` of [origins]".into(),
            Self::NotTheApp { .. } => "see that `private_key` is a key of this app and has not been deleted there, and that the clock is right".into(),
            Self::Forbidden { .. } => "see whether the installation is suspended, or too much is asked".into(),
            Self::NotInstalled { .. } => "see its number at the end of the URL of the installation's settings".into(),
            Self::NotCovered { .. } => "install the app for these repositories, and accept the permissions there".into(),
            Self::NotListed(_) => "add its id to `repositories` of the source, or write repositories = \"sessions\"".into(),
            Self::TooWide | Self::MayTooMuch(_) | Self::Status { .. } | Self::Malformed => "ask again later, or ask GitHub".into(),
        }
    }

    pub(super) fn says(&self) -> Says {
        match self {
            Self::NotInstalled { .. } | Self::TooWide | Self::MayTooMuch(_) | Self::NotListed(_) => {
                Says::Withdrawn
            }
            Self::NoRepository
            | Self::Key(_)
            | Self::NotAnswered(_)
            | Self::NotTheApp { .. }
            | Self::Forbidden { .. }
            | Self::NotCovered { .. }
            | Self::Status { .. }
            | Self::Malformed => Says::Nothing,
        }
    }
}

/// What is issued a minute before may be from a clock that is so far ahead.
const TOLERATED: SignedDuration = SignedDuration::from_secs(30);

#[cfg(test)]
mod tests;
