//! What a session may do at its repository: `[github.sessions]`.

use std::collections::BTreeMap;

/// `[github.sessions]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and written so"
)]
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

impl SessionRules {
    /// The least that a token needs for these rules: permissions of an installation of a GitHub App ("Permissions required for GitHub
    /// Apps", GitHub Docs). `workflows` is among them only where a push may change them: GitHub itself refuses it then.
    pub fn permissions(&self) -> BTreeMap<&'static str, &'static str> {
        let write_if = |writes| if writes { "write" } else { "read" };
        let writes_requests = self.pull_requests == PullRequestRule::CreateAndComment;
        let mut least = BTreeMap::from([
            ("metadata", "read"),
            ("contents", write_if(self.push == PushRule::SessionBranch)),
            ("issues", write_if(self.create_issues || writes_requests)),
            ("actions", write_if(self.rerun_workflows)),
            ("checks", "read"),
            ("statuses", "read"),
        ]);
        if self.pull_requests != PullRequestRule::None {
            least.insert("pull_requests", write_if(writes_requests));
        }
        if self.workflows && self.push == PushRule::SessionBranch {
            least.insert("workflows", "write");
        }
        least
    }
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
