//! `[[github]]`, as written.

use super::{Place, Written};
use crate::github::{PublicRule, PullRequestRule, PushRule};

/// `[[github]]`.
#[derive(Clone, Debug)]
pub(crate) struct GithubDocument {
    pub(crate) place: Place,
    pub(crate) host: Option<Written<String>>,
    pub(crate) credential: Option<Written<String>>,
    pub(crate) token_without_workflows: Option<Written<bool>>,
    pub(crate) sessions: SessionsDocument,
}

/// `[github.sessions]`. What is left out is as `SessionRules::default` has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionsDocument {
    pub(crate) push: Option<Written<PushRule>>,
    pub(crate) delete_branch: Option<Written<bool>>,
    pub(crate) force_push: Option<Written<bool>>,
    pub(crate) pull_requests: Option<Written<PullRequestRule>>,
    pub(crate) create_issues: Option<Written<bool>>,
    pub(crate) rerun_workflows: Option<Written<bool>>,
    pub(crate) workflows: Option<Written<bool>>,
    pub(crate) public_repositories: Option<Written<PublicRule>>,
}
