//! GraphQL: a request is read with GitHub's schema, what it would do is told from its one operation, and what is sent is written anew.
//!
//! 1. `request`: one JSON object with `query`, `variables` and `operationName`, each once.
//! 2. `document`: the document within limits; of its operations the one that is executed, with the fragments that it uses.
//! 3. `value`: variables as their types take them.
//! 4. `walk`: every selected field. A field that is in no list of `classes` is refused, so that what is not known reaches nothing.
//! 5. `mutation`: what each mutation does, by what its input says and what GitHub says of the nodes that it names.
//!
//! GitHub's own rules for documents (are two fields of one name the same, does a fragment fit) are left to GitHub: what it refuses does
//! nothing, and gh sends documents that the specification forbids and GitHub takes.

mod classes;
mod document;
#[cfg(any(test, feature = "testing"))]
pub mod generate;
mod mutation;
mod request;
mod root;
mod schema;
mod value;
mod walk;

use bytes::Bytes;
use outwall_policy::github::{Actions, SessionGrant};
use serde_json::json;

use self::document::Document;
use self::walk::Walk;
use crate::asking::Facts;
use crate::understood::{AnswerTreatment, BodySent, NotUnderstood, Understanding, Understood};

pub use request::{GraphqlRequest, LARGEST_BODY};

/// Reads a request and says what it would do.
pub fn understand(
    request: &GraphqlRequest<'_>,
    session: &SessionGrant,
    facts: &Facts,
) -> Result<Understanding, NotUnderstood> {
    let members = request::read(request)?;
    let mut document = Document::read(&members.query, members.operation.as_deref())?;
    let mut variables = value::variables(&document.operation, members.variables)?;
    root::confine_searches(&mut document, &variables, session.at())?;

    let mut walk = Walk::new(&document, &variables, session.at(), facts);
    walk.operation()?;
    if let Some(questions) = walk.questions() {
        return Ok(Understanding::Ask(questions));
    }
    let (actions, operation, details) = walk.found();

    let used = document.variables_used();
    variables.retain(|name, _| used.iter().any(|used| used == name.as_str()));
    let body = json!({"query": document.written(), "variables": variables});
    Ok(Understanding::Known(Understood {
        actions: Actions {
            operation,
            all: actions,
        },
        path: None,
        query: None,
        body: BodySent::These(Bytes::from(body.to_string())),
        answer: AnswerTreatment::AsItComes,
        details,
    }))
}

/// Whether a document of our own is one of the schema, for the tests of who asks.
#[cfg(test)]
pub(crate) fn asked_of_the_schema(query: &str) -> Result<(), NotUnderstood> {
    walk::fits(&Document::read(query, None)?)
}

#[cfg(test)]
mod tests;
