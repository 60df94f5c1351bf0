//! Commits that are made on the server: of files, and of merges.

use std::fmt::Write as _;

use super::Refused;
use super::refs::{disk, update};
use crate::github::compare;
use crate::github::disk::Disk;
use crate::github::store::Store;

/// One file of a commit: its new content, or none to delete it.
pub(in crate::github) type FileChange = (String, Option<Vec<u8>>);

/// A commit of these files on a branch, which must be at `expected` if that is said; a branch of an empty repository is made.
pub(in crate::github) fn commit(
    store: &mut Store,
    repository: u64,
    branch: &str,
    expected: Option<&str>,
    message: &str,
    files: &[FileChange],
) -> Result<String, Refused> {
    let disk = disk(store, repository)?;
    let name = format!("refs/heads/{branch}");
    let head = disk.resolve(&name);
    if head.is_none() && disk.refs().keys().any(|name| name.starts_with("refs/heads/")) {
        return Err(Refused::because(format!("Branch {branch} not found")));
    }
    if let Some(expected) = expected
        && head.as_deref() != Some(expected)
    {
        let at = head.unwrap_or_default();
        return Err(Refused::because(format!(
            "Expected branch to point to \"{at}\" but it did not. Pull and try again."
        )));
    }
    let tree = tree_with(&disk, head.as_deref(), files)?;
    let parents: Vec<&str> = head.as_deref().into_iter().collect();
    let id = commit_tree(&disk, &tree, &parents, message)?;
    disk.update(&name, Some(&id), head.as_deref())?;
    store.follow_heads(repository);
    Ok(id)
}

/// The merge of `head` into the branch `base`: the new commit, or none where nothing was to be merged.
pub(in crate::github) fn merge(
    store: &mut Store,
    repository: u64,
    base: &str,
    head: &str,
    message: &str,
) -> Result<Option<String>, Refused> {
    let disk = disk(store, repository)?;
    let at = disk
        .branch(base)
        .ok_or_else(|| Refused::because("Base does not exist"))?;
    let head = disk
        .branch(head)
        .or_else(|| disk.resolve(head))
        .ok_or_else(|| Refused::because("Head does not exist"))?;
    if disk.git(&["merge-base", "--is-ancestor", &head, &at]).is_ok() {
        return Ok(None);
    }
    let tree = compare::merges(&disk, &at, &head).ok_or_else(|| Refused::because("Merge conflict"))?;
    let id = commit_tree(&disk, &tree, &[&at, &head], message)?;
    update(store, repository, &format!("refs/heads/{base}"), &id, true)?;
    Ok(Some(id))
}

/// A commit of a tree.
pub(in crate::github) fn commit_tree(
    disk: &Disk,
    tree: &str,
    parents: &[&str],
    message: &str,
) -> Result<String, Refused> {
    if tree.starts_with('-') || parents.iter().any(|parent| parent.starts_with('-')) {
        return Err(Refused::because("An object's id has 40 or 64 digits"));
    }
    let mut arguments = vec!["commit-tree", tree];
    arguments.extend(parents.iter().flat_map(|parent| ["-p", *parent]));
    let id = disk.git_with(&arguments, message.as_bytes())?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

/// The tree of `base` with these files put in or taken out, by an index of its own.
fn tree_with(disk: &Disk, base: Option<&str>, files: &[FileChange]) -> Result<String, Refused> {
    let mut entries = String::new();
    for (path, content) in files {
        let (mode, id) = match content {
            Some(content) => {
                let id = disk.git_with(&["hash-object", "-w", "--stdin"], content)?;
                ("100644", String::from_utf8_lossy(&id).trim().to_owned())
            }
            None => ("0", "0".repeat(disk.id_length())),
        };
        let _ = writeln!(entries, "{mode} {id}\t{path}");
    }
    disk.tree(base, entries.as_bytes()).map_err(Refused::from)
}
