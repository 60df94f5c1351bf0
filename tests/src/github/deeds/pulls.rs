//! Pull requests.

use serde_json::{Map, Value, json};

use super::{Refused, commits, issues, refs};
use crate::github::compare;
use crate::github::store::{Key, Store};
use crate::github::tokens::Caller;

/// Where a pull request comes from and goes to.
pub(in crate::github) struct Between {
    pub(in crate::github) repository: u64,
    pub(in crate::github) head_repository: u64,
    pub(in crate::github) head: String,
    pub(in crate::github) base: String,
}

/// A new pull request, as GitHub makes one: of two branches that differ, and of which none is open.
pub(in crate::github) fn open(
    store: &mut Store,
    between: &Between,
    caller: &Caller,
    fields: Map<String, Value>,
) -> Result<Key, Refused> {
    let Between {
        repository,
        head_repository,
        head,
        base,
    } = between;
    let head_id = refs::disk(store, *head_repository)?.branch(head);
    let head_id = head_id.ok_or_else(|| Refused::because("Head sha can't be blank, Base sha can't be blank, No commits between the branches, Head ref must be a branch"))?;
    let disk = refs::disk(store, *repository)?;
    if head_repository != repository {
        let from = refs::disk(store, *head_repository)?.path().display().to_string();
        disk.git(&["fetch", "--quiet", &from, &head_id])?;
    }
    let base_id = disk
        .branch(base)
        .ok_or_else(|| Refused::because("Base ref must be a branch"))?;
    if compare::commits(&disk, &base_id, &head_id).is_empty() {
        return Err(Refused::because(format!("No commits between {base} and {head}")));
    }
    let head_link = store.link(("Repository", *head_repository));
    let open = store.within("PullRequest", *repository).any(|pull| {
        pull.text("state") == "OPEN"
            && pull.text("headRefName") == head
            && pull.text("baseRefName") == base
            && *pull.field("headRepository") == head_link
    });
    if open {
        let owner = store.full_name(*head_repository);
        let owner = owner.split('/').next().unwrap_or_default();
        return Err(Refused::because(format!(
            "A pull request already exists for {owner}:{head}."
        )));
    }
    let (number, author) = (store.next_number(*repository), issues::author(store, caller));
    let mut whole = json!({
        "number": number, "state": "OPEN", "isDraft": false, "author": author, "title": "", "body": "",
        "headRepository": head_link, "headRefName": head, "headRefOid": head_id, "baseRefName": base,
    });
    issues::merge(&mut whole, fields);
    let key = store.add("PullRequest", Some(*repository), whole);
    store.follow_heads(*repository);
    Ok(key)
}

/// Merges one, as `MERGE`, `SQUASH` or `REBASE` say (a rebase is a squash here), into the real branch.
pub(in crate::github) fn merge(
    store: &mut Store,
    key: Key,
    caller: &Caller,
    method: &str,
    message: Option<&str>,
) -> Result<String, Refused> {
    let pull = store
        .records
        .get(&key)
        .cloned()
        .ok_or_else(|| Refused::because("Not Found"))?;
    let repository = pull.repository.expect("a pull request has a repository");
    if pull.text("state") != "OPEN" || pull.flag("isDraft") {
        return Err(Refused::because("Pull Request is not mergeable"));
    }
    let disk = refs::disk(store, repository)?;
    let base = pull.text("baseRefName");
    let at = disk
        .branch(base)
        .ok_or_else(|| Refused::because("Base branch was modified. Review and try the merge again."))?;
    let head = pull.text("headRefOid");
    let tree = compare::merges(&disk, &at, head)
        .ok_or_else(|| Refused::because("Pull Request has merge conflicts"))?;
    let title = format!(
        "Merge pull request #{} from {}",
        pull.field("number"),
        pull.text("headRefName")
    );
    let parents: &[&str] = if method.eq_ignore_ascii_case("merge") {
        &[&at, head]
    } else {
        &[&at]
    };
    let id = commits::commit_tree(&disk, &tree, parents, message.unwrap_or(&title))?;
    refs::update(store, repository, &format!("refs/heads/{base}"), &id, false)?;
    let (by, now) = (issues::author(store, caller), store.now());
    let commit = crate::github::node_id::NodeId::Git("Commit", repository, id.clone()).text(None);
    let merged = json!({ "state": "MERGED", "mergedBy": by, "mergedAt": now, "closedAt": now, "baseRefOid": at, "mergeCommit": { "$": commit } });
    store.set(key, merged);
    Ok(id)
}

/// `OPEN` or `CLOSED`, which a merged one cannot be.
pub(in crate::github) fn close_or_reopen(store: &mut Store, key: Key, state: &str) -> Result<(), Refused> {
    let record = store
        .records
        .get(&key)
        .ok_or_else(|| Refused::because("Not Found"))?;
    if record.text("state") == "MERGED" {
        return Err(Refused::because(
            "A merged pull request cannot be changed in state",
        ));
    }
    let closed = (state == "CLOSED").then(|| store.now());
    store.set(key, json!({ "state": state, "closedAt": closed }));
    Ok(())
}
