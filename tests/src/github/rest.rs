//! The REST interface: every operation of GitHub's description. What `gh` and agents use is modelled; what else writes is noted as
//! a change, what else reads is empty.

mod actions;
mod contents;
mod git_data;
mod issues;
mod pulls;
mod releases;
mod repositories;
pub(super) mod table;
mod users;
mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

use hyper::Response;
use serde_json::{Value, json};

use super::server::percent_decoded;
use super::tokens::{Bearer, Caller, Wanted};
use super::{Answer, Asked, Site, Standing, State, Store};
use crate::body::Outgoing;
pub(super) use actions::ARTIFACT;
use table::{Operation, Shape};
pub(super) use views::page;

/// One call of an operation.
struct Call<'a> {
    standing: &'a Standing,
    store: MutexGuard<'a, Store>,
    site: Site,
    caller: &'a Caller,
    operation: &'static Operation,
    /// The path as it was sent, decoded.
    path: String,
    /// The parts of the path that the operation's template names.
    parts: BTreeMap<&'static str, String>,
    query: BTreeMap<String, String>,
    /// The body, where it is JSON.
    given: Value,
    /// The body as it is.
    body: Vec<u8>,
    accept: String,
    content_type: String,
    /// The repository that the path names.
    repository: Option<u64>,
}

pub(super) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let Asked {
        head,
        body,
        caller,
        site,
        ..
    } = asked;
    let body = body.whole(&head.headers).await.unwrap_or_default();
    let standing = Arc::clone(standing);
    let answered = tokio::task::spawn_blocking(move || answer(&standing, &caller, site, &head, body));
    answered
        .await
        .unwrap_or_else(|_| Answer::problem(500, "Server Error"))
        .into()
}

pub(super) fn answer(
    standing: &Standing,
    caller: &Caller,
    site: Site,
    head: &http::request::Parts,
    body: Vec<u8>,
) -> Answer {
    let store = standing.store();
    let path = own_path(head.uri.path(), site);
    let path = by_name(&store, &path);
    let Some((operation, parts)) = table::find(head.method.as_str(), &path) else {
        return limits(Answer::not_found(), caller);
    };
    let field = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    if operation.id == "apps/create-installation-access-token" {
        drop(store);
        return users::mint(standing, head, &parts, &body);
    }
    if let Caller::Stranger = caller {
        return Answer::bad_credentials();
    }
    let query = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let query = query
        .map(|(name, value)| (percent_decoded(name), percent_decoded(&value.replace('+', " "))))
        .collect();
    let repository = parts
        .get("owner")
        .zip(parts.get("repo"))
        .map(|(owner, name)| store.repository_named(owner, name).map(|record| record.id));
    let mut call = Call {
        standing,
        site,
        caller,
        operation,
        path,
        query,
        given: serde_json::from_slice(&body).unwrap_or_default(),
        body,
        accept: field("accept"),
        content_type: field("content-type"),
        repository: repository.flatten(),
        store,
        parts,
    };
    if let Err(refused) = call.permitted(repository.is_some()) {
        return limits(refused, caller);
    }
    let before = call.writes().then(|| State::of(&call.store));
    let answered = call.modelled().unwrap_or_else(|| call.noted());
    if answered.status < 400 && before == Some(State::of(&call.store)) {
        call.note(); // it was done, although all is as it was
    }
    let answered = call.paged(answered);
    tagged(limits(answered, caller), &field("if-none-match"))
}

/// The path below the interface, as sent.
fn own_path(path: &str, site: Site) -> String {
    let below = |prefix: &str| path.strip_prefix(prefix).filter(|_| site == Site::Enterprise);
    let path = below("/api/uploads").or(below("/api/v3")).unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// `/repositories/ID/…` is `/repos/OWNER/NAME/…`.
fn by_name(store: &Store, path: &str) -> String {
    let named = path.strip_prefix("/repositories/").and_then(|rest| {
        let (id, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let name = store.full_name(id.parse().ok()?);
        (!name.is_empty()).then(|| format!("/repos/{name}/{rest}").trim_end_matches('/').to_owned())
    });
    named.unwrap_or_else(|| path.to_owned())
}

/// What GitHub says of a token in every answer.
pub(super) fn limits(answer: Answer, caller: &Caller) -> Answer {
    let answer = answer
        .field("x-github-media-type", "github.v3; format=json")
        .field("x-ratelimit-limit", "5000")
        .field("x-ratelimit-remaining", "4999")
        .field("x-ratelimit-used", "1")
        .field("x-ratelimit-reset", "1900000000")
        .field("x-ratelimit-resource", "core");
    match caller {
        Caller::Known(Bearer::User { scopes, .. }) => answer
            .field("x-oauth-scopes", scopes.join(", "))
            .field("x-accepted-oauth-scopes", ""),
        _ => answer,
    }
}

/// With a tag of its content; nothing again for who has it.
fn tagged(answer: Answer, known: &str) -> Answer {
    if answer.status != 200 || answer.body.is_empty() {
        return answer;
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &answer.body);
    let tag = format!("W/\"{}\"", super::signed::hex(digest.as_ref()));
    if known == tag {
        return Answer::nothing(304).field("etag", tag);
    }
    answer.field("etag", tag)
}

impl Call<'_> {
    fn writes(&self) -> bool {
        self.operation.method != "GET"
    }

    /// Whether the caller may call this at all; `named` when the path names a repository.
    fn permitted(&self, named: bool) -> Result<(), Answer> {
        let anonymous = matches!(self.caller, Caller::Nobody);
        if !named {
            let open = !self.writes()
                && !self.operation.path.starts_with("/user")
                && !self.operation.path.starts_with("/app");
            if anonymous && !open {
                return Err(Answer::problem(401, "Requires authentication"));
            }
            let installation = matches!(self.caller, Caller::Known(Bearer::Installation { .. }));
            let theirs = self.operation.path.starts_with("/installation/");
            if installation && !theirs && (self.writes() || !open) {
                return Err(Answer::problem(403, "Resource not accessible by integration"));
            }
            return Ok(());
        }
        let seen = self
            .repository
            .filter(|id| self.store.may(self.caller, Wanted::Read, "metadata", *id));
        let id = seen.ok_or_else(Answer::not_found)?;
        if !self.writes() || self.store.may(self.caller, Wanted::Write, self.permission(), id) {
            return Ok(());
        }
        Err(match self.caller {
            Caller::Nobody => Answer::problem(401, "Requires authentication"),
            Caller::Known(Bearer::Installation { .. }) => {
                Answer::problem(403, "Resource not accessible by integration")
            }
            _ => Answer::problem(403, "Must have admin rights to Repository."),
        })
    }

    /// The permission of an App that the operation needs, roughly.
    fn permission(&self) -> &'static str {
        let area = self
            .operation
            .path
            .strip_prefix("/repos/{owner}/{repo}/")
            .unwrap_or_default();
        match area.split('/').next().unwrap_or_default() {
            "pulls" => "pull_requests",
            "issues" | "labels" | "milestones" => "issues",
            "actions" => "actions",
            "check-runs" | "check-suites" => "checks",
            "statuses" => "statuses",
            "contents" | "git" | "merges" | "releases" | "branches" | "tags" | "merge-upstream" => "contents",
            _ => "administration",
        }
    }

    fn modelled(&mut self) -> Option<Answer> {
        let area = self.operation.id.split('/').next().unwrap_or_default();
        match area {
            "pulls" => pulls::run(self),
            "issues" => issues::run(self),
            "git" => git_data::run(self),
            "actions" | "checks" => actions::run(self),
            "repos" => contents::run(self)
                .or_else(|| releases::run(self))
                .or_else(|| repositories::run(self)),
            _ => users::run(self),
        }
    }

    /// What is not modelled: a write is noted, a read is empty.
    fn noted(&mut self) -> Answer {
        let operation = self.operation;
        if operation.id.ends_with("public-key") && !self.writes() {
            // Secrets are sealed with it: any 32 bytes are a key of X25519.
            let key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
            return Answer::json(200, &json!({ "key_id": "1", "key": key }));
        }
        if self.writes() {
            self.note();
        }
        match operation.shape {
            Shape::List => Answer::json(operation.status, &json!([])),
            Shape::Object => Answer::json(
                operation.status,
                &json!({ "url": format!("{}{}", self.site.api(), self.path) }),
            ),
            Shape::Text => Answer::text(operation.status, ""),
            Shape::Nothing => Answer::nothing(operation.status),
        }
    }

    /// Notes that it was done.
    fn note(&mut self) {
        let arguments = json!({ "path": self.path, "query": self.query, "body": self.given });
        let (operation, path, repository) = (self.operation.id.as_str(), self.path.clone(), self.repository);
        self.store.change(operation, arguments, repository, vec![path]);
    }

    fn part(&self, name: &str) -> &str {
        self.parts.get(name).map(String::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.part(name).parse().unwrap_or_default()
    }

    fn text(&self, field: &str) -> &str {
        self.given[field].as_str().unwrap_or_default()
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The repository that the path names, and is there.
    fn repository(&self) -> u64 {
        self.repository
            .expect("the path names one, and `permitted` saw it")
    }

    fn disk(&self) -> super::disk::Disk {
        self.store.disks[&self.repository()].clone()
    }

    /// One page of a list, with GitHub's links to the others, by the repository's id.
    fn paged(&self, answer: Answer) -> Answer {
        let ask = |name: &str, default: usize| {
            self.asked(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
                .max(1)
        };
        let (page, size) = (ask("page", 1), ask("per_page", 30).min(100));
        let Ok(Value::Array(items)) = serde_json::from_slice::<Value>(&answer.body) else {
            return answer;
        };
        let last = items.len().div_ceil(size).max(1);
        let items: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
        let mut paged = Answer::json(answer.status, &Value::from(items));
        let path = self.repository.map_or_else(
            || self.path.clone(),
            |id| {
                let rest = self.path.splitn(5, '/').nth(4).unwrap_or_default();
                format!("/repositories/{id}/{rest}")
            },
        );
        let link = |number: usize, name: &str| {
            let others = self
                .query
                .iter()
                .filter(|(name, _)| *name != "page")
                .map(|(name, value)| format!("{name}={value}&"));
            format!(
                "<{}{path}?{}page={number}>; rel=\"{name}\"",
                self.site.api(),
                others.collect::<String>()
            )
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        if !links.is_empty() {
            paged = paged.field("link", links.join(", "));
        }
        paged
    }
}
