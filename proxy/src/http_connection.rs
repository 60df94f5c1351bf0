//! Serves the requests of one client connection, http/1.1 or h2, on one task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::ResponseBody;
use crate::error::Error;
use crate::exchange::Exchanges;
use crate::h2_connection;
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::interjected::Interjected;
use crate::limits::Limits;
use crate::own_words::OwnWords;
use crate::pulse::{Pulse, Pulsed};
use crate::vigil::{Call, Vigil};
use crate::websocket::Socket;

/// The protocols that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    H2,
}

/// Answers the requests of one client connection over http/1.1.
pub(crate) trait Answers: Send + Sync + 'static {
    /// When it last showed life.
    fn pulse(&self) -> &Arc<Pulse>;

    /// The watch over it.
    fn vigil(self: &Arc<Self>) -> Vigil;

    fn limits(&self) -> &Limits;

    /// Answers one request, whatever happens.
    fn answer(&self, request: Request<Arriving>, interims: &Interims) -> impl Future<Output = Answer> + Send;

    /// What a client is told whose head could not be read, as bytes of http/1.1.
    fn refusal_of_malformed_head(&self, status: u16) -> Vec<u8>;

    /// Writes down that the client broke the rules of its protocol, which ends its connection.
    fn violated(&self, violation: &HttpError);
}

impl Answers for Exchanges {
    fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn vigil(self: &Arc<Self>) -> Vigil {
        Vigil::new(self.gate(), &self.pulse, self.permit().cloned())
    }

    fn limits(&self) -> &Limits {
        &self.gate().shared.limits
    }

    async fn answer(&self, request: Request<Arriving>, interims: &Interims) -> Answer {
        self.answer(request, interims).await
    }

    fn refusal_of_malformed_head(&self, status: u16) -> Vec<u8> {
        self.refusal_of_malformed_head(status)
    }

    fn violated(&self, violation: &HttpError) {
        self.violated("http/1.1", violation);
    }
}

/// Serves until the client is done, falls silent, or is to go.
pub(crate) async fn serve<S>(exchanges: Arc<Exchanges>, stream: S, speaks: Speaks) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match speaks {
        Speaks::Http1 => match serve_http1(&exchanges, stream).await? {
            Some((socket, upgrade)) => {
                let client = upgrade.await.map_err(|error| Error::ClientHttp(error.into()))?;
                socket.relay(exchanges.gate(), TokioIo::new(client)).await;
                Ok(())
            }
            None => Ok(()),
        },
        Speaks::H2 => {
            let stream = Pulsed::new(stream, Arc::clone(&exchanges.pulse));
            let vigil = exchanges.vigil();
            h2_connection::serve(exchanges, stream, vigil).await
        }
    }
}

/// Serves a connection of http/1.1, up to where it goes on as a socket.
pub(crate) async fn serve_http1<A: Answers, S>(exchanges: &Arc<A>, stream: S) -> Result<Option<Switch>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let vigil = exchanges.vigil();
    let stream = Pulsed::new(stream, Arc::clone(exchanges.pulse()));
    let switched = Switched::default();
    let interims = Interims::of_http1();
    let stream = Interjected::new(stream, interims.clone());
    let stream = in_our_words(exchanges, stream, &switched);
    let service = service_fn(|mut request| {
        let (exchanges, switched) = (Arc::clone(exchanges), switched.clone());
        let interims = interims.clone();
        async move {
            let upgrade = hyper::upgrade::on(&mut request);
            let request = Arriving::request_http1(request);
            let answer = exchanges.answer(request, &interims).await;
            Ok::<_, Infallible>(switched.response(answer, upgrade))
        }
    });
    let connection = http1_builder(exchanges.limits())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = watch(connection, vigil).await {
        if let Error::ClientHttp(violation) = &error
            && violation.is_violation()
        {
            exchanges.violated(violation);
        }
        return Err(error);
    }
    Ok(switched.take())
}

/// The stream with hyper's own answers put into ours, until it goes on as another protocol.
fn in_our_words<A: Answers, S>(
    exchanges: &Arc<A>,
    stream: S,
    switched: &Switched,
) -> OwnWords<S, impl Fn(u16) -> Vec<u8> + Send + use<A, S>> {
    let telling = Arc::clone(exchanges);
    let refusal = move |status| telling.refusal_of_malformed_head(status);
    OwnWords::new(
        stream,
        Arc::clone(exchanges.pulse()),
        refusal,
        Arc::clone(&switched.happened),
    )
}

async fn watch<S, F>(
    connection: http1::UpgradeableConnection<TokioIo<S>, F>,
    mut vigil: Vigil,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: HttpService<Incoming, ResBody = ResponseBody, Error = Infallible>,
{
    let mut connection = pin!(connection);
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

/// The socket that a connection goes on as, once its head is written.
#[derive(Clone, Default)]
struct Switched {
    waiting: Arc<Mutex<Option<Switch>>>,
    happened: Arc<AtomicBool>,
}

/// What a connection goes on as, and its stream.
pub(crate) type Switch = (Box<Socket>, OnUpgrade);

impl Switched {
    /// Keeps a socket for when its head is written.
    fn response(&self, answer: Answer, upgrade: OnUpgrade) -> Response<ResponseBody> {
        match answer {
            Answer::Response(response) => response,
            Answer::Reset(_no_such_thing_here) => {
                let mut response = Response::new(ResponseBody::Nothing);
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
            Answer::Socket(head, socket) => {
                self.happened.store(true, Ordering::Relaxed);
                *self.lock() = Some((socket, upgrade));
                head.map(|()| ResponseBody::Nothing)
            }
        }
    }

    fn take(&self) -> Option<Switch> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Switch>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
