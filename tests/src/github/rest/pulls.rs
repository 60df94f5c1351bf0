//! Pull requests and their reviews.

use serde_json::{Map, Value, json};

use super::Call;
use super::views::View;
use crate::github::Answer;
use crate::github::compare;
use crate::github::deeds::pulls::{Between, close_or_reopen, merge, open};
use crate::github::deeds::{Refused, commits, issues};
use crate::github::store::{Key, Record};

pub(super) fn run(call: &mut Call<'_>) -> Option<Answer> {
    let id = call.operation.id.strip_prefix("pulls/")?;
    match id {
        "list" => return Some(list(call)),
        "create" => return Some(create(call)),
        "get-review-comment" | "update-review-comment" | "delete-review-comment" => {
            return Some(review_comment(call, id));
        }
        _ => {}
    }
    let number = call
        .parts
        .contains_key("pull_number")
        .then(|| call.number("pull_number"))?;
    let Some(pull) = call
        .store
        .numbered("PullRequest", call.repository(), number)
        .cloned()
    else {
        return Some(Answer::not_found());
    };
    on_pull(call, id, &pull)
}

fn on_pull(call: &mut Call<'_>, id: &str, pull: &Record) -> Option<Answer> {
    let key = pull.key();
    Some(match id {
        "get" => get(call, pull),
        "update" => update(call, key),
        "merge" | "merge-async" => {
            let method = call.given["merge_method"].as_str().unwrap_or("merge").to_owned();
            let message = call.given["commit_title"].as_str().map(str::to_owned);
            match merge(&mut call.store, key, call.caller, &method, message.as_deref()) {
                Ok(sha) => Answer::json(
                    200,
                    &json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" }),
                ),
                Err(Refused(why)) => Answer::problem(405, &why),
            }
        }
        "check-if-merged" => Answer::nothing(if pull.text("state") == "MERGED" { 204 } else { 404 }),
        "update-branch" => {
            let base = pull.text("baseRefName").to_owned();
            let title = format!("Merge branch '{base}'");
            let repository = call.repository();
            call.note();
            match commits::merge(
                &mut call.store,
                repository,
                pull.text("headRefName"),
                &base,
                &title,
            ) {
                Ok(_) => Answer::json(
                    202,
                    &json!({ "message": "Updating pull request branch.", "url": "" }),
                ),
                Err(why) => invalid(&why),
            }
        }
        "list-files" => files(call, pull),
        "list-commits" => {
            let disk = call.disk();
            let ids = compare::commits(&disk, &base_of(call, pull), pull.text("headRefOid"));
            let shown = ids.iter().map(|id| super::contents::commit(call, &disk, id));
            Answer::json(200, &shown.collect::<Vec<_>>().into())
        }
        "list-reviews" => linked(call, "PullRequestReview", pull, |view, review| {
            view.review(review)
        }),
        "list-review-comments" => linked(call, "PullRequestReviewComment", pull, |view, comment| {
            view.comment(comment)
        }),
        "create-review" => create_review(call, key),
        "submit-review" => submit_review(call),
        "create-review-comment" | "create-reply-for-review-comment" => {
            let author = issues::author(&mut call.store, call.caller);
            let fields = json!({ "pullRequest": call.store.link(key), "author": author, "body": call.text("body"), "path": call.text("path") });
            let made = call
                .store
                .add("PullRequestReviewComment", pull.repository, fields);
            let view = View {
                store: &call.store,
                site: call.site,
            };
            Answer::json(201, &view.comment(&call.store.records[&made]))
        }
        "request-reviewers" | "remove-requested-reviewers" => reviewers(call, key, id == "request-reviewers"),
        _ => return None,
    })
}

pub(super) fn invalid(Refused(why): &Refused) -> Answer {
    let errors = json!([{ "resource": "PullRequest", "code": "custom", "message": why }]);
    let told = json!({ "message": "Validation Failed", "errors": errors, "documentation_url": "https://docs.github.com/rest", "status": "422" });
    Answer::json(422, &told)
}

fn shown(call: &Call<'_>, status: u16, key: Key) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(status, &view.pull(&call.store.records[&key]))
}

fn base_of(call: &Call<'_>, pull: &Record) -> String {
    let merged_at = pull
        .fields
        .get("baseRefOid")
        .and_then(Value::as_str)
        .map(str::to_owned);
    merged_at
        .or_else(|| call.disk().branch(pull.text("baseRefName")))
        .unwrap_or_default()
}

fn list(call: &Call<'_>) -> Answer {
    let state = call.asked("state").unwrap_or("open");
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let pulls = call.store.within("PullRequest", call.repository()).rev();
    let pulls = pulls.filter(|pull| state == "all" || (pull.text("state") == "OPEN") == (state == "open"));
    let branch =
        |asked: Option<&str>, name: &str| asked.is_none_or(|asked| asked.rsplit(':').next() == Some(name));
    let pulls = pulls.filter(|pull| {
        branch(call.asked("head"), pull.text("headRefName"))
            && branch(call.asked("base"), pull.text("baseRefName"))
    });
    Answer::json(200, &pulls.map(|pull| view.pull(pull)).collect::<Vec<_>>().into())
}

fn create(call: &mut Call<'_>) -> Answer {
    let repository = call.repository();
    let head = call.text("head").to_owned();
    let (mut head_repository, mut branch) = (repository, head.as_str());
    if let Some((owner, name)) = head.split_once(':') {
        let own = call.store.records[&("Repository", repository)]
            .text("name")
            .to_owned();
        let wanted = call.given["head_repo"]
            .as_str()
            .map_or(own, |name| name.rsplit('/').next().unwrap_or(name).to_owned());
        let Some(found) = call.store.repository_named(owner, &wanted) else {
            return invalid(&Refused::because("head is invalid"));
        };
        (head_repository, branch) = (found.id, name);
    }
    let base = call.text("base").to_owned();
    let between = Between {
        repository,
        head_repository,
        head: branch.to_owned(),
        base,
    };
    let mut fields = Map::new();
    fields.insert("title".to_owned(), call.given["title"].clone());
    fields.insert("body".to_owned(), call.given["body"].clone());
    fields.insert(
        "isDraft".to_owned(),
        call.given["draft"].as_bool().unwrap_or(false).into(),
    );
    match open(&mut call.store, &between, call.caller, fields) {
        Ok(key) => shown(call, 201, key),
        Err(why) => invalid(&why),
    }
}

fn get(call: &Call<'_>, pull: &Record) -> Answer {
    let range = format!("{}...{}", base_of(call, pull), pull.text("headRefOid"));
    let disk = call.disk();
    if call.accept.contains("diff") {
        let diff = disk.git_with(&["diff", &range], b"").unwrap_or_default();
        return Answer::new(200, "application/vnd.github.v3.diff; charset=utf-8", diff);
    }
    if call.accept.contains("patch") {
        let patch = disk
            .git_with(&["format-patch", "--stdout", &range.replace("...", "..")], b"")
            .unwrap_or_default();
        return Answer::new(200, "application/vnd.github.v3.patch; charset=utf-8", patch);
    }
    let changed = compare::files(&disk, &base_of(call, pull), pull.text("headRefOid"));
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let mut whole = view.pull(pull);
    whole["commits"] = compare::commits(&disk, &base_of(call, pull), pull.text("headRefOid"))
        .len()
        .into();
    whole["additions"] = changed.iter().map(|file| file.additions).sum::<u64>().into();
    whole["deletions"] = changed.iter().map(|file| file.deletions).sum::<u64>().into();
    whole["changed_files"] = changed.len().into();
    Answer::json(200, &whole)
}

fn update(call: &mut Call<'_>, key: Key) -> Answer {
    let mut fields = Map::new();
    for (from, to) in [("title", "title"), ("body", "body"), ("base", "baseRefName")] {
        if call.given[from].is_string() {
            fields.insert(to.to_owned(), call.given[from].clone());
        }
    }
    if let Some(state) = call.given["state"].as_str() {
        let state = if state == "closed" { "CLOSED" } else { "OPEN" };
        if let Err(why) = close_or_reopen(&mut call.store, key, state) {
            return invalid(&why);
        }
    }
    call.store.set(key, Value::Object(fields));
    shown(call, 200, key)
}

fn files(call: &Call<'_>, pull: &Record) -> Answer {
    let (disk, base) = (call.disk(), base_of(call, pull));
    let files = compare::files(&disk, &base, pull.text("headRefOid"));
    let files = files
        .iter()
        .map(|file| super::contents::changed(call, &disk, file, &base, pull.text("headRefOid")));
    Answer::json(200, &files.collect::<Vec<_>>().into())
}

fn linked(
    call: &Call<'_>,
    kind: &'static str,
    pull: &Record,
    show: fn(&View<'_>, &Record) -> Value,
) -> Answer {
    let view = View {
        store: &call.store,
        site: call.site,
    };
    let mine = call.store.link(pull.key());
    let all = call
        .store
        .of_kind(kind)
        .filter(|record| record.fields.get("pullRequest") == Some(&mine));
    Answer::json(
        200,
        &all.map(|record| show(&view, record)).collect::<Vec<_>>().into(),
    )
}

fn state_after(event: &str) -> &'static str {
    match event {
        "APPROVE" => "APPROVED",
        "REQUEST_CHANGES" => "CHANGES_REQUESTED",
        "COMMENT" => "COMMENTED",
        _ => "PENDING",
    }
}

fn create_review(call: &mut Call<'_>, key: Key) -> Answer {
    let (author, now) = (issues::author(&mut call.store, call.caller), call.store.now());
    let fields = json!({
        "pullRequest": call.store.link(key), "author": author, "body": call.text("body"), "state": state_after(call.text("event")),
        "submittedAt": now,
    });
    let review = call.store.add("PullRequestReview", call.repository, fields);
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(200, &view.review(&call.store.records[&review]))
}

fn submit_review(call: &mut Call<'_>) -> Answer {
    let key = ("PullRequestReview", call.number("review_id"));
    if !call.store.records.contains_key(&key) {
        return Answer::not_found();
    }
    let state = state_after(call.text("event"));
    call.store.set(key, json!({ "state": state }));
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(200, &view.review(&call.store.records[&key]))
}

fn reviewers(call: &mut Call<'_>, key: Key, adds: bool) -> Answer {
    let logins = call.given["reviewers"].as_array().cloned().unwrap_or_default();
    let mut all = call.store.records[&key]
        .fields
        .get("requestedReviewers")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for login in logins.iter().filter_map(Value::as_str) {
        let actor = call.store.actor(login);
        let link = call.store.link(actor);
        all.retain(|known| *known != link);
        if adds {
            all.push(link);
        }
    }
    call.store.set(key, json!({ "requestedReviewers": all }));
    shown(call, if adds { 201 } else { 200 }, key)
}

fn review_comment(call: &mut Call<'_>, id: &str) -> Answer {
    let key = ("PullRequestReviewComment", call.number("comment_id"));
    if call
        .store
        .records
        .get(&key)
        .is_none_or(|comment| comment.repository != call.repository)
    {
        return Answer::not_found();
    }
    match id {
        "delete-review-comment" => {
            call.store.records.remove(&key);
            return Answer::nothing(204);
        }
        "update-review-comment" => {
            let body = call.given["body"].clone();
            call.store.set(key, json!({ "body": body }));
        }
        _ => {}
    }
    let view = View {
        store: &call.store,
        site: call.site,
    };
    Answer::json(200, &view.comment(&call.store.records[&key]))
}
