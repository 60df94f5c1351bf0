//! Refs, commits, trees and blobs, as git has them.

use serde_json::{Map, Value, json};

use super::Context;
use super::roots::git_link;
use crate::github::compare;
use crate::github::disk::Disk;
use crate::github::store::{Record, Store};

/// Fields that take arguments, or cost much.
pub(super) fn asked(
    context: &Context<'_>,
    kind: &str,
    repository: u64,
    name: &str,
    field: &str,
    arguments: &Value,
) -> Option<Value> {
    let store = context.store.borrow();
    let disk = store.disks.get(&repository)?;
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    Some(match (kind, field) {
        (_, "repository") => store.link(("Repository", repository)),
        ("Ref", "associatedPullRequests") => {
            let mut arguments = arguments.clone();
            arguments["headRefName"] = name.trim_start_matches("refs/heads/").into();
            super::pulls::list(&store, repository, &arguments)
        }
        ("Ref", "compare") => {
            let head = disk.resolve(text("headRef"))?;
            let ahead = compare::commits(disk, name, &head);
            let behind = compare::commits(disk, &head, name);
            let status = match (ahead.is_empty(), behind.is_empty()) {
                (true, true) => "IDENTICAL",
                (false, true) => "AHEAD",
                (true, false) => "BEHIND",
                (false, false) => "DIVERGED",
            };
            let commits: Vec<_> = ahead
                .iter()
                .map(|id| git_link("Commit", repository, id))
                .collect();
            json!({ "aheadBy": ahead.len(), "behindBy": behind.len(), "status": status, "commits": commits })
        }
        ("Commit", "history") => {
            let listed = disk
                .git(&["rev-list", "--max-count=1000", name])
                .unwrap_or_default();
            listed
                .lines()
                .map(|id| git_link("Commit", repository, id))
                .collect::<Vec<_>>()
                .into()
        }
        ("Commit", "statusCheckRollup") => return rollup(&store, repository, name),
        ("Commit", "checkSuites") => {
            let suites = store
                .within("CheckSuite", repository)
                .filter(|suite| suite.text("headSha") == name);
            suites
                .map(|suite| store.link(suite.key()))
                .collect::<Vec<_>>()
                .into()
        }
        ("Commit", "associatedPullRequests") => {
            let with = store
                .within("PullRequest", repository)
                .filter(|pull| pull.text("headRefOid") == name);
            with.map(|pull| store.link(pull.key())).collect::<Vec<_>>().into()
        }
        ("Commit", "file") => {
            let entry = disk.git(&["ls-tree", name, "--", text("path")]).ok()?;
            entries(&store, repository, &entry).into_iter().next()?
        }
        ("Commit" | "Ref", "url" | "resourcePath" | "commitUrl") => {
            let page = if kind == "Commit" { "commit" } else { "tree" };
            let name = name.trim_start_matches("refs/heads/");
            format!(
                "{}/{}/{page}/{name}",
                context.site.web(),
                store.full_name(repository)
            )
            .into()
        }
        _ => return None,
    })
}

/// All other fields of one.
pub(super) fn load(context: &Context<'_>, kind: &str, repository: u64, name: &str) -> Map<String, Value> {
    let store = context.store.borrow();
    let loaded = store.disks.get(&repository).and_then(|disk| match kind {
        "Ref" => a_ref(disk, repository, name),
        "Commit" => commit(&store, disk, repository, name),
        "Tree" => {
            let listed = disk.git(&["ls-tree", name]).ok()?;
            Some(json!({ "oid": name, "entries": entries(&store, repository, &listed) }))
        }
        "Blob" => blob(disk, name),
        _ => Some(json!({ "oid": name })),
    });
    match loaded {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn a_ref(disk: &Disk, repository: u64, name: &str) -> Option<Value> {
    let id = disk.resolve(name)?;
    let kind = if disk.kind(&id)? == "tag" { "Tag" } else { "Commit" };
    let (prefix, short) = ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|prefix| Some((*prefix, name.strip_prefix(prefix)?)))
        .unwrap_or(("refs/", name));
    Some(json!({ "name": short, "prefix": prefix, "target": git_link(kind, repository, &id) }))
}

fn commit(store: &Store, disk: &Disk, repository: u64, id: &str) -> Option<Value> {
    let format = "--format=%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B";
    let shown = disk.git(&["show", "--no-patch", format, id]).ok()?;
    let mut lines = shown.splitn(9, '\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (tree, parents) = (line(), line());
    let mut person = || {
        let (name, email, date) = (line(), line(), line());
        let user = store
            .of_kind("User")
            .find(|user| user.text("login") == name)
            .map(|user| store.link(user.key()));
        json!({ "name": name, "email": email, "date": date, "user": user })
    };
    let (author, committer) = (person(), person());
    let message = line();
    let (headline, body) = message.split_once("\n\n").unwrap_or((&message, ""));
    let parents: Vec<_> = parents
        .split(' ')
        .filter(|id| !id.is_empty())
        .map(|id| git_link("Commit", repository, id))
        .collect();
    Some(json!({
        "oid": id, "abbreviatedOid": &id[..7.min(id.len())], "tree": git_link("Tree", repository, &tree), "parents": parents,
        "authoredDate": author["date"], "committedDate": committer["date"], "author": author, "committer": committer,
        "authors": [author], "message": message, "messageHeadline": headline.trim_end(), "messageBody": body.trim_end(),
    }))
}

fn blob(disk: &Disk, id: &str) -> Option<Value> {
    let content = disk.git_with(&["cat-file", "blob", id], b"").ok()?;
    let text = String::from_utf8(content.clone()).ok();
    Some(
        json!({ "oid": id, "byteSize": content.len(), "isBinary": text.is_none(), "isTruncated": false, "text": text }),
    )
}

fn entries(store: &Store, repository: u64, listed: &str) -> Vec<Value> {
    let _ = store;
    let read = |line: &str| {
        let (kind, path) = line.split_once('\t')?;
        let mut kind = kind.split(' ');
        let (mode, kind, id) = (kind.next()?, kind.next()?, kind.next()?);
        let link = match kind {
            "tree" => git_link("Tree", repository, id),
            "blob" => git_link("Blob", repository, id),
            _ => Value::Null,
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        Some(
            json!({ "name": name, "path": path, "mode": i64::from_str_radix(mode, 8).unwrap_or(0), "type": kind, "oid": id, "object": link }),
        )
    };
    listed.lines().filter_map(read).collect()
}

/// All checks of a commit, and what they come to.
pub(super) fn rollup(store: &Store, repository: u64, commit: &str) -> Option<Value> {
    let checks: Vec<&Record> = store
        .within("CheckRun", repository)
        .filter(|check| check.text("headSha") == commit)
        .collect();
    if checks.is_empty() {
        return None;
    }
    let any = |is: fn(&Record) -> bool| checks.iter().any(|check| is(check));
    let state = if any(|check| matches!(check.text("conclusion"), "FAILURE" | "TIMED_OUT" | "CANCELLED")) {
        "FAILURE"
    } else if any(|check| check.text("status") != "COMPLETED") {
        "PENDING"
    } else {
        "SUCCESS"
    };
    let contexts: Vec<_> = checks.iter().map(|check| store.link(check.key())).collect();
    Some(json!({ "state": state, "contexts": contexts }))
}
