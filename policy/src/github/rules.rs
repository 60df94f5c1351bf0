//! What a session may do at its repository: `[github.sessions]`.

/// `[github.sessions]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// `push`
    pub push: PushRule,
    /// `delete_branch`: whether it may delete its own branch.
    pub delete_branch: bool,
    /// `force_push`: whether it may move its own branch to where the old place is no ancestor.
    pub force_push: bool,
    /// `pull_requests`
    pub pull_requests: PullRequestRule,
    /// `create_issues`
    pub create_issues: bool,
    /// `rerun_workflows`
    pub rerun_workflows: bool,
    /// `workflows`: whether what it writes may change `.github/workflows`.
    pub workflows: bool,
    /// `public_repositories`
    pub public_repositories: PublicRule,
}

/// What may be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushRule {
    /// The session's branch, and nothing else.
    SessionBranch,
    /// Nothing.
    None,
}

/// What may be done with pull requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PullRequestRule {
    /// Neither read nor written. Git serves `refs/pull` all the same, as part of the repository.
    None,
    /// Read.
    Read,
    /// Read; opened from the session's branch; those changed; comments and reviews, without approving.
    CreateAndComment,
}

/// What may be done with repositories of others that are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicRule {
    /// Nothing.
    None,
    /// Read, without any token, when the environment allows the host.
    Read,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            push: PushRule::SessionBranch,
            delete_branch: false,
            force_push: true,
            pull_requests: PullRequestRule::CreateAndComment,
            create_issues: false,
            rerun_workflows: false,
            workflows: false,
            public_repositories: PublicRule::Read,
        }
    }
}
