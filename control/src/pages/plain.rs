//! Pages that need no session: the log-in, and what is said to whoever has none.

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::access::SESSION_LIVES;
use super::guard::COOKIE;
use super::{Pages, shown};

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'p> {
    title: &'p str,
    text: &'p str,
    /// Where to go, at once where the browser does that.
    go_on: Option<String>,
}

/// A page that only says why not.
pub(super) fn refused(status: StatusCode, title: &str, text: &str) -> Response {
    let page = Plain {
        title,
        text,
        go_on: None,
    };
    shown(status, &page)
}

/// `GET /login?token=…`: a session for the one-time secret.
///
/// The answer is a page that leads on, and no redirect: after one, a browser that was led here by another page would not send a
/// cookie that is for this site alone.
pub(super) async fn log_in(
    State(pages): State<Arc<Pages>>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response(); // HEAD, which some send to see what a link is
    }
    let shown_token = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned());
    let session = pages
        .access()
        .redeem(shown_token.as_deref().unwrap_or_default(), Instant::now());
    let Some(session) = session else {
        return refused(StatusCode::UNAUTHORIZED, "This link is not good", NOT_GOOD);
    };
    let base = pages.base();
    let page = Plain {
        title: "Logged in",
        text: "You are logged in until you log out, twelve hours have passed, or `outwall ui` ends.",
        go_on: Some(format!("{base}/")),
    };
    let cookie = format!(
        "{COOKIE}={session}; Path={base}/; HttpOnly; SameSite=Strict; Max-Age={}",
        SESSION_LIVES.as_secs()
    );
    let mut response = shown(StatusCode::OK, &page);
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie.parse().expect("it is ASCII"));
    response
}

/// `POST …/logout`, the one thing that changes something: the session ends.
pub(super) async fn log_out(State(pages): State<Arc<Pages>>, headers: axum::http::HeaderMap) -> Response {
    if let Some(session) = super::guard::session(&headers) {
        pages.access().log_out(session);
    }
    let expired = format!(
        "{COOKIE}=; Path={}/; HttpOnly; SameSite=Strict; Max-Age=0",
        pages.base()
    );
    let mut response = refused(
        StatusCode::OK,
        "Logged out",
        "To come back, press Enter in the terminal where `outwall ui` runs.",
    );
    response
        .headers_mut()
        .insert(header::SET_COOKIE, expired.parse().expect("it is ASCII"));
    response
}

/// Whatever else is asked for without the secret path. It says nothing about what is there.
pub(super) async fn elsewhere() -> Response {
    refused(
        StatusCode::UNAUTHORIZED,
        "Nothing is here",
        "Press Enter in the terminal where `outwall ui` runs and open the link that it prints.",
    )
}

/// For a template that is whole by itself.
pub(super) fn html(status: StatusCode, text: String) -> Response {
    (status, Html(text)).into_response()
}

const NOT_GOOD: &str = "It was used already, is older than five minutes, or a newer one was printed. Press Enter in the terminal where \
     `outwall ui` runs and open the link that it prints, or start `outwall ui` again.";
