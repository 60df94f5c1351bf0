//! Issues, comments and labels.

use serde_json::{Map, Value, json};

use super::Call;
use super::views::View;
use crate::github::Answer;
use crate::github::deeds::{issues, pulls};
use crate::github::store::{Key, Record};

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("issues/")?;
    call.repository?;
    match id {
        "list-for-repo" => return Some(list(call)),
        "create" => return Some(create(call)),
        "get-comment" | "update-comment" | "delete-comment" => return Some(comment(call, id)),
        "list-labels-for-repo" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let labels = call.store.within("Label", call.repository());
            return Some(Answer::json(
                200,
                &labels.map(|label| view.label(label)).collect::<Vec<_>>().into(),
            ));
        }
        "create-label" => {
            let fields = json!({ "name": call.given["name"], "color": call.given["color"], "description": call.given["description"] });
            let made = call.store.add("Label", call.repository, fields);
            let view = View {
                store: &call.store,
                site: call.site,
            };
            return Some(Answer::json(201, &view.label(&call.store.records[&made])));
        }
        "list-assignees" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let users = call.store.of_kind("User").map(|user| view.user(user));
            return Some(Answer::json(200, &users.collect::<Vec<_>>().into()));
        }
        _ => {}
    }
    let number = call
        .parts
        .contains_key("issue_number")
        .then(|| call.number("issue_number"))?;
    let store = &call.store;
    let found = store
        .numbered("Issue", call.repository(), number)
        .or_else(|| store.numbered("PullRequest", call.repository(), number));
    let Some(key) = found.map(Record::key) else {
        return Some(Answer::not_found());
    };
    on_issue(call, id, key)
}

fn on_issue(call: &mut Call<'_>, id: &str, key: Key) -> Option<Answer> {
    Some(match id {
        "get" => shown(call, 200, key),
        "update" => update(call, key),
        "create-comment" => {
            let body = call.text("body").to_owned();
            let made = issues::comment(&mut call.store, key, call.caller, &body);
            let view = View {
                store: &call.store,
                site: call.site,
            };
            Answer::json(201, &view.comment(&call.store.records[&made]))
        }
        "list-comments" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let mine = call.store.link(key);
            let all = call
                .store
                .of_kind("IssueComment")
                .filter(|comment| comment.fields.get("subject") == Some(&mine));
            Answer::json(
                200,
                &all.map(|comment| view.comment(comment))
                    .collect::<Vec<_>>()
                    .into(),
            )
        }
        "add-labels" | "set-labels" | "remove-all-labels" | "remove-label" | "list-labels-on-issue" => {
            labels(call, id, key)
        }
        "add-assignees" | "remove-assignees" => assignees(call, id, key),
        "lock" | "unlock" => {
            call.store.set(key, json!({ "locked": id == "lock" }));
            call.note();
            Answer::nothing(204)
        }
        _ => return None,
    })
}

fn shown(call: &Call<'_>, status: u16, key: Key) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(status, &view.issue(&call.store.records[&key]))
}

fn list(call: &Call<'_>) -> Answer {
    let state = call.asked("state").unwrap_or("open");
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let id = call.repository();
    let mut all: Vec<&Record> = call
        .store
        .within("Issue", id)
        .chain(call.store.within("PullRequest", id))
        .collect();
    all.sort_by_key(|record| std::cmp::Reverse(record.number("number")));
    all.retain(|record| state == "all" || (record.text("state") == "OPEN") == (state == "open"));
    Answer::json(
        200,
        &all.iter()
            .map(|record| view.issue(record))
            .collect::<Vec<_>>()
            .into(),
    )
}

fn create(call: &mut Call<'_>) -> Answer {
    let mut fields = Map::new();
    for name in ["title", "body"] {
        fields.insert(name.to_owned(), call.given[name].clone());
    }
    let names = call.given["labels"].as_array().cloned().unwrap_or_default();
    fields.insert("labels".to_owned(), label_links(call, &names).into());
    let repository = call.repository();
    let key = issues::open(&mut call.store, repository, call.caller, fields);
    shown(call, 201, key)
}

fn update(call: &mut Call<'_>, key: Key) -> Answer {
    let mut fields = Map::new();
    for name in ["title", "body"] {
        if call.given[name].is_string() {
            fields.insert(name.to_owned(), call.given[name].clone());
        }
    }
    if let Some(names) = call.given["labels"].as_array().cloned() {
        fields.insert("labels".to_owned(), label_links(call, &names).into());
    }
    if let Some(state) = call.given["state"].as_str() {
        let state = if state == "closed" { "CLOSED" } else { "OPEN" };
        if let Err(why) = pulls::close_or_reopen(&mut call.store, key, state) {
            return super::pulls::invalid(&why);
        }
        fields.insert("stateReason".to_owned(), call.given["state_reason"].clone());
    }
    call.store.set(key, Value::Object(fields));
    shown(call, 200, key)
}

/// Labels by their names, made where they are new.
fn label_links(call: &mut Call<'_>, names: &[Value]) -> Vec<Value> {
    let repository = call.repository();
    let names = names
        .iter()
        .filter_map(|name| name.as_str().or(name["name"].as_str()));
    let link = |name: &str| {
        let known = call
            .store
            .within("Label", repository)
            .find(|label| label.text("name") == name)
            .map(Record::key);
        let key = known.unwrap_or_else(|| {
            call.store.add(
                "Label",
                Some(repository),
                json!({ "name": name, "color": "ededed" }),
            )
        });
        call.store.link(key)
    };
    names.map(link).collect()
}

fn labels(call: &mut Call<'_>, id: &str, key: Key) -> Answer {
    let names = call.given["labels"]
        .as_array()
        .or(call.given.as_array())
        .cloned()
        .unwrap_or_default();
    let mut all = call.store.records[&key]
        .fields
        .get("labels")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    match id {
        "add-labels" => {
            let added = label_links(call, &names);
            all.retain(|label| !added.contains(label));
            all.extend(added);
        }
        "set-labels" => all = label_links(call, &names),
        "remove-all-labels" => all.clear(),
        "remove-label" => {
            let gone = call.part("name").to_owned();
            all.retain(|label| {
                call.store
                    .linked(label)
                    .is_none_or(|label| label.text("name") != gone)
            });
        }
        _ => {}
    }
    if call.writes() {
        call.store.set(key, json!({ "labels": all }));
    }
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let shown = view.labels(&call.store.records[&key]);
    if id == "remove-all-labels" {
        Answer::nothing(204)
    } else {
        Answer::json(200, &shown.into())
    }
}

fn assignees(call: &mut Call<'_>, id: &str, key: Key) -> Answer {
    let logins = call.given["assignees"].as_array().cloned().unwrap_or_default();
    let mut all = call.store.records[&key]
        .fields
        .get("assignees")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for login in logins.iter().filter_map(Value::as_str) {
        let actor = call.store.actor(login);
        let link = call.store.link(actor);
        all.retain(|known| *known != link);
        if id == "add-assignees" {
            all.push(link);
        }
    }
    call.store.set(key, json!({ "assignees": all }));
    shown(call, if id == "add-assignees" { 201 } else { 200 }, key)
}

fn comment(call: &mut Call<'_>, id: &str) -> Answer {
    let key = ("IssueComment", call.number("comment_id"));
    if call
        .store
        .records
        .get(&key)
        .is_none_or(|comment| comment.repository != call.repository)
    {
        return Answer::not_found();
    }
    match id {
        "delete-comment" => {
            call.store.records.remove(&key);
            return Answer::nothing(204);
        }
        "update-comment" => {
            let body = call.given["body"].clone();
            call.store.set(key, json!({ "body": body }));
        }
        _ => {}
    }
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(200, &view.comment(&call.store.records[&key]))
}
