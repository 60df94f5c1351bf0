//! The files that pages load. They are in the binary, and say nothing about anybody.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// One of them.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(asset, ..)| *asset == name);
    match found {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

const ASSETS: [(&str, &str, &str); 3] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("assets/style.css"),
    ),
    (
        "script.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/script.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];
