//! Serves one page of metrics to whoever scrapes it.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// What is scraped, made anew each time; or why it cannot be had.
type Page = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Serves `page` under `/metrics` for ever. `listener` must not block.
pub fn serve_metrics(listener: TcpListener, page: Page) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let routes = Router::new().route("/metrics", get(move || answer(Arc::clone(&page))));
        axum::serve(listener, routes).await
    })
}

/// Gates are asked over sockets that block, so not on the thread that answers.
async fn answer(page: Page) -> Response {
    match tokio::task::spawn_blocking(move || page()).await {
        Ok(Ok(text)) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        Ok(Err(why)) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
