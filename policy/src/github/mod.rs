//! GitHub, as far as it is decided on: repositories, refs, what a session may do to them.
//!
//! A session belongs to one repository of one GitHub and may write one branch of it. Every door of GitHub (git, REST, GraphQL, LFS)
//! turns what it understood of a request into [`GithubAction`]s, and [`SessionGrant::decide`] decides on those: there is one policy,
//! and no door has one of its own. What a door does not understand is [`GithubAction::Other`], which nothing allows.

mod action;
mod configured;
mod decide;
mod host;
mod names;
mod oid;
mod read_back;
mod refusal;
mod rules;
mod session;
mod token;
mod undecided;
mod update;

pub use action::{Actions, GithubAction, Head, OtherKind};
pub(crate) use configured::Githubs;
pub use configured::{Github, WorkflowPermission};
pub use decide::{Ground, TokenUse};
pub use host::{GithubHost, GithubHostError, GithubService};
pub use names::{BranchName, RefName, RefNameError, RepositoryName, RepositoryNameError};
pub use oid::{ObjectId, ObjectIdError};
pub use refusal::{GithubRefusal, Refused, WhyNot};
pub use rules::{PublicRule, PullRequestRule, PushRule, SessionRules};
pub use session::{SessionGrant, SessionRepository, SessionRepositoryError};
pub use token::{TokenFault, TokenScopes};
pub(crate) use undecided::unreasoned;
pub use undecided::{AskedAtGithub, GithubUse, Undecided};
pub use update::RefUpdate;
