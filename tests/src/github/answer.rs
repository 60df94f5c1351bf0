//! What is answered, before it becomes a response of HTTP.

use hyper::Response;
use serde_json::{Value, json};

use crate::body::Outgoing;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let fields = vec![("content-type", kind.to_owned())];
        Self {
            status,
            fields,
            body: body.into(),
        }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text)
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", value.to_string())
    }

    pub(super) fn nothing(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn elsewhere(url: &str) -> Self {
        Self::nothing(302).field("location", url)
    }

    /// As GitHub's REST interface says no.
    pub(super) fn problem(status: u16, message: &str) -> Self {
        let text = status.to_string();
        let told = json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": text });
        Self::json(status, &told)
    }

    pub(super) fn not_found() -> Self {
        Self::problem(404, "Not Found")
    }

    pub(super) fn bad_credentials() -> Self {
        Self::problem(401, "Bad credentials")
    }

    /// As GitHub asks git for a credential.
    pub(super) fn who_are_you() -> Self {
        Self::text(401, "No anonymous write access.").field("www-authenticate", "Basic realm=\"GitHub\"")
    }

    pub(super) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

impl From<Answer> for Response<Outgoing> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.fields {
            response = response.header(*name, value);
        }
        let length = answer.body.len();
        if answer.status != 204 && answer.status != 304 {
            response = response.header("content-length", length);
        }
        response
            .body(Outgoing::whole(answer.body))
            .expect("a status and fields of ours")
    }
}
