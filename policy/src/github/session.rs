//! What one session may do at GitHub.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::host::GithubHost;
use super::names::{BranchName, RepositoryName};
use super::rules::SessionRules;
use crate::brokered::CredentialName;

/// The repository that a session works in, and the branch that it may write. It belongs to the identity of its sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRepository {
    /// The GitHub that has it.
    pub host: GithubHost,
    /// The repository.
    pub repository: RepositoryName,
    /// The branch.
    pub branch: BranchName,
}

/// Not what a session is called.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not HOST/OWNER/NAME#BRANCH", .0.escape_debug())]
pub struct SessionRepositoryError(String);

/// Of what [`Display`](fmt::Display) writes: a branch may have `#` and `/` in its name, the rest has not.
impl FromStr for SessionRepository {
    type Err = SessionRepositoryError;

    fn from_str(text: &str) -> Result<Self, SessionRepositoryError> {
        let read = || {
            let (place, branch) = text.split_once('#')?;
            let (host, repository) = place.split_once('/')?;
            Some(Self {
                host: host.parse().ok()?,
                repository: repository.parse().ok()?,
                branch: branch.parse().ok()?,
            })
        };
        read().ok_or_else(|| SessionRepositoryError(text.to_owned()))
    }
}

/// `github.com/acme/app#outwall/fix`: what a session is called.
impl fmt::Display for SessionRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.host, self.repository, self.branch)
    }
}

/// What one session may do at GitHub: where it works, and by which rules. Only the policy makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionGrant {
    pub(crate) at: Arc<SessionRepository>,
    pub(crate) rules: SessionRules,
    pub(crate) credential: CredentialName,
}

impl SessionGrant {
    /// The repository and the branch.
    pub fn at(&self) -> &SessionRepository {
        &self.at
    }

    /// The rules, from `[github.sessions]`.
    pub fn rules(&self) -> &SessionRules {
        &self.rules
    }

    /// The credential that is used in its place.
    pub fn credential(&self) -> &CredentialName {
        &self.credential
    }

    /// Of these, for tests and for who asks what would be decided: it proves nothing, as no permit comes of it.
    pub fn sample(at: SessionRepository, rules: SessionRules, credential: CredentialName) -> Self {
        Self {
            at: Arc::new(at),
            rules,
            credential,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_session_is_found_by_what_it_is_called() {
        for text in [
            "github.com/acme/app#outwall/fix",
            "github.example.com/a/b.c#x#y",
            "acme.ghe.com/Acme/App#main",
        ] {
            let read: SessionRepository = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        for wrong in [
            "",
            "github.com/acme/app",
            "acme/app#x",
            "github.com/acme#x",
            "github.com/acme/app#",
            "github.com/acme/app/x#y",
        ] {
            assert!(wrong.parse::<SessionRepository>().is_err(), "{wrong}");
        }
    }
}
