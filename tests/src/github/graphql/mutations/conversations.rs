//! Mutations of issues, comments, labels and assignees.

use apollo_compiler::resolvers::FieldError;
use serde_json::{Value, json};

use super::super::Context;
use super::Mutation;
use crate::github::deeds::issues;
use crate::github::store::Store;

pub(super) fn run(
    context: &Context<'_>,
    store: &mut Store,
    mutation: &Mutation<'_>,
) -> Option<Result<Value, FieldError>> {
    let ran = match mutation.name {
        "createIssue" => create(context, store, mutation),
        "updateIssue" | "closeIssue" | "reopenIssue" | "deleteIssue" => issue(store, mutation),
        "addComment" => comment(context, store, mutation),
        "updateIssueComment" | "deleteIssueComment" => {
            comment_of(store, mutation, "id", "IssueComment", "issueComment")
        }
        "updatePullRequestReviewComment" => comment_of(
            store,
            mutation,
            "pullRequestReviewCommentId",
            "PullRequestReviewComment",
            "pullRequestReviewComment",
        ),
        "deletePullRequestReviewComment" => comment_of(
            store,
            mutation,
            "id",
            "PullRequestReviewComment",
            "pullRequestReviewComment",
        ),
        "addLabelsToLabelable" | "removeLabelsFromLabelable" => {
            list(store, mutation, "labelableId", "labelIds", "labels", "labelable")
        }
        "addAssigneesToAssignable" | "removeAssigneesFromAssignable" => list(
            store,
            mutation,
            "assignableId",
            "assigneeIds",
            "assignees",
            "assignable",
        ),
        "replaceActorsForAssignable" => replace(store, mutation),
        "createLabel" => label(store, mutation),
        _ => return None,
    };
    Some(ran)
}

fn create(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let mut fields = mutation.given(&["title", "body"]);
    fields.insert("labels".to_owned(), mutation.links("labelIds").into());
    fields.insert("assignees".to_owned(), mutation.links("assigneeIds").into());
    let key = issues::open(store, repository, context.caller, fields);
    Ok(json!({ "issue": store.link(key) }))
}

fn issue(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let field = if mutation.name == "updateIssue" {
        "id"
    } else {
        "issueId"
    };
    let key = mutation.record(store, field, &["Issue"])?;
    let link = store.link(key);
    match mutation.name {
        "updateIssue" => {
            let mut fields = mutation.given(&["title", "body", "state"]);
            for (from, to) in [("labelIds", "labels"), ("assigneeIds", "assignees")] {
                if mutation.input[from].is_array() {
                    fields.insert(to.to_owned(), mutation.links(from).into());
                }
            }
            store.set(key, Value::Object(fields));
        }
        "closeIssue" => store.set(
            key,
            json!({ "state": "CLOSED", "stateReason": mutation.input["stateReason"] }),
        ),
        "reopenIssue" => store.set(key, json!({ "state": "OPEN", "stateReason": "REOPENED" })),
        _ => {
            let repository = store.records.remove(&key).and_then(|record| record.repository);
            return Ok(json!({ "repository": repository.map(|id| store.link(("Repository", id))) }));
        }
    }
    Ok(json!({ "issue": link }))
}

fn comment(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let on = mutation.record(store, "subjectId", &["PullRequest", "Issue"])?;
    let key = issues::comment(store, on, context.caller, mutation.text("body"));
    let link = store.link(key);
    Ok(json!({ "commentEdge": { "node": link, "cursor": "cursor:0" }, "subject": store.link(on) }))
}

fn comment_of(
    store: &mut Store,
    mutation: &Mutation<'_>,
    field: &str,
    kind: &str,
    answer: &str,
) -> Result<Value, FieldError> {
    let key = mutation.record(store, field, &[kind])?;
    if mutation.name.starts_with("delete") {
        store.records.remove(&key);
        return Ok(json!({}));
    }
    store.set(key, json!({ "body": mutation.text("body") }));
    Ok(json!({ answer: store.link(key) }))
}

fn list(
    store: &mut Store,
    mutation: &Mutation<'_>,
    on: &str,
    ids: &str,
    field: &str,
    answer: &str,
) -> Result<Value, FieldError> {
    let key = mutation.record(store, on, &["PullRequest", "Issue"])?;
    let mut all = store.records[&key]
        .fields
        .get(field)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let named = mutation.links(ids);
    all.retain(|link| !named.contains(link));
    if mutation.name.starts_with("add") {
        all.extend(named);
    }
    store.set(key, json!({ field: all }));
    Ok(json!({ answer: store.link(key) }))
}

fn replace(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let key = mutation.record(store, "assignableId", &["PullRequest", "Issue"])?;
    let mut actors = mutation.links("actorIds");
    for login in mutation.input["actorLogins"]
        .as_array()
        .cloned()
        .unwrap_or_default()
    {
        let actor = store.actor(login.as_str().unwrap_or_default());
        actors.push(store.link(actor));
    }
    store.set(key, json!({ "assignees": actors }));
    Ok(json!({ "assignable": store.link(key) }))
}

fn label(store: &mut Store, mutation: &Mutation<'_>) -> Result<Value, FieldError> {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let fields = Value::Object(mutation.given(&["name", "color", "description"]));
    let key = store.add("Label", Some(repository), fields);
    Ok(json!({ "label": store.link(key) }))
}
