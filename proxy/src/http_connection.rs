//! Serves the requests of one client connection, http/1.1 or h2, on one task.
//!
//! On h2, each request would be a task of its own; here the streams of a connection are driven by the connection's task, so that
//! a request costs no wake-up of another task and frames leave in batches.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::exchange::Exchanges;
use crate::limits::Limits;
use crate::pulse::Pulsed;
use crate::vigil::{Call, Vigil};

/// The protocols that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    H2,
}

/// Serves until the client is done, falls silent, or is to go.
pub(crate) async fn serve<S>(exchanges: Arc<Exchanges>, stream: S, speaks: Speaks) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let vigil = Vigil::new(exchanges.gate(), &exchanges.pulse, exchanges.permit().cloned());
    let stream = TokioIo::new(Pulsed::new(stream, Arc::clone(&exchanges.pulse)));
    match speaks {
        Speaks::Http1 => serve_http1(exchanges, stream, vigil).await,
        Speaks::H2 => serve_h2(exchanges, stream, vigil).await,
    }
}

async fn serve_http1<S>(exchanges: Arc<Exchanges>, stream: TokioIo<S>, mut vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = exchanges.gate().shared.limits.clone();
    let service = service_fn(move |request| {
        let exchanges = Arc::clone(&exchanges);
        async move { Ok::<_, Infallible>(exchanges.answer(request).await) }
    });
    let mut connection = pin!(http1_builder(&limits).serve_connection(stream, service));
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended.or_else(as_served));
        }
        match vigil.poll(cx) {
            None => Poll::Pending,
            Some(Call::End(error)) => Poll::Ready(Err(error)),
            Some(Call::Drain) => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().poll(cx).map(|ended| ended.or_else(as_served))
            }
        }
    })
    .await
}

async fn serve_h2<S>(exchanges: Arc<Exchanges>, stream: TokioIo<S>, mut vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = exchanges.gate().shared.limits.clone();
    let service = service_fn(move |request| {
        let exchanges = Arc::clone(&exchanges);
        async move { Ok::<_, Infallible>(exchanges.answer(request).await) }
    });
    let mut streams = Streams::default();
    let builder = h2_builder(streams.newcomers(), &limits);
    let mut connection = pin!(builder.serve_connection(stream, service));
    poll_fn(|cx| {
        streams.poll(cx);
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.or_else(as_served));
            }
            if !streams.welcome() {
                break;
            }
            streams.poll(cx);
        }
        match vigil.poll(cx) {
            None => Poll::Pending,
            Some(Call::End(error)) => Poll::Ready(Err(error)),
            Some(Call::Drain) => {
                connection.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref(); // to be polled once more, with what that changed
                Poll::Pending
            }
        }
    })
    .await
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .auto_date_header(false) // the origin's, or none
        .max_headers(limits.head_fields)
        .max_header_size(limits.head_bytes);
    builder
}

fn h2_builder(newcomers: Newcomers, limits: &Limits) -> http2::Builder<Newcomers> {
    let mut builder = http2::Builder::new(newcomers);
    builder
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// A client that simply goes away has not failed.
fn as_served(error: hyper::Error) -> Result<(), Error> {
    if error.is_incomplete_message() || error.is_closed() {
        return Ok(());
    }
    Err(Error::ClientHttp(error))
}

/// One stream of an h2 connection, to its end.
type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The streams of one h2 connection, driven by its task.
#[derive(Default)]
struct Streams {
    newcomers: Newcomers,
    running: FuturesUnordered<Stream>,
}

/// Where hyper leaves a stream that has begun.
#[derive(Clone, Default)]
struct Newcomers(Arc<Mutex<Vec<Stream>>>);

impl<F> Executor<F> for Newcomers
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::pin(stream));
    }
}

impl Streams {
    fn newcomers(&self) -> Newcomers {
        self.newcomers.clone()
    }

    /// Takes in the streams that began; false when there was none.
    fn welcome(&mut self) -> bool {
        let mut newcomers = self.newcomers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let any = !newcomers.is_empty();
        self.running.extend(newcomers.drain(..));
        any
    }

    /// Lets those that were woken do what they can.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }
}

/// Room for uploads to flow: h2's default of 64 KiB is a brake.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
