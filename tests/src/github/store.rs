//! All that this GitHub knows: records (of pull requests, users, gists and everything else) and what was done to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::disk::{Disk, write_hooks};
use super::node_id::NodeId;
use super::tokens::{Caller, Tokens, Wanted};

/// A record's type in the schema, and its database id.
pub(super) type Key = (&'static str, u64);

/// One thing that GitHub keeps. Its fields are named as in the GraphQL schema; another record is referred to by
/// [`Store::link`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) kind: &'static str,
    pub(super) id: u64,
    /// The repository that it belongs to.
    pub(super) repository: Option<u64>,
    pub(super) fields: Map<String, Value>,
}

/// Something that was done and that changes no record of ours in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// An operation's name in GitHub's description, or a mutation's in its schema.
    pub operation: String,
    /// What it was given.
    pub arguments: Value,
    /// The repository that it touched, as `owner/name`; none when it touched none.
    pub repository: Option<String>,
    /// What it touched in there, by node id or path.
    pub touched: Vec<String>,
}

pub(super) struct Store {
    pub(super) root: PathBuf,
    pub(super) records: BTreeMap<Key, Record>,
    pub(super) disks: BTreeMap<u64, Disk>,
    pub(super) changes: Vec<Arc<Change>>,
    pub(super) tokens: Tokens,
    numbers: BTreeMap<u64, u64>,
    next: u64,
    seconds: u64,
}

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        write_hooks(&root.join("hooks"));
        Self {
            root: root.to_owned(),
            records: BTreeMap::new(),
            disks: BTreeMap::new(),
            changes: Vec::new(),
            tokens: Tokens::default(),
            numbers: BTreeMap::new(),
            next: 0,
            seconds: 0,
        }
    }

    /// A time that is later each time it is asked for, and the same in every run.
    pub(super) fn now(&mut self) -> String {
        self.seconds += 1;
        let (minutes, seconds) = (self.seconds / 60, self.seconds % 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!(
            "2026-{:02}-{:02}T{:02}:{minutes:02}:{seconds:02}Z",
            10 + hours / 24 / 28 % 3,
            1 + hours / 24 % 28,
            hours % 24
        )
    }

    /// A database id: pull requests and comments are past 32 bits, as GitHub's are.
    fn next_id(&mut self, kind: &str) -> u64 {
        self.next += 1;
        let base = match kind {
            "Repository" => 212_613_000,
            "User" | "Organization" | "Bot" => 583_000,
            "Label" | "Milestone" | "Gist" | "Workflow" | "App" => 7_000_000,
            _ => 4_333_000_000,
        };
        base + self.next
    }

    /// Adds a record; `createdAt` and `updatedAt` are the time of now, unless given.
    pub(super) fn add(&mut self, kind: &'static str, repository: Option<u64>, fields: Value) -> Key {
        let id = self.next_id(kind);
        let now = self.now();
        let mut whole = Map::new();
        whole.insert("createdAt".to_owned(), now.clone().into());
        whole.insert("updatedAt".to_owned(), now.into());
        let Value::Object(fields) = fields else {
            panic!("a record has fields")
        };
        whole.extend(fields);
        let record = Record {
            kind,
            id,
            repository,
            fields: whole,
        };
        self.records.insert((kind, id), record);
        (kind, id)
    }

    /// A new repository with its directory.
    pub(super) fn add_repository(&mut self, owner: &str, name: &str, private: bool, format: &str) -> u64 {
        let owner = self.actor(owner);
        let fields = json!({
            "name": name, "owner": self.link(owner), "isPrivate": private, "defaultBranch": "main",
            "description": null, "hasIssuesEnabled": true, "objectFormat": format,
        });
        let (_, id) = self.add("Repository", None, fields);
        let path = self.root.join(format!("{id}.git"));
        self.disks
            .insert(id, Disk::create(&path, "main", format, &self.root.join("hooks")));
        id
    }

    /// The user (or organization) of this login: made if it is new.
    pub(super) fn actor(&mut self, login: &str) -> Key {
        self.actor_named(login).unwrap_or_else(|| {
            let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
            self.add(kind, None, json!({ "login": login, "name": login }))
        })
    }

    pub(super) fn actor_named(&self, login: &str) -> Option<Key> {
        let is_it = |record: &&Record| {
            matches!(record.kind, "User" | "Organization" | "Bot")
                && record.text("login").eq_ignore_ascii_case(login)
        };
        self.records.values().find(is_it).map(Record::key)
    }

    /// The repository that is called so; GitHub compares names case-insensitively.
    pub(super) fn repository_named(&self, owner: &str, name: &str) -> Option<&Record> {
        let name = name.strip_suffix(".git").unwrap_or(name);
        self.of_kind("Repository").find(|repository| {
            repository.text("name").eq_ignore_ascii_case(name)
                && self.owner_of(repository).eq_ignore_ascii_case(owner)
        })
    }

    pub(super) fn owner_of(&self, repository: &Record) -> String {
        let owner = repository.fields.get("owner").and_then(|link| self.linked(link));
        owner
            .map(|owner| owner.text("login").to_owned())
            .unwrap_or_default()
    }

    /// `owner/name`; `gist/ID` of a gist.
    pub(super) fn full_name(&self, repository: u64) -> String {
        if let Some(gist) = self.records.get(&("Gist", repository)) {
            return format!("gist/{}", gist.text("name"));
        }
        self.records
            .get(&("Repository", repository))
            .map_or_else(String::new, |record| {
                format!("{}/{}", self.owner_of(record), record.text("name"))
            })
    }

    pub(super) fn of_kind(&self, kind: &'static str) -> impl DoubleEndedIterator<Item = &Record> {
        self.records
            .range((kind, 0)..=(kind, u64::MAX))
            .map(|(_, record)| record)
    }

    /// The records of a kind in a repository, oldest first.
    pub(super) fn within(
        &self,
        kind: &'static str,
        repository: u64,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        self.of_kind(kind)
            .filter(move |record| record.repository == Some(repository))
    }

    /// The issue or pull request of this number.
    pub(super) fn numbered(&self, kind: &'static str, repository: u64, number: u64) -> Option<&Record> {
        self.within(kind, repository)
            .find(|record| record.field("number") == number)
    }

    /// Issues and pull requests of a repository are counted together, and no number is given twice.
    pub(super) fn next_number(&mut self, repository: u64) -> u64 {
        let last = self.numbers.entry(repository).or_default();
        *last += 1;
        *last
    }

    /// As a field refers to another record.
    pub(super) fn link(&self, key: Key) -> Value {
        json!({ "$": self.node_id(key) })
    }

    pub(super) fn node_id(&self, key: Key) -> String {
        let repository = if key.0 == "Repository" {
            None
        } else {
            self.records.get(&key).and_then(|record| record.repository)
        };
        NodeId::Record(key.0, key.1).text(repository)
    }

    /// What such a field refers to.
    pub(super) fn linked(&self, link: &Value) -> Option<&Record> {
        self.record_of(link["$"].as_str()?)
    }

    /// The record of this node id.
    pub(super) fn record_of(&self, node_id: &str) -> Option<&Record> {
        match NodeId::parse(node_id)? {
            NodeId::Record(kind, id) => self.records.get(&(kind, id)),
            NodeId::Git(..) => None,
        }
    }

    /// Sets fields of a record, and its `updatedAt`.
    pub(super) fn set(&mut self, key: Key, fields: Value) {
        let now = self.now();
        let (Some(record), Value::Object(fields)) = (self.records.get_mut(&key), fields) else {
            return;
        };
        record.fields.extend(fields);
        record.fields.insert("updatedAt".to_owned(), now.into());
    }

    /// Notes what was done, where no record says it.
    pub(super) fn change(
        &mut self,
        operation: &str,
        arguments: Value,
        repository: Option<u64>,
        touched: Vec<String>,
    ) {
        let repository = repository.map(|id| self.full_name(id));
        let operation = operation.to_owned();
        self.changes.push(Arc::new(Change {
            operation,
            arguments,
            repository,
            touched,
        }));
    }

    /// Whether `caller` may do this with a permission of a repository.
    pub(super) fn may(&self, caller: &Caller, wanted: Wanted, permission: &str, repository: u64) -> bool {
        let Some(record) = self.records.get(&("Repository", repository)) else {
            return false;
        };
        caller.may(wanted, permission, repository, record.flag("isPrivate"))
    }

    /// Whether `caller` is who a record says it is its owner, or its author.
    pub(super) fn owns(&self, record: &Record, caller: &Caller) -> bool {
        let owner = record
            .fields
            .get("owner")
            .or(record.fields.get("author"))
            .and_then(|link| self.linked(link));
        owner.is_some_and(|owner| Some(owner.text("login").to_owned()) == caller.login())
    }

    /// `refs/pull/N/head` follows the head of each open pull request; one whose head is gone is closed, as GitHub does.
    pub(super) fn follow_heads(&mut self, repository: u64) {
        let Some(disk) = self.disks.get(&repository).cloned() else {
            return;
        };
        let open: Vec<_> = self
            .within("PullRequest", repository)
            .filter(|pull| pull.text("state") == "OPEN")
            .cloned()
            .collect();
        for pull in open {
            let head_disk = pull
                .fields
                .get("headRepository")
                .and_then(|link| self.linked(link))
                .and_then(|at| self.disks.get(&at.id));
            let Some(head) = head_disk.and_then(|disk| disk.branch(pull.text("headRefName"))) else {
                let now = self.now();
                self.set(pull.key(), json!({ "state": "CLOSED", "closedAt": now }));
                continue;
            };
            if pull.text("headRefOid") != head {
                self.set(pull.key(), json!({ "headRefOid": head }));
            }
            let _ = disk.update(
                &format!("refs/pull/{}/head", pull.field("number")),
                Some(&head),
                None,
            );
        }
    }
}

impl Record {
    pub(super) fn key(&self) -> Key {
        (self.kind, self.id)
    }

    /// A field, or null.
    pub(super) fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// A field as text, or empty.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A field as a yes or a no.
    pub(super) fn flag(&self, field: &str) -> bool {
        self.fields
            .get(field)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// A field as a number, or 0.
    pub(super) fn number(&self, field: &str) -> u64 {
        self.fields.get(field).and_then(Value::as_u64).unwrap_or_default()
    }
}
