//! Mutations of pull requests and their reviews.

use apollo_compiler::resolvers::FieldError;
use serde_json::{Value, json};

use super::super::Context;
use super::super::object::refused;
use super::Mutation;
use crate::github::deeds::pulls::{Between, close_or_reopen, merge, open};
use crate::github::deeds::{commits, issues};
use crate::github::store::{Key, Record, Store};

type Ran = Result<Value, FieldError>;

pub(super) fn run(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Option<Ran> {
    match mutation.name {
        "createPullRequest" => Some(create(context, store, mutation)),
        "submitPullRequestReview"
        | "dismissPullRequestReview"
        | "updatePullRequestReview"
        | "deletePullRequestReview" => Some(reviewed(store, mutation)),
        "resolveReviewThread" | "unresolveReviewThread" => Some(resolve(store, mutation)),
        "addPullRequestReviewThreadReply" => Some(reply(context, store, mutation)),
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
        | "addPullRequestReviewThread" => {
            Some(pull_of(store, mutation).and_then(|key| on_pull(context, store, mutation, key)))
        }
        _ => None,
    }
}

/// The pull request that is named, or that of the review that is.
fn pull_of(store: &Store, mutation: &Mutation<'_>) -> Result<Key, FieldError> {
    if mutation.input["pullRequestId"].is_string() {
        return mutation.record(store, "pullRequestId", &["PullRequest"]);
    }
    let review = mutation.record(store, "pullRequestReviewId", &["PullRequestReview"])?;
    let pull = store.linked(store.records[&review].field("pullRequest"));
    pull.map(Record::key)
        .ok_or_else(|| refused("the review is of no pull request"))
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

fn reviewed(store: &mut Store, mutation: &Mutation<'_>) -> Ran {
    let key = mutation.record(store, "pullRequestReviewId", &["PullRequestReview"])?;
    let link = store.link(key);
    let mut fields = mutation.given(&["body"]);
    match mutation.name {
        "deletePullRequestReview" => drop(store.records.remove(&key)),
        "updatePullRequestReview" => store.set(key, Value::Object(fields)),
        _ => {
            let event = mutation.input["event"].as_str().or(Some("DISMISS"));
            fields.insert("state".to_owned(), state_after(event).into());
            store.set(key, Value::Object(fields));
        }
    }
    Ok(json!({ "pullRequestReview": link }))
}

fn resolve(store: &mut Store, mutation: &Mutation<'_>) -> Ran {
    let key = mutation.record(store, "threadId", &["PullRequestReviewThread"])?;
    let resolved = mutation.name == "resolveReviewThread";
    store.set(key, json!({ "isResolved": resolved }));
    Ok(json!({ "thread": store.link(key) }))
}

fn reply(context: &Context<'_>, store: &mut Store, mutation: &Mutation<'_>) -> Ran {
    let key = mutation.record(store, "pullRequestReviewThreadId", &["PullRequestReviewThread"])?;
    let author = issues::author(store, context.caller);
    let thread = store.records[&key].clone();
    let comment = json!({
        "author": author, "body": mutation.text("body"), "path": thread.text("path"),
        "pullRequest": thread.field("pullRequest"),
    });
    let comment = store.add("PullRequestReviewComment", thread.repository, comment);
    let mut comments = thread.field("comments").as_array().cloned().unwrap_or_default();
    comments.push(store.link(comment));
    store.set(key, json!({ "comments": comments }));
    Ok(json!({ "comment": store.link(comment) }))
}
