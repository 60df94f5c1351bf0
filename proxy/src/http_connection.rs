//! Serves the requests of one client connection, http/1.1 or h2, on one task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::{Response, StatusCode};
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
use crate::pulse::Pulsed;
use crate::vigil::{Call, Vigil};
use crate::websocket::Socket;

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
        Speaks::Http1 => serve_http1(exchanges, stream, vigil).await,
        Speaks::H2 => h2_connection::serve(exchanges, stream, vigil).await,
    }
}

async fn serve_http1<S>(exchanges: Arc<Exchanges>, stream: S, vigil: Vigil) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let gate = Arc::clone(exchanges.gate());
    let switched = Switched::default();
    let interims = Interims::of_http1();
    let stream = Interjected::new(stream, interims.clone());
    let stream = in_our_words(&exchanges, stream, &switched);
    let service = service_fn(|mut request| {
        let (exchanges, switched) = (Arc::clone(&exchanges), switched.clone());
        let interims = interims.clone();
        async move {
            let upgrade = hyper::upgrade::on(&mut request);
            let request = Arriving::request_http1(request);
            let answer = exchanges.answer(request, &interims).await;
            Ok::<_, Infallible>(switched.response(answer, upgrade))
        }
    });
    let connection = http1_builder(&gate.shared.limits)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = watch(connection, vigil).await {
        if let Error::ClientHttp(violation) = &error
            && violation.is_violation()
        {
            exchanges.violated("http/1.1", violation);
        }
        return Err(error);
    }
    if let Some((socket, upgrade)) = switched.take() {
        let client = upgrade.await.map_err(|error| Error::ClientHttp(error.into()))?;
        socket.relay(&gate, TokioIo::new(client)).await;
    }
    Ok(())
}

/// The stream with hyper's own answers put into ours, until it goes on as another protocol.
fn in_our_words<S>(
    exchanges: &Arc<Exchanges>,
    stream: S,
    switched: &Switched,
) -> OwnWords<S, impl Fn(u16) -> Vec<u8> + Send + use<S>> {
    let telling = Arc::clone(exchanges);
    let refusal = move |status| telling.refusal_of_malformed_head(status);
    OwnWords::new(
        stream,
        Arc::clone(&exchanges.pulse),
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

type Switch = (Box<Socket>, OnUpgrade);

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
