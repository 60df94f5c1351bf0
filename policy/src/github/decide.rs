//! The one decision on what a session does at GitHub.

use super::action::{Actions, GithubAction, Head};
use super::names::RefName;
use super::refusal::{GithubRefusal, Refused, WhyNot};
use super::rules::{PublicRule, PullRequestRule, PushRule};
use super::session::SessionGrant;

/// On what ground the host of a request is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The session's repository alone: the environment does not allow the host.
    Session,
    /// The environment allows the host, too.
    Environment,
}

/// With which token an allowed request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// The session's.
    Session,
    /// None: it reads what is public.
    Anonymous,
}

impl SessionGrant {
    /// May all of this be done, and with which token? One thing that may not be refuses all.
    ///
    /// 1. Something was understood.
    /// 2. What is about the session's repository is allowed by `[github.sessions]`, line by line below.
    /// 3. What is about another repository reads it, the rules and the environment allow that, and nothing else is done with the same
    ///    request: it is sent without a token.
    /// 4. What no session may do is refused.
    pub fn decide(&self, actions: &Actions, ground: Ground) -> Result<TokenUse, Box<GithubRefusal>> {
        if actions.all.is_empty() {
            return Err(self.refusal(actions, vec![]));
        }
        let why: Vec<Option<WhyNot>> = actions
            .all
            .iter()
            .map(|action| self.why_not(action, ground))
            .collect();
        let elsewhere = actions
            .all
            .iter()
            .filter(|action| self.is_elsewhere(action))
            .count();
        let mixed = elsewhere != 0 && elsewhere != actions.all.len();
        if mixed || why.iter().any(Option::is_some) {
            let refused = actions.all.iter().zip(why).map(|(action, why)| Refused {
                action: action.clone(),
                why: why.unwrap_or(WhyNot::AnotherIsNot),
            });
            return Err(self.refusal(actions, refused.collect()));
        }
        Ok(if elsewhere == 0 {
            TokenUse::Session
        } else {
            TokenUse::Anonymous
        })
    }

    fn is_elsewhere(&self, action: &GithubAction) -> bool {
        action
            .repository()
            .is_some_and(|named| *named != self.at.repository)
    }

    fn why_not(&self, action: &GithubAction, ground: Ground) -> Option<WhyNot> {
        if self.is_elsewhere(action) {
            return self.why_not_elsewhere(action, ground);
        }
        let rules = &self.rules;
        match action {
            GithubAction::Read(_) | GithubAction::ReadCommon => None,
            GithubAction::ReadPullRequests(_) => {
                refused_if(rules.pull_requests == PullRequestRule::None, || {
                    WhyNot::NoPullRequests
                })
            }
            GithubAction::CreateRef(_, name) | GithubAction::UpdateRef(_, name) => self.why_not_written(name),
            GithubAction::ForceRef(_, name) => self
                .why_not_written(name)
                .or_else(|| refused_if(!rules.force_push, || WhyNot::NoForce)),
            GithubAction::DeleteRef(_, name) => self
                .why_not_written(name)
                .or_else(|| refused_if(!rules.delete_branch, || WhyNot::NoDelete)),
            GithubAction::StoreObjects(_) => refused_if(rules.push == PushRule::None, || WhyNot::NoPush),
            GithubAction::ChangeWorkflow(_) => refused_if(!rules.workflows, || WhyNot::NoWorkflows),
            GithubAction::CreatePullRequest { head, .. } | GithubAction::ChangePullRequest { head, .. } => {
                self.why_no_pull_request().or_else(|| self.why_not_head(head))
            }
            GithubAction::Comment(_) => self.why_no_pull_request(),
            GithubAction::CreateIssue(_) => refused_if(!rules.create_issues, || WhyNot::NoIssues),
            GithubAction::RerunWorkflow(_) => refused_if(!rules.rerun_workflows, || WhyNot::NoRerun),
            GithubAction::Other { kind, .. } => Some(WhyNot::NotForSessions(*kind)),
        }
    }

    fn why_not_elsewhere(&self, action: &GithubAction, ground: Ground) -> Option<WhyNot> {
        let reads = matches!(action, GithubAction::Read(_) | GithubAction::ReadPullRequests(_));
        match (reads, self.rules.public_repositories, ground) {
            (true, PublicRule::Read, Ground::Environment) => None,
            (true, PublicRule::Read, Ground::Session) => Some(WhyNot::HostNotAllowed),
            (true, PublicRule::None, _) => Some(WhyNot::NoPublic),
            (false, _, _) => Some(WhyNot::OtherRepository),
        }
    }

    fn why_not_written(&self, name: &RefName) -> Option<WhyNot> {
        if self.rules.push == PushRule::None {
            return Some(WhyNot::NoPush);
        }
        refused_if(*name != self.at.branch.to_ref(), || WhyNot::OtherRef)
    }

    fn why_no_pull_request(&self) -> Option<WhyNot> {
        refused_if(
            self.rules.pull_requests != PullRequestRule::CreateAndComment,
            || WhyNot::PullRequestsReadOnly,
        )
    }

    fn why_not_head(&self, head: &Head) -> Option<WhyNot> {
        let is_ours = head.repository.as_ref() == Some(&self.at.repository) && head.branch == self.at.branch;
        refused_if(!is_ours, || WhyNot::OtherHead)
    }

    fn refusal(&self, actions: &Actions, refused: Vec<Refused>) -> Box<GithubRefusal> {
        Box::new(GithubRefusal {
            at: (*self.at).clone(),
            operation: actions.operation.clone(),
            refused,
            details: Vec::new(),
        })
    }
}

fn refused_if(refused: bool, why: impl FnOnce() -> WhyNot) -> Option<WhyNot> {
    refused.then(why)
}

#[cfg(test)]
mod tests;
