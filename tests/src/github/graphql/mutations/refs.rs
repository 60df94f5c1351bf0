//! Mutations of refs and branches, and of repositories: in the real repository.

use apollo_compiler::resolvers::FieldError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::Context;
use super::super::object::refused;
use super::super::roots::git_link;
use super::Mutation;
use crate::github::deeds::commits::FileChange;
use crate::github::deeds::{commits, refs};
use crate::github::node_id::NodeId;
use crate::github::store::Store;
use crate::github::tokens::Wanted;

pub(super) fn run(
    context: &Context<'_>,
    store: &mut Store,
    mutation: &Mutation<'_>,
) -> Option<Result<Value, FieldError>> {
    let ran = match mutation.name {
        "createRef" => create(store, mutation),
        "updateRef" | "deleteRef" => one(store, mutation),
        "updateRefs" => many(store, mutation),
        "createCommitOnBranch" => commit(context, store, mutation),
        "mergeBranch" => merge(store, mutation),
        "createLinkedBranch" => linked(store, mutation),
        "createRepository" => repository(context, store, mutation),
        _ => return None,
    };
    Some(ran)
}

fn create(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let name = mutation.text("name");
    refs::create(store, repository, name, mutation.text("oid"))?;
    Ok(json!({ "ref": git_link("Ref", repository, name) }))
}

fn named_ref(id: &str) -> Result<(u64, String), FieldError> {
    match NodeId::parse(id) {
        Some(NodeId::Git("Ref", repository, name)) => Ok((repository, name)),
        _ => Err(refused(format!(
            "Could not resolve to Ref node with the global id of '{id}'."
        ))),
    }
}

fn one(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (repository, name) = named_ref(mutation.text("refId"))?;
    if mutation.name == "deleteRef" {
        refs::delete(store, repository, &name)?;
        return Ok(json!({}));
    }
    let force = mutation.input["force"].as_bool().unwrap_or(false);
    refs::update(store, repository, &name, mutation.text("oid"), force)?;
    Ok(json!({ "ref": git_link("Ref", repository, &name) }))
}

/// All of them or none: each is tried, and what was done is undone when one is not.
fn many(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let disk = refs::disk(store, repository)?;
    let before = disk.refs();
    for update in mutation.input["refUpdates"]
        .as_array()
        .cloned()
        .unwrap_or_default()
    {
        let text = |name: &str| update[name].as_str().unwrap_or_default().to_owned();
        let force = update["force"].as_bool().unwrap_or(false);
        let done = refs::set(
            store,
            repository,
            &text("name"),
            update["beforeOid"].as_str(),
            &text("afterOid"),
            force,
        );
        if let Err(why) = done {
            for name in disk.refs().keys().filter(|name| !before.contains_key(*name)) {
                let _ = disk.update(name, None, None);
            }
            for (name, id) in before.iter().filter(|(name, _)| name.starts_with("refs/")) {
                let _ = disk.update(name, Some(id), None);
            }
            return Err(why.into());
        }
    }
    Ok(json!({}))
}

fn commit(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let branch = &mutation.input["branch"];
    let (repository, name) = if let Some(id) = branch["id"].as_str() {
        named_ref(id)?
    } else {
        let full = branch["repositoryNameWithOwner"].as_str().unwrap_or_default();
        let (owner, repository) = full.split_once('/').unwrap_or_default();
        let found = store.repository_named(owner, repository).map(|record| record.id);
        let writable = found.filter(|id| store.may(context.caller, Wanted::Write, "contents", *id));
        let missing = || {
            refused(format!(
                "Could not resolve to a Repository with the name '{full}'."
            ))
        };
        (
            writable.ok_or_else(missing)?,
            branch["branchName"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let name = name.trim_start_matches("refs/heads/").to_owned();
    let message = &mutation.input["message"];
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let message = format!("{}\n\n{}", text(message, "headline"), text(message, "body"));
    let changes = &mutation.input["fileChanges"];
    let mut files: Vec<FileChange> = Vec::new();
    for addition in changes["additions"].as_array().into_iter().flatten() {
        let decoded = STANDARD
            .decode(text(addition, "contents"))
            .map_err(|_| refused("A value for `contents` is no base64"))?;
        files.push((text(addition, "path"), Some(decoded)));
    }
    for deletion in changes["deletions"].as_array().into_iter().flatten() {
        files.push((text(deletion, "path"), None));
    }
    workflows_allowed(context, &files)?;
    let expected = mutation.text("expectedHeadOid").to_owned();
    let id = commits::commit(
        store,
        repository,
        &name,
        Some(&expected),
        message.trim_end(),
        &files,
    )?;
    let full = format!("refs/heads/{name}");
    Ok(json!({ "commit": git_link("Commit", repository, &id), "ref": git_link("Ref", repository, &full) }))
}

fn workflows_allowed(context: &Context<'_>, files: &[FileChange]) -> Result<(), FieldError> {
    let changed = files
        .iter()
        .find(|(path, _)| path.starts_with(".github/workflows/"));
    match changed {
        Some((path, _)) if !context.caller.may_change_workflows() => Err(refused(format!(
            "Resource not accessible by integration: `{path}` needs the `workflow` scope"
        ))),
        _ => Ok(()),
    }
}

fn merge(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let (base, head) = (mutation.text("base"), mutation.text("head"));
    let title = format!("Merge {head} into {base}");
    let message = mutation.input["commitMessage"].as_str().unwrap_or(&title);
    let merged = commits::merge(store, repository, base, head, message)?;
    Ok(json!({ "mergeCommit": merged.map(|id| git_link("Commit", repository, &id)) }))
}

fn linked(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let issue = mutation.record(store, "issueId", &["Issue"])?;
    let of_issue = store.records[&issue].repository.unwrap_or_default();
    let repository = if mutation.input["repositoryId"].is_string() {
        mutation.record(store, "repositoryId", &["Repository"])?.1
    } else {
        of_issue
    };
    let number = store.records[&issue].number("number");
    let name = mutation.input["name"]
        .as_str()
        .map_or_else(|| format!("{number}-branch"), str::to_owned);
    let full = if name.starts_with("refs/") {
        name
    } else {
        format!("refs/heads/{name}")
    };
    refs::create(store, repository, &full, mutation.text("oid"))?;
    store.change(
        mutation.name,
        mutation.input.clone(),
        Some(of_issue),
        mutation.ids.clone(),
    );
    Ok(
        json!({ "linkedBranch": { "id": "LB_1", "ref": git_link("Ref", repository, &full) }, "issue": store.link(issue) }),
    )
}

fn repository(
    context: &Context<'_>,
    store: &mut Store,
    mutation: &Mutation<'_>,
) -> Result<Value, FieldError> {
    let login = context.caller.login().unwrap_or_default();
    if store.repository_named(&login, mutation.text("name")).is_some() {
        return Err(refused("Name already exists on this account"));
    }
    let id = store.add_repository(
        &login,
        mutation.text("name"),
        mutation.text("visibility") != "PUBLIC",
        "sha1",
    );
    Ok(json!({ "repository": store.link(("Repository", id)) }))
}
