//! Users, gists, searches, and what is of the whole of GitHub.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Call;
use super::views::{View, page};
use crate::github::deeds::gists;
use crate::github::deeds::issues::author;
use crate::github::graphql::search;
use crate::github::store::Record;
use crate::github::tokens::{Bearer, Wanted};
use crate::github::{Answer, Site, Standing};

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.clone();
    Some(match id.as_str() {
        "meta/root" => Answer::json(
            200,
            &json!({ "current_user_url": format!("{}/user", call.site.api()) }),
        ),
        "meta/get" => {
            let mut told = json!({ "verifiable_password_authentication": false });
            if call.site == Site::Enterprise {
                told["installed_version"] = "3.19.1".into();
            }
            Answer::json(200, &told)
        }
        "meta/get-zen" => Answer::text(200, "Keep it logically awesome."),
        "rate-limit/get" => {
            let core = json!({ "limit": 5000, "used": 1, "remaining": 4999, "reset": 1_900_000_000 });
            Answer::json(
                200,
                &json!({ "resources": { "core": core, "graphql": core, "search": core }, "rate": core }),
            )
        }
        "users/get-authenticated" => {
            let key = call.store.actor_named(&call.caller.login()?)?;
            let view = View {
                store: &call.store,
                site: call.site,
            };
            Answer::json(200, &view.user(&call.store.records[&key]))
        }
        "users/get-by-username" => {
            let key = call.store.actor_named(call.part("username"));
            let view = View {
                store: &call.store,
                site: call.site,
            };
            key.map_or_else(Answer::not_found, |key| {
                Answer::json(200, &view.user(&call.store.records[&key]))
            })
        }
        "search/code" => code(call),
        "search/issues-and-pull-requests" | "search/repos" => found(call, id == "search/repos"),
        "apps/list-repos-accessible-to-installation" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let Bearer::Installation { repositories, .. } = (match call.caller {
                crate::github::tokens::Caller::Known(bearer) => bearer,
                _ => return None,
            }) else {
                return Some(Answer::problem(
                    403,
                    "Resource not accessible by personal access token",
                ));
            };
            let all = call
                .store
                .of_kind("Repository")
                .filter(|one| repositories.contains(&one.id));
            let all: Vec<_> = all.map(|one| view.repository(one)).collect();
            Answer::json(200, &json!({ "total_count": all.len(), "repositories": all }))
        }
        id if id.starts_with("gists/") => return of_gists(call, id.trim_start_matches("gists/")),
        _ => return None,
    })
}

fn found(call: &Call<'_>, repositories: bool) -> Answer {
    let query = call.asked("q").unwrap_or_default();
    let sees = |id| call.store.may(call.caller, Wanted::Read, "metadata", id);
    let kind = if repositories { "REPOSITORY" } else { "ISSUE" };
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let all = search::matching(&call.store, query, kind, sees, call.caller.login().as_deref());
    let items: Vec<_> = all
        .iter()
        .map(|record| {
            if repositories {
                view.repository(record)
            } else {
                view.issue(record)
            }
        })
        .collect();
    Answer::json(
        200,
        &json!({ "total_count": items.len(), "incomplete_results": false, "items": items }),
    )
}

/// Files of the default branches that hold the words of a query, in every repository that is seen.
fn code(call: &Call<'_>) -> Answer {
    let query = call.asked("q").unwrap_or_default();
    let words: Vec<&str> = query.split(' ').filter(|word| !word.contains(':')).collect();
    let only: Vec<&str> = query
        .split(' ')
        .filter_map(|word| word.strip_prefix("repo:"))
        .collect();
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let wanted = |one: &&Record| {
        let name = call.store.full_name(one.id);
        let named = only.is_empty() || only.iter().any(|only| name.eq_ignore_ascii_case(only));
        named && call.store.may(call.caller, Wanted::Read, "contents", one.id)
    };
    let mut items = Vec::new();
    for one in call.store.of_kind("Repository").filter(wanted) {
        let disk = &call.store.disks[&one.id];
        let listed = disk.git(&["grep", "-l", "-I", "-F", "-e", &words.join(" "), "HEAD"]);
        for path in listed.unwrap_or_default().lines() {
            let path = path.trim_start_matches("HEAD:");
            items.push(
                json!({ "name": path, "path": path, "repository": view.repository(one), "score": 1.0 }),
            );
        }
    }
    let told = json!({ "total_count": items.len(), "incomplete_results": false, "items": items });
    Answer::json(200, &told)
}

fn of_gists(call: &mut Call<'_>, id: &str) -> Option<Answer> {
    match id {
        "create" => return Some(create_gist(call)),
        "list" => {
            let mine = call
                .store
                .of_kind("Gist")
                .filter(|gist| call.store.owns(gist, call.caller));
            return Some(Answer::json(
                200,
                &mine.map(|gist| gist_of(call, gist)).collect::<Vec<_>>().into(),
            ));
        }
        _ => {}
    }
    let name = call.part("gist_id").to_owned();
    let gist = call
        .store
        .of_kind("Gist")
        .find(|gist| gist.text("name") == name)
        .cloned();
    let Some(gist) = gist else {
        return (!name.is_empty()).then(Answer::not_found);
    };
    if call.writes() && id != "star" && !call.store.owns(&gist, call.caller) {
        return Some(Answer::not_found());
    }
    Some(match id {
        "get" => Answer::json(200, &gist_of(call, &gist)),
        "delete" => {
            gists::delete(&mut call.store, gist.key());
            Answer::nothing(204)
        }
        "update" => {
            let files = files_of(call);
            gists::update(&mut call.store, gist.key(), &files);
            let updated = call.store.records[&gist.key()].clone();
            Answer::json(200, &gist_of(call, &updated))
        }
        _ => return None,
    })
}

/// The files that a request gives: by name, their content, or null.
fn files_of(call: &Call<'_>) -> Map<String, Value> {
    let files = call.given["files"].as_object().cloned().unwrap_or_default();
    files
        .into_iter()
        .map(|(name, file)| (name, file["content"].clone()))
        .collect()
}

fn create_gist(call: &mut Call<'_>) -> Answer {
    let owner = author(&mut call.store, call.caller);
    let (files, about) = (files_of(call), call.given["description"].clone());
    let public = call.given["public"] == true;
    let key = gists::create(&mut call.store, &owner, &files, &about, public);
    let gist = call.store.records[&key].clone();
    Answer::json(201, &gist_of(call, &gist))
}

fn gist_of(call: &Call<'_>, gist: &Record) -> Value {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let name = gist.text("name");
    let owner = gist
        .fields
        .get("owner")
        .and_then(|link| call.store.linked(link))
        .map(|owner| owner.text("login").to_owned());
    let raw = format!(
        "{}/{}/{name}/raw",
        call.site.files("gist"),
        owner.unwrap_or_default()
    );
    let files = gist.field("contents").as_object().cloned().unwrap_or_default();
    let files = files.iter().map(|(file, content)| {
        let size = content.as_str().map_or(0, str::len);
        (file.clone(), json!({ "filename": file, "content": content, "size": size, "type": "text/plain", "raw_url": format!("{raw}/{file}") }))
    });
    let files: Map<String, Value> = files.collect();
    json!({
        "id": name, "node_id": call.store.node_id(gist.key()), "html_url": page(&call.store, call.site, gist), "url": format!("{}/gists/{name}", call.site.api()),
        "git_pull_url": format!("{}/{name}.git", call.site.gists()), "git_push_url": format!("{}/{name}.git", call.site.gists()),
        "public": gist.flag("isPublic"), "description": gist.field("description"), "files": files, "owner": view.user_of(gist, "owner"),
        "created_at": gist.field("createdAt"), "updated_at": gist.field("updatedAt"), "comments": 0, "truncated": false,
    })
}

/// A token for an installation: of the repositories and permissions that are asked for, and never of more than it has.
pub(super) fn mint(
    standing: &Standing,
    head: &http::request::Parts,
    parts: &BTreeMap<&'static str, String>,
    body: &[u8],
) -> Answer {
    let mut store = standing.store();
    let id: u64 = parts["installation_id"].parse().unwrap_or_default();
    let Some(installation) = store.tokens.installations.get(&id).cloned() else {
        return Answer::not_found();
    };
    if !installation.signed(&head.headers) {
        return Answer::problem(401, "A JSON web token could not be decoded");
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut repositories = installation.repositories.clone();
    if let Some(ids) = asked["repository_ids"].as_array() {
        repositories = ids.iter().filter_map(Value::as_u64).collect::<BTreeSet<u64>>();
    } else if let Some(names) = asked["repositories"].as_array() {
        let named = |name: &Value| {
            store
                .of_kind("Repository")
                .find(|one| *one.field("name") == *name)
                .map(|one| one.id)
        };
        repositories = names.iter().filter_map(named).collect();
    }
    if !repositories.is_subset(&installation.repositories) {
        return Answer::problem(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        );
    }
    let mut permissions = installation.permissions.clone();
    if let Some(wanted) = asked["permissions"].as_object() {
        let enough = |name: &str, level: &str| {
            installation
                .permissions
                .get(name)
                .is_some_and(|has| has == level || has == "write" || has == "admin")
        };
        if let Some((name, _)) = wanted
            .iter()
            .find(|(name, level)| !enough(name, level.as_str().unwrap_or_default()))
        {
            return Answer::problem(
                422,
                &format!("The permissions requested are not granted to this installation: {name}"),
            );
        }
        permissions = wanted
            .iter()
            .map(|(name, level)| (name.clone(), level.as_str().unwrap_or_default().to_owned()))
            .collect();
    }
    permissions.insert("metadata".to_owned(), "read".to_owned());
    let count = store.tokens.secrets().len();
    let token = format!(
        "ghs_{:08x}{}",
        count,
        standing
            .signer
            .sign("a token")
            .split_once('.')
            .map(|(_, mac)| mac[..48].to_owned())
            .unwrap_or_default()
    );
    store.tokens.accept(
        &token,
        Bearer::Installation {
            repositories: repositories.clone(),
            permissions: permissions.clone(),
        },
    );
    let view = View {
        store: &store,
        site: Site::Com,
    };
    let shown: Vec<_> = repositories
        .iter()
        .filter_map(|id| Some(view.repository(store.records.get(&("Repository", *id))?)))
        .collect();
    let expires = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
    let told = json!({
        "token": token, "expires_at": time(expires), "permissions": permissions, "repository_selection": "selected", "repositories": shown,
    });
    Answer::json(201, &told)
}

/// As RFC 3339 has it (days to a date by H. Hinnant's algorithm).
fn time(at: std::time::SystemTime) -> String {
    let seconds = at
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, left) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (
        of_year - (153 * shifted + 2) / 5 + 1,
        if shifted < 10 { shifted + 3 } else { shifted - 9 },
    );
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        left / 3600,
        left / 60 % 60,
        left % 60
    )
}
