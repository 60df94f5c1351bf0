//! Why something may not be done at GitHub, for the one who is told.

use std::fmt;

use super::action::{GithubAction, OtherKind};
use super::session::SessionRepository;

/// Why a request to GitHub is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubRefusal {
    /// Where the session works.
    pub at: SessionRepository,
    /// What was asked for, as GitHub calls it.
    pub operation: String,
    /// All that it would have done, each with why not. Empty where nothing was understood.
    pub refused: Vec<Refused>,
    /// What a record of it names besides. Nothing secret, and nothing of what was written.
    pub details: Vec<String>,
}

/// One thing that may not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What.
    pub action: GithubAction,
    /// Why not.
    pub why: WhyNot,
}

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// It may, but something else that the same request does may not.
    AnotherIsNot,
    /// Another ref than that of the session's branch.
    OtherRef,
    /// Another repository than the session's.
    OtherRepository,
    /// `push = "none"`
    NoPush,
    /// `delete_branch = false`
    NoDelete,
    /// `force_push = false`
    NoForce,
    /// `workflows = false`
    NoWorkflows,
    /// `pull_requests = "none"`
    NoPullRequests,
    /// `pull_requests` is less than `"create-and-comment"`.
    PullRequestsReadOnly,
    /// The pull request is of another branch than the session's.
    OtherHead,
    /// `create_issues = false`
    NoIssues,
    /// `rerun_workflows = false`
    NoRerun,
    /// `public_repositories = "none"`
    NoPublic,
    /// The environment does not allow the host, so that only the session's repository is reached there.
    HostNotAllowed,
    /// No session may.
    NotForSessions(OtherKind),
}

impl GithubRefusal {
    /// The stable code, in kebab case.
    pub fn code(&self) -> &'static str {
        match self.first() {
            None => "github-not-understood",
            Some(
                WhyNot::AnotherIsNot | WhyNot::OtherRef | WhyNot::NoPush | WhyNot::NoDelete | WhyNot::NoForce,
            ) => "github-ref-refused",
            Some(WhyNot::OtherRepository | WhyNot::NoPublic | WhyNot::HostNotAllowed) => {
                "github-repository-refused"
            }
            Some(WhyNot::NoWorkflows) => "github-workflow-refused",
            Some(WhyNot::NoPullRequests | WhyNot::PullRequestsReadOnly | WhyNot::OtherHead) => {
                "github-pull-request-refused"
            }
            Some(WhyNot::NoIssues | WhyNot::NoRerun | WhyNot::NotForSessions(_)) => {
                "github-operation-refused"
            }
        }
    }

    /// Why not, of the first that may not be done for its own sake.
    pub fn first(&self) -> Option<WhyNot> {
        let of_itself = self.refused.iter().find(|one| one.why != WhyNot::AnotherIsNot);
        of_itself.or(self.refused.first()).map(|one| one.why)
    }

    /// The reason for one action, for people: it goes behind the name of a ref, or into a sentence.
    pub fn reason(&self, why: WhyNot) -> String {
        let at = &self.at;
        match why {
            WhyNot::AnotherIsNot => "refused: another ref in this push is not allowed".to_owned(),
            WhyNot::OtherRef => format!("only {} may be pushed in this session", at.branch.to_ref()),
            WhyNot::OtherRepository => format!("this session works in {} only", at.repository),
            WhyNot::NoPush => "this session may not push".to_owned(),
            WhyNot::NoDelete => "this session may not delete its branch".to_owned(),
            WhyNot::NoForce => "this session may not force-push".to_owned(),
            WhyNot::NoWorkflows => "this session may not change .github/workflows".to_owned(),
            WhyNot::NoPullRequests => "this session may not read pull requests".to_owned(),
            WhyNot::PullRequestsReadOnly => "this session may not write pull requests or comments".to_owned(),
            WhyNot::OtherHead => format!(
                "only pull requests of the branch {} may be written in this session",
                at.branch
            ),
            WhyNot::NoIssues => "this session may not open issues".to_owned(),
            WhyNot::NoRerun => "this session may not rerun workflows".to_owned(),
            WhyNot::NoPublic => format!("this session reads no repository but {}", at.repository),
            WhyNot::HostNotAllowed => {
                format!(
                    "the environment does not allow {}, so that only {} is reached there",
                    at.host, at.repository
                )
            }
            WhyNot::NotForSessions(kind) => kind.reason().to_owned(),
        }
    }

    /// Whether it names no branch, which is the default branch.
    fn writes_default_branch(&self) -> bool {
        let mut written = self.refused.iter().filter_map(|one| one.action.written_ref());
        written.any(|name| name.as_str() == "HEAD")
    }

    /// What to do instead, for the one who works in the session, or how an operator changes it.
    pub fn remedy(&self) -> String {
        let at = &self.at;
        match self.first() {
            Some(WhyNot::OtherRef) if self.writes_default_branch() => {
                format!(
                    "name the session's branch in the request: \"branch\": \"{}\"",
                    at.branch
                )
            }
            Some(WhyNot::AnotherIsNot | WhyNot::OtherRef) => {
                format!(
                    "push your work to the session's branch: git push origin HEAD:{}",
                    at.branch
                )
            }
            Some(WhyNot::OtherRepository) => format!(
                "work in {}, or start a session for the other repository",
                at.repository
            ),
            Some(WhyNot::NoPush) => setting("push = \"session-branch\""),
            Some(WhyNot::NoDelete) => setting("delete_branch = true"),
            Some(WhyNot::NoForce) => {
                format!(
                    "add to what is on {} (git merge --no-ff) instead of leaving it behind; or {}",
                    at.branch,
                    setting("force_push = true")
                )
            }
            Some(WhyNot::NoWorkflows) => {
                format!(
                    "leave .github/workflows as it is, and say in the pull request what should change; or {}",
                    setting("workflows = true")
                )
            }
            Some(WhyNot::NoPullRequests) => setting("pull_requests = \"read\""),
            Some(WhyNot::PullRequestsReadOnly) => setting("pull_requests = \"create-and-comment\""),
            Some(WhyNot::OtherHead) => format!(
                "open a pull request of your own: gh pr create --head {}",
                at.branch
            ),
            Some(WhyNot::NoIssues) => setting("create_issues = true"),
            Some(WhyNot::NoRerun) => setting("rerun_workflows = true"),
            Some(WhyNot::NoPublic) => setting("public_repositories = \"read\""),
            Some(WhyNot::HostNotAllowed) => {
                format!(
                    "an operator adds \"{}\" to `allowed_domains` of the environment",
                    at.host
                )
            }
            Some(WhyNot::NotForSessions(kind)) => kind.remedy().to_owned(),
            None => "use git and gh as usual; what the gate cannot read, it does not send".to_owned(),
        }
    }
}

fn setting(line: &str) -> String {
    format!("an operator allows it with `{line}` in [github.sessions]")
}

impl OtherKind {
    fn reason(self) -> &'static str {
        match self {
            Self::Merge => "no session may merge",
            Self::Approve => "no session may approve or block a pull request",
            Self::Settings => "no session may change settings of a repository",
            Self::Secrets => "no session may use secrets and variables of a repository",
            Self::Publish => "no session may publish, or make repositories and gists",
            Self::Automation => "no session may start workflows or report checks",
            Self::Account => "no session may use what belongs to an account or an organization",
            Self::Elsewhere => "it reaches beyond the session's repository",
            Self::Administration => "it is for administrators and apps",
            Self::Organize => "no session may organize issues, projects and discussions",
            Self::Unknown => "it is not known what it does",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Merge => "open a pull request, and let a person review and merge it",
            Self::Approve => "review with a comment (`gh pr review --comment`), and let a person decide",
            Self::Automation => {
                "push to the session's branch: workflows that run on pushes and pull requests run as usual"
            }
            Self::Elsewhere => {
                "ask for the session's repository only: `repository(owner:, name:)`, `repo:OWNER/NAME`"
            }
            Self::Settings
            | Self::Secrets
            | Self::Publish
            | Self::Account
            | Self::Administration
            | Self::Organize => "let a person do it",
            Self::Unknown => "use another operation that does the same",
        }
    }
}

/// The middle of a sentence: "… was refused: `{refusal}`".
impl fmt::Display for GithubRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_itself = |one: &&Refused| one.why != WhyNot::AnotherIsNot;
        match self.refused.iter().find(of_itself).or(self.refused.first()) {
            Some(one) => {
                write!(f, "{}: {}", self.operation, self.reason(one.why))?;
                let action = one.action.to_string();
                if action == self.operation {
                    return Ok(());
                }
                write!(f, " ({action})")
            }
            None => write!(f, "{}: what it would do is not understood", self.operation),
        }
    }
}
