//! A request as it arrives: its method, its media type, the members of its body.

use serde_json::{Map, Value};

use crate::json;
use crate::refusal::printable;
use crate::understood::NotUnderstood;

/// A request to GraphQL.
#[derive(Clone, Copy, Debug)]
pub struct GraphqlRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// The query of its URL.
    pub query: Option<&'a str>,
    /// Its media type, as it says it.
    pub content_type: Option<&'a str>,
    /// Its body, at most [`LARGEST_BODY`].
    pub body: &'a [u8],
}

/// The largest body that is read, in bytes: `createCommitOnBranch` has whole files in it. What is larger is pushed.
pub const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What a request asks.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) query: String,
    pub(crate) variables: Map<String, Value>,
    pub(crate) operation: Option<String>,
}

/// One operation in one JSON object. A request by GET, a list of several, and a document that the server has under a name are none.
pub(crate) fn read(request: &GraphqlRequest<'_>) -> Result<Members, NotUnderstood> {
    if request.method != "POST" {
        return refuse("GraphQL is asked with POST");
    }
    if request.query.is_some_and(|query| !query.is_empty()) {
        return refuse("the URL of GraphQL has no query");
    }
    if !request.content_type.is_none_or(is_json) {
        return refuse("GraphQL is asked in `application/json`");
    }
    if request.body.len() > LARGEST_BODY {
        return refuse("the body is larger than 16 MiB; push what is that large");
    }
    let mut members =
        json::object(request.body).map_err(|wrong| NotUnderstood::because(wrong.to_string()))?;
    let read = Members {
        query: match members.remove("query") {
            Some(Value::String(query)) => query,
            _ => return refuse("the body has no `query`"),
        },
        variables: match members.remove("variables") {
            Some(Value::Object(variables)) => variables,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return refuse("`variables` is no object"),
        },
        operation: match members.remove("operationName") {
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            None | Some(Value::Null) => None,
            Some(_) => return refuse("`operationName` is no text"),
        },
    };
    match members.keys().next() {
        Some(other) => Err(NotUnderstood::because(format!(
            "the body has the member {:?}, and `query`, `variables` and `operationName` are all that is read",
            printable(other)
        ))),
        None => Ok(read),
    }
}

/// `application/json`, with `charset=utf-8` at most.
fn is_json(content_type: &str) -> bool {
    let (media, parameters) = content_type
        .split_once(';')
        .unwrap_or((content_type, "charset=utf-8"));
    media.trim().eq_ignore_ascii_case("application/json")
        && parameters.trim().eq_ignore_ascii_case("charset=utf-8")
}

fn refuse(why: &str) -> Result<Members, NotUnderstood> {
    Err(NotUnderstood::because(why))
}
