//! Refs, trees, blobs, commits and tags: in the real repository.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use super::pulls::invalid;
use crate::github::Answer;
use crate::github::deeds::{Refused, commits, refs};
use crate::github::node_id::NodeId;

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("git/")?;
    Some(match id {
        "get-ref" => {
            let name = format!("refs/{}", call.part("ref"));
            reference(call, &name).map_or_else(Answer::not_found, |shown| Answer::json(200, &shown))
        }
        "list-matching-refs" => {
            let prefix = format!("refs/{}", call.part("ref"));
            let names = call
                .disk()
                .refs()
                .into_keys()
                .filter(|name| name.starts_with(&prefix));
            Answer::json(
                200,
                &names
                    .filter_map(|name| reference(call, &name))
                    .collect::<Vec<_>>()
                    .into(),
            )
        }
        "create-ref" => {
            let (name, sha) = (call.text("ref").to_owned(), call.text("sha").to_owned());
            let repository = call.repository();
            let done = refs::create(&mut call.store, repository, &name, &sha);
            moved(call, 201, &name, done)
        }
        "update-ref" => {
            let name = format!("refs/{}", call.part("ref"));
            let (sha, force) = (
                call.text("sha").to_owned(),
                call.given["force"].as_bool().unwrap_or(false),
            );
            let repository = call.repository();
            let done = refs::update(&mut call.store, repository, &name, &sha, force);
            moved(call, 200, &name, done)
        }
        "delete-ref" => {
            let name = format!("refs/{}", call.part("ref"));
            let repository = call.repository();
            match refs::delete(&mut call.store, repository, &name) {
                Ok(()) => Answer::nothing(204),
                Err(Refused(why)) => Answer::problem(422, &why),
            }
        }
        "get-commit" => found(call, "commit_sha", |call, sha| {
            super::contents::git_commit(call, &call.disk(), sha)
        }),
        "get-tree" => found(call, "tree_sha", tree),
        "get-blob" => found(call, "file_sha", blob),
        "create-tree" if changes_workflows(call) && !call.caller.may_change_workflows() => {
            Answer::problem(403, "Resource not accessible by integration")
        }
        "create-blob" | "create-tree" | "create-commit" | "create-tag" => made(call, id),
        _ => return None,
    })
}

/// A ref as GitHub shows it.
pub(super) fn reference(call: &Call<'_>, name: &str) -> Option<Value> {
    let disk = call.disk();
    let sha = disk.resolve(name)?;
    let kind = disk.kind(&sha)?;
    let api = format!(
        "{}/repos/{}",
        call.site.api(),
        call.store.full_name(call.repository())
    );
    let node = NodeId::Git("Ref", call.repository(), name.to_owned()).text(None);
    Some(json!({
        "ref": name, "node_id": node, "url": format!("{api}/git/{name}"),
        "object": { "sha": sha, "type": kind, "url": format!("{api}/git/{kind}s/{sha}") },
    }))
}

fn moved(call: &Call<'_>, status: u16, name: &str, done: Result<(), Refused>) -> Answer {
    match done {
        Ok(()) => Answer::json(status, &reference(call, name).unwrap_or_default()),
        Err(Refused(why)) => Answer::problem(422, &why),
    }
}

fn found(call: &Call<'_>, part: &str, show: fn(&Call<'_>, &str) -> Value) -> Answer {
    match call.disk().resolve(call.part(part)) {
        Some(sha) => Answer::json(200, &show(call, &sha)),
        None => Answer::not_found(),
    }
}

fn tree(call: &Call<'_>, sha: &str) -> Value {
    let deep = call.asked("recursive").is_some();
    let arguments: &[&str] = if deep {
        &["ls-tree", "-r", "-t", "-l", sha]
    } else {
        &["ls-tree", "-l", sha]
    };
    let listed = call.disk().git(arguments).unwrap_or_default();
    let read = |line: &str| {
        let (kind, path) = line.split_once('\t')?;
        let kind: Vec<&str> = kind.split_whitespace().collect();
        let [mode, kind, id, size] = kind[..] else {
            return None;
        };
        let mut entry = json!({ "path": path, "mode": mode, "type": kind, "sha": id });
        if let Ok(size) = size.parse::<u64>() {
            entry["size"] = size.into();
        }
        Some(entry)
    };
    json!({ "sha": sha, "truncated": false, "tree": listed.lines().filter_map(read).collect::<Vec<_>>() })
}

fn blob(call: &Call<'_>, sha: &str) -> Value {
    let content = call
        .disk()
        .git_with(&["cat-file", "blob", sha], b"")
        .unwrap_or_default();
    json!({ "sha": sha, "size": content.len(), "encoding": "base64", "content": STANDARD.encode(content) })
}

/// An object: it changes no ref, and is noted as a change all the same.
fn made(call: &mut Call<'_>, id: &str) -> Answer {
    let disk = call.disk();
    let written = match id {
        "create-blob" => {
            let content = call.text("content");
            let content = if call.text("encoding") == "base64" {
                STANDARD.decode(content.replace('\n', "")).unwrap_or_default()
            } else {
                content.as_bytes().to_vec()
            };
            disk.git_with(&["hash-object", "-w", "--stdin"], &content)
                .map_err(Refused::from)
        }
        "create-tree" => new_tree(call).map(String::into_bytes),
        "create-commit" => {
            let parents = call.given["parents"].as_array().cloned().unwrap_or_default();
            let parents: Vec<&str> = parents.iter().filter_map(Value::as_str).collect();
            commits::commit_tree(&disk, call.text("tree"), &parents, call.text("message"))
                .map(String::into_bytes)
        }
        _ => {
            let text = |name: &str| call.text(name).to_owned();
            let tag = format!(
                "object {}\ntype {}\ntag {}\ntagger GitHub <noreply@github.com> 1790000000 +0000\n\n{}\n",
                text("object"),
                text("type"),
                text("tag"),
                text("message")
            );
            disk.git_with(&["hash-object", "-w", "-t", "tag", "--stdin"], tag.as_bytes())
                .map_err(Refused::from)
        }
    };
    let sha = match written {
        Ok(sha) => String::from_utf8_lossy(&sha).trim().to_owned(),
        Err(why) => return invalid(&why),
    };
    call.note();
    let shown = match id {
        "create-tree" => tree(call, &sha),
        "create-commit" => super::contents::git_commit(call, &disk, &sha),
        _ => json!({ "sha": sha, "url": format!("{}{}/{sha}", call.site.api(), call.path) }),
    };
    Answer::json(201, &shown)
}

fn changes_workflows(call: &Call<'_>) -> bool {
    let entries = call.given["tree"].as_array().into_iter().flatten();
    entries
        .filter_map(|entry| entry["path"].as_str())
        .any(|path| path.starts_with(".github/workflows/"))
}

fn new_tree(call: &Call<'_>) -> Result<String, Refused> {
    let disk = call.disk();
    let mut entries = String::new();
    for entry in call.given["tree"].as_array().cloned().unwrap_or_default() {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let id = match entry["content"].as_str() {
            Some(content) => String::from_utf8_lossy(
                &disk.git_with(&["hash-object", "-w", "--stdin"], content.as_bytes())?,
            )
            .trim()
            .to_owned(),
            None => text("sha"),
        };
        let (mode, id) = if id.is_empty() {
            ("0".to_owned(), "0".repeat(disk.id_length()))
        } else {
            (text("mode"), id)
        };
        let _ = writeln!(entries, "{mode} {id}\t{}", text("path"));
    }
    disk.tree(call.given["base_tree"].as_str(), entries.as_bytes())
        .map_err(Refused::from)
}
