//! What a request would do at GitHub, whatever the door that it came to.

use std::fmt;

use super::names::{BranchName, RefName, RepositoryName};

/// Something that a request would do. Doors say what they understood with these; the session's grant decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GithubAction {
    /// Reads of a repository: its code, issues, runs.
    Read(RepositoryName),
    /// Reads pull requests of a repository.
    ReadPullRequests(RepositoryName),
    /// Reads what is nobody's in particular: rate limits, the schema, who the session is. Never anything of another account.
    ReadCommon,
    /// Creates a ref.
    CreateRef(RepositoryName, RefName),
    /// Moves a ref, or so the door was told: whether by force is [`ForceRef`](Self::ForceRef)'s to say.
    UpdateRef(RepositoryName, RefName),
    /// Moves a ref to where its old place is no ancestor of the new, or may do so.
    ForceRef(RepositoryName, RefName),
    /// Deletes a ref.
    DeleteRef(RepositoryName, RefName),
    /// Stores objects that no ref names yet: blobs, trees, commits, files of LFS.
    StoreObjects(RepositoryName),
    /// Creates, changes or deletes a file below `.github/workflows`.
    ChangeWorkflow(RepositoryName),
    /// Asks that `head` be merged into a branch of the repository.
    CreatePullRequest {
        /// Where it is to be merged.
        repository: RepositoryName,
        /// What is to be merged.
        head: Head,
    },
    /// Changes what a pull request says, or its state; requests reviews. Merging and approving are [`Other`](Self::Other).
    ChangePullRequest {
        /// Where it is to be merged.
        repository: RepositoryName,
        /// What it asks to merge.
        head: Head,
    },
    /// Comments on an issue or a pull request, reviews without approving, changes or resolves such a comment, reacts.
    Comment(RepositoryName),
    /// Opens an issue.
    CreateIssue(RepositoryName),
    /// Runs a workflow again that has run.
    RerunWorkflow(RepositoryName),
    /// Anything else. Nothing allows it.
    Other {
        /// What GitHub calls it: `pulls/merge`, `mutation mergePullRequest`.
        operation: String,
        /// Of which kind it is, for the one who is refused.
        kind: OtherKind,
    },
}

/// What a request would do, with what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// What GitHub calls the operation: `git-receive-pack`, `pulls/create`, `query PullRequestForBranch`.
    pub operation: String,
    /// All that it would do. A request that does nothing that is known is refused.
    pub all: Vec<GithubAction>,
}

/// What a pull request asks to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The repository that has it: another one for a pull request from a fork. None where that was deleted.
    pub repository: Option<RepositoryName>,
    /// The branch.
    pub branch: BranchName,
}

/// Of which kind something is that no session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OtherKind {
    /// Merges, or lets be merged.
    Merge,
    /// Approves, or dismisses a review.
    Approve,
    /// Settings of a repository, who may do what in it, hooks, keys, protection.
    Settings,
    /// Secrets and variables.
    Secrets,
    /// Publishes: releases, packages, gists, pages, new repositories, forks.
    Publish,
    /// Starts workflows, says that checks have passed, deploys.
    Automation,
    /// What belongs to a person or an organization.
    Account,
    /// What reaches beyond the session's repository.
    Elsewhere,
    /// What only an app's own credential, or an operator of the server, is for.
    Administration,
    /// Changes of issues, labels, milestones, projects, discussions.
    Organize,
    /// It is not known what it does.
    Unknown,
}

impl Actions {
    /// What a push is called.
    pub const PUSH: &'static str = "git-receive-pack";

    /// The same if each ref that it moves were moved to where its old place is no ancestor.
    #[must_use]
    pub fn forced(&self) -> Self {
        let force = |action: &GithubAction| match action {
            GithubAction::UpdateRef(repository, name) => {
                GithubAction::ForceRef(repository.clone(), name.clone())
            }
            other => other.clone(),
        };
        Self {
            operation: self.operation.clone(),
            all: self.all.iter().map(force).collect(),
        }
    }

    /// Whether it moves a ref of which the request does not tell whether that goes forward. A push tells where a ref was and is to be;
    /// REST and GraphQL tell whether to force, and GitHub refuses what would have to.
    pub fn may_force(&self) -> bool {
        let moves = |action: &GithubAction| matches!(action, GithubAction::UpdateRef(..));
        self.operation == Self::PUSH && self.all.iter().any(moves)
    }
}

impl GithubAction {
    /// The repository that it is about.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Read(repository)
            | Self::ReadPullRequests(repository)
            | Self::CreateRef(repository, _)
            | Self::UpdateRef(repository, _)
            | Self::ForceRef(repository, _)
            | Self::DeleteRef(repository, _)
            | Self::StoreObjects(repository)
            | Self::ChangeWorkflow(repository)
            | Self::CreatePullRequest { repository, .. }
            | Self::ChangePullRequest { repository, .. }
            | Self::Comment(repository)
            | Self::CreateIssue(repository)
            | Self::RerunWorkflow(repository) => Some(repository),
            Self::ReadCommon | Self::Other { .. } => None,
        }
    }

    /// The ref that it would write.
    pub fn written_ref(&self) -> Option<&RefName> {
        match self {
            Self::CreateRef(_, name)
            | Self::UpdateRef(_, name)
            | Self::ForceRef(_, name)
            | Self::DeleteRef(_, name) => Some(name),
            _ => None,
        }
    }
}

impl OtherKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Merge,
        Self::Approve,
        Self::Settings,
        Self::Secrets,
        Self::Publish,
        Self::Automation,
        Self::Account,
        Self::Elsewhere,
        Self::Administration,
        Self::Organize,
        Self::Unknown,
    ];

    /// The word for it in data files and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Approve => "approve",
            Self::Settings => "settings",
            Self::Secrets => "secrets",
            Self::Publish => "publish",
            Self::Automation => "automation",
            Self::Account => "account",
            Self::Elsewhere => "elsewhere",
            Self::Administration => "administration",
            Self::Organize => "organize",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The middle of a sentence: "a session may not {action}".
impl fmt::Display for GithubAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(repository) => write!(f, "read {repository}"),
            Self::ReadPullRequests(repository) => write!(f, "read pull requests of {repository}"),
            Self::ReadCommon => f.write_str("read what is common to all"),
            Self::CreateRef(repository, name) => write!(f, "create {name} of {repository}"),
            Self::UpdateRef(repository, name) => write!(f, "update {name} of {repository}"),
            Self::ForceRef(repository, name) => write!(f, "force {name} of {repository}"),
            Self::DeleteRef(repository, name) => write!(f, "delete {name} of {repository}"),
            Self::StoreObjects(repository) => write!(f, "store objects in {repository}"),
            Self::ChangeWorkflow(repository) => write!(f, "change workflows of {repository}"),
            Self::CreatePullRequest { repository, head } => {
                write!(f, "open a pull request of {head} in {repository}")
            }
            Self::ChangePullRequest { repository, head } => {
                write!(f, "change the pull request of {head} in {repository}")
            }
            Self::Comment(repository) => write!(f, "comment in {repository}"),
            Self::CreateIssue(repository) => write!(f, "open an issue in {repository}"),
            Self::RerunWorkflow(repository) => write!(f, "rerun a workflow of {repository}"),
            Self::Other { operation, .. } => write!(f, "{operation}"),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(repository) => write!(f, "{repository}:{}", self.branch),
            None => write!(f, "(deleted):{}", self.branch),
        }
    }
}
