//! Gists: each a record, and a repository of its own.

use serde_json::{Map, Value, json};

use super::commits::{FileChange, commit};
use crate::github::disk::Disk;
use crate::github::store::{Key, Store};

/// A new gist of these files, by name.
pub(in crate::github) fn create(
    store: &mut Store,
    owner: &Value,
    files: &Map<String, Value>,
    about: &Value,
    public: bool,
) -> Key {
    let fields = json!({ "owner": owner, "description": about, "isPublic": public, "contents": files });
    let key = store.add("Gist", None, fields);
    let name = format!("{:032x}", 0xa1b2_c3d4_0000_0000 + key.1);
    store.set(key, json!({ "name": name }));
    let path = store.root.join(format!("gist-{name}.git"));
    let disk = Disk::create(&path, "main", "sha1", &store.root.join("hooks"));
    store.disks.insert(key.1, disk);
    write(store, key, files);
    key
}

/// Changes files of one: those without content are deleted.
pub(in crate::github) fn update(store: &mut Store, key: Key, files: &Map<String, Value>) {
    let mut all = store.records[&key].field("contents").clone();
    for (name, content) in files {
        match (content.is_null(), &mut all) {
            (true, Value::Object(all)) => drop(all.remove(name)),
            _ => all[name] = content.clone(),
        }
    }
    store.set(key, json!({ "contents": all }));
    write(store, key, files);
}

/// Deletes one, with its repository.
pub(in crate::github) fn delete(store: &mut Store, key: Key) {
    store.records.remove(&key);
    if let Some(disk) = store.disks.remove(&key.1) {
        let _ = std::fs::remove_dir_all(disk.path());
    }
}

fn write(store: &mut Store, key: Key, files: &Map<String, Value>) {
    let change = |(name, content): (&String, &Value)| {
        (
            name.clone(),
            content.as_str().map(|content| content.as_bytes().to_vec()),
        )
    };
    let files: Vec<FileChange> = files.iter().map(change).collect();
    let _ = commit(store, key.1, "main", None, "", &files); // GitHub's have no message, either
}
