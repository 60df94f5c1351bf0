//! Mutations. What is modelled changes its records and the real refs; every other one is noted, with all that it was given. None
//! leaves the state as it was.

mod conversations;
mod pulls;
mod refs;

use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::FieldError;
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value, json};

use super::Context;
use super::object::{Item, refused};
use crate::github::State;
use crate::github::deeds::Refused;
use crate::github::store::{Key, Store};
use crate::github::tokens::Wanted;

/// One mutation, on its way.
struct Mutation<'m> {
    name: &'m str,
    input: &'m Value,
    /// Every node id in the input, checked to be there and writable.
    ids: Vec<String>,
    /// The repository of the first of them that has one.
    repository: Option<u64>,
}

impl From<Refused> for FieldError {
    fn from(Refused(message): Refused) -> Self {
        Self { message }
    }
}

/// The payload of the mutation `name`.
pub(super) fn run(context: &Context<'_>, name: &str, input: &Value) -> Result<Value, FieldError> {
    let field = context
        .schema
        .type_field("Mutation", name)
        .map_err(|_| refused("no such mutation"))?;
    let mut ids = Vec::new();
    if let Some(argument) = field.arguments.first() {
        collect(context, &argument.ty, input, &mut ids);
    }
    let repository = permitted(context, name, &ids)?;
    let mutation = Mutation {
        name,
        input,
        ids,
        repository,
    };
    let mut store = context.store.borrow_mut();
    let before = State::of(&store);
    let modelled = pulls::run(context, &mut store, &mutation)
        .or_else(|| conversations::run(context, &mut store, &mutation))
        .or_else(|| refs::run(context, &mut store, &mutation));
    let mut payload = match modelled {
        Some(payload) => payload?,
        None => noted(context, &mut store, &mutation, field.ty.inner_named_type()),
    };
    if before == State::of(&store) {
        mutation.note(&mut store); // it was done, although all is as it was
    }
    payload["clientMutationId"] = input["clientMutationId"].clone();
    Ok(payload)
}

/// Every id in the input, by the schema's types: an `ID` at any depth.
fn collect(context: &Context<'_>, ty: &Type, value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(context, ty, item, ids)),
        Value::Object(fields) => {
            if let Some(ExtendedType::InputObject(input)) = context.schema.types.get(ty.inner_named_type()) {
                for (name, value) in fields {
                    if let Some(field) = input.fields.get(name.as_str()) {
                        collect(context, &field.ty, value, ids);
                    }
                }
            }
        }
        Value::String(id) if ty.inner_named_type() == "ID" => ids.push(id.clone()),
        _ => {}
    }
}

/// Whether the caller may write to everything that is named; the first repository that is.
fn permitted(context: &Context<'_>, name: &str, ids: &[String]) -> Result<Option<u64>, FieldError> {
    let mut first = None;
    for id in ids {
        let missing = || {
            refused(format!(
                "Could not resolve to a node with the global id of '{id}'"
            ))
        };
        let item = context.item(id).ok_or_else(missing)?;
        let store = context.store.borrow();
        let repository = match &item {
            Item::Record(key) if key.0 == "Repository" => Some(key.1),
            Item::Record(key) => store.records[key].repository,
            Item::Git(_, repository, _) => Some(*repository),
            _ => None,
        };
        let Some(repository) = repository else { continue };
        if !context.sees(&store, Some(repository)) {
            return Err(missing());
        }
        if !store.may(context.caller, Wanted::Write, permission(name), repository) {
            let who = context.caller.login().unwrap_or_default();
            return Err(refused(format!(
                "{who} does not have the correct permissions to execute `{name}`"
            )));
        }
        first = first.or(Some(repository));
    }
    Ok(first)
}

/// The permission of an App that a mutation needs, roughly.
fn permission(name: &str) -> &'static str {
    let has = |part: &str| name.contains(part);
    if has("Ref") || has("Commit") || has("mergeBranch") {
        "contents"
    } else if has("PullRequest") || has("Review") {
        "pull_requests"
    } else if has("Issue") || has("Comment") || has("Label") || has("Assign") {
        "issues"
    } else {
        "administration"
    }
}

/// What is not modelled in detail: that it was done, to what, and an answer that names that.
fn noted(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>, payload: &str) -> Value {
    mutation.note(store);
    let mut answer = Map::new();
    if let Some(payload) = context.schema.get_object(payload) {
        for (name, field) in &payload.fields {
            let kind = field.ty.inner_named_type();
            let of_kind = |id: &&String| {
                crate::github::node_id::NodeId::parse(id).is_some_and(|id| match id {
                    crate::github::node_id::NodeId::Record(is, _)
                    | crate::github::node_id::NodeId::Git(is, ..) => is == kind.as_str(),
                })
            };
            if let Some(id) = mutation.ids.iter().find(of_kind).filter(|_| !field.ty.is_list()) {
                answer.insert(name.to_string(), json!({ "$": id }));
            }
        }
    }
    Value::Object(answer)
}

impl Mutation<'_> {
    /// Notes that it was done.
    fn note(&self, store: &mut Store) {
        store.change(self.name, self.input.clone(), self.repository, self.ids.clone());
    }

    fn text(&self, field: &str) -> &str {
        self.input[field].as_str().unwrap_or_default()
    }

    /// The record that a field of the input names, if it is of this kind.
    fn record(&self, store: &Store, field: &str, kinds: &[&str]) -> Result<Key, FieldError> {
        let id = self.text(field);
        let found = store.record_of(id).filter(|record| kinds.contains(&record.kind));
        found.map(crate::github::store::Record::key).ok_or_else(|| {
            refused(format!(
                "Could not resolve to {} node with the global id of '{id}'.",
                kinds.first().unwrap_or(&"a")
            ))
        })
    }

    /// These fields of the input, as far as they are given.
    fn given(&self, fields: &[&str]) -> Map<String, Value> {
        let given = fields
            .iter()
            .filter_map(|field| Some(((*field).to_owned(), self.input.get(field)?.clone())));
        given.filter(|(_, value)| !value.is_null()).collect()
    }

    /// The ids in a field of the input, as links.
    fn links(&self, field: &str) -> Vec<Value> {
        let ids = self.input[field].as_array().cloned().unwrap_or_default();
        ids.into_iter().map(|id| json!({ "$": id })).collect()
    }
}
