//! The server of git-lfs: its batch interface with basic transfers, and locks; <https://github.com/git-lfs/git-lfs/tree/main/docs/api>.

pub(super) mod storage;

use std::sync::Arc;

use hyper::Response;
use serde_json::{Value, json};

use super::disk::Disk;
use super::tokens::{Caller, Wanted};
use super::{Answer, Asked, Standing, Store};
use crate::body::Outgoing;

/// Serves what lives below `info/lfs` of a repository.
pub(super) async fn serve(
    standing: &Arc<Standing>,
    asked: Asked,
    owner: &str,
    name: &str,
    rest: Vec<String>,
) -> Response<Outgoing> {
    let Asked {
        site,
        head,
        caller,
        body,
        ..
    } = asked;
    let Ok(body) = body.whole(&head.headers).await else {
        return Answer::text(400, "the body broke off").into();
    };
    let given: Value = serde_json::from_slice(&body).unwrap_or_default();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let writes = match rest.as_slice() {
        ["objects", "batch"] => given["operation"] == "upload",
        ["locks"] => head.method == "POST",
        ["locks", "verify"] => true,
        _ => head.method != "GET",
    };
    let mut store = standing.store();
    let repository = store.repository_named(owner, name).map(|record| record.id);
    let repository = match permitted(&store, &caller, repository, writes) {
        Ok(repository) => repository,
        Err(refused) => return refused.into(),
    };
    let disk = store.disks[&repository].clone();
    let answer = match rest.as_slice() {
        ["objects", "batch"] => batch(
            &disk,
            &Place {
                site,
                repository,
                full_name: store.full_name(repository),
            },
            &given,
            standing,
        ),
        ["locks", "verify"] => json!({ "ours": locks(&disk), "theirs": [] }),
        ["locks"] if head.method == "POST" => return lock(&mut store, &disk, &given, &caller).into(),
        ["locks"] => json!({ "locks": locks(&disk) }),
        ["locks", id, "unlock"] => return unlock(&disk, id).into(),
        _ => return problem(404, "Not Found").into(),
    };
    as_lfs(200, &answer).into()
}

/// Where what is uploaded or downloaded belongs.
struct Place {
    site: super::Site,
    repository: u64,
    full_name: String,
}

fn permitted(store: &Store, caller: &Caller, repository: Option<u64>, writes: bool) -> Result<u64, Answer> {
    let wanted = if writes { Wanted::Write } else { Wanted::Read };
    match repository {
        Some(id) if store.may(caller, wanted, "contents", id) => Ok(id),
        _ if matches!(caller, Caller::Nobody | Caller::Stranger) => Err(problem(401, "Credentials needed")
            .field("lfs-authenticate", "Basic realm=\"GitHub\"")
            .field("www-authenticate", "Basic realm=\"GitHub\"")),
        Some(id) if store.may(caller, Wanted::Read, "metadata", id) => {
            Err(problem(403, "You must have push access to this repository."))
        }
        _ => Err(problem(404, "Not Found")),
    }
}

fn problem(status: u16, message: &str) -> Answer {
    let told = json!({ "message": message, "documentation_url": "https://docs.github.com/repositories/working-with-files/managing-large-files" });
    as_lfs(status, &told)
}

fn as_lfs(status: u16, value: &Value) -> Answer {
    Answer::new(
        status,
        "application/vnd.git-lfs+json; charset=utf-8",
        value.to_string(),
    )
}

fn batch(disk: &Disk, place: &Place, given: &Value, standing: &Standing) -> Value {
    let operation = given["operation"].as_str().unwrap_or("download");
    let objects = given["objects"].as_array().cloned().unwrap_or_default();
    let objects = objects.iter().map(|object| {
        let id = object["oid"].as_str().unwrap_or_default();
        let mut told = json!({ "oid": id, "size": object["size"], "authenticated": true });
        if !storage::is_id(id) {
            told["error"] = json!({ "code": 422, "message": "The object id is no SHA-256" });
            return told;
        }
        let is_there = storage::path(disk, id).exists();
        match (operation, is_there) {
            ("upload", true) => {}
            ("upload", false) => told["actions"] = upload(place, id, standing),
            (_, true) => told["actions"] = download(place, id, standing),
            (_, false) => {
                told["error"] = json!({ "code": 404, "message": "Object does not exist on the server" });
            }
        }
        told
    });
    json!({ "transfer": "basic", "objects": objects.collect::<Vec<_>>(), "hash_algo": "sha256" })
}

/// Uploads take a header with a credential for the storage, and one for the confirmation; downloads are signed by their query.
fn upload(place: &Place, id: &str, standing: &Standing) -> Value {
    let path = format!("/alambic/media/{}/{id}", place.repository);
    let put = format!("{}{path}", place.site.lfs_storage("upload"));
    let verify_path = format!("/{}/objects/{id}/verify", place.full_name);
    let verify = format!("{}{verify_path}", place.site.lfs_verify());
    json!({
        "upload": {
            "href": put, "expires_in": 900,
            "header": { "Authorization": format!("RemoteAuth {}", standing.signer.sign(&path)), "x-amz-content-sha256": id },
        },
        "verify": {
            "href": verify, "expires_in": 900,
            "header": { "Authorization": format!("RemoteAuth {}", standing.signer.sign(&verify_path)), "Accept": "application/vnd.git-lfs+json" },
        },
    })
}

fn download(place: &Place, id: &str, standing: &Standing) -> Value {
    let path = format!("/alambic/media/{}/{id}", place.repository);
    let href = format!(
        "{}{path}?X-Amz-Expires=900&X-Amz-Signature={}",
        place.site.lfs_storage("download"),
        standing.signer.sign(&path)
    );
    json!({ "download": { "href": href, "expires_in": 900 } })
}

/// The confirmation of an upload.
pub(super) async fn verify(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    if !standing.signer.allows(&asked.head, &asked.path) {
        return problem(403, "RemoteAuth is wrong or has ended").into();
    }
    let parts: Vec<String> = asked.path.split('/').skip(1).map(str::to_owned).collect();
    let headers = asked.head.headers.clone();
    let given: Value =
        serde_json::from_slice(&asked.body.whole(&headers).await.unwrap_or_default()).unwrap_or_default();
    let [owner, name, ..] = parts.as_slice() else {
        return problem(404, "Not Found").into();
    };
    let store = standing.store();
    let disk = store
        .repository_named(owner, name)
        .and_then(|record| store.disks.get(&record.id));
    let size = disk
        .zip(given["oid"].as_str())
        .and_then(|(disk, id)| storage::size(disk, id));
    let is_whole = size.is_some() && size == given["size"].as_u64();
    if is_whole {
        as_lfs(200, &json!({}))
    } else {
        problem(404, "Object does not exist on the server")
    }
    .into()
}

fn locks_file(disk: &Disk) -> std::path::PathBuf {
    disk.path().join("lfs-locks.json")
}

fn locks(disk: &Disk) -> Vec<Value> {
    let text = std::fs::read(locks_file(disk)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn write_locks(disk: &Disk, locks: &[Value]) {
    let text = Value::from(locks.to_vec()).to_string();
    std::fs::write(locks_file(disk), text).expect("the repository is ours");
}

fn lock(store: &mut Store, disk: &Disk, given: &Value, caller: &Caller) -> Answer {
    let mut all = locks(disk);
    if let Some(held) = all.iter().find(|lock| lock["path"] == given["path"]) {
        return as_lfs(409, &json!({ "lock": held, "message": "already created lock" }));
    }
    let login = caller.login().unwrap_or_default();
    let id = all.len() + 1;
    let made = json!({ "id": id.to_string(), "path": given["path"], "locked_at": store.now(), "owner": { "name": login } });
    all.push(made.clone());
    write_locks(disk, &all);
    as_lfs(201, &json!({ "lock": made }))
}

fn unlock(disk: &Disk, id: &str) -> Answer {
    let mut all = locks(disk);
    let Some(at) = all.iter().position(|lock| lock["id"] == id) else {
        return problem(404, "Not Found");
    };
    let gone = all.remove(at);
    write_locks(disk, &all);
    as_lfs(200, &json!({ "lock": gone }))
}

/// The large files and the locks of a repository, for a snapshot of its state.
pub(super) fn inventory(disk: &Disk) -> Vec<String> {
    let objects = storage::all(disk).into_iter().map(|id| format!("object {id}"));
    let locks = locks(disk)
        .into_iter()
        .map(|lock| format!("lock {} {}", lock["id"], lock["path"]));
    objects.chain(locks).collect()
}
