//! What pull requests would merge: what is opened says it, of what exists GitHub is asked.

use outwall_policy::github::{BranchName, GithubAction, Head, OtherKind, RepositoryName};
use serde_json::Value;

use super::actions::{Asked, Does, parse, these};
use crate::asking::{Fact, Question};
use crate::understood::NotUnderstood;

/// The head of a pull request, as far as it is known.
enum Known {
    /// This one.
    Head(Head),
    /// There is no pull request of that number.
    Missing,
    /// GitHub has to be asked.
    Ask(Question),
}

impl Asked<'_> {
    /// `head` is `BRANCH` or `OWNER:BRANCH`, `head_repo` the name of a repository of that owner ("Create a pull request", GitHub Docs).
    /// What is sent is the branch alone: it means one of the repository itself, and cannot mean another's.
    pub(super) fn opens_a_pull_request(&mut self) -> Result<Does, NotUnderstood> {
        let repository = self.named()?;
        let head = self.opened_head(&repository)?;
        let _: BranchName = self.branch("base")?;
        let changed = self.body.contains_key("issue"); // an issue that becomes a pull request
        let organizes = changed.then(|| self.other(OtherKind::Organize));
        if head.repository.as_ref() == Some(&repository) {
            self.body.remove("head_repo");
            self.body
                .insert("head".to_owned(), Value::from(head.branch.as_str()));
        }
        these(
            [GithubAction::CreatePullRequest { repository, head }]
                .into_iter()
                .chain(organizes),
        )
    }

    fn opened_head(&self, repository: &RepositoryName) -> Result<Head, NotUnderstood> {
        let written = self.required("head")?;
        let (owner, branch) = written.split_once(':').unwrap_or((repository.owner(), written));
        let name = self.text("head_repo").unwrap_or(repository.name());
        let name = name
            .strip_prefix(owner)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(name);
        let of = RepositoryName::of(owner, name).map_err(|why| NotUnderstood::because(why.to_string()))?;
        Ok(Head {
            repository: Some(of),
            branch: parse(branch)?,
        })
    }

    pub(super) fn changes_a_pull_request(&self) -> Result<Does, NotUnderstood> {
        let repository = self.named()?;
        if self.body.contains_key("base") {
            let _: BranchName = self.branch("base")?;
        }
        match self.known_head("pull_number")? {
            Known::Head(head) => these([GithubAction::ChangePullRequest { repository, head }]),
            Known::Missing => self.no_pull_request(),
            Known::Ask(question) => Ok(Does::Ask(question)),
        }
    }

    /// An issue is organized by people; a pull request of the session's is the session's.
    pub(super) fn changes_an_issue(&self) -> Result<Does, NotUnderstood> {
        let repository = self.named()?;
        match self.known_head("issue_number")? {
            Known::Head(head) => these([GithubAction::ChangePullRequest { repository, head }]),
            Known::Missing => these([self.other(OtherKind::Organize)]),
            Known::Ask(question) => Ok(Does::Ask(question)),
        }
    }

    /// Merges the base of a pull request into its head: the head is what is written.
    pub(super) fn updates_a_head(&self) -> Result<Does, NotUnderstood> {
        match self.known_head("pull_number")? {
            Known::Head(Head {
                repository: Some(of),
                branch,
            }) => these([GithubAction::UpdateRef(of, branch.to_ref())]),
            Known::Head(Head { repository: None, .. }) => these([self.other(OtherKind::Elsewhere)]),
            Known::Missing => self.no_pull_request(),
            Known::Ask(question) => Ok(Does::Ask(question)),
        }
    }

    /// Of another repository GitHub is not asked: nothing of it is written, whatever the head.
    fn known_head(&self, number: &str) -> Result<Known, NotUnderstood> {
        let repository = self.named()?;
        let number = self.arguments.number(number);
        let number = number.ok_or_else(|| NotUnderstood::because("the path has no number"))?;
        if !self.is_ours() {
            return Ok(Known::Missing);
        }
        let question = Question::PullRequest(repository, number);
        match self.facts.known(&question) {
            None => Ok(Known::Ask(question)),
            Some(Fact::PullRequest(head)) => Ok(Known::Head(head.clone())),
            Some(Fact::Missing) => Ok(Known::Missing),
            Some(_) => Err(NotUnderstood::because("GitHub's answer is to another question")),
        }
    }

    fn no_pull_request(&self) -> Result<Does, NotUnderstood> {
        if self.is_ours() {
            Err(NotUnderstood::because("there is no pull request of this number"))
        } else {
            these([self.other(OtherKind::Elsewhere)])
        }
    }
}
