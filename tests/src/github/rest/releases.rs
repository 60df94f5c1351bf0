//! Releases and their assets.

use serde_json::{Map, Value, json};

use super::Call;
use super::pulls::invalid;
use super::views::View;
use crate::github::deeds::{Refused, refs};
use crate::github::store::Record;
use crate::github::{Answer, Standing};

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("repos/")?;
    call.repository?;
    Some(match id {
        "list-releases" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let newest = call.store.within("Release", call.repository()).rev();
            Answer::json(
                200,
                &newest
                    .map(|release| view.release(release))
                    .collect::<Vec<_>>()
                    .into(),
            )
        }
        "get-latest-release" => shown(
            call,
            200,
            call.store.within("Release", call.repository()).next_back(),
        ),
        "get-release-by-tag" => {
            let tag = call.part("tag");
            shown(
                call,
                200,
                call.store
                    .within("Release", call.repository())
                    .find(|release| release.text("tagName") == tag),
            )
        }
        "get-release" => shown(call, 200, mine(call, "Release", "release_id")),
        "create-release" => create(call),
        "update-release" => update(call),
        "delete-release" | "delete-release-asset" => {
            let (kind, part) = if id == "delete-release" {
                ("Release", "release_id")
            } else {
                ("ReleaseAsset", "asset_id")
            };
            let Some(key) = mine(call, kind, part).map(Record::key) else {
                return Some(Answer::not_found());
            };
            call.store.records.remove(&key);
            Answer::nothing(204)
        }
        "upload-release-asset" => upload(call),
        "get-release-asset" => asset(call),
        "list-release-assets" => {
            let view = View {
                store: &call.store,
                site: call.site,
            };
            let release = mine(call, "Release", "release_id").map(|release| call.store.link(release.key()));
            let assets = call
                .store
                .of_kind("ReleaseAsset")
                .filter(|asset| asset.fields.get("release") == release.as_ref());
            Answer::json(
                200,
                &assets.map(|asset| view.asset(asset)).collect::<Vec<_>>().into(),
            )
        }
        _ => return None,
    })
}

fn mine<'c>(call: &'c Call<'_>, kind: &'static str, part: &str) -> Option<&'c Record> {
    call.store
        .records
        .get(&(kind, call.number(part)))
        .filter(|record| record.repository == call.repository)
}

fn shown(call: &Call<'_>, status: u16, release: Option<&Record>) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    release.map_or_else(Answer::not_found, |release| {
        Answer::json(status, &view.release(release))
    })
}

fn fields(call: &Call<'_>) -> Map<String, Value> {
    let names = [
        ("name", "name"),
        ("body", "description"),
        ("draft", "isDraft"),
        ("prerelease", "isPrerelease"),
        ("tag_name", "tagName"),
    ];
    let given = names
        .iter()
        .filter_map(|(from, to)| Some(((*to).to_owned(), call.given.get(*from)?.clone())));
    given.collect()
}

/// A release makes its tag, where there is none, unless it is a draft.
fn create(call: &mut Call<'_>) -> Answer {
    let repository = call.repository();
    let tag = format!("refs/tags/{}", call.text("tag_name"));
    let disk = call.disk();
    if disk.resolve(&tag).is_none() && call.given["draft"] != true {
        let target = call.given["target_commitish"].as_str().unwrap_or("HEAD");
        let at = disk.resolve(target).unwrap_or_default();
        if let Err(why) = refs::create(&mut call.store, repository, &tag, &at) {
            return invalid(&why);
        }
    }
    let mut fields = fields(call);
    let author = crate::github::deeds::issues::author(&mut call.store, call.caller);
    fields.insert("author".to_owned(), author);
    let key = call.store.add("Release", Some(repository), Value::Object(fields));
    shown(call, 201, call.store.records.get(&key))
}

fn update(call: &mut Call<'_>) -> Answer {
    let Some(key) = mine(call, "Release", "release_id").map(Record::key) else {
        return Answer::not_found();
    };
    let fields = fields(call);
    call.store.set(key, Value::Object(fields));
    shown(call, 200, call.store.records.get(&key))
}

fn upload(call: &mut Call<'_>) -> Answer {
    let Some(key) = mine(call, "Release", "release_id").map(Record::key) else {
        return Answer::not_found();
    };
    let Some(name) = call.asked("name").map(str::to_owned) else {
        return invalid(&Refused::because("name is missing"));
    };
    let (kind, content) = (call.content_type.clone(), std::mem::take(&mut call.body));
    let made = Standing::add_asset(&mut call.store, key, &name, &kind, &content);
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(201, &view.asset(&call.store.records[&made]))
}

/// An asset's content is elsewhere: behind a signed URL.
fn asset(call: &Call<'_>) -> Answer {
    let Some(asset) = mine(call, "ReleaseAsset", "asset_id") else {
        return Answer::not_found();
    };
    if call.accept.contains("octet-stream") {
        let path = format!("/assets/{}", asset.id);
        let sign = call.standing.signer.sign(&format!("/objects{path}"));
        return Answer::elsewhere(&format!(
            "{}{path}?sig={sign}&response-content-type={}",
            call.site.files("objects"),
            asset.text("contentType")
        ));
    }
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(200, &json!(view.asset(asset)))
}
