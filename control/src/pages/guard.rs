//! What stands before every page: who is asked for, who asks, and what the browser may do with the answer.
//!
//! 1. `Host` names a loopback address. A page elsewhere whose name was made to lead here ("DNS rebinding") does not.
//! 2. What another page has a browser ask for is refused (Fetch Metadata, `Origin`), except to be led to a page as a whole: a
//!    link may lead here, an image, a frame or a script of another page may not.
//! 3. A session, for everything but the log-in and the style sheet.
//! 4. Headers: nothing is run, loaded, framed, kept or told elsewhere that is not ours.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::Pages;
use super::plain::refused;

/// The session's cookie.
pub(super) const COOKIE: &str = "outwall_ui";

/// For every request.
pub(super) async fn at_the_door(request: Request, next: Next) -> Response {
    let mut response = match objection(request.method(), request.headers()) {
        Some(why) => refused(StatusCode::FORBIDDEN, "Refused", why),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// For every page.
pub(super) async fn with_a_session(
    State(pages): State<Arc<Pages>>,
    request: Request,
    next: Next,
) -> Response {
    let admitted =
        session(request.headers()).is_some_and(|shown| pages.access().admits(shown, Instant::now()));
    if admitted {
        return next.run(request).await;
    }
    refused(StatusCode::UNAUTHORIZED, "Not logged in", NOT_LOGGED_IN)
}

/// The secret of the session that a browser shows.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    cookies
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn objection(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let host = one(headers, &header::HOST);
    if !host.is_some_and(is_loopback) {
        return Some(
            "These pages are only at 127.0.0.1, [::1] and localhost. The request named another host.",
        );
    }
    let same_origin = is(headers, "sec-fetch-site", "same-origin");
    // Our own forms have the origin `null`, since our pages tell nobody where they are; the browser says beside that it was ours.
    let foreign_origin = match one(headers, &header::ORIGIN) {
        Some("null") => !same_origin,
        Some(origin) => origin.strip_prefix("http://") != host,
        None => headers.contains_key(header::ORIGIN),
    };
    let led_here = matches!(*method, Method::GET | Method::HEAD)
        && is(headers, "sec-fetch-mode", "navigate")
        && is(headers, "sec-fetch-dest", "document");
    let foreign_page = headers.contains_key("sec-fetch-site")
        && !same_origin
        && !is(headers, "sec-fetch-site", "none")
        && !led_here;
    (foreign_origin || foreign_page).then_some("Another page asked for this one. Open it yourself.")
}

/// A header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name).into_iter();
    let first = all.next()?.to_str().ok();
    first.filter(|_| all.next().is_none())
}

fn is(headers: &HeaderMap, name: &'static str, value: &str) -> bool {
    one(headers, &HeaderName::from_static(name)) == Some(value)
}

/// Whether a `Host` is this machine's loopback, at any port: a tunnel of SSH may end at another one.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match v6 {
        Some(address) => address
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name
                    .parse::<std::net::Ipv4Addr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

const NOT_LOGGED_IN: &str = "This browser has no session here, or it has ended. Press Enter in the terminal where `outwall ui` runs \
     and open the link that it prints, or start `outwall ui` again. A link is good once, for five minutes.";

const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-read=()",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn passes(method: &Method, lines: &[(&'static str, &'static str)]) -> bool {
        objection(method, &headers(lines)).is_none()
    }

    #[test]
    fn only_a_loopback_host_is_asked_for_here() {
        for host in [
            "127.0.0.1:4000",
            "localhost",
            "LOCALHOST:1",
            "[::1]:4000",
            "127.9.9.9",
        ] {
            assert!(passes(&Method::GET, &[("host", host)]), "{host}");
        }
        for host in [
            "evil.test:4000",
            "127.0.0.1.evil.test",
            "localhost.evil.test:4000",
            "10.0.0.1",
            "[::2]:4000",
            "::1",
            "",
        ] {
            assert!(!passes(&Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!passes(&Method::GET, &[]), "no host");
        assert!(!passes(
            &Method::GET,
            &[("host", "localhost"), ("host", "evil.test")]
        ));
    }

    #[test]
    fn another_page_may_lead_here_and_nothing_else() {
        let host = ("host", "127.0.0.1:4000");
        let from = |site, mode, dest| {
            [
                host,
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ]
        };
        let link = from("cross-site", "navigate", "document");
        assert!(passes(&Method::GET, &link) && !passes(&Method::POST, &link));
        assert!(!passes(&Method::GET, &from("cross-site", "navigate", "iframe")));
        assert!(
            !passes(&Method::GET, &from("same-site", "no-cors", "image")),
            "another port"
        );
        assert!(passes(&Method::GET, &from("same-origin", "cors", "empty")));
        assert!(passes(&Method::GET, &from("none", "navigate", "document")));
    }

    #[test]
    fn an_origin_is_ours_or_refused() {
        let host = ("host", "127.0.0.1:4000");
        assert!(passes(
            &Method::POST,
            &[host, ("origin", "http://127.0.0.1:4000")]
        ));
        for origin in [
            "http://127.0.0.1:3000",
            "http://evil.test",
            "null",
            "https://127.0.0.1:4000",
        ] {
            assert!(!passes(&Method::POST, &[host, ("origin", origin)]), "{origin}");
        }
        let form = |site| [host, ("origin", "null"), ("sec-fetch-site", site)];
        assert!(passes(&Method::POST, &form("same-origin")) && !passes(&Method::POST, &form("same-site")));
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let shown = |line| session(&headers(&[("cookie", line)])).map(str::to_owned);
        assert_eq!(shown("a=b; outwall_ui=s3; c=d").as_deref(), Some("s3"));
        assert_eq!(shown("xoutwall_ui=s3"), None);
        assert_eq!(shown("outwall_uix=s3"), None);
        assert_eq!(session(&HeaderMap::new()), None);
    }
}
