//! `[[github]]`, compiled.

use std::sync::Arc;

use super::host::{GithubHost, GithubService};
use super::rules::SessionRules;
use super::session::{SessionGrant, SessionRepository};
use crate::brokered::CredentialName;
use crate::sandbox::Sandbox;
use crate::target::Target;

/// `[[github]]`, compiled: a GitHub that sessions may work at.
#[derive(Clone, Debug)]
pub struct Github {
    pub(crate) host: GithubHost,
    pub(crate) credential: CredentialName,
    pub(crate) rules: SessionRules,
    pub(crate) workflow_permission: WorkflowPermission,
    pub(crate) line: Option<u32>,
}

/// What is known beforehand of whether a token may change `.github/workflows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowPermission {
    /// Nothing: GitHub is asked for the scopes of a token, and one that does not say is not used.
    Asked,
    /// An operator says that it may not: `token_without_workflows = true`, for tokens that do not say what they may (fine-grained ones).
    ToldNone,
}

/// All of a policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Githubs(pub(crate) Arc<[Github]>);

impl Github {
    /// Its host.
    pub fn host(&self) -> &GithubHost {
        &self.host
    }

    /// The credential of the broker that is used for sessions.
    pub fn credential(&self) -> &CredentialName {
        &self.credential
    }

    /// What sessions may do.
    pub fn rules(&self) -> &SessionRules {
        &self.rules
    }

    /// What is known of its token beforehand.
    pub fn workflow_permission(&self) -> WorkflowPermission {
        self.workflow_permission
    }

    /// Its line in the document, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line.map(|line| line as usize)
    }

    /// What a session at this repository may do.
    pub(crate) fn grant(&self, at: &Arc<SessionRepository>) -> SessionGrant {
        SessionGrant {
            at: Arc::clone(at),
            rules: self.rules,
            credential: self.credential.clone(),
        }
    }
}

impl Githubs {
    pub(crate) fn at(&self, host: &GithubHost) -> Option<&Github> {
        self.0.iter().find(|github| github.host == *host)
    }

    /// Whether a target is a service of the GitHub that the sandbox's session works at. What is merely stored there is a host like any
    /// other.
    pub(crate) fn service<'a>(
        &'a self,
        sandbox: &'a Sandbox,
        target: &Target,
    ) -> Option<(&'a Github, &'a Arc<SessionRepository>, GithubService)> {
        let at = sandbox.repository.as_ref()?;
        let github = self.at(&at.host)?;
        let service = github.host.service(target)?;
        (service != GithubService::Storage).then_some((github, at, service))
    }
}
