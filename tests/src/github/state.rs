//! The whole state as a value: what a test compares before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::store::{Change, Store};

/// All refs, all records and all changes, at one moment. What follows from them is not in it: `refs/pull/N/head` of a pull
/// request, and times.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// By `owner/name`, what each ref (and `HEAD`) holds.
    pub refs: BTreeMap<String, BTreeMap<String, String>>,
    /// By node id, every record: its type, its repository and its fields.
    pub records: BTreeMap<String, Value>,
    /// What was done besides.
    pub changes: Vec<Arc<Change>>,
    /// What large files and locks there are, by `owner/name`.
    pub lfs: BTreeMap<String, Vec<String>>,
}

/// Something that is not the same in two states.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// A ref that was made, moved or deleted.
    Ref {
        /// `owner/name`.
        repository: String,
        /// `refs/heads/main`, `HEAD`.
        name: String,
        /// What it held.
        before: Option<String>,
        /// What it holds.
        after: Option<String>,
    },
    /// A record that was made, changed or deleted.
    Record {
        /// Its node id.
        id: String,
        /// What it was.
        before: Option<Value>,
        /// What it is.
        after: Option<Value>,
    },
    /// Something that was done.
    Change(Change),
    /// A large file or a lock, that came or went.
    Lfs {
        /// `owner/name`.
        repository: String,
        /// `object OID` or `lock ID PATH`.
        what: String,
    },
}

impl State {
    pub(super) fn of(store: &Store) -> Self {
        let refs = store.disks.iter().map(|(id, disk)| {
            let pulls: Vec<_> = store
                .within("PullRequest", *id)
                .map(|pull| format!("refs/pull/{}/head", pull.field("number")))
                .collect();
            let mut refs = disk.refs();
            refs.retain(|name, _| !pulls.contains(name));
            (store.full_name(*id), refs)
        });
        let records = store.records.values().map(|record| {
            let mut fields = record.fields.clone();
            fields.remove("updatedAt");
            if record.kind == "PullRequest" && record.text("state") == "OPEN" {
                fields.remove("headRefOid"); // it follows the branch
            }
            fields.insert("__typename".to_owned(), record.kind.into());
            let repository = record.repository.map(|id| store.full_name(id));
            fields.insert("$repository".to_owned(), repository.into());
            (store.node_id(record.key()), Value::Object(fields))
        });
        let lfs = store
            .disks
            .iter()
            .map(|(id, disk)| (store.full_name(*id), super::lfs::inventory(disk)));
        Self {
            refs: refs.collect(),
            records: records.collect(),
            changes: store.changes.clone(),
            lfs: lfs.collect(),
        }
    }

    /// What is different in `later`.
    pub fn differences(&self, later: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let empty = BTreeMap::new();
        for repository in union(&self.refs, &later.refs) {
            let before = self.refs.get(repository).unwrap_or(&empty);
            let after = later.refs.get(repository).unwrap_or(&empty);
            all.extend(
                changed(before, after).map(|(name, before, after)| Difference::Ref {
                    repository: repository.clone(),
                    name: name.clone(),
                    before,
                    after,
                }),
            );
        }
        all.extend(
            changed(&self.records, &later.records).map(|(id, before, after)| Difference::Record {
                id: id.clone(),
                before,
                after,
            }),
        );
        let done = later.changes.iter().skip(self.changes.len()); // they only ever grow
        all.extend(done.map(|change| Difference::Change(Change::clone(change))));
        for repository in union(&self.lfs, &later.lfs) {
            let none = Vec::new();
            let before = self.lfs.get(repository).unwrap_or(&none);
            let after = later.lfs.get(repository).unwrap_or(&none);
            let only = before
                .iter()
                .filter(|what| !after.contains(what))
                .chain(after.iter().filter(|what| !before.contains(what)));
            all.extend(only.map(|what| Difference::Lfs {
                repository: repository.clone(),
                what: what.clone(),
            }));
        }
        all
    }
}

fn union<'a, T>(a: &'a BTreeMap<String, T>, b: &'a BTreeMap<String, T>) -> Vec<&'a String> {
    let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn changed<'a, T: PartialEq + Clone>(
    before: &'a BTreeMap<String, T>,
    after: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Option<T>, Option<T>)> {
    union(before, after)
        .into_iter()
        .map(|key| (key, before.get(key).cloned(), after.get(key).cloned()))
        .filter(|(_, before, after)| before != after)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ref {
                repository,
                name,
                before,
                after,
            } => {
                write!(
                    f,
                    "{repository} {name}: {} -> {}",
                    or_none(before.as_ref()),
                    or_none(after.as_ref())
                )
            }
            Self::Record { id, before, after } => write!(f, "{id}: {before:?} -> {after:?}"),
            Self::Change(change) => write!(f, "{}: {}", change.operation, change.arguments),
            Self::Lfs { repository, what } => write!(f, "{repository} {what}"),
        }
    }
}

fn or_none(id: Option<&String>) -> &str {
    id.map_or("none", String::as_str)
}
