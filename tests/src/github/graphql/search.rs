//! `search`, as far as its qualifiers choose among issues, pull requests and repositories.

use serde_json::{Value, json};

use super::Context;
use crate::github::store::{Record, Store};

pub(super) fn run(context: &Context<'_>, query: &str, kind: &str) -> Value {
    let store = context.store.borrow();
    let found = matching(
        &store,
        query,
        kind,
        |repository| context.sees(&store, Some(repository)),
        context.caller.login().as_deref(),
    );
    found
        .iter()
        .map(|record| store.link(record.key()))
        .collect::<Vec<_>>()
        .into()
}

/// The records that a query asks for, the newest first, of what may be seen.
pub(in crate::github) fn matching<'a>(
    store: &'a Store,
    query: &str,
    kind: &str,
    sees: impl Fn(u64) -> bool,
    me: Option<&str>,
) -> Vec<&'a Record> {
    let terms = terms(query);
    let kinds: &[&'static str] = match kind {
        "REPOSITORY" => &["Repository"],
        "USER" => &["User"],
        _ => &["PullRequest", "Issue"],
    };
    let all = kinds.iter().flat_map(|kind| store.of_kind(kind).rev());
    let repository = |record: &Record| {
        if record.kind == "Repository" {
            Some(record.id)
        } else {
            record.repository
        }
    };
    let visible = all.filter(|record| repository(record).is_none_or(&sees));
    visible
        .filter(|record| terms.iter().all(|term| holds(store, record, term, me)))
        .collect()
}

/// Words and `qualifier:value`s; quotes hold one together.
fn terms(query: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut quoted = false;
    for character in query.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => terms.push(String::new()),
            other => terms.last_mut().expect("there is one").push(other),
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

fn holds(store: &Store, record: &Record, term: &str, me: Option<&str>) -> bool {
    let (negated, term) = term.strip_prefix('-').map_or((false, term), |term| (true, term));
    let Some((qualifier, value)) = term.split_once(':') else {
        let text = json!(record.fields).to_string().to_lowercase();
        return text.contains(&term.to_lowercase()) != negated;
    };
    let value = if value == "@me" {
        me.unwrap_or_default()
    } else {
        value
    };
    let repository = record.repository.unwrap_or(record.id);
    let is = |link: &Value| {
        store
            .linked(link)
            .is_some_and(|who| who.text("login").eq_ignore_ascii_case(value))
    };
    let any = |field: &str| {
        record
            .fields
            .get(field)
            .and_then(Value::as_array)
            .is_some_and(|links| links.iter().any(is))
    };
    let held = match qualifier {
        "repo" => store.full_name(repository).eq_ignore_ascii_case(value),
        "org" | "user" => store
            .full_name(repository)
            .to_lowercase()
            .starts_with(&format!("{}/", value.to_lowercase())),
        "is" | "type" | "state" => match value {
            "pr" => record.kind == "PullRequest",
            "issue" => record.kind == "Issue",
            "open" | "closed" | "merged" => {
                let state = record.text("state").to_lowercase();
                state == value || (value == "closed" && state == "merged")
            }
            "private" | "public" => {
                store.records[&("Repository", repository)].flag("isPrivate") == (value == "private")
            }
            _ => true,
        },
        "author" => record.fields.get("author").is_some_and(is),
        "assignee" => any("assignees"),
        "review-requested" | "user-review-requested" => any("requestedReviewers"),
        "involves" => record.fields.get("author").is_some_and(is) || any("assignees"),
        "head" => record.text("headRefName") == value,
        "base" => record.text("baseRefName") == value,
        "draft" => record.flag("isDraft").to_string() == value,
        "label" => record
            .fields
            .get("labels")
            .and_then(Value::as_array)
            .is_some_and(|labels| {
                labels.iter().any(|label| {
                    store
                        .linked(label)
                        .is_some_and(|label| label.text("name") == value)
                })
            }),
        _ => true, // sort:, archived:, and what else does not choose
    };
    held != negated
}
