//! GitHub's REST API: every operation of its published description, by what it would do.
//!
//! A path is matched with the templates of `data/rest*.toml`. A body is read strictly and may say what is documented, a query names what
//! is known; what is sent of all three is written anew from what was understood. What is in no file is refused as unknown.
//!
//! # Where to start
//!
//! [`understand`]; then `catalogue` (what is known), `actions` (what an operation would do), and the data.

mod actions;
mod catalogue;
pub(crate) mod file_path;
mod heads;
mod path;
mod query;
mod shape;
mod template;
mod tokens;
mod user;

use bytes::Bytes;
use outwall_policy::Method;
use outwall_policy::github::{Actions, GithubAction, OtherKind, RepositoryName, SessionGrant};
use serde_json::{Map, Value};

use self::actions::{Asked, Does};
use self::catalogue::{CATALOGUE, Class, Matched};
use self::path::Segments;
use self::query::Query;
use crate::asking::{Fact, Facts, Question};
use crate::json;
use crate::route::ApiRoot;
use crate::understood::{AnswerTreatment, BodySent, NotUnderstood, Understanding, Understood};

pub use tokens::{may_have_tokens, without_tokens, without_tokens_in_url};
pub use user::SESSION_LOGIN;

/// A request to the API.
#[derive(Clone, Copy, Debug)]
pub struct RestRequest<'a> {
    /// Where it came to.
    pub root: ApiRoot,
    /// Its method.
    pub method: &'a Method,
    /// Its path in normal form, without what comes before it on a server of one's own.
    pub path: &'a str,
    /// Its query.
    pub query: Option<&'a str>,
    /// The media type of its body.
    pub content_type: Option<&'a str>,
    /// Its body, whole, if [`body_wanted`] wants it; else empty.
    pub body: &'a [u8],
}

/// What of the body of a request is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyWanted {
    /// Nothing: none is sent on.
    Nothing,
    /// All of it.
    Whole {
        /// How many bytes it may have.
        at_most: usize,
    },
}

/// What of the body is wanted to understand a request.
pub fn body_wanted(root: ApiRoot, method: &Method, path: &str) -> BodyWanted {
    let Ok(path) = Segments::parse(path) else {
        return BodyWanted::Nothing;
    };
    let path = match path.repository_number() {
        Some(_) => path.by_name("owner", "name"),
        None => path,
    };
    let found = CATALOGUE.find(method, &path).filter(|_| root == ApiRoot::Api);
    match found {
        Some(found) if found.operation.body.is_some() => BodyWanted::Whole {
            at_most: most_bytes(found.operation.class),
        },
        _ => BodyWanted::Nothing,
    }
}

/// GitHub takes blobs of 40 MiB, which are 54 in base64 (recalled). A tree may have its files in it; larger ones are stored as blobs first.
/// A comment has 65,536 characters at most, and a review has many.
fn most_bytes(class: Class) -> usize {
    const MIB: usize = 1 << 20;
    match class {
        Class::StoreObject | Class::WriteFile => 64 * MIB,
        Class::StoreTree => 32 * MIB,
        _ => 2 * MIB,
    }
}

/// What a request would do, and what is sent if it may be done.
///
/// 1. The path is split, and each segment decoded once. `/repositories/NUMBER/…` becomes `/repos/OWNER/NAME/…` if it is the number of
///    the session's repository.
/// 2. Its operation is found. A path that would be another one for a server that decodes first is refused.
/// 3. What no session may do is told, without a look at its arguments.
/// 4. Query and body are read.
/// 5. What it would do is read from its arguments; for some GitHub is asked.
pub fn understand(
    request: &RestRequest<'_>,
    session: &SessionGrant,
    facts: &Facts,
) -> Result<Understanding, NotUnderstood> {
    let written = Segments::parse(request.path)?;
    let path = match by_name(&written, session, facts) {
        Named::Path(path) => path,
        Named::Another => return Ok(refused(&unnamed(request), OtherKind::Elsewhere)),
        Named::Ask(question) => return Ok(Understanding::Ask(vec![question])),
    };
    let Some(found) = find(request.method, &path)? else {
        return Ok(refused(&unnamed(request), OtherKind::Unknown));
    };
    match found.operation.class {
        Class::Refused(kind) => Ok(refused(&found.operation.id, kind)),
        _ if request.root == ApiRoot::Uploads => Ok(refused(&found.operation.id, OtherKind::Publish)),
        _ => understand_found(request, found, session, facts),
    }
}

enum Named {
    Path(Segments),
    Another,
    Ask(Question),
}

/// Pages that follow are at `/repositories/NUMBER/…` ("Using pagination in the REST API", GitHub Docs).
fn by_name(path: &Segments, session: &SessionGrant, facts: &Facts) -> Named {
    let repository = &session.at().repository;
    let Some(number) = path.repository_number() else {
        return Named::Path(path.clone());
    };
    let question = Question::RepositoryNumber(repository.clone());
    match facts.known(&question) {
        None => Named::Ask(question),
        Some(Fact::RepositoryNumber(ours)) if *ours == number => {
            Named::Path(path.by_name(repository.owner(), repository.name()))
        }
        Some(_) => Named::Another,
    }
}

fn find(method: &Method, path: &Segments) -> Result<Option<Matched<'static>>, NotUnderstood> {
    let found = CATALOGUE.find(method, path);
    let decoded = CATALOGUE.find(method, &path.decoded_first());
    match (&found, &decoded) {
        (Some(one), Some(other)) if one.operation.id != other.operation.id => {
            Err(NotUnderstood::because(format!(
                "the path is {} or {}, as one takes `%2F`",
                one.operation.id, other.operation.id
            )))
        }
        _ => Ok(found),
    }
}

fn understand_found(
    request: &RestRequest<'_>,
    found: Matched<'static>,
    session: &SessionGrant,
    facts: &Facts,
) -> Result<Understanding, NotUnderstood> {
    let operation = found.operation;
    let mut asked = Asked {
        class: operation.class,
        id: &operation.id,
        repository: repository(&found)?,
        query: query(request, operation.class)?,
        body: body(request, &found)?,
        arguments: found.arguments,
        session,
        facts,
    };
    let all = match asked.does()? {
        Does::These(all) => all,
        Does::Ask(question) => return Ok(Understanding::Ask(vec![question])),
    };
    Ok(Understanding::Known(Understood {
        actions: Actions {
            operation: operation.id.clone(),
            all,
        },
        path: Some(operation.path(&asked.arguments)),
        query: asked.query.written(),
        body: written_body(&asked.body),
        answer: match operation.class {
            Class::SessionUser => AnswerTreatment::Here(user::answer()),
            _ => operation.answer(),
        },
        details: asked.details(),
    }))
}

/// The repository that the path names, if it names one.
fn repository(found: &Matched<'_>) -> Result<Option<RepositoryName>, NotUnderstood> {
    let (owner, name) = (found.arguments.of("owner"), found.arguments.of("repo"));
    if owner.is_empty() && name.is_empty() {
        return Ok(None);
    }
    RepositoryName::of(owner, name)
        .map(Some)
        .map_err(|why| NotUnderstood::because(why.to_string()))
}

/// A write takes no query: GitHub would read arguments from it as it does from the body.
fn query(request: &RestRequest<'_>, class: Class) -> Result<Query, NotUnderstood> {
    match class {
        Class::SessionUser => Ok(Query::default()),
        _ if request.method.as_str() == "GET" || request.method.as_str() == "HEAD" => {
            Query::parse(request.query, &CATALOGUE.queries)
        }
        _ if request.query.is_none_or(str::is_empty) => Ok(Query::default()),
        _ => Err(NotUnderstood::because(
            "a query with what is written; its arguments belong in the body",
        )),
    }
}

fn body(request: &RestRequest<'_>, found: &Matched<'_>) -> Result<Map<String, Value>, NotUnderstood> {
    let Some(shape) = &found.operation.body else {
        return Ok(Map::new());
    };
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    if let Some(of) = request.content_type.filter(|of| !is_json(of)) {
        return Err(NotUnderstood::because(format!("the body is {of:?}, not JSON")));
    }
    let body = json::object(request.body).map_err(|why| NotUnderstood::because(why.to_string()))?;
    shape.check(&body)?;
    Ok(body)
}

/// curl calls what it posts a form, whatever it is, and GitHub reads it as JSON all the same: so do its own examples.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || essence == "application/x-www-form-urlencoded"
        || essence.starts_with("application/vnd.github.")
}

fn written_body(body: &Map<String, Value>) -> BodySent {
    if body.is_empty() {
        return BodySent::Nothing;
    }
    let written = serde_json::to_vec(body).expect("what was read as JSON is written as JSON");
    BodySent::These(Bytes::from(written))
}

/// What is sent of this is nothing, as nothing allows it.
fn refused(operation: &str, kind: OtherKind) -> Understanding {
    let other = GithubAction::Other {
        operation: operation.to_owned(),
        kind,
    };
    Understanding::Known(Understood {
        actions: Actions {
            operation: operation.to_owned(),
            all: vec![other],
        },
        path: None,
        query: None,
        body: BodySent::Nothing,
        answer: AnswerTreatment::AsItComes,
        details: vec![],
    })
}

/// What a request is called that is no operation.
fn unnamed(request: &RestRequest<'_>) -> String {
    const LONGEST: usize = 120;
    let path: String = request.path.chars().take(LONGEST).collect();
    format!("{} {path}", request.method.as_str())
}

#[cfg(test)]
mod tests;
