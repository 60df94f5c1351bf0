//! What an operation would do, read from its arguments.

use outwall_policy::github::{
    BranchName, GithubAction, ObjectId, OtherKind, RefName, RepositoryName, SessionGrant,
};
use serde_json::{Map, Value};

use super::catalogue::Class;
use super::file_path::is_workflow;
use super::path::is_encoded;
use super::query::Query;
use super::template::Arguments;
use crate::asking::{Author, Comment, Fact, Facts, Question};
use crate::search;
use crate::understood::NotUnderstood;

/// An operation with its arguments.
pub(super) struct Asked<'a> {
    pub(super) class: Class,
    pub(super) id: &'a str,
    pub(super) repository: Option<RepositoryName>,
    pub(super) arguments: Arguments,
    pub(super) query: Query,
    pub(super) body: Map<String, Value>,
    pub(super) session: &'a SessionGrant,
    pub(super) facts: &'a Facts,
}

/// What an operation would do.
pub(super) enum Does {
    /// These.
    These(Vec<GithubAction>),
    /// GitHub has to be asked first.
    Ask(Question),
}

type Understood = Result<Does, NotUnderstood>;

impl Asked<'_> {
    /// What it would do. Query and body become what is sent.
    pub(super) fn does(&mut self) -> Understood {
        use Class as C;
        match self.class {
            C::Read => self.reads(&[GithubAction::Read]),
            C::Compare => self.compares(),
            C::ReadPullRequests => self.reads(&[GithubAction::ReadPullRequests]),
            C::ReadIssues => self.reads(&[GithubAction::Read, GithubAction::ReadPullRequests]),
            C::ReadCommon | C::SessionUser => these([GithubAction::ReadCommon]),
            C::Search | C::SearchIssues => self.searches(),
            C::SearchLabels => self.searches_labels(),
            C::StoreObject => these([GithubAction::StoreObjects(self.named()?)]),
            C::StoreTree => self.stores_a_tree(),
            C::WriteFile => self.writes_a_file(),
            C::CreateRef | C::UpdateRef | C::DeleteRef => self.writes_a_ref(),
            C::MergeInto => self.merges(),
            C::UpdateHead => self.updates_a_head(),
            C::CreatePullRequest => self.opens_a_pull_request(),
            C::ChangePullRequest => self.changes_a_pull_request(),
            C::ChangeIssue => self.changes_an_issue(),
            C::Comment => these([GithubAction::Comment(self.named()?)]),
            C::ChangeComment => self.changes_a_comment(),
            C::Review => self.reviews(),
            C::CreateIssue => these([GithubAction::CreateIssue(self.named()?)]),
            C::Rerun => these([GithubAction::RerunWorkflow(self.named()?)]),
            C::Refused(kind) => these([self.other(kind)]),
        }
    }

    /// What a record of it names: numbers and refs.
    pub(super) fn details(&self) -> Vec<String> {
        let named = self.arguments.iter();
        named
            .filter(|(name, _)| !matches!(*name, "owner" | "repo"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    /// The repository that it is about.
    pub(super) fn named(&self) -> Result<RepositoryName, NotUnderstood> {
        let missing = || NotUnderstood::because("the path names no repository");
        self.repository.clone().ok_or_else(missing)
    }

    /// Whether it is about the session's repository: of no other is GitHub asked anything.
    pub(super) fn is_ours(&self) -> bool {
        self.repository.as_ref() == Some(&self.session.at().repository)
    }

    pub(super) fn other(&self, kind: OtherKind) -> GithubAction {
        GithubAction::Other {
            operation: self.id.to_owned(),
            kind,
        }
    }

    /// Text of the body; none where it is missing.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(Value::as_str)
    }

    /// Text that the body has to have.
    pub(super) fn required(&self, member: &str) -> Result<&str, NotUnderstood> {
        let missing = || NotUnderstood::because(format!("the body has no {member:?}"));
        self.text(member).ok_or_else(missing)
    }

    /// A branch that the body has to name.
    pub(super) fn branch(&self, member: &str) -> Result<BranchName, NotUnderstood> {
        parse(self.required(member)?)
    }

    fn reads(&self, how: &[fn(RepositoryName) -> GithubAction]) -> Understood {
        let named = self.named()?;
        let arguments = self.arguments.iter();
        for (name, value) in arguments.filter(|(name, _)| !matches!(*name, "path" | "dir")) {
            if is_encoded(value) {
                return Err(NotUnderstood::because(format!("{name} is encoded twice")));
            }
        }
        these(how.iter().map(|action| action(named.clone())))
    }

    /// `BASE...HEAD`; each may be `BRANCH`, `OWNER:BRANCH` or `OWNER:REPOSITORY:BRANCH` ("Compare two commits", GitHub Docs).
    fn compares(&self) -> Understood {
        let repository = self.named()?;
        let sides = self.arguments.of("basehead").split("...");
        let is_here = |side: &str| match side.split(':').collect::<Vec<_>>().as_slice() {
            [_] => true,
            [owner, _] => owner.eq_ignore_ascii_case(repository.owner()),
            [owner, name, _] => RepositoryName::of(owner, name).is_ok_and(|named| named == repository),
            _ => false,
        };
        if sides.into_iter().all(is_here) {
            return self.reads(&[GithubAction::Read]);
        }
        these([self.other(OtherKind::Elsewhere)])
    }

    fn searches(&mut self) -> Understood {
        let repository = self.session.at().repository.clone();
        let forced = search::confined(self.query.of("q").unwrap_or_default(), &repository)
            .map_err(|wrong| NotUnderstood::because(format!("`q`: {wrong}")))?;
        let finds = self.class == Class::SearchIssues && search::may_find_pull_requests(&forced);
        self.query.set("q", forced);
        let pull_requests = finds.then(|| GithubAction::ReadPullRequests(repository.clone()));
        these([GithubAction::Read(repository)].into_iter().chain(pull_requests))
    }

    fn searches_labels(&self) -> Understood {
        let repository = self.session.at().repository.clone();
        let question = Question::RepositoryNumber(repository.clone());
        let number = self.query.of("repository_id").unwrap_or_default();
        match self.facts.known(&question) {
            None => Ok(Does::Ask(question)),
            Some(Fact::RepositoryNumber(ours)) if ours.to_string() == number => {
                these([GithubAction::Read(repository)])
            }
            Some(_) => these([self.other(OtherKind::Elsewhere)]),
        }
    }

    /// A tree that is named by its id may be one with workflows under any name: objects do nothing yet. When a ref is moved to a commit
    /// with other workflows, GitHub itself refuses an App's token that has no permission for them.
    fn stores_a_tree(&self) -> Understood {
        let repository = self.named()?;
        let entries = self.body.get("tree").and_then(Value::as_array);
        let mut workflows = false;
        for path in entries.into_iter().flatten().map(|entry| entry.get("path")) {
            let path = path.and_then(Value::as_str);
            let path = path.ok_or_else(|| NotUnderstood::because("an entry of the tree has no \"path\""))?;
            workflows |= is_workflow(path)?;
        }
        let changed = workflows.then(|| GithubAction::ChangeWorkflow(repository.clone()));
        these(
            [GithubAction::StoreObjects(repository)]
                .into_iter()
                .chain(changed),
        )
    }

    fn writes_a_file(&self) -> Understood {
        let repository = self.named()?;
        let name = match self.text("branch") {
            Some(_) => self.branch("branch")?.to_ref(),
            None => parse(DEFAULT_BRANCH)?,
        };
        let workflow = is_workflow(self.arguments.of("path"))?;
        let changed = workflow.then(|| GithubAction::ChangeWorkflow(repository.clone()));
        these(
            [GithubAction::UpdateRef(repository, name)]
                .into_iter()
                .chain(changed),
        )
    }

    fn writes_a_ref(&self) -> Understood {
        let repository = self.named()?;
        let name: RefName = match self.class {
            Class::CreateRef => parse(self.required("ref")?)?,
            _ => parse(&format!("refs/{}", self.arguments.of("ref")))?,
        };
        if is_encoded(name.as_str()) {
            return Err(NotUnderstood::because("the ref is encoded twice"));
        }
        if self.class == Class::DeleteRef {
            return these([GithubAction::DeleteRef(repository, name)]);
        }
        let to: ObjectId = parse(self.required("sha")?)?;
        if to.is_null() {
            return Err(NotUnderstood::because("a ref cannot be moved to no object"));
        }
        let forced = self.body.get("force").and_then(Value::as_bool) == Some(true);
        these([match self.class {
            Class::CreateRef => GithubAction::CreateRef(repository, name),
            _ if forced => GithubAction::ForceRef(repository, name),
            _ => GithubAction::UpdateRef(repository, name),
        }])
    }

    /// `head` is a branch or a commit, of this repository.
    fn merges(&self) -> Understood {
        let base = self.branch("base")?.to_ref();
        let head = self.required("head")?;
        if head.parse::<RefName>().is_err() && head.parse::<BranchName>().is_err() {
            return Err(NotUnderstood::because(format!(
                "{head:?} is neither a branch nor a commit"
            )));
        }
        these([GithubAction::UpdateRef(self.named()?, base)])
    }

    /// GitHub lets who may write to a repository change what others said. A session changes what its own account said.
    fn changes_a_comment(&self) -> Understood {
        let repository = self.named()?;
        if !self.is_ours() {
            return these([self.other(OtherKind::Elsewhere)]);
        }
        let question = Question::Comment(repository.clone(), self.comment()?);
        let node = match self.facts.known(&question) {
            None => return Ok(Does::Ask(question)),
            Some(Fact::IsNode(node)) => Question::Node(node.clone()),
            Some(_) => return Err(NotUnderstood::because("there is no such comment")),
        };
        match self.facts.known(&node) {
            None => Ok(Does::Ask(node)),
            Some(Fact::Node(found))
                if found.author == Author::Ours && found.repository.as_ref() == Some(&repository) =>
            {
                these([GithubAction::Comment(repository)])
            }
            Some(_) => these([self.other(OtherKind::Organize)]),
        }
    }

    fn comment(&self) -> Result<Comment, NotUnderstood> {
        let number = |name: &str| self.arguments.number(name);
        let found = match self.id {
            "issues/update-comment" => number("comment_id").map(Comment::OfIssue),
            "repos/update-commit-comment" => number("comment_id").map(Comment::OfCommit),
            "pulls/update-review-comment" => number("comment_id").map(Comment::OfLines),
            "pulls/update-review" => number("pull_number")
                .zip(number("review_id"))
                .map(|(of, review)| Comment::Review { of, review }),
            _ => None,
        };
        found.ok_or_else(|| NotUnderstood::because("it is no comment that is known"))
    }

    /// `event` is COMMENT, or none for a review that waits to be submitted.
    fn reviews(&self) -> Understood {
        match self.text("event") {
            None | Some("COMMENT") => these([GithubAction::Comment(self.named()?)]),
            Some(_) => these([self.other(OtherKind::Approve)]),
        }
    }
}

/// What GitHub commits to when no branch is named.
const DEFAULT_BRANCH: &str = "HEAD";

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that may fail")]
pub(super) fn these(all: impl IntoIterator<Item = GithubAction>) -> Understood {
    Ok(Does::These(all.into_iter().collect()))
}

/// What a name names.
pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, NotUnderstood>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|why: T::Err| NotUnderstood::because(why.to_string()))
}
