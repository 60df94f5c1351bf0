//! Serves the pages, until it is told to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use thiserror::Error;

use super::guard::{at_the_door, with_a_session};
use super::{Pages, assets, denials, event, plain, sandboxes, state, stream, timeline, top, traffic};

/// Where the pages are served. Neither may block.
#[derive(Debug)]
pub enum Door {
    /// At an address of the loopback interface.
    Loopback(TcpListener),
    /// At a socket in the file system.
    Socket(UnixListener),
}

/// Why they are not served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is not the loopback's.
    #[error("{0} is not a loopback address, and the pages are for this machine alone")]
    NotLoopback(SocketAddr),
    /// The system refused.
    #[error("the pages cannot be served")]
    Io(#[from] io::Error),
}

/// Serves until SIGINT or SIGTERM.
pub fn serve(pages: &Arc<Pages>, door: Door) -> Result<(), ServeError> {
    if let Door::Loopback(listener) = &door {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        tokio::select! {
            served = accept(pages, door) => served,
            stopped = stop() => stopped,
        }
    });
    pages.stopping.send_replace(true);
    runtime.shutdown_timeout(PATIENCE);
    served.map_err(ServeError::Io)
}

async fn accept(pages: &Arc<Pages>, door: Door) -> io::Result<()> {
    let routes = routes(pages);
    match door {
        Door::Loopback(listener) => axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await,
        Door::Socket(listener) => axum::serve(tokio::net::UnixListener::from_std(listener)?, routes).await,
    }
}

async fn stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn routes(pages: &Arc<Pages>) -> Router {
    let at = |path: &str| format!("{}{path}", pages.base());
    let views = Router::new()
        .route(&at("/"), get(traffic::traffic))
        .route(&at("/findings"), get(traffic::findings))
        .route(&at("/stream"), get(stream::stream))
        .route(&at("/events/{id}"), get(event::event))
        .route(&at("/top"), get(top::top))
        .route(&at("/denials"), get(denials::denials))
        .route(&at("/sandboxes"), get(sandboxes::sandboxes))
        .route(&at("/timeline"), get(timeline::timeline))
        .route(&at("/state"), get(state::state))
        .route(&at("/logout"), post(plain::log_out))
        .route(&at("/{*rest}"), get(super::nothing))
        .route_layer(from_fn_with_state(Arc::clone(pages), with_a_session));
    Router::new()
        .merge(views)
        .route("/login", get(plain::log_in))
        .route("/assets/{name}", get(assets::asset))
        .fallback(plain::elsewhere)
        .layer(from_fn(at_the_door))
        .with_state(Arc::clone(pages))
}

/// How long what waits for the disk is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
