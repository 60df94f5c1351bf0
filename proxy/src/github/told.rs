//! Answers of our own.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use outwall_git_proxy::{AnswerHere, ApiRoot, Door, Refusal};
use outwall_policy::Denial;
use outwall_policy::github::{GithubService, RepositoryName};

use crate::refusal::REASON;

/// How a client may show the session's credential (RFC 7617). A person may see the realm.
pub(super) const CHALLENGE: &str = "Basic realm=\"GitHub, through Outwall\"";

/// An answer of our own.
pub(super) fn here(answer: &AnswerHere) -> Response<Bytes> {
    let mut response = Response::new(answer.body.clone());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A refusal, with the stable code.
pub(super) fn answer(answer: &AnswerHere, code: &'static str) -> Response<Bytes> {
    let mut response = here(answer);
    response
        .headers_mut()
        .insert(&REASON, HeaderValue::from_static(code));
    response
}

/// What is said to who is denied something.
pub(super) fn refusal(denial: &Denial) -> Refusal {
    Refusal {
        code: denial.code(),
        message: denial.reason().to_string(),
        remedy: denial.remedy().unwrap_or_default(),
    }
}

/// A refusal where there is no door: as the service is read, JSON or text.
pub(super) fn without_a_door(denial: &Denial, service: GithubService) -> Response<Bytes> {
    let like = match service {
        GithubService::Api | GithubService::Uploads => Door::Rest(ApiRoot::Api, String::new()),
        _ => Door::Page(RepositoryName::of("nobody", "nothing").expect("a name")),
    };
    answer(&refusal(denial).answer(&like), denial.code())
}

/// Asks for the session's credential. Git asks its helper for one at 401, and at nothing else; its realm is shown to a person.
pub(super) fn challenge(door: &Door) -> Response<Bytes> {
    let (content_type, body) = match door {
        Door::Rest(..) | Door::Graphql => (
            "application/json; charset=utf-8",
            r#"{"message":"Requires authentication"}"#,
        ),
        Door::Lfs(..) => (
            "application/vnd.git-lfs+json",
            r#"{"message":"Requires authentication"}"#,
        ),
        Door::Git(..) | Door::Page(_) | Door::Storage => {
            ("text/plain; charset=utf-8", "Requires authentication\n")
        }
    };
    let mut response = here(&AnswerHere {
        status: 401,
        content_type,
        body: Bytes::from_static(body.as_bytes()),
    });
    let challenge = HeaderValue::from_static(CHALLENGE);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}
