//! The GraphQL interface: documents are validated and executed on GitHub's schema; <https://spec.graphql.org/October2021/>.

mod history;
mod issues;
mod mutations;
mod object;
mod pulls;
mod repositories;
mod roots;
pub(super) mod search;

use std::cell::RefCell;
use std::sync::{Arc, MutexGuard, OnceLock};

use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use hyper::Response;
use serde_json::{Value, json};

use super::rest::limits;
use super::tokens::Caller;
use super::{Answer, Asked, Site, Standing, Store};
use crate::body::Outgoing;
use object::{Item, Node};

/// GitHub's schema, read once.
pub(super) fn schema() -> &'static Valid<Schema> {
    static SCHEMA: OnceLock<Valid<Schema>> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let newer = include_str!("../../../git-proxy/data/graphql-newer.graphqls");
        // What every schema has is in there, too, and the compiler brings its own.
        let (newer, _) = newer
            .split_once("type __Schema")
            .expect("it ends with introspection");
        let schema = Schema::builder()
            .parse(
                include_str!("../../../git-proxy/data/graphql-schema.graphqls"),
                "schema.graphql",
            )
            .parse(newer, "newer.graphql")
            .build()
            .expect("GitHub's schema is one");
        Valid::assume_valid(schema) // a test says that it is
    })
}

/// What one document is executed with.
struct Context<'a> {
    store: RefCell<MutexGuard<'a, Store>>,
    caller: &'a Caller,
    site: Site,
    schema: &'static Valid<Schema>,
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
    let answered = tokio::task::spawn_blocking(move || answer(&standing, &caller, site, &head, &body));
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
    body: &[u8],
) -> Answer {
    match caller {
        Caller::Nobody => {
            let told = "This endpoint requires you to be authenticated.";
            return Answer::problem(401, told);
        }
        Caller::Stranger => return Answer::bad_credentials(),
        Caller::Known(_) => {}
    }
    if head.method != "POST" {
        return Answer::not_found();
    }
    let Ok(given) = serde_json::from_slice::<Value>(body) else {
        return Answer::problem(400, "Problems parsing JSON");
    };
    let Some(query) = given["query"].as_str() else {
        return Answer::problem(400, "A query attribute must be specified and must be a string.");
    };
    let context = Context {
        store: RefCell::new(standing.store()),
        caller,
        site,
        schema: schema(),
    };
    let answered = execute(
        &context,
        query,
        given["operationName"].as_str(),
        &given["variables"],
    );
    limits(Answer::json(200, &answered), caller)
}

/// `{data, errors}`, as GitHub words them.
fn execute(context: &Context<'_>, query: &str, operation: Option<&str>, variables: &Value) -> Value {
    let document = match document(context.schema, query) {
        Ok(document) => document,
        Err(errors) => return json!({ "errors": errors }),
    };
    let variables: JsonMap = serde_json::from_value(variables.clone()).unwrap_or_default();
    let root = document
        .operations
        .get(operation)
        .map(|operation| operation.is_mutation());
    let root = Node::new(
        context,
        Item::Root(if root.unwrap_or(false) {
            "Mutation"
        } else {
            "Query"
        }),
    );
    let executed = Execution::new(context.schema, &document)
        .enable_schema_introspection(true)
        .raw_variable_values(&variables)
        .operation_name(operation.filter(|name| !name.is_empty()))
        .and_then(|execution| execution.execute_sync(&root));
    match executed {
        Ok(response) => plain(&serde_json::to_value(&response).expect("a response is JSON")),
        Err(error) => json!({ "errors": [plain(&json!({ "message": error.message().to_string() }))] }),
    }
}

/// A valid document, or the errors in it. `gh` asks for `...on User{name}...on Team{name}`, of which one may be null and one not:
/// that breaks the specification's rule on the merging of fields (section 5.3.2), and GitHub takes it.
fn document(schema: &Valid<Schema>, query: &str) -> Result<Valid<ExecutableDocument>, Vec<Value>> {
    let invalid = match ExecutableDocument::parse_and_validate(schema, query, "query.graphql") {
        Ok(document) => return Ok(document),
        Err(invalid) => invalid,
    };
    let lenient = |name| name == Some("ConflictingFieldType");
    if invalid
        .errors
        .iter()
        .all(|error| lenient(error.error.unstable_error_name()))
    {
        return Ok(Valid::assume_valid(invalid.partial));
    }
    Err(invalid
        .errors
        .iter()
        .map(|error| plain(&json!(error.to_json())))
        .collect())
}

/// Errors in GitHub's shape, before the data; no list of them where there are none.
fn plain(response: &Value) -> Value {
    let mut response = response.clone();
    let errors = match &mut response {
        Value::Object(map) if map.contains_key("message") => std::slice::from_mut(&mut response),
        other => match other.get_mut("errors") {
            Some(Value::Array(errors)) => errors.as_mut_slice(),
            _ => return response,
        },
    };
    for error in errors {
        let message = error["message"].as_str().unwrap_or_default();
        let message = message
            .strip_prefix("resolver error: ")
            .unwrap_or(message)
            .to_owned();
        let kind = if message.starts_with("Could not resolve") {
            Some("NOT_FOUND")
        } else if message.contains("not accessible by")
            || message.contains("does not have the correct permissions")
        {
            Some("FORBIDDEN")
        } else if error.get("path").is_some_and(|path| !path.is_null()) {
            Some("UNPROCESSABLE")
        } else {
            None
        };
        if let Some(kind) = kind {
            error["type"] = kind.into();
        }
        error["message"] = message.into();
    }
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_is_valid_and_has_the_mutations_of_github() {
        let schema = super::schema();
        if let Err(wrong) = schema.as_ref().clone().validate() {
            panic!("{}", wrong.errors);
        }
        let mutations = schema.get_object("Mutation").expect("a type of the schema");
        assert!(mutations.fields.len() > 200, "{}", mutations.fields.len());
    }
}
