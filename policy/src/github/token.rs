//! What a token may have to be used for sessions.

use std::fmt;

use super::configured::{Github, WorkflowPermission};
use super::names::RepositoryName;
use super::rules::PushRule;

/// What GitHub says that a token may, when it is asked something with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenScopes {
    /// The scopes of a token that has some (`X-OAuth-Scopes`; "Scopes for OAuth apps", GitHub Docs).
    Listed(Vec<String>),
    /// It is of a kind that does not say: a fine-grained token.
    Untold,
}

/// Why a token is not used for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It has the scope `workflow`, and no push may change `.github/workflows`.
    ChangesWorkflows,
    /// Whether it may change them cannot be told.
    Untold,
    /// GitHub does not take it.
    NotTaken,
    /// It does not see the repository.
    SeesNot(RepositoryName),
}

impl TokenScopes {
    /// Of the field.
    pub fn read(field: Option<&str>) -> Self {
        match field {
            None => Self::Untold,
            Some(listed) => {
                let scopes = listed.split(',').map(str::trim).filter(|scope| !scope.is_empty());
                Self::Listed(scopes.map(ToOwned::to_owned).collect())
            }
        }
    }
}

impl Github {
    /// Whether a token with these scopes may be used to write for sessions. What a push brings is not looked into: that it leaves
    /// `.github/workflows` alone is for GitHub to see to, which it does for a token that may not change them ("OAuth App access
    /// restrictions: workflow scope", GitHub Docs).
    pub fn judge(&self, scopes: &TokenScopes) -> Result<(), TokenFault> {
        if self.rules.workflows || self.rules.push == PushRule::None {
            return Ok(());
        }
        match (scopes, self.workflow_permission) {
            (TokenScopes::Listed(scopes), _) if scopes.iter().any(|scope| scope == "workflow") => {
                Err(TokenFault::ChangesWorkflows)
            }
            (TokenScopes::Listed(_), _) | (TokenScopes::Untold, WorkflowPermission::ToldNone) => Ok(()),
            (TokenScopes::Untold, WorkflowPermission::Asked) => Err(TokenFault::Untold),
        }
    }
}

impl TokenFault {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::ChangesWorkflows => "use a token without the scope `workflow`, or a GitHub App; or let sessions change them: \
                 `workflows = true` in [github.sessions]"
                .to_owned(),
            Self::Untold => "use a GitHub App or a classic token; or, if the token has no permission for workflows, say so: \
                 `token_without_workflows = true` in [[github]]"
                .to_owned(),
            Self::NotTaken => "`outwall credential check NAME` says where it comes from; make a new one at GitHub".to_owned(),
            Self::SeesNot(_) => {
                "give the token access to the repository, or install the GitHub App for it; see that the name is right".to_owned()
            }
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangesWorkflows => f.write_str(
                "the session's token may change .github/workflows (it has the scope `workflow`), and sessions may not",
            ),
            Self::Untold => f.write_str(
                "whether the session's token may change .github/workflows cannot be told, and sessions may not",
            ),
            Self::NotTaken => f.write_str("GitHub does not take the session's token"),
            Self::SeesNot(repository) => write!(f, "the session's token does not see {repository}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use crate::github::SessionRules;

    fn github(rules: SessionRules, told: WorkflowPermission) -> Github {
        Github {
            host: "github.com".parse().unwrap(),
            credential: "github".parse().unwrap(),
            rules,
            workflow_permission: told,
            line: None,
        }
    }

    #[test]
    fn a_token_that_may_change_workflows_is_used_only_where_sessions_may() {
        let usual = || github(SessionRules::default(), WorkflowPermission::Asked);
        let with = TokenScopes::read(Some("repo, workflow"));
        assert_eq!(usual().judge(&with), Err(TokenFault::ChangesWorkflows));
        assert_eq!(usual().judge(&TokenScopes::read(Some("repo, read:org"))), Ok(()));
        assert_eq!(usual().judge(&TokenScopes::read(Some(""))), Ok(()));
        assert_eq!(usual().judge(&TokenScopes::read(None)), Err(TokenFault::Untold));
        let told = github(SessionRules::default(), WorkflowPermission::ToldNone);
        assert_eq!(told.judge(&TokenScopes::Untold), Ok(()));
        assert_eq!(told.judge(&with), Err(TokenFault::ChangesWorkflows));
        let allowed = SessionRules {
            workflows: true,
            ..SessionRules::default()
        };
        assert_eq!(github(allowed, WorkflowPermission::Asked).judge(&with), Ok(()));
        let reads = SessionRules {
            push: PushRule::None,
            ..SessionRules::default()
        };
        assert_eq!(github(reads, WorkflowPermission::Asked).judge(&with), Ok(()));
    }
}
