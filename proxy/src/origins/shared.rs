//! A connection to an origin that speaks h2: many exchanges at once, with a task of its own that ends with the last of them.
//!
//! On h2 itself and not on hyper's client, which drops interim responses.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, RecvStream};
use http::{Method, Request, Response};
use hyper::body::Body as _;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::opening::Asked;
use super::{Carrier, Unanswered};
use crate::arriving::Arriving;
use crate::body::Upload;
use crate::error::Error;
use crate::h2_duplex::H2Duplex;
use crate::h2_pipe;
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::limits::Limits;
use crate::origin_stream::OriginStream;
use crate::protected::Farewell;
use crate::websocket::NoSocket;

/// A connection that exchanges share.
pub(crate) struct Shared {
    sender: SendRequest<Bytes>,
    used: Mutex<Instant>,
    /// Gone, or told not to be used again.
    over: Arc<AtomicBool>,
    /// To learn what the origin offers, once somebody needs to know. Gone when it is known.
    greeting: tokio::sync::Mutex<Option<PingPong>>,
    farewell: Farewell,
}

/// One exchange's part in a connection. Dropped, its stream ends.
pub(crate) struct Share {
    _connection: Arc<Shared>,
    upload: Option<Uploading>,
}

/// A request's body on its way out, on a task of its own so that it flows whatever becomes of the response. Dropped, it stops.
struct Uploading(JoinHandle<()>);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    pub(super) async fn open(stream: OriginStream, limits: &Limits) -> Result<Self, Error> {
        let farewell = stream.farewell();
        let (sender, mut connection) = builder(limits)
            .handshake(stream)
            .await
            .map_err(|error| Error::OriginHttp(error.into()))?;
        let over = Arc::<AtomicBool>::default();
        let greeting = tokio::sync::Mutex::new(connection.ping_pong());
        tokio::spawn(drive(connection, Arc::clone(&over)));
        Ok(Self {
            sender,
            used: Mutex::new(Instant::now()),
            over,
            greeting,
            farewell,
        })
    }

    /// Sends, and waits for the head of the response.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<Upload>,
        interims: &Interims,
    ) -> Result<(Response<Arriving>, Share), Unanswered> {
        let mut sender = self.sender.clone();
        if let Err(error) = poll_fn(|cx| sender.poll_ready(cx)).await {
            self.over.store(true, Relaxed);
            return Err(Unanswered {
                alert: self.farewell.alert(),
                ..Unanswered::before(error, request)
            });
        }
        let (parts, upload) = request.into_parts();
        let method = parts.method.clone();
        let is_empty = upload.is_end_stream();
        let sent = sender.send_request(Request::from_parts(parts, ()), is_empty);
        let (mut response, stream) = sent.map_err(|error| self.unanswered(error))?;
        let upload = (!is_empty).then(|| {
            let uploading = tokio::spawn(async move {
                if let Err(unsent) = h2_pipe::send(stream, upload).await {
                    tracing::debug!(%unsent, "a request did not reach its origin whole");
                }
            });
            Uploading(uploading)
        });
        let share = Share {
            _connection: Arc::clone(self),
            upload,
        };
        let answered = answered(&mut response, interims).await;
        let response = answered.map_err(|error| self.unanswered(error))?;
        Ok((Arriving::response_h2(response, &method), share))
    }

    /// Asks for a socket by extended CONNECT (RFC 8441), if the origin has said that it takes it.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: Request<Upload>,
        interims: &Interims,
    ) -> Result<Asked, Error> {
        self.greeted().await;
        let mut sender = self.sender.clone();
        let failed = |error: h2::Error| Error::OriginHttp(error.into());
        poll_fn(|cx| sender.poll_ready(cx)).await.map_err(failed)?;
        if !sender.is_extended_connect_protocol_enabled() {
            return Err(Error::NoSocket(NoSocket::NotOverH2));
        }
        let (parts, _no_body) = request.into_parts();
        let (mut response, mut send) = sender
            .send_request(Request::from_parts(parts, ()), false)
            .map_err(failed)?;
        let response = answered(&mut response, interims).await.map_err(failed)?;
        if response.status().is_success() {
            let (parts, receive) = response.into_parts();
            let socket = Box::new(H2Duplex::new(send, receive));
            return Ok(Asked::Opened(Response::from_parts(parts, ()), socket));
        }
        let _ = send.send_data(Bytes::new(), true); // there will be no socket
        let share = Share {
            _connection: Arc::clone(self),
            upload: None,
        };
        Ok(Asked::Answered(
            Arriving::response_h2(response, &Method::CONNECT),
            Carrier::Shared(share),
        ))
    }

    /// An origin says what it offers before all else, so what was said before the answer to a ping is all of it.
    async fn greeted(&self) {
        let mut greeting = self.greeting.lock().await;
        if let Some(mut pings) = greeting.take() {
            let _ = timeout(GREETING, pings.ping(Ping::opaque())).await;
        }
    }

    fn unanswered(&self, error: h2::Error) -> Unanswered {
        if error.is_go_away() || error.is_io() {
            self.over.store(true, Relaxed);
        }
        Unanswered {
            error: HttpError::from(error),
            unsent: None,
            alert: self.farewell.alert(),
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.over.load(Relaxed)
    }

    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn unused_for(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The answer; what is said before it is passed on.
async fn answered(
    response: &mut ResponseFuture,
    interims: &Interims,
) -> Result<Response<RecvStream>, h2::Error> {
    poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx) {
            interims.pass(interim);
        }
        Pin::new(&mut *response).poll(cx)
    })
    .await
}

impl Share {
    /// The response came whole: ready when the request went whole too, or never will.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.upload {
            Some(upload) => Pin::new(&mut upload.0)
                .poll(cx)
                .map(|_sent_or_not| self.upload = None),
            None => Poll::Ready(()),
        }
    }
}

fn builder(limits: &Limits) -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .enable_push(false);
    builder
}

/// Moves the connection until it ends. It is not pinged: gRPC servers hang up on clients that do so more often than every five
/// minutes. That a peer is gone is noticed by TCP's own keep-alive.
async fn drive(connection: Connection<OriginStream>, over: Arc<AtomicBool>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an h2 connection to an origin ended");
    }
    over.store(true, Relaxed);
}

/// Room for one response to flow at a gigabit over 8 ms; h2's default of 64 KiB is a brake on every download.
const STREAM_WINDOW: u32 = 1 << 20;
/// Four of those at once.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// For an origin to say what it offers.
const GREETING: Duration = Duration::from_secs(5);
