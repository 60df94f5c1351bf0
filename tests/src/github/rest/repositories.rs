//! Repositories and branches.

use serde_json::{Map, Value, json};

use super::Call;
use super::pulls::invalid;
use super::views::View;
use crate::github::Answer;
use crate::github::deeds::{Refused, commits, refs};
use crate::github::store::Record;
use crate::github::tokens::Wanted;

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("repos/")?;
    if call.repository.is_none() {
        return elsewhere(call, id);
    }
    Some(match id {
        "get" => shown(call, 200, call.repository()),
        "update" => update(call),
        "delete" => {
            call.note();
            let id = call.repository();
            call.store
                .records
                .retain(|key, record| record.repository != Some(id) && *key != ("Repository", id));
            if let Some(disk) = call.store.disks.remove(&id) {
                let _ = std::fs::remove_dir_all(disk.path());
            }
            Answer::nothing(204)
        }
        "create-fork" => fork(call),
        "list-forks" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let mine = call.store.link(("Repository", call.repository()));
            let forks = call
                .store
                .of_kind("Repository")
                .filter(|fork| fork.fields.get("parent") == Some(&mine));
            let seen = forks.filter(|fork| call.store.may(call.caller, Wanted::Read, "metadata", fork.id));
            Answer::json(
                200,
                &seen.map(|fork| view.repository(fork)).collect::<Vec<_>>().into(),
            )
        }
        "list-branches" => {
            let names = call
                .disk()
                .refs()
                .into_keys()
                .filter_map(|name| Some(name.strip_prefix("refs/heads/")?.to_owned()));
            Answer::json(
                200,
                &names
                    .filter_map(|name| branch(call, &name))
                    .collect::<Vec<_>>()
                    .into(),
            )
        }
        "get-branch" => branch(call, call.part("branch")).map_or_else(
            || Answer::problem(404, "Branch not found"),
            |branch| Answer::json(200, &branch),
        ),
        "rename-branch" => {
            let (from, to, id) = (
                call.part("branch").to_owned(),
                call.text("new_name").to_owned(),
                call.repository(),
            );
            match refs::rename(&mut call.store, id, &from, &to) {
                Ok(()) => Answer::json(201, &branch(call, &to).unwrap_or_default()),
                Err(why) => invalid(&why),
            }
        }
        "merge" => {
            let (base, head, id) = (
                call.text("base").to_owned(),
                call.text("head").to_owned(),
                call.repository(),
            );
            let title = format!("Merge {head} into {base}");
            let message = call.given["commit_message"].as_str().unwrap_or(&title).to_owned();
            match commits::merge(&mut call.store, id, &base, &head, &message) {
                Ok(Some(made)) => Answer::json(201, &super::contents::commit(call, &call.disk(), &made)),
                Ok(None) => Answer::nothing(204),
                Err(Refused(why)) if why == "Merge conflict" => Answer::problem(409, &why),
                Err(Refused(why)) => Answer::problem(404, &why),
            }
        }
        "transfer" => {
            let owner = call.text("new_owner").to_owned();
            let actor = call.store.actor(&owner);
            let (key, link) = (("Repository", call.repository()), call.store.link(actor));
            call.store.set(key, json!({ "owner": link }));
            call.note();
            shown(call, 202, key.1)
        }
        "list-tags" => {
            let names = call
                .disk()
                .refs()
                .into_keys()
                .filter_map(|name| Some(name.strip_prefix("refs/tags/")?.to_owned()));
            let disk = call.disk();
            let tags = names.filter_map(|name| Some(json!({ "name": name, "commit": { "sha": disk.resolve(&format!("refs/tags/{name}^{{commit}}"))? } })));
            Answer::json(200, &tags.collect::<Vec<_>>().into())
        }
        _ => return None,
    })
}

fn shown(call: &Call<'_>, status: u16, id: u64) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(status, &view.repository(&call.store.records[&("Repository", id)]))
}

/// Operations that name no repository: lists, and new ones.
fn elsewhere(call: &mut Call<'_>, id: &str) -> Option<Answer> {
    match id {
        "create-for-authenticated-user" | "create-in-org" => {
            let owner = call
                .parts
                .get("org")
                .cloned()
                .or(call.caller.login())
                .unwrap_or_default();
            let (name, private) = (
                call.text("name").to_owned(),
                call.given["private"].as_bool().unwrap_or(false),
            );
            if call.store.repository_named(&owner, &name).is_some() {
                return Some(invalid(&Refused::because("name already exists on this account")));
            }
            let id = call.store.add_repository(&owner, &name, private, "sha1");
            Some(shown(call, 201, id))
        }
        "list-for-authenticated-user" | "list-for-user" | "list-for-org" | "list-public" => {
            let owner = call.parts.get("username").or(call.parts.get("org")).cloned();
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let seen = call
                .store
                .of_kind("Repository")
                .filter(|one| call.store.may(call.caller, Wanted::Read, "metadata", one.id));
            let of = seen.filter(|one| {
                owner
                    .as_ref()
                    .is_none_or(|owner| call.store.owner_of(one).eq_ignore_ascii_case(owner))
            });
            Some(Answer::json(
                200,
                &of.map(|one| view.repository(one)).collect::<Vec<_>>().into(),
            ))
        }
        _ => None,
    }
}

fn update(call: &mut Call<'_>) -> Answer {
    let names = [
        ("name", "name"),
        ("description", "description"),
        ("private", "isPrivate"),
        ("default_branch", "defaultBranch"),
        ("archived", "isArchived"),
    ];
    let mut fields = Map::new();
    for (from, to) in names {
        if let Some(value) = call.given.get(from) {
            fields.insert(to.to_owned(), value.clone());
        }
    }
    if let Some(visibility) = call.given["visibility"].as_str() {
        fields.insert("isPrivate".to_owned(), (visibility != "public").into());
    }
    if let Some(branch) = fields.get("defaultBranch").and_then(Value::as_str) {
        let _ = call
            .disk()
            .git(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]);
    }
    let id = call.repository();
    call.note();
    call.store.set(("Repository", id), Value::Object(fields));
    shown(call, 200, id)
}

fn fork(call: &mut Call<'_>) -> Answer {
    let parent: Record = call.store.records[&("Repository", call.repository())].clone();
    let owner = call.given["organization"]
        .as_str()
        .map(str::to_owned)
        .or(call.caller.login())
        .unwrap_or_default();
    let name = call.given["name"]
        .as_str()
        .unwrap_or(parent.text("name"))
        .to_owned();
    if let Some(known) = call.store.repository_named(&owner, &name).map(|known| known.id) {
        return shown(call, 202, known);
    }
    let from = call.disk();
    let id = call.store.add_repository(
        &owner,
        &name,
        parent.flag("isPrivate"),
        parent.text("objectFormat"),
    );
    let link = call.store.link(parent.key());
    call.store.set(
        ("Repository", id),
        json!({ "parent": link, "defaultBranch": parent.field("defaultBranch") }),
    );
    let _ = call.store.disks[&id].git(&[
        "fetch",
        "--quiet",
        &from.path().display().to_string(),
        "refs/heads/*:refs/heads/*",
        "refs/tags/*:refs/tags/*",
    ]);
    shown(call, 202, id)
}

fn branch(call: &Call<'_>, name: &str) -> Option<Value> {
    let disk = call.disk();
    let id = disk.branch(name)?;
    Some(
        json!({ "name": name, "commit": super::contents::commit(call, &disk, &id), "protected": false, "protection": { "enabled": false } }),
    )
}
