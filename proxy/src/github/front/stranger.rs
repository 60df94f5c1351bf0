//! What is told at a front to who does not say who it is, or what cannot be told whose it is.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use outwall_git_proxy::AnswerHere;
use outwall_policy::{CredentialFault, Reason};
use serde_json::json;

use super::names::Names;
use crate::github::told;
use crate::refusal::{REASON, status_of};

/// As whom a client reads its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// git shows lines of text behind `remote:`.
    Git,
    /// gh and whoever else reads JSON shows its `message`.
    Api,
    /// So does git-lfs, of a media type of its own.
    Lfs,
}

impl Reader {
    /// By the path and the host alone, as nobody is known by whose GitHub more could be told.
    pub(super) fn of(names: Names, host: Option<&str>, path: &str) -> Self {
        let is_api = match names {
            Names::OneServer => path.starts_with("/api/"),
            Names::Hosts => {
                host.is_some_and(|host| host.starts_with("api.") || host.starts_with("uploads."))
                    || path.starts_with("/api/")
            }
        };
        if is_api {
            Self::Api
        } else if path.contains("/info/lfs/") {
            Self::Lfs
        } else {
            Self::Git
        }
    }

    fn body(self, code: &str, message: &str, remedy: &str) -> (&'static str, Bytes) {
        let json =
            || json!({ "message": format!("Outwall: {message} ({remedy})"), "code": code }).to_string();
        match self {
            Self::Git => (
                "text/plain; charset=utf-8",
                format!("Outwall: {message}\nOutwall: {remedy}\n").into(),
            ),
            Self::Api => ("application/json; charset=utf-8", json().into()),
            Self::Lfs => ("application/vnd.git-lfs+json", json().into()),
        }
    }
}

/// The answer to a stranger. 401 makes git ask its helper, and forget what it got there when that is wrong.
pub(super) fn answer(reader: Reader, reason: &Reason) -> Response<Bytes> {
    let status = match reason {
        Reason::Credential(CredentialFault::Unavailable | CredentialFault::TooManyAttempts) => {
            status_of(reason)
        }
        Reason::Credential(_) => StatusCode::UNAUTHORIZED,
        _ => status_of(reason),
    };
    let (content_type, body) = reader.body(reason.code(), &reason.to_string(), &remedy(reason));
    let mut response = told::here(&AnswerHere {
        status: status.as_u16(),
        content_type,
        body,
    });
    tell_more(response.headers_mut(), status, reason);
    response
}

/// A line of text.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn tell_more(headers: &mut HeaderMap, status: StatusCode, reason: &Reason) {
    headers.insert(&REASON, HeaderValue::from_static(reason.code()));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(told::CHALLENGE));
    }
    let after = reason.retry_after().map(HeaderValue::from);
    headers.extend(after.map(|after| (RETRY_AFTER, after)));
}

fn remedy(reason: &Reason) -> String {
    let issue = "`outwall credential issue --repository OWNER/NAME --session-branch BRANCH`";
    match reason {
        Reason::Credential(CredentialFault::Missing) => {
            format!(
                "this is GitHub for sessions: {issue} prints a credential, which is shown as password or token"
            )
        }
        Reason::Credential(
            CredentialFault::NotOurs
            | CredentialFault::OtherDoor
            | CredentialFault::Expired
            | CredentialFault::Revoked
            | CredentialFault::Changed,
        ) => format!("{issue} prints another one"),
        Reason::Credential(fault) => fault.remedy(None).unwrap_or_default(),
        _ => "use git and gh as usual".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_in_their_own_form() {
        let reader = |names, host, path| Reader::of(names, Some(host), path);
        let one = Names::OneServer;
        assert_eq!(reader(one, "x", "/acme/app.git/info/refs"), Reader::Git);
        assert_eq!(reader(one, "x", "/api/v3/user"), Reader::Api);
        assert_eq!(
            reader(one, "x", "/acme/app.git/info/lfs/objects/batch"),
            Reader::Lfs
        );
        assert_eq!(reader(Names::Hosts, "api.github.com", "/user"), Reader::Api);
        assert_eq!(reader(Names::Hosts, "github.com", "/acme/app"), Reader::Git);
    }

    #[test]
    fn who_shows_nothing_is_asked_and_who_floods_is_not() {
        let missing = answer(Reader::Git, &Reason::Credential(CredentialFault::Missing));
        assert_eq!(missing.status(), 401);
        assert!(missing.headers().contains_key(WWW_AUTHENTICATE));
        let flood = answer(Reader::Api, &Reason::Credential(CredentialFault::TooManyAttempts));
        assert_eq!(flood.status(), 429);
        assert!(!flood.headers().contains_key(WWW_AUTHENTICATE));
        let odd = Reason::MalformedRequest {
            what: "no Host".to_owned(),
        };
        assert_eq!(answer(Reader::Git, &odd).status(), 400);
    }
}
