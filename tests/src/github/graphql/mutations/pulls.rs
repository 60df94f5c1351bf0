//! Mutations of pull requests and their reviews.

use apollo_compiler::resolvers::FieldError;
use serde_json::{Value, json};

use super::super::Context;
use super::super::object::refused;
use super::Mutation;
use crate::github::deeds::pulls::{Between, close_or_reopen, merge, open};
use crate::github::deeds::{commits, issues};
use crate::github::store::{Key, Store};

type Ran = Result<Value, FieldError>;

pub(super) fn run(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Option<Ran> {
    let input = mutation.input;
    if mutation.name == "createPullRequest" {
        return Some(create(context, store, mutation));
    }
    let field = if input.get("pullRequestReviewId").is_some_and(|id| !id.is_null())
        && mutation.name != "addPullRequestReviewComment"
    {
        return reviewed(context, store, mutation);
    } else {
        "pullRequestId"
    };
    let known = matches!(
        mutation.name,
        "updatePullRequest"
            | "closePullRequest"
            | "reopenPullRequest"
            | "markPullRequestReadyForReview"
            | "convertPullRequestToDraft"
            | "mergePullRequest"
            | "updatePullRequestBranch"
            | "requestReviews"
            | "requestReviewsByLogin"
            | "addPullRequestReview"
            | "addPullRequestReviewThread"
    );
    if !known {
        return threads(context, store, mutation);
    }
    let key = match mutation.record(store, field, &["PullRequest"]) {
        Ok(key) => key,
        Err(refused) => return Some(Err(refused)),
    };
    Some(on_pull(context, store, mutation, key))
}

fn create(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Ran {
    let (_, repository) = mutation.record(store, "repositoryId", &["Repository"])?;
    let mut head_repository = repository;
    let mut head = mutation.text("headRefName");
    if mutation.input["headRepositoryId"].is_string() {
        head_repository = mutation.record(store, "headRepositoryId", &["Repository"])?.1;
    }
    if let Some((owner, branch)) = head.split_once(':') {
        let name = store.records[&("Repository", repository)].text("name").to_owned();
        let of = store
            .repository_named(owner, &name)
            .ok_or_else(|| refused("Head repository can't be blank"))?;
        (head_repository, head) = (of.id, branch);
    }
    let between = Between {
        repository,
        head_repository,
        head: head.trim_start_matches("refs/heads/").to_owned(),
        base: mutation
            .text("baseRefName")
            .trim_start_matches("refs/heads/")
            .to_owned(),
    };
    let mut fields = mutation.given(&["title", "body"]);
    fields.insert(
        "isDraft".to_owned(),
        mutation.input["draft"].as_bool().unwrap_or(false).into(),
    );
    let key = open(store, &between, context.caller, fields)?;
    Ok(json!({ "pullRequest": store.link(key) }))
}

fn on_pull(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>, key: Key) -> Ran {
    let link = store.link(key);
    match mutation.name {
        "updatePullRequest" => {
            let mut fields = mutation.given(&["title", "body", "baseRefName"]);
            if let Some(state) = mutation.input["state"].as_str() {
                close_or_reopen(store, key, state)?;
            }
            for (from, to) in [("labelIds", "labels"), ("assigneeIds", "assignees")] {
                if mutation.input[from].is_array() {
                    fields.insert(to.to_owned(), mutation.links(from).into());
                }
            }
            if mutation.input["milestoneId"].is_string() {
                fields.insert(
                    "milestone".to_owned(),
                    json!({ "$": mutation.input["milestoneId"] }),
                );
            }
            store.set(key, Value::Object(fields));
        }
        "closePullRequest" => close_or_reopen(store, key, "CLOSED")?,
        "reopenPullRequest" => close_or_reopen(store, key, "OPEN")?,
        "markPullRequestReadyForReview" => store.set(key, json!({ "isDraft": false })),
        "convertPullRequestToDraft" => store.set(key, json!({ "isDraft": true })),
        "mergePullRequest" => {
            let method = mutation.input["mergeMethod"].as_str().unwrap_or("MERGE");
            merge(
                store,
                key,
                context.caller,
                method,
                mutation.input["commitHeadline"].as_str(),
            )?;
        }
        "updatePullRequestBranch" => {
            let pull = store.records[&key].clone();
            let base = pull.text("baseRefName");
            let title = format!("Merge branch '{base}' into {}", pull.text("headRefName"));
            let repository = pull.repository.unwrap_or_default();
            commits::merge(store, repository, pull.text("headRefName"), base, &title)?;
            store.change(
                mutation.name,
                mutation.input.clone(),
                Some(repository),
                mutation.ids.clone(),
            );
        }
        "requestReviews" | "requestReviewsByLogin" => request_reviews(store, mutation, key),
        "addPullRequestReview" => return Ok(add_review(context, store, mutation, key)),
        _ => return Ok(add_thread(context, store, mutation, key)),
    }
    Ok(json!({ "pullRequest": link, "actor": issues::author(store, context.caller) }))
}

fn request_reviews(store: &mut Store, mutation: &Mutation<'_>, key: Key) {
    let mut asked = mutation.links("userIds");
    for login in mutation.input["userLogins"]
        .as_array()
        .cloned()
        .unwrap_or_default()
    {
        let actor = store.actor(login.as_str().unwrap_or_default());
        asked.push(store.link(actor));
    }
    asked.extend(mutation.links("teamIds"));
    let mut all = store.records[&key]
        .fields
        .get("requestedReviewers")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if mutation.input["union"] != true {
        all.clear();
    }
    asked.retain(|who| !all.contains(who));
    all.extend(asked);
    store.set(key, json!({ "requestedReviewers": all }));
}

fn add_review(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>, key: Key) -> Value {
    let author = issues::author(store, context.caller);
    let now = store.now();
    let state = state_after(mutation.input["event"].as_str());
    let submitted = (state != "PENDING").then_some(now);
    let fields = json!({
        "pullRequest": store.link(key), "author": author, "body": mutation.text("body"), "state": state, "submittedAt": submitted,
    });
    let review = store.add("PullRequestReview", store.records[&key].repository, fields);
    json!({ "pullRequestReview": store.link(review) })
}

fn state_after(event: Option<&str>) -> &'static str {
    match event {
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some("COMMENT") => "COMMENTED",
        Some("DISMISS") => "DISMISSED",
        _ => "PENDING",
    }
}

fn add_thread(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>, key: Key) -> Value {
    let repository = store.records[&key].repository;
    let (author, pull) = (issues::author(store, context.caller), store.link(key));
    let comment = json!({ "author": author, "body": mutation.text("body"), "path": mutation.text("path"), "pullRequest": pull });
    let comment = store.add("PullRequestReviewComment", repository, comment);
    let fields = json!({
        "pullRequest": pull, "path": mutation.text("path"), "line": mutation.input["line"], "isResolved": false,
        "comments": [store.link(comment)],
    });
    let thread = store.add("PullRequestReviewThread", repository, fields);
    json!({ "thread": store.link(thread) })
}

fn reviewed(_: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Option<Ran> {
    let key = match mutation.record(store, "pullRequestReviewId", &["PullRequestReview"]) {
        Ok(key) => key,
        Err(refused) => return Some(Err(refused)),
    };
    let link = store.link(key);
    match mutation.name {
        "submitPullRequestReview" | "dismissPullRequestReview" => {
            let event = mutation.input["event"].as_str().or(Some("DISMISS"));
            let mut fields = mutation.given(&["body"]);
            fields.insert("state".to_owned(), state_after(event).into());
            store.set(key, Value::Object(fields));
        }
        "updatePullRequestReview" => store.set(key, Value::Object(mutation.given(&["body"]))),
        "deletePullRequestReview" => drop(store.records.remove(&key)),
        _ => return None,
    }
    Some(Ok(json!({ "pullRequestReview": link })))
}

fn threads(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Option<Ran> {
    let resolved = match mutation.name {
        "resolveReviewThread" => Some(true),
        "unresolveReviewThread" => Some(false),
        "addPullRequestReviewThreadReply" => None,
        _ => return None,
    };
    let field = if resolved.is_some() {
        "threadId"
    } else {
        "pullRequestReviewThreadId"
    };
    let key = match mutation.record(store, field, &["PullRequestReviewThread"]) {
        Ok(key) => key,
        Err(refused) => return Some(Err(refused)),
    };
    if let Some(resolved) = resolved {
        store.set(key, json!({ "isResolved": resolved }));
        return Some(Ok(json!({ "thread": store.link(key) })));
    }
    let author = issues::author(store, context.caller);
    let thread = store.records[&key].clone();
    let comment = json!({ "author": author, "body": mutation.text("body"), "path": thread.text("path"), "pullRequest": thread.field("pullRequest") });
    let comment = store.add("PullRequestReviewComment", thread.repository, comment);
    let mut comments = thread.field("comments").as_array().cloned().unwrap_or_default();
    comments.push(store.link(comment));
    store.set(key, json!({ "comments": comments }));
    Some(Ok(json!({ "comment": store.link(comment) })))
}
