//! What one session may do at GitHub.

use std::fmt;
use std::sync::Arc;

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
