//! Fields of `Query`, and of users.

use serde_json::{Value, json};

use super::object::{Found, Item, refused};
use super::{Context, search};
use crate::github::node_id::NodeId;
use crate::github::store::{Record, Store};
use crate::github::tokens::{Bearer, Caller, Wanted};

pub(super) fn field(context: &Context<'_>, field: &str, arguments: &Value) -> Found {
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    match field {
        "viewer" => {
            let store = context.store.borrow();
            let login = context.caller.login().unwrap_or_default();
            let key = store.actor_named(&login);
            // An App's token has a viewer of the type `User`, too.
            let bot =
                || json!({ "__typename": "User", "login": login, "id": "BOT_kgDOAAjp6A", "name": login });
            let user = key.filter(|(kind, _)| *kind == "User");
            Ok(Some(user.map_or_else(bot, |key| store.link(key))))
        }
        "repository" => {
            let store = context.store.borrow();
            let (owner, name) = (text("owner"), text("name"));
            let found = store
                .repository_named(owner, name)
                .filter(|record| context.sees(&store, Some(record.id)));
            let missing = || {
                refused(format!(
                    "Could not resolve to a Repository with the name '{owner}/{name}'."
                ))
            };
            found
                .map(|record| Some(store.link(record.key())))
                .ok_or_else(missing)
        }
        "node" => node(context, text("id")).map(Some),
        "nodes" => {
            let ids = arguments["ids"].as_array().cloned().unwrap_or_default();
            let nodes = ids
                .iter()
                .map(|id| node(context, id.as_str().unwrap_or_default()).unwrap_or(Value::Null));
            Ok(Some(nodes.collect::<Vec<_>>().into()))
        }
        "user" | "organization" | "repositoryOwner" => {
            let store = context.store.borrow();
            let article = if field == "organization" { "an" } else { "a" };
            let kind = if field == "organization" {
                "Organization"
            } else {
                "User"
            };
            let found = store
                .actor_named(text("login"))
                .filter(|key| field == "repositoryOwner" || key.0 == kind);
            let missing = || {
                refused(format!(
                    "Could not resolve to {article} {kind} with the login of '{}'.",
                    text("login")
                ))
            };
            found.map(|key| Some(store.link(key))).ok_or_else(missing)
        }
        "resource" => {
            let store = context.store.borrow();
            let all = store
                .records
                .values()
                .filter(|record| context.sees(&store, of(record)));
            let found = all.filter(|record| {
                matches!(
                    record.kind,
                    "Repository" | "PullRequest" | "Issue" | "User" | "Release"
                )
            });
            let found = found
                .into_iter()
                .find(|record| context.url(&store, record) == text("url"));
            Ok(found.map(|record| store.link(record.key())))
        }
        "rateLimit" => Ok(Some(
            json!({ "limit": 5000, "cost": 1, "remaining": 4999, "used": 1, "nodeCount": 1 }),
        )),
        "search" => Ok(Some(search::run(context, text("query"), text("type")))),
        "id" => Ok(Some("VTpRdWVyeQ".into())),
        _ => Ok(None),
    }
}

fn of(record: &Record) -> Option<u64> {
    if record.kind == "Repository" {
        Some(record.id)
    } else {
        record.repository
    }
}

fn node(context: &Context<'_>, id: &str) -> Result<Value, apollo_compiler::resolvers::FieldError> {
    let missing = || {
        refused(format!(
            "Could not resolve to a node with the global id of '{id}'."
        ))
    };
    let item = context.item(id).ok_or_else(missing)?;
    let store = context.store.borrow();
    let repository = match &item {
        Item::Record(key) => of(&store.records[key]),
        Item::Git(_, repository, name) => {
            let disk = &store.disks[repository];
            let is_there = disk.resolve(name).is_some_and(|id| disk.kind(&id).is_some());
            Some(*repository)
                .filter(|_| is_there)
                .ok_or_else(missing)
                .map(Some)?
        }
        _ => None,
    };
    if context.sees(&store, repository) {
        Ok(json!({ "$": id }))
    } else {
        Err(missing())
    }
}

impl Context<'_> {
    /// Whether the caller may know of what is in this repository.
    pub(super) fn sees(&self, store: &Store, repository: Option<u64>) -> bool {
        repository.is_none_or(|id| store.may(self.caller, Wanted::Read, "metadata", id))
    }
}

pub(super) fn actor_field(
    context: &Context<'_>,
    store: &Store,
    actor: &Record,
    field: &str,
) -> Option<Value> {
    let owned = |kind: &'static str| {
        let mine = store.link(actor.key());
        let all = store
            .of_kind(kind)
            .filter(move |record| record.fields.get("owner") == Some(&mine));
        let seen = all.filter(|record| context.sees(store, of(record)));
        Value::from(seen.map(|record| store.link(record.key())).collect::<Vec<_>>())
    };
    Some(match field {
        "repositories" => owned("Repository"),
        "gists" => owned("Gist"),
        "isViewer" => (Some(actor.text("login").to_owned()) == context.caller.login()).into(),
        "avatarUrl" => format!("https://avatars.githubusercontent.com/u/{}", actor.id).into(),
        "organizations" if matches!(context.caller, Caller::Known(Bearer::User { .. })) => json!([]),
        _ => return None,
    })
}

/// The node id of a ref, an object of git.
pub(super) fn git_link(kind: &'static str, repository: u64, name: &str) -> Value {
    json!({ "$": NodeId::Git(kind, repository, name.to_owned()).text(None) })
}
