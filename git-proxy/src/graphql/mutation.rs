//! What a mutation does: by its name, its input, and what GitHub says of the nodes that the input names.

mod commit;
mod refs;

use apollo_compiler::ast::Field;
use outwall_policy::github::{BranchName, GithubAction, Head, OtherKind, RepositoryName};
use serde_json::{Map, Value as Json};

use super::classes::{CLASSES, Does, Mutation, Understood};
use super::walk::{Place, Walk, definition};
use crate::asking::{Author, NodeFact};
use crate::understood::NotUnderstood;

/// A mutation with its input.
pub(super) struct Asked<'m> {
    /// `createPullRequest`
    name: &'m str,
    is: &'m Understood,
    input: &'m Map<String, Json>,
}

/// Something that a mutation names, and the repository that has it.
type Known = (NodeFact, RepositoryName);

impl Walk<'_> {
    /// A mutation, and what is selected of its payload.
    pub(super) fn mutation(
        &mut self,
        field: &Field,
        ty: &'static str,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        let name = field.name.as_str();
        let is = match CLASSES.mutations.get(name) {
            Some(Mutation::Understood(is)) => is,
            other => {
                let kind = match other {
                    Some(Mutation::Refused(kind)) => *kind,
                    _ => OtherKind::Unknown,
                };
                self.refuse(kind, format!("mutation {name}"));
                return Ok(());
            }
        };
        let input = self.argument_of(field, definition("Mutation", &field.name)?, "input")?;
        let Some(Json::Object(input)) = input else {
            return Err(NotUnderstood::because(format!("`{name}` has no `input`")));
        };
        let asked = Asked {
            name,
            is,
            input: &input,
        };
        self.members(&asked)?;
        self.effect(&asked)?;
        self.selections(&field.selection_set, ty, Place::Inside, depth + 1)
    }

    /// Every member of the input is in a list; what has to be in the repository is read of it.
    fn members(&mut self, asked: &Asked<'_>) -> Result<(), NotUnderstood> {
        let has = |list: &[String], name: &String| list.contains(name);
        for (name, value) in asked.input {
            if has(&asked.is.here, name) {
                for (_, repository) in self.all(value)? {
                    self.does(GithubAction::Read(repository));
                }
            } else if has(&asked.is.refused, name) {
                if !is_empty(value) {
                    self.refuse(
                        OtherKind::Organize,
                        format!("mutation {} with `{name}`", asked.name),
                    );
                }
            } else if !has(&asked.is.plain, name)
                && !has(&asked.is.read, name)
                && asked.is.subject.as_ref() != Some(name)
            {
                return Err(NotUnderstood::because(format!(
                    "`{}` has the member `{name}`, of which nothing is known",
                    asked.name
                )));
            }
        }
        Ok(())
    }

    fn effect(&mut self, asked: &Asked<'_>) -> Result<(), NotUnderstood> {
        match asked.is.does {
            Does::Commit => return self.commit(asked),
            Does::Ref => return self.refs(asked),
            Does::Review if !self.is_review(asked) => return Ok(()),
            _ => {}
        }
        for known in self.subjects(asked)? {
            self.effect_on(asked, known)?;
        }
        Ok(())
    }

    fn effect_on(&mut self, asked: &Asked<'_>, (subject, repository): Known) -> Result<(), NotUnderstood> {
        let other = |what: String| GithubAction::Other {
            operation: format!("mutation {} of {what}", asked.name),
            kind: OtherKind::Organize,
        };
        let action = match (asked.is.does, subject.type_name.as_str(), subject.head) {
            (Does::CreatePullRequest, "Repository", _) => GithubAction::CreatePullRequest {
                head: self.head(asked, &repository)?,
                repository,
            },
            (Does::Change, "PullRequest", Some(head)) => GithubAction::ChangePullRequest { repository, head },
            (Does::UpdateBranch, "PullRequest", Some(head)) => {
                self.update_branch(asked, &head);
                GithubAction::ChangePullRequest { repository, head }
            }
            (Does::CreateIssue, "Repository", _) => GithubAction::CreateIssue(repository),
            (Does::OwnComment, of, _) if COMMENTED.contains(&of) && subject.author == Author::Others => {
                other("what somebody else wrote".to_owned())
            }
            (Does::Comment | Does::OwnComment | Does::Review, of, _) if COMMENTED.contains(&of) => {
                GithubAction::Comment(repository)
            }
            (Does::Rerun, "CheckSuite", _) => GithubAction::RerunWorkflow(repository),
            (_, of, _) => other(of.to_owned()),
        };
        self.does(action);
        Ok(())
    }

    /// What it is done to: its subject, or where it has none whatever its input names.
    fn subjects(&mut self, asked: &Asked<'_>) -> Result<Vec<Known>, NotUnderstood> {
        let members: Vec<&String> = match &asked.is.subject {
            Some(subject) => vec![subject],
            None => asked.is.here.iter().collect(),
        };
        let values: Vec<&Json> = members
            .iter()
            .filter_map(|member| asked.input.get(member.as_str()))
            .filter(|value| !is_empty(value))
            .collect();
        if values.is_empty() {
            return Err(NotUnderstood::because(format!(
                "`{}` says not what it is done to",
                asked.name
            )));
        }
        let mut subjects = vec![];
        for value in values {
            subjects.extend(self.all(value)?);
        }
        Ok(subjects)
    }

    /// What is known of the nodes whose ids these are.
    fn all(&mut self, ids: &Json) -> Result<Vec<Known>, NotUnderstood> {
        let ids = match ids {
            Json::Array(ids) => ids.as_slice(),
            id => std::slice::from_ref(id),
        };
        let mut known = vec![];
        for id in ids.iter().filter_map(Json::as_str) {
            known.extend(self.node(id)?);
        }
        Ok(known)
    }

    /// What is asked to be merged: a branch of the repository, or of the one with the id. `OWNER:BRANCH` is of another, unless that is the
    /// owner of this one.
    fn head(&mut self, asked: &Asked<'_>, repository: &RepositoryName) -> Result<Head, NotUnderstood> {
        let name = asked.text("headRefName")?;
        let (owner, branch) = name
            .split_once(':')
            .map_or((None, name), |(owner, branch)| (Some(owner), branch));
        let branch: BranchName = branch
            .parse()
            .map_err(|wrong| NotUnderstood::because(format!("`headRefName`: {wrong}")))?;
        let is_foreign = owner.is_some_and(|owner| !owner.eq_ignore_ascii_case(repository.owner()));
        let of_id = match asked.input.get("headRepositoryId") {
            Some(id) if !id.is_null() => self.all(id)?.pop().map(|(_, repository)| repository),
            _ => Some(repository.clone()),
        };
        Ok(Head {
            repository: of_id.filter(|_| !is_foreign),
            branch,
        })
    }

    /// The base is merged into the head, or the head is put on top of it.
    fn update_branch(&mut self, asked: &Asked<'_>, head: &Head) {
        if let Some(of) = head.repository.clone() {
            let written = head.branch.to_ref();
            self.does(match asked.input.get("updateMethod").and_then(Json::as_str) {
                Some("MERGE") | None => GithubAction::UpdateRef(of, written),
                Some(_) => GithubAction::ForceRef(of, written),
            });
        }
    }

    /// Whether a review is one that a session may write: it comments. To approve, and to ask for changes, which holds a merge back until
    /// it is dismissed, are a person's, as by REST.
    fn is_review(&mut self, asked: &Asked<'_>) -> bool {
        match asked.input.get("event").and_then(Json::as_str) {
            None | Some("COMMENT") => true,
            Some(event) => {
                self.refuse(
                    OtherKind::Approve,
                    format!("mutation {} with {event}", asked.name),
                );
                false
            }
        }
    }
}

impl Asked<'_> {
    fn text(&self, member: &str) -> Result<&str, NotUnderstood> {
        let text = self.input.get(member).and_then(Json::as_str);
        text.ok_or_else(|| NotUnderstood::because(format!("`{}` has no `{member}`", self.name)))
    }
}

fn is_empty(value: &Json) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// What a session may comment on, react to, or resolve. Not discussions and releases.
const COMMENTED: [&str; 7] = [
    "Issue",
    "IssueComment",
    "PullRequest",
    "PullRequestReview",
    "PullRequestReviewComment",
    "PullRequestReviewThread",
    "CommitComment",
];
