//! Serves the requests of one client connection, http/1.1 or h2, on one task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::arriving::Arriving;
use crate::error::Error;
use crate::exchange::Exchanges;
use crate::h2_connection;
use crate::http_error::HttpError;
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
    let stream = Pulsed::new(stream, Arc::clone(&exchanges.pulse));
    match speaks {
        Speaks::Http1 => serve_http1(exchanges, TokioIo::new(stream), vigil).await,
        Speaks::H2 => h2_connection::serve(exchanges, stream, vigil).await,
    }
}

async fn serve_http1<S>(exchanges: Arc<Exchanges>, stream: TokioIo<S>, mut vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = exchanges.gate().shared.limits.clone();
    let service = service_fn(move |request| {
        let exchanges = Arc::clone(&exchanges);
        async move { Ok::<_, Infallible>(exchanges.answer(Arriving::request_http1(request)).await) }
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

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .auto_date_header(false) // the origin's, or none
        .max_headers(limits.head_fields)
        .max_header_size(limits.head_bytes);
    builder
}

/// A client that simply goes away has not failed.
fn as_served(error: hyper::Error) -> Result<(), Error> {
    let error = HttpError::from(error);
    if error.is_farewell() {
        return Ok(());
    }
    Err(Error::ClientHttp(error))
}
