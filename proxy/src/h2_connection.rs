//! Serves the streams of one h2 client connection, all on the connection's task: a request costs no wake-up of another task, and
//! frames leave in batches.
//!
//! On h2 itself and not on hyper's server, which can neither pass an interim response on nor say with which code a stream ends.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use h2::server::{self, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::ResponseBody;
use crate::error::Error;
use crate::exchange::Exchanges;
use crate::h2_duplex::H2Duplex;
use crate::h2_pipe;
use crate::h2_watch::{Accepted, Watched};
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::limits::Limits;
use crate::patience::Patience;
use crate::vigil::{Call, Vigil};

/// Serves until the client is done, falls silent, or is to go.
pub(crate) async fn serve<S>(exchanges: Arc<Exchanges>, stream: S, vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ended = drive(&exchanges, stream, vigil).await;
    if let Err(Error::ClientHttp(violation)) = &ended
        && violation.is_violation()
    {
        exchanges.violated("h2", violation);
    }
    ended
}

async fn drive<S>(exchanges: &Arc<Exchanges>, stream: S, mut vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = exchanges.gate().shared.limits.clone();
    let accepted = Accepted::default();
    let stream = Watched::new(stream, accepted.clone(), |stream, reason| {
        exchanges.violated("h2", &format_args!("stream {stream}: {reason}"));
    });
    let mut connection = handshake(stream, &limits, &mut vigil).await?;
    let mut streams = Streams::default();
    poll_fn(|cx| {
        loop {
            streams.poll(cx);
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    accepted.note(respond.stream_id().as_u32());
                    streams.take_in(serve_stream(Arc::clone(exchanges), request, respond));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(as_served(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        match vigil.poll(cx) {
            None => Poll::Pending,
            Some(Call::End(error)) => Poll::Ready(Err(error)),
            Some(Call::Drain) => {
                connection.graceful_shutdown();
                cx.waker().wake_by_ref(); // to be polled once more, with what that changed
                Poll::Pending
            }
        }
    })
    .await
}

async fn handshake<S>(stream: S, limits: &Limits, vigil: &mut Vigil) -> Result<Connection<S, Bytes>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = pin!(builder(limits).handshake(stream));
    poll_fn(|cx| {
        if let Poll::Ready(shaken) = handshake.as_mut().poll(cx) {
            return Poll::Ready(shaken.map_err(|error| Error::ClientHttp(error.into())));
        }
        match vigil.poll(cx) {
            None => Poll::Pending,
            Some(Call::End(error)) => Poll::Ready(Err(error)),
            Some(Call::Drain) => Poll::Ready(Err(Error::ShuttingDown)),
        }
    })
    .await
}

fn builder(limits: &Limits) -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .enable_connect_protocol(); // for WebSocket (RFC 8441)
    builder
}

fn as_served(error: h2::Error) -> Result<(), Error> {
    let error = HttpError::from(error);
    if error.is_farewell() {
        return Ok(());
    }
    Err(Error::ClientHttp(error))
}

/// Serves one stream, from its request to the last byte of its response.
async fn serve_stream(
    exchanges: Arc<Exchanges>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let mut patience = Patience::new(&exchanges.gate().shared.limits);
    let (request, receive) = read(request, &mut patience);
    let interims = Interims::of_h2();
    let answered = {
        let mut answer = pin!(patience.with(exchanges.answer(request, &interims)));
        poll_fn(|cx| {
            let polled = answer.as_mut().poll(cx);
            while let Poll::Ready(interim) = interims.poll_next(cx) {
                let _ = respond.send_informational(interim); // a stream that is gone is seen below
            }
            match polled {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                // A client that resets the stream has cancelled its request.
                Poll::Pending => respond.poll_reset(cx).map(|_reset| None),
            }
        })
        .await
    };
    let given_up = |error| exchanges.given_up(&error);
    let answered = answered.map(|answered| answered.unwrap_or_else(given_up));
    match (answered, receive) {
        (None, _) => {}
        (Some(Answer::Response(response)), _) => {
            if let Err(error) = patience.with(send(response, respond)).await {
                error.log();
            }
        }
        (Some(Answer::Reset(reason)), _) => respond.send_reset(reason),
        (Some(Answer::Socket(head, socket)), Some(receive)) => {
            if let Ok(send) = respond.send_response(head, false) {
                socket.relay(exchanges.gate(), H2Duplex::new(send, receive)).await;
            }
        }
        (Some(Answer::Socket(..)), None) => respond.send_reset(Reason::INTERNAL_ERROR), // nobody asked
    }
}

/// What follows a CONNECT is no body; it is kept for what may come of it.
fn read(request: Request<RecvStream>, patience: &mut Patience) -> (Request<Arriving>, Option<RecvStream>) {
    if request.method() != Method::CONNECT {
        return (Arriving::request_h2(request, patience), None);
    }
    let (parts, stream) = request.into_parts();
    (Request::from_parts(parts, Arriving::Nothing), Some(stream))
}

async fn send(response: Response<ResponseBody>, mut respond: SendResponse<Bytes>) {
    let (parts, body) = response.into_parts();
    let mut head = Response::from_parts(parts, ());
    let is_empty = body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|_| !is_empty) {
        let headers = head.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
    match respond.send_response(head, is_empty) {
        Ok(stream) if !is_empty => {
            if let Err(unsent) = h2_pipe::send(stream, body).await {
                tracing::debug!(%unsent, "a response did not reach its client whole");
            }
        }
        Ok(_ended) => {}
        Err(error) => tracing::debug!(%error, "a response did not reach its client"),
    }
}

/// The streams of one connection, driven by its task.
#[derive(Default)]
struct Streams {
    running: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Streams {
    fn take_in(&mut self, stream: impl Future<Output = ()> + Send + 'static) {
        self.running.push(Box::pin(stream));
    }

    /// Lets those that were woken do what they can.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }
}

/// Room for uploads to flow: h2's default of 64 KiB is a brake.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
