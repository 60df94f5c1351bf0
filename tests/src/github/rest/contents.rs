//! Files, commits and comparisons, by git.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use crate::github::Answer;
use crate::github::compare::{self, Changed};
use crate::github::deeds::commits::FileChange;
use crate::github::deeds::{Refused, commits};
use crate::github::disk::Disk;
use crate::github::tokens::Wanted;

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("repos/")?;
    call.repository?;
    Some(match id {
        "get-content" => get(call),
        "get-readme" => {
            call.parts.insert("path", "README.md".to_owned());
            get(call)
        }
        "create-or-update-file-contents" | "delete-file" => put(call, id == "delete-file"),
        "list-commits" => {
            let start = call.asked("sha").map_or_else(|| "HEAD".to_owned(), str::to_owned);
            let disk = call.disk();
            let Some(start) = disk.resolve(&start) else {
                return Some(Answer::not_found());
            };
            let mut arguments = vec!["rev-list", "--max-count=1000", start.as_str()];
            if let Some(path) = call.asked("path") {
                arguments.extend(["--", path]);
            }
            let listed = disk.git(&arguments).unwrap_or_default();
            let shown = listed.lines().map(|id| commit(call, &disk, id));
            Answer::json(200, &shown.collect::<Vec<_>>().into())
        }
        "get-commit" => one(call),
        "compare-commits" | "compare-commits-with-basehead" => compared(call),
        "download-tarball-archive" | "download-zipball-archive" => {
            let kind = if id.contains("tarball") {
                "legacy.tar.gz"
            } else {
                "legacy.zip"
            };
            let reference = call.part("ref");
            let reference = if reference.is_empty() { "HEAD" } else { reference };
            Answer::elsewhere(&signed(call, "codeload", &format!("{kind}/{reference}")))
        }
        _ => return None,
    })
}

/// A URL of a file that is a credential for it, where the repository is private.
fn signed(call: &Call<'_>, kind: &str, rest: &str) -> String {
    let path = format!("/{}/{rest}", call.store.full_name(call.repository()));
    let url = format!("{}{path}", call.site.files(kind));
    if call.store.records[&("Repository", call.repository())].flag("isPrivate") {
        format!(
            "{url}?token={}",
            call.standing.signer.sign(&format!("/{kind}{path}"))
        )
    } else {
        url
    }
}

fn get(call: &Call<'_>) -> Answer {
    let disk = call.disk();
    let reference = call.asked("ref").map_or_else(
        || {
            call.store.records[&("Repository", call.repository())]
                .text("defaultBranch")
                .to_owned()
        },
        str::to_owned,
    );
    let path = call.part("path").trim_matches('/').to_owned();
    let Some(commit) = disk.resolve(&reference) else {
        return Answer::problem(404, &format!("No commit found for the ref {reference}"));
    };
    let Some(id) = disk.resolve(&format!("{commit}:{path}")) else {
        return Answer::not_found();
    };
    if disk.kind(&id).as_deref() == Some("tree") {
        let listed = disk.git(&["ls-tree", &id]).unwrap_or_default();
        let entry = |line: &str| {
            let (kind, name) = line.split_once('\t')?;
            let kind: Vec<&str> = kind.split(' ').collect();
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            };
            Some(file(call, &reference, &path, kind[2], kind[1] == "tree"))
        };
        return Answer::json(200, &listed.lines().filter_map(entry).collect::<Vec<_>>().into());
    }
    let content = disk.git_with(&["cat-file", "blob", &id], b"").unwrap_or_default();
    if call.accept.contains("raw") {
        return Answer::new(200, "application/vnd.github.raw; charset=utf-8", content);
    }
    let mut shown = file(call, &reference, &path, &id, false);
    shown["size"] = content.len().into();
    shown["encoding"] = "base64".into();
    let coded = STANDARD.encode(content);
    let lines: Vec<&str> = (0..coded.len())
        .step_by(60)
        .map(|at| &coded[at..coded.len().min(at + 60)])
        .collect();
    shown["content"] = format!("{}\n", lines.join("\n")).into();
    Answer::json(200, &shown)
}

fn file(call: &Call<'_>, reference: &str, path: &str, id: &str, is_directory: bool) -> Value {
    let name = call.store.full_name(call.repository());
    let (api, web) = (
        format!("{}/repos/{name}", call.site.api()),
        format!("{}/{name}", call.site.web()),
    );
    let (url, git) = (
        format!("{api}/contents/{path}?ref={reference}"),
        format!("{api}/git/{}/{id}", if is_directory { "trees" } else { "blobs" }),
    );
    let html = format!(
        "{web}/{}/{reference}/{path}",
        if is_directory { "tree" } else { "blob" }
    );
    let download = (!is_directory).then(|| signed(call, "raw", &format!("{reference}/{path}")));
    json!({
        "name": path.rsplit('/').next(), "path": path, "sha": id, "size": 0, "type": if is_directory { "dir" } else { "file" },
        "url": url, "git_url": git, "html_url": html, "download_url": download, "_links": { "self": url, "git": git, "html": html },
    })
}

fn put(call: &mut Call<'_>, deletes: bool) -> Answer {
    let path = call.part("path").trim_matches('/').to_owned();
    let repository = call.repository();
    let default = call.store.records[&("Repository", repository)]
        .text("defaultBranch")
        .to_owned();
    // A deletion may say it in its query, too.
    let given = |name: &str| call.given[name].as_str().or(call.asked(name)).map(str::to_owned);
    let branch = given("branch").unwrap_or(default);
    let branch = branch.trim_start_matches("refs/heads/").to_owned();
    let disk = call.disk();
    let present = disk
        .branch(&branch)
        .and_then(|head| disk.resolve(&format!("{head}:{path}")));
    let told = given("sha");
    if present.is_some() && told != present {
        let status = if told.is_some() { 409 } else { 422 };
        return Answer::problem(
            status,
            "Invalid request.\n\n\"sha\" wasn't supplied, or does not match.",
        );
    }
    if deletes && present.is_none() {
        return Answer::not_found();
    }
    if path.starts_with(".github/workflows/") && !call.caller.may_change_workflows() {
        return Answer::problem(403, "Resource not accessible by integration");
    }
    let content = given("content").map(|content| STANDARD.decode(content.replace(['\n', '\r'], "")));
    let content = match content {
        _ if deletes => None,
        Some(Ok(content)) => Some(content),
        _ => return Answer::problem(422, "content is not valid Base64"),
    };
    let message = given("message").unwrap_or_else(|| "Update".to_owned());
    let files: [FileChange; 1] = [(path.clone(), content)];
    match commits::commit(&mut call.store, repository, &branch, None, &message, &files) {
        Ok(made) => {
            let blob = disk.resolve(&format!("{made}:{path}"));
            let content = blob.as_ref().map(|id| file(call, &branch, &path, id, false));
            let status = if present.is_some() { 200 } else { 201 };
            Answer::json(
                status,
                &json!({ "content": content, "commit": git_commit(call, &disk, &made) }),
            )
        }
        Err(Refused(why)) => Answer::problem(404, &why),
    }
}

/// A commit as `git/commits` shows it.
pub(super) fn git_commit(call: &Call<'_>, disk: &Disk, id: &str) -> Value {
    let shown = disk
        .git(&[
            "show",
            "--no-patch",
            "--format=%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B",
            id,
        ])
        .unwrap_or_default();
    let mut lines = shown.splitn(9, '\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (tree, parents) = (line(), line());
    let mut person = || json!({ "name": line(), "email": line(), "date": line() });
    let (author, committer) = (person(), person());
    let api = format!(
        "{}/repos/{}",
        call.site.api(),
        call.store.full_name(call.repository())
    );
    let pointer = |kind: &str, id: &str| json!({ "sha": id, "url": format!("{api}/git/{kind}/{id}") });
    json!({
        "sha": id, "url": format!("{api}/git/commits/{id}"), "author": author, "committer": committer, "message": line().trim_end(),
        "tree": pointer("trees", &tree), "parents": parents.split(' ').filter(|id| !id.is_empty()).map(|id| pointer("commits", id)).collect::<Vec<_>>(),
        "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null },
    })
}

/// A commit as `commits` shows it.
pub(super) fn commit(call: &Call<'_>, disk: &Disk, id: &str) -> Value {
    let inner = git_commit(call, disk, id);
    let name = call.store.full_name(call.repository());
    json!({
        "sha": id, "url": format!("{}/repos/{name}/commits/{id}", call.site.api()), "html_url": format!("{}/{name}/commit/{id}", call.site.web()),
        "parents": inner["parents"], "author": null, "committer": null, "commit": inner,
    })
}

/// A file that a change touches, with its patch.
pub(super) fn changed(call: &Call<'_>, disk: &Disk, file: &Changed, base: &str, head: &str) -> Value {
    let patch = disk
        .git(&["diff", &format!("{base}...{head}"), "--", &file.path])
        .unwrap_or_default();
    let patch = patch.find("@@").map(|at| patch[at..].to_owned());
    let status = match file.change {
        "ADDED" => "added",
        "DELETED" => "removed",
        _ => "modified",
    };
    let api = format!(
        "{}/repos/{}",
        call.site.api(),
        call.store.full_name(call.repository())
    );
    json!({
        "filename": file.path, "sha": file.blob, "status": status, "additions": file.additions, "deletions": file.deletions,
        "changes": file.additions + file.deletions, "patch": patch, "contents_url": format!("{api}/contents/{}?ref={head}", file.path),
        "raw_url": signed(call, "raw", &format!("{head}/{}", file.path)),
    })
}

fn one(call: &Call<'_>) -> Answer {
    let disk = call.disk();
    let Some(id) = disk.resolve(&format!("{}^{{commit}}", call.part("ref"))) else {
        return Answer::problem(422, &format!("No commit found for SHA: {}", call.part("ref")));
    };
    if call.accept.contains("diff") || call.accept.contains("patch") {
        let shown = disk
            .git_with(&["show", "--format=", &id], b"")
            .unwrap_or_default();
        return Answer::new(200, "application/vnd.github.v3.diff; charset=utf-8", shown);
    }
    if call.accept.contains("sha") {
        return Answer::text(200, &id);
    }
    let mut shown = commit(call, &disk, &id);
    let parent = disk.resolve(&format!("{id}^"));
    let files = parent.map(|parent| {
        compare::files(&disk, &parent, &id)
            .iter()
            .map(|file| changed(call, &disk, file, &parent, &id))
            .collect::<Vec<_>>()
    });
    shown["files"] = files.unwrap_or_default().into();
    Answer::json(200, &shown)
}

fn compared(call: &Call<'_>) -> Answer {
    let disk = call.disk();
    let range = call.part("basehead").to_owned();
    let Some((base, head)) = range.split_once("...") else {
        return Answer::not_found();
    };
    // `owner:branch` is another repository of the network, which must be seen, too.
    let side = |named: &str| {
        let Some((owner, branch)) = named.split_once(':') else {
            return disk.resolve(named);
        };
        let name = call.store.records[&("Repository", call.repository())].text("name");
        let other = call.store.repository_named(owner, name)?.id;
        let seen = call.store.may(call.caller, Wanted::Read, "contents", other);
        call.store.disks.get(&other).filter(|_| seen)?.resolve(branch)
    };
    let (Some(base), Some(head)) = (side(base), side(head)) else {
        return Answer::not_found();
    };
    let ahead = compare::commits(&disk, &base, &head);
    let behind = compare::commits(&disk, &head, &base);
    let files = compare::files(&disk, &base, &head);
    let status = match (ahead.is_empty(), behind.is_empty()) {
        (true, true) => "identical",
        (false, true) => "ahead",
        (true, false) => "behind",
        (false, false) => "diverged",
    };
    let shown = json!({
        "status": status, "ahead_by": ahead.len(), "behind_by": behind.len(), "total_commits": ahead.len(),
        "commits": ahead.iter().map(|id| commit(call, &disk, id)).collect::<Vec<_>>(),
        "files": files.iter().map(|file| changed(call, &disk, file, &base, &head)).collect::<Vec<_>>(),
    });
    Answer::json(200, &shown)
}
