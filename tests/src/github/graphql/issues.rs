//! Fields of an issue, and those that it shares with a pull request.

use serde_json::{Value, json};

use crate::github::store::{Record, Store};

/// Fields that issues and pull requests both have.
pub(super) fn shared(store: &Store, record: &Record, field: &str) -> Option<Value> {
    Some(match field {
        "closed" => (record.text("state") != "OPEN").into(),
        "comments" => comments(store, record),
        "totalCommentsCount" => comments(store, record).as_array().map_or(0, Vec::len).into(),
        "participants" => record
            .fields
            .get("author")
            .map_or_else(|| json!([]), |author| json!([author])),
        "assignees" | "labels" | "assignedActors" => {
            let of = if field == "labels" { field } else { "assignees" };
            record.fields.get(of).cloned().unwrap_or_else(|| json!([]))
        }
        "projectItems" | "projectCards" | "reactions" | "timelineItems" | "reactionGroups" => json!([]),
        "viewerDidAuthor" => true.into(),
        "titleHTML" | "bodyUrl" => record.field("title").clone(),
        _ => return None,
    })
}

fn comments(store: &Store, of: &Record) -> Value {
    let mine = store.link(of.key());
    let all = store
        .of_kind("IssueComment")
        .filter(|comment| comment.fields.get("subject") == Some(&mine));
    all.map(|comment| store.link(comment.key()))
        .collect::<Vec<_>>()
        .into()
}

/// The issues that `states`, `labels` and the like ask for.
pub(super) fn list(store: &Store, repository: u64, arguments: &Value) -> Value {
    let filter = &arguments["filterBy"];
    let states = arguments["states"]
        .as_array()
        .or(filter["states"].as_array())
        .cloned()
        .unwrap_or_default();
    let author = filter["createdBy"].as_str();
    let issues = store.within("Issue", repository).rev();
    let issues = issues.filter(|issue| states.is_empty() || states.contains(issue.field("state")));
    let by = |issue: &&Record| {
        author.is_none_or(|author| {
            store
                .linked(issue.field("author"))
                .is_some_and(|by| by.text("login") == author)
        })
    };
    issues
        .filter(by)
        .map(|issue| store.link(issue.key()))
        .collect::<Vec<_>>()
        .into()
}
