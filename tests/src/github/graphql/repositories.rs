//! Fields of a repository.

use serde_json::{Value, json};

use super::Context;
use super::object::{Found, refused};
use super::roots::git_link;
use crate::github::store::{Record, Store};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn field(
    context: &Context<'_>,
    store: &Store,
    repository: &Record,
    field: &str,
    arguments: &Value,
) -> Found {
    let id = repository.id;
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    let all = |kind: &'static str| {
        Value::from(
            store
                .within(kind, id)
                .map(|record| store.link(record.key()))
                .collect::<Vec<_>>(),
        )
    };
    let Some(disk) = store.disks.get(&id) else {
        return Ok(None);
    };
    let branch = |name: &str| {
        let full = if name.starts_with("refs/") {
            name.to_owned()
        } else {
            format!("refs/heads/{name}")
        };
        disk.resolve(&full).map(|_| git_link("Ref", id, &full))
    };
    Ok(Some(match field {
        "nameWithOwner" => store.full_name(id).into(),
        "sshUrl" => format!(
            "git@{}:{}.git",
            context.site.web().trim_start_matches("https://"),
            store.full_name(id)
        )
        .into(),
        "visibility" => if repository.flag("isPrivate") {
            "PRIVATE"
        } else {
            "PUBLIC"
        }
        .into(),
        "isFork" => repository.fields.contains_key("parent").into(),
        "isEmpty" => disk
            .refs()
            .keys()
            .all(|name| !name.starts_with("refs/heads/"))
            .into(),
        "viewerPermission" => {
            let level = if context.may_write(store, Some(id)) {
                "WRITE"
            } else {
                "READ"
            };
            level.into()
        }
        "mergeCommitAllowed" | "rebaseMergeAllowed" | "squashMergeAllowed" | "hasWikiEnabled"
        | "forkingAllowed" => true.into(),
        "isInOrganization" | "viewerCanAdminister" | "hasProjectsEnabled" => false.into(),
        "viewerDefaultMergeMethod" => "MERGE".into(),
        "defaultBranchRef" => return Ok(branch(repository.text("defaultBranch"))),
        "ref" => return Ok(branch(text("qualifiedName"))),
        "refs" => {
            let prefix = text("refPrefix");
            let named = disk.refs().into_keys().filter(|name| name.starts_with(prefix));
            let wanted = named.filter(|name| name.contains(text("query")));
            wanted
                .map(|name| git_link("Ref", id, &name))
                .collect::<Vec<_>>()
                .into()
        }
        "object" => {
            let wanted = arguments["oid"]
                .as_str()
                .or(arguments["expression"].as_str())
                .unwrap_or("HEAD");
            return Ok(disk.resolve(wanted).and_then(|object| {
                let kind = match disk.kind(&object)?.as_str() {
                    "commit" => "Commit",
                    "tree" => "Tree",
                    "blob" => "Blob",
                    _ => "Tag",
                };
                Some(git_link(kind, id, &object))
            }));
        }
        "pullRequest" | "issue" | "issueOrPullRequest" => {
            let number = arguments["number"].as_u64().unwrap_or_default();
            let kinds: &[&'static str] = match field {
                "pullRequest" => &["PullRequest"],
                "issue" => &["Issue"],
                _ => &["PullRequest", "Issue"],
            };
            let what = if field == "pullRequest" {
                "a PullRequest"
            } else if field == "issue" {
                "an Issue"
            } else {
                "an issue or pull request"
            };
            let missing = || {
                refused(format!(
                    "Could not resolve to {what} with the number of {number}."
                ))
            };
            let found = kinds.iter().find_map(|kind| store.numbered(kind, id, number));
            store.link(found.ok_or_else(missing)?.key())
        }
        "pullRequests" => super::pulls::list(store, id, arguments),
        "issues" => super::issues::list(store, id, arguments),
        "labels" => all("Label"),
        "label" => return Ok(named(store, "Label", id, "name", text("name"))),
        "milestones" => all("Milestone"),
        "releases" => {
            let newest = store
                .within("Release", id)
                .rev()
                .map(|record| store.link(record.key()));
            newest.collect::<Vec<_>>().into()
        }
        "release" => return Ok(named(store, "Release", id, "tagName", text("tagName"))),
        "latestRelease" => {
            return Ok(store
                .within("Release", id)
                .next_back()
                .map(|record| store.link(record.key())));
        }
        "assignableUsers" | "mentionableUsers" | "collaborators" => {
            let users = store.of_kind("User").map(|user| store.link(user.key()));
            users.collect::<Vec<_>>().into()
        }
        "suggestedActors" => {
            let users = store
                .of_kind("User")
                .filter(|user| user.text("login").contains(text("query")));
            users
                .map(|user| store.link(user.key()))
                .collect::<Vec<_>>()
                .into()
        }
        "forks" => {
            let mine = store.link(repository.key());
            let forks = store
                .of_kind("Repository")
                .filter(|other| other.fields.get("parent") == Some(&mine));
            forks
                .map(|fork| store.link(fork.key()))
                .collect::<Vec<_>>()
                .into()
        }
        "issueTemplates" | "pullRequestTemplates" | "repositoryTopics" | "languages" => json!([]),
        "pushedAt" => repository.field("updatedAt").clone(),
        _ => return Ok(None),
    }))
}

fn named(store: &Store, kind: &'static str, repository: u64, field: &str, value: &str) -> Option<Value> {
    let found = store
        .within(kind, repository)
        .find(|record| record.text(field) == value);
    found.map(|record| store.link(record.key()))
}
