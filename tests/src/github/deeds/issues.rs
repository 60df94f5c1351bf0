//! Issues and comments.

use serde_json::{Map, Value, json};

use crate::github::store::{Key, Store};
use crate::github::tokens::Caller;

/// A new issue.
pub(in crate::github) fn open(
    store: &mut Store,
    repository: u64,
    caller: &Caller,
    fields: Map<String, Value>,
) -> Key {
    let number = store.next_number(repository);
    let author = author(store, caller);
    let mut whole = json!({ "number": number, "state": "OPEN", "author": author, "title": "", "body": "" });
    merge(&mut whole, fields);
    store.add("Issue", Some(repository), whole)
}

/// A new comment on an issue or a pull request.
pub(in crate::github) fn comment(store: &mut Store, on: Key, caller: &Caller, body: &str) -> Key {
    let repository = store.records.get(&on).and_then(|record| record.repository);
    let (author, subject) = (author(store, caller), store.link(on));
    store.add(
        "IssueComment",
        repository,
        json!({ "author": author, "subject": subject, "body": body }),
    )
}

/// Who writes, as a field refers to it.
pub(in crate::github) fn author(store: &mut Store, caller: &Caller) -> Value {
    let key = store.actor(&caller.login().unwrap_or_else(|| "ghost".to_owned()));
    store.link(key)
}

pub(in crate::github) fn merge(into: &mut Value, fields: Map<String, Value>) {
    if let Value::Object(into) = into {
        into.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
}
