//! Refs, made, moved and deleted in the real repository.

use super::Refused;
use crate::github::disk::Disk;
use crate::github::store::Store;

const NONE: &str = "0000000000000000000000000000000000000000";

/// A new ref.
pub(in crate::github) fn create(
    store: &mut Store,
    repository: u64,
    name: &str,
    id: &str,
) -> Result<(), Refused> {
    let disk = disk(store, repository)?;
    well_named(&disk, name)?;
    if disk.resolve(name).is_some() {
        return Err(Refused::because("Reference already exists"));
    }
    let id = object(&disk, id)?;
    disk.update(name, Some(&id), None)?;
    store.follow_heads(repository);
    Ok(())
}

/// A ref that is moved: forward only, unless by force.
pub(in crate::github) fn update(
    store: &mut Store,
    repository: u64,
    name: &str,
    id: &str,
    force: bool,
) -> Result<(), Refused> {
    let disk = disk(store, repository)?;
    let Some(old) = disk.resolve(name) else {
        return Err(Refused::because("Reference does not exist"));
    };
    let id = object(&disk, id)?;
    if !force && disk.git(&["merge-base", "--is-ancestor", &old, &id]).is_err() {
        return Err(Refused::because("Update is not a fast forward"));
    }
    disk.update(name, Some(&id), Some(&old))?;
    store.follow_heads(repository);
    Ok(())
}

/// A ref that is deleted; not the default branch.
pub(in crate::github) fn delete(store: &mut Store, repository: u64, name: &str) -> Result<(), Refused> {
    let disk = disk(store, repository)?;
    well_named(&disk, name)?;
    if disk.resolve(name).is_none() {
        return Err(Refused::because("Reference does not exist"));
    }
    let default = store.records[&("Repository", repository)].text("defaultBranch");
    if name == format!("refs/heads/{default}") {
        return Err(Refused::because("Cannot delete the default branch"));
    }
    disk.update(name, None, None)?;
    store.follow_heads(repository);
    Ok(())
}

/// `refs/heads/…`: any update, as GraphQL's `updateRefs` says one: all zeros make or delete it.
pub(in crate::github) fn set(
    store: &mut Store,
    repository: u64,
    name: &str,
    before: Option<&str>,
    after: &str,
    force: bool,
) -> Result<(), Refused> {
    let disk = disk(store, repository)?;
    let old = disk.resolve(name);
    let told = before.filter(|before| before.bytes().any(|byte| byte != b'0'));
    if before.is_some() && told != old.as_deref() {
        return Err(Refused::because("Reference has changed since"));
    }
    match (old, after.bytes().all(|byte| byte == b'0')) {
        (_, true) => delete(store, repository, name),
        (None, false) => create(store, repository, name, after),
        (Some(_), false) => update(store, repository, name, after, force),
    }
}

/// Another name for a branch; pull requests follow.
pub(in crate::github) fn rename(
    store: &mut Store,
    repository: u64,
    from: &str,
    to: &str,
) -> Result<(), Refused> {
    let disk = disk(store, repository)?;
    let id = disk
        .branch(from)
        .ok_or_else(|| Refused::because("Branch not found"))?;
    create(store, repository, &format!("refs/heads/{to}"), &id)?;
    let key = ("Repository", repository);
    if store.records[&key].text("defaultBranch") == from {
        store.set(key, serde_json::json!({ "defaultBranch": to }));
        disk.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{to}")])?;
    }
    for field in ["headRefName", "baseRefName"] {
        let following = store
            .within("PullRequest", repository)
            .filter(|pull| pull.text(field) == from);
        let following: Vec<_> = following.map(crate::github::store::Record::key).collect();
        for pull in following {
            store.set(pull, serde_json::json!({ field: to }));
        }
    }
    disk.update(&format!("refs/heads/{from}"), None, None)?;
    Ok(())
}

pub(in crate::github) fn disk(store: &Store, repository: u64) -> Result<Disk, Refused> {
    store
        .disks
        .get(&repository)
        .cloned()
        .ok_or_else(|| Refused::because("Not Found"))
}

fn well_named(disk: &Disk, name: &str) -> Result<(), Refused> {
    let known =
        name.starts_with("refs/") && name.matches('/').count() >= 2 && !name.starts_with("refs/pull/");
    if known && disk.git(&["check-ref-format", name]).is_ok() {
        return Ok(());
    }
    Err(Refused::because(format!(
        "Reference name must start with 'refs/' and contain at least one slash, and be well-formed: {name}"
    )))
}

fn object(disk: &Disk, id: &str) -> Result<String, Refused> {
    let whole = id.len() >= NONE.len() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = Some(id).filter(|_| whole && disk.kind(id).is_some());
    found
        .map(str::to_owned)
        .ok_or_else(|| Refused::because("Object does not exist"))
}
