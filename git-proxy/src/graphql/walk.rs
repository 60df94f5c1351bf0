//! Every field that a document selects, with where it leads.

use std::collections::{BTreeSet, HashSet};

use apollo_compiler::Name;
use apollo_compiler::ast::{Field, OperationType, Selection};
use outwall_policy::github::{GithubAction, OtherKind, RepositoryName, SessionRepository};
use serde_json::{Map, Value as Json};

use super::classes::{CLASSES, Inside};
use super::document::Document;
use super::schema::{Field as Definition, Kind, SCHEMA};
use super::value;
use crate::asking::{Fact, Facts, MOST_NODES, NodeFact, NodeId, Question};
use crate::understood::NotUnderstood;

/// A walk through a document.
pub(crate) struct Walk<'a> {
    pub(super) document: &'a Document,
    pub(super) variables: &'a Map<String, Json>,
    pub(super) at: &'a SessionRepository,
    facts: &'a Facts,
    actions: Vec<GithubAction>,
    unknown: BTreeSet<NodeId>,
    details: BTreeSet<String>,
    roots: Vec<String>,
    fragments: Fragments,
}

/// Fragments that were walked, by where they were spread.
#[derive(Default)]
struct Fragments {
    walked: HashSet<(Name, Place)>,
    open: Vec<Name>,
}

/// To whom an object belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The operation itself.
    Root,
    /// The repository.
    Inside,
    /// Nobody in particular: only its name is read.
    Outside,
}

/// Selections within selections, fragments counted: what is deeper is refused before it fills the stack.
const DEEPEST: usize = 100;

impl<'a> Walk<'a> {
    pub(crate) fn new(
        document: &'a Document,
        variables: &'a Map<String, Json>,
        at: &'a SessionRepository,
        facts: &'a Facts,
    ) -> Self {
        Self {
            document,
            variables,
            at,
            facts,
            actions: vec![],
            unknown: BTreeSet::new(),
            details: BTreeSet::new(),
            roots: vec![],
            fragments: Fragments::default(),
        }
    }

    /// Walks through the operation.
    pub(crate) fn operation(&mut self) -> Result<(), NotUnderstood> {
        let root = match self.document.operation.operation_type {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => {
                return Err(NotUnderstood::because("GitHub's GraphQL has no subscriptions"));
            }
        };
        self.selections(&self.document.operation.selection_set, root, Place::Root, 0)
    }

    /// What GitHub has to be asked. Not for what is refused, whatever the answer.
    pub(crate) fn questions(&self) -> Option<Vec<Question>> {
        let is_refused = self
            .actions
            .iter()
            .any(|action| matches!(action, GithubAction::Other { .. }));
        if is_refused || self.unknown.is_empty() {
            return None;
        }
        let ids: Vec<NodeId> = self.unknown.iter().cloned().collect();
        Some(
            ids.chunks(MOST_NODES)
                .map(|ids| Question::Nodes(ids.to_vec()))
                .collect(),
        )
    }

    /// What it would do, what it is called, and what else a record names.
    pub(crate) fn found(self) -> (Vec<GithubAction>, String, Vec<String>) {
        let operation = &self.document.operation;
        let fields = self
            .roots
            .iter()
            .take(MOST_NAMED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        let name = match (operation.operation_type, &operation.name) {
            (OperationType::Query, Some(name)) => {
                format!("query {}", &name[..name.len().min(LONGEST_NAME)])
            }
            (OperationType::Query, None) => format!("query {{ {fields} }}"),
            _ => format!("mutation {fields}"),
        };
        let details = self.roots.into_iter().chain(self.details).collect();
        (self.actions, name, details)
    }

    /// What is selected of an object of a type.
    pub(super) fn selections(
        &mut self,
        selections: &[Selection],
        of: &'static str,
        place: Place,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        if depth > DEEPEST {
            return Err(NotUnderstood::because("the query is too deep"));
        }
        if place != Place::Root && CLASSES.may_be_pull_request(of) {
            self.does(GithubAction::ReadPullRequests(self.at.repository.clone()));
        }
        for selection in selections {
            match selection {
                Selection::Field(field) => self.field(field, of, place, depth)?,
                Selection::InlineFragment(inline) => {
                    let of = self.fragment_of(inline.type_condition.as_ref(), of, place)?;
                    self.selections(&inline.selection_set, of, place, depth + 1)?;
                }
                Selection::FragmentSpread(spread) => self.spread(&spread.fragment_name, of, place, depth)?,
            }
        }
        Ok(())
    }

    fn spread(
        &mut self,
        name: &Name,
        of: &'static str,
        place: Place,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        if self.fragments.open.contains(name) {
            return Err(NotUnderstood::because(format!(
                "the fragment `{name}` is part of itself"
            )));
        }
        let document = self.document;
        let Some(fragment) = document.fragments.get(name) else {
            return Err(NotUnderstood::because(format!(
                "the query has no fragment `{name}`"
            )));
        };
        let of = self.fragment_of(Some(&fragment.type_condition), of, place)?;
        if self.fragments.walked.contains(&(name.clone(), place)) {
            return Ok(());
        }
        self.fragments.open.push(name.clone());
        self.selections(&fragment.selection_set, of, place, depth + 1)?;
        self.fragments.open.pop();
        self.fragments.walked.insert((name.clone(), place));
        Ok(())
    }

    /// The type that a fragment is of. That of a root is the root; elsewhere it is in the lists of its place.
    fn fragment_of(
        &mut self,
        condition: Option<&Name>,
        of: &'static str,
        place: Place,
    ) -> Result<&'static str, NotUnderstood> {
        let Some(condition) = condition else {
            return Ok(of);
        };
        let name = SCHEMA.name(condition).ok_or_else(|| {
            NotUnderstood::because(format!("the schema that is known here has no type `{condition}`"))
        })?;
        let may_be = match place {
            Place::Root => name == of,
            Place::Inside => CLASSES.may_be_inside(name),
            Place::Outside => CLASSES.may_be_outside(name),
        };
        if !may_be {
            self.refuse(OtherKind::Elsewhere, format!("... on {name}"));
        }
        Ok(name)
    }

    fn field(
        &mut self,
        field: &Field,
        of: &'static str,
        place: Place,
        depth: usize,
    ) -> Result<(), NotUnderstood> {
        if field.name == "__typename" && field.arguments.is_empty() && field.selection_set.is_empty() {
            if place == Place::Root {
                self.root("__typename");
            }
            return Ok(());
        }
        let definition = definition(of, &field.name)?;
        self.arguments(field, definition)?;
        let ty = definition.ty.name();
        if SCHEMA.is_leaf(ty) != field.selection_set.is_empty() {
            return Err(NotUnderstood::because(format!(
                "`{of}.{}` has fields selected, or none",
                field.name
            )));
        }
        let leads = match place {
            Place::Root => return self.root_field(field, of, ty, depth),
            Place::Inside => leads(field, of),
            Place::Outside => CLASSES.outside(of, &field.name).then_some(Place::Outside),
        };
        if let Some(place) = leads {
            return self.selections(&field.selection_set, ty, place, depth + 1);
        }
        self.refuse_field(of, field, place);
        Ok(())
    }

    fn refuse_field(&mut self, of: &str, field: &Field, place: Place) {
        let name = format!("{of}.{}", field.name);
        match CLASSES.inside(of, &field.name).filter(|_| place == Place::Inside) {
            Some(Inside::Signed) => {
                self.refuse(
                    OtherKind::Secrets,
                    format!("{name}, which has URLs or a token in it that need no more"),
                );
            }
            Some(Inside::Refused(kind)) => self.refuse(kind, name),
            _ => self.refuse(OtherKind::Elsewhere, name),
        }
    }

    /// Each argument is known, and its value is one of its type.
    fn arguments(&self, field: &Field, definition: &Definition) -> Result<(), NotUnderstood> {
        for argument in &field.arguments {
            self.argument_of(field, definition, argument.name.as_str())?;
        }
        Ok(())
    }

    /// The value of an argument; none where it has none.
    pub(super) fn argument_of(
        &self,
        field: &Field,
        definition: &Definition,
        name: &str,
    ) -> Result<Option<Json>, NotUnderstood> {
        let Some(argument) = field.arguments.iter().find(|argument| argument.name == name) else {
            return Ok(None);
        };
        let ty = definition.arguments.get(name).ok_or_else(|| {
            NotUnderstood::because(format!(
                "`{}` has no argument `{name}` in the schema that is known here",
                field.name
            ))
        })?;
        value::argument(
            &argument.value,
            self.variables,
            *ty,
            &format!("the argument `{name}` of `{}`", field.name),
        )
    }

    /// Notes what the document does.
    pub(super) fn does(&mut self, action: GithubAction) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
    }

    /// Notes something that nobody may do.
    pub(super) fn refuse(&mut self, kind: OtherKind, operation: String) {
        self.does(GithubAction::Other { operation, kind });
    }

    /// Notes a root field.
    pub(super) fn root(&mut self, field: &str) {
        if !self.roots.iter().any(|root| root == field) {
            self.roots.push(field.to_owned());
        }
        if field.starts_with("__") {
            self.does(GithubAction::ReadCommon);
        }
    }

    /// What is known of a node. What is not is asked; what is missing, or nobody's repository, is refused.
    pub(super) fn node(&mut self, id: &str) -> Result<Option<(NodeFact, RepositoryName)>, NotUnderstood> {
        let id = NodeId::parse(id).map_err(|wrong| NotUnderstood::because(wrong.to_string()))?;
        self.details.insert(id.as_str().to_owned());
        let (question, facts) = (Question::Node(id.clone()), self.facts);
        match facts.known(&question) {
            None => {
                self.unknown.insert(id);
                if self.unknown.len() > MOST_UNKNOWN {
                    let why = format!("the request names more than {MOST_UNKNOWN} nodes");
                    return Err(NotUnderstood::because(why));
                }
                Ok(None)
            }
            Some(Fact::Node(fact)) => {
                if let Some(repository) = &fact.repository {
                    return Ok(Some((fact.clone(), repository.clone())));
                }
                self.refuse(
                    OtherKind::Elsewhere,
                    format!("node {} of type {}", id.as_str(), fact.type_name),
                );
                Ok(None)
            }
            Some(_) => {
                self.refuse(
                    OtherKind::Elsewhere,
                    format!("node {}, which is missing", id.as_str()),
                );
                Ok(None)
            }
        }
    }
}

/// Where a field of something in the repository leads; none where it may not.
fn leads(field: &Field, of: &str) -> Option<Place> {
    match CLASSES.inside(of, &field.name) {
        Some(Inside::Stays) => Some(Place::Inside),
        Some(Inside::Leaves) => Some(Place::Outside),
        Some(Inside::Signed | Inside::Refused(_)) | None => None,
    }
}

/// And so many bytes of a name that the sandbox chose. All of them are ASCII.
const LONGEST_NAME: usize = 100;

/// The most nodes that GitHub is asked about for one request: each hundred is a request of ours, at the cost of the session's token.
const MOST_UNKNOWN: usize = 200;

/// Audit records name so many root fields in what an operation is called.
const MOST_NAMED: usize = 4;

pub(super) fn definition(of: &str, field: &Name) -> Result<&'static Definition, NotUnderstood> {
    let found = SCHEMA
        .named(of)
        .filter(|found| matches!(found.kind, Kind::Object | Kind::Interface));
    found
        .and_then(|found| found.fields.get(field.as_str()))
        .ok_or_else(|| {
            NotUnderstood::because(format!(
                "`{of}` has no field `{field}` in the schema that is known here"
            ))
        })
}

/// Whether every field of a document is one of the schema, wherever it leads.
#[cfg(test)]
pub(super) fn fits(document: &Document) -> Result<(), NotUnderstood> {
    fn each(document: &Document, selections: &[Selection], of: &str) -> Result<(), NotUnderstood> {
        for selection in selections {
            match selection {
                Selection::Field(field) if field.name == "__typename" => {}
                Selection::Field(field) => each(
                    document,
                    &field.selection_set,
                    definition(of, &field.name)?.ty.name(),
                )?,
                Selection::InlineFragment(inline) => each(
                    document,
                    &inline.selection_set,
                    inline.type_condition.as_ref().map_or(of, |name| name),
                )?,
                Selection::FragmentSpread(spread) => {
                    let fragment = &document.fragments[&spread.fragment_name];
                    each(document, &fragment.selection_set, &fragment.type_condition)?;
                }
            }
        }
        Ok(())
    }
    each(document, &document.operation.selection_set, "Query")
}
