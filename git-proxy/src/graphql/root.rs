//! Root fields: where a document begins.

use apollo_compiler::Node;
use apollo_compiler::ast::{Argument, Field, Selection, Value};
use outwall_policy::github::{GithubAction, OtherKind, RepositoryName, SessionRepository};
use serde_json::{Map, Value as Json};

use super::classes::{CLASSES, Root};
use super::document::Document;
use super::schema::TypeRef;
use super::value;
use super::walk::{Place, Walk, definition};
use crate::refusal::printable;
use crate::search;
use crate::understood::NotUnderstood;

impl Walk<'_> {
    /// A root field.
    pub(super) fn root_field(
        &mut self,
        field: &Field,
        of: &'static str,
        ty: &'static str,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        self.root(&field.name);
        if of == "Mutation" {
            return self.mutation(field, ty, depth);
        }
        match CLASSES.queries.get(field.name.as_str()) {
            Some(Root::Repository) => self.repository(field, ty, depth),
            Some(Root::Node) => self.nodes(field, "id", ty, depth),
            Some(Root::Nodes) => self.nodes(field, "ids", ty, depth),
            Some(Root::Search) => self.search(field, ty, depth),
            Some(Root::Outside) => {
                self.does(GithubAction::ReadCommon);
                self.selections(&field.selection_set, ty, Place::Outside, depth + 1)
            }
            other => {
                let kind = match other {
                    Some(Root::Refused(kind)) => *kind,
                    _ => OtherKind::Unknown,
                };
                self.refuse(kind, format!("query {}", field.name));
                Ok(())
            }
        }
    }

    /// `repository(owner:, name:)`. Of another than the session's nothing is read: GraphQL answers nobody without a token.
    fn repository(&mut self, field: &Field, ty: &'static str, depth: usize) -> Result<(), NotUnderstood> {
        let (owner, name) = (self.text(field, "owner")?, self.text(field, "name")?);
        let named = RepositoryName::of(&owner, &name)
            .map_err(|wrong| NotUnderstood::because(printable(&wrong.to_string())))?;
        if named != self.at.repository {
            self.refuse(OtherKind::Elsewhere, format!("read {named} with GraphQL"));
            return Ok(());
        }
        self.does(GithubAction::Read(named));
        self.selections(&field.selection_set, ty, Place::Inside, depth + 1)
    }

    /// `node(id:)`, `nodes(ids:)`: whatever the repository has.
    fn nodes(
        &mut self,
        field: &Field,
        argument: &str,
        ty: &'static str,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        let ids = match self.argument_of(field, definition("Query", &field.name)?, argument)? {
            Some(Json::Array(ids)) => ids,
            Some(id) => vec![id],
            None => vec![],
        };
        for id in ids.iter().filter_map(Json::as_str) {
            if let Some((fact, repository)) = self.node(id)? {
                if CLASSES.may_be_pull_request(&fact.type_name) {
                    self.does(GithubAction::ReadPullRequests(repository.clone()));
                }
                self.does(GithubAction::Read(repository));
            }
        }
        self.selections(&field.selection_set, ty, Place::Inside, depth + 1)
    }

    /// `search(query:, type:)`, of what the repository has. [`confine_searches`] saw to the first.
    fn search(&mut self, field: &Field, ty: &'static str, depth: usize) -> Result<(), NotUnderstood> {
        let (query, of) = (self.text(field, "query")?, self.text(field, "type")?);
        if !OF_REPOSITORIES.contains(&of.as_str()) {
            self.refuse(OtherKind::Elsewhere, format!("search of type {of}"));
            return Ok(());
        }
        if search::confined(&query, &self.at.repository).as_ref() != Ok(&query) {
            return Err(NotUnderstood::because(
                "a search is not of the session's repository",
            ));
        }
        if of != "DISCUSSION" && search::may_find_pull_requests(&query) {
            self.does(GithubAction::ReadPullRequests(self.at.repository.clone()));
        }
        self.does(GithubAction::Read(self.at.repository.clone()));
        self.selections(&field.selection_set, ty, Place::Inside, depth + 1)
    }

    fn text(&self, field: &Field, argument: &str) -> Result<String, NotUnderstood> {
        match self.argument_of(field, definition("Query", &field.name)?, argument)? {
            Some(Json::String(text)) => Ok(text),
            _ => Err(NotUnderstood::because(format!(
                "`{}` has no argument `{argument}`",
                field.name
            ))),
        }
    }
}

/// What `repo:` says something about.
const OF_REPOSITORIES: [&str; 3] = ["ISSUE", "ISSUE_ADVANCED", "DISCUSSION"];

/// Writes the session's repository into every search of a document. `search` is a field of `Query` and of nothing else.
pub(super) fn confine_searches(
    document: &mut Document,
    variables: &Map<String, Json>,
    at: &SessionRepository,
) -> Result<(), NotUnderstood> {
    confine(&mut document.operation.selection_set, variables, at)?;
    for fragment in document.fragments.values_mut() {
        if fragment.type_condition == "Query" {
            confine(&mut fragment.selection_set, variables, at)?;
        }
    }
    Ok(())
}

fn confine(
    selections: &mut [Selection],
    variables: &Map<String, Json>,
    at: &SessionRepository,
) -> Result<(), NotUnderstood> {
    for selection in selections {
        match selection {
            Selection::Field(field) if field.name == "search" => confine_one(field, variables, at)?,
            Selection::InlineFragment(inline) => {
                confine(&mut inline.make_mut().selection_set, variables, at)?;
            }
            Selection::Field(_) | Selection::FragmentSpread(_) => {}
        }
    }
    Ok(())
}

fn confine_one(
    field: &mut Node<Field>,
    variables: &Map<String, Json>,
    at: &SessionRepository,
) -> Result<(), NotUnderstood> {
    for argument in &mut field.make_mut().arguments {
        if argument.name != "query" {
            continue;
        }
        let asked = value::argument(
            &argument.value,
            variables,
            TypeRef("String!"),
            "the query of a search",
        )?;
        let asked = asked.as_ref().and_then(Json::as_str).unwrap_or_default();
        let confined = search::confined(asked, &at.repository)
            .map_err(|wrong| NotUnderstood::because(wrong.to_string()))?;
        *argument = Node::new(Argument {
            name: argument.name.clone(),
            value: Value::String(confined).into(),
        });
    }
    Ok(())
}
