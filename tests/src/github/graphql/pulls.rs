//! Fields of a pull request.

use serde_json::{Value, json};

use super::object::Found;
use super::roots::git_link;
use super::{Context, issues};
use crate::github::compare;
use crate::github::store::{Record, Store};

pub(super) fn field(_: &Context<'_>, store: &Store, pull: &Record, field: &str, _: &Value) -> Found {
    if let Some(value) = issues::shared(store, pull, field) {
        return Ok(Some(value));
    }
    let repository = pull.repository.unwrap_or_default();
    let Some(disk) = store.disks.get(&repository) else {
        return Ok(None);
    };
    let branch = |repository: u64, name: &str| {
        let is_there = store
            .disks
            .get(&repository)
            .is_some_and(|disk| disk.branch(name).is_some());
        is_there.then(|| git_link("Ref", repository, &format!("refs/heads/{name}")))
    };
    let head_repository = pull
        .fields
        .get("headRepository")
        .and_then(|link| store.linked(link))
        .map(|at| at.id);
    let base_oid = || {
        pull.fields
            .get("baseRefOid")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| disk.branch(pull.text("baseRefName")))
    };
    let changes = || compare::files(disk, &base_oid().unwrap_or_default(), pull.text("headRefOid"));
    Ok(Some(match field {
        "headRef" => return Ok(head_repository.and_then(|at| branch(at, pull.text("headRefName")))),
        "baseRef" => return Ok(branch(repository, pull.text("baseRefName"))),
        "baseRefOid" => return Ok(base_oid().map(Value::from)),
        "baseRepository" => store.link(("Repository", repository)),
        "headRepositoryOwner" => return Ok(head_repository.and_then(|at| store.records.get(&("Repository", at))?.fields.get("owner").cloned())),
        "isCrossRepository" => (head_repository != Some(repository)).into(),
        "merged" => (pull.text("state") == "MERGED").into(),
        "mergeable" => {
            let clean = base_oid().is_some_and(|base| compare::merges(disk, &base, pull.text("headRefOid")).is_some());
            if clean { "MERGEABLE" } else { "CONFLICTING" }.into()
        }
        "mergeStateStatus" => "CLEAN".into(),
        "maintainerCanModify" => false.into(),
        "commits" => {
            let commits = compare::commits(disk, &base_oid().unwrap_or_default(), pull.text("headRefOid"));
            commits.iter().map(|id| json!({ "commit": git_link("Commit", repository, id) })).collect::<Vec<_>>().into()
        }
        "files" => changes()
            .iter()
            .map(|file| json!({ "path": file.path, "additions": file.additions, "deletions": file.deletions, "changeType": file.change }))
            .collect::<Vec<_>>()
            .into(),
        "additions" => changes().iter().map(|file| file.additions).sum::<u64>().into(),
        "deletions" => changes().iter().map(|file| file.deletions).sum::<u64>().into(),
        "changedFiles" => changes().len().into(),
        "statusCheckRollup" => return Ok(super::history::rollup(store, repository, pull.text("headRefOid"))),
        "reviews" | "latestReviews" | "latestOpinionatedReviews" => linked_to(store, "PullRequestReview", pull),
        "reviewThreads" => linked_to(store, "PullRequestReviewThread", pull),
        "reviewRequests" => {
            let asked = pull.fields.get("requestedReviewers").and_then(Value::as_array).cloned().unwrap_or_default();
            asked.iter().map(|who| json!({ "requestedReviewer": who })).collect::<Vec<_>>().into()
        }
        "closingIssuesReferences" | "suggestedReviewers" => json!([]),
        _ => return Ok(None),
    }))
}

fn linked_to(store: &Store, kind: &'static str, pull: &Record) -> Value {
    let mine = store.link(pull.key());
    let all = store
        .of_kind(kind)
        .filter(|record| record.fields.get("pullRequest") == Some(&mine));
    all.map(|record| store.link(record.key()))
        .collect::<Vec<_>>()
        .into()
}

/// The pull requests that `states`, `headRefName` and the like ask for; the newest first.
pub(super) fn list(store: &Store, repository: u64, arguments: &Value) -> Value {
    let states = arguments["states"].as_array().cloned().unwrap_or_default();
    let is = |pull: &Record, argument: &str| {
        arguments[argument]
            .as_str()
            .is_none_or(|name| pull.text(argument) == name)
    };
    let pulls = store.within("PullRequest", repository).rev();
    let pulls = pulls.filter(|pull| states.is_empty() || states.contains(pull.field("state")));
    let pulls = pulls.filter(|pull| is(pull, "headRefName") && is(pull, "baseRefName"));
    pulls
        .map(|pull| store.link(pull.key()))
        .collect::<Vec<_>>()
        .into()
}
