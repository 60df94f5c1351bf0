//! A connection to an origin that speaks http/1.1: one exchange at a time.
//!
//! It has no task of its own. Whoever holds it polls it, within the task of the client connection, so that a request costs no
//! wake-up of another task. Because nothing else moves it, its response and body are polled with a waker that does nothing.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;

use super::{Pool, Unanswered};
use crate::arriving::Arriving;
use crate::body::Upload;
use crate::dialer::Form;
use crate::error::Error;
use crate::http_error::HttpError;
use crate::interim::Interims;
use crate::limits::Limits;
use crate::origin_stream::OriginStream;
use crate::protected::Farewell;

/// A connection in the hands of one exchange. Dropped, it is closed; given back, another may use it.
pub(crate) struct Exclusive {
    connection: Box<Connection>,
    /// None: it is for one exchange only.
    pool: Option<Arc<Pool>>,
}

/// The connection itself, as it rests in a pool.
pub(super) struct Connection {
    sender: http1::SendRequest<Upload>,
    /// None when it has ended. It is dropped then, because a request that it never took is given back by its end.
    driver: Option<Driver>,
    pub(super) resting_since: Instant,
    farewell: Farewell,
    form: Form,
}

impl Connection {
    pub(super) async fn open(stream: OriginStream, limits: &Limits) -> Result<Box<Self>, Error> {
        let (farewell, form) = (stream.farewell(), stream.form());
        let (sender, driver) = http1::Builder::new()
            .max_headers(limits.head_fields)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::OriginHttp(error.into()))?;
        Ok(Box::new(Self {
            sender,
            driver: Some(driver),
            resting_since: Instant::now(),
            farewell,
            form,
        }))
    }

    /// One that was made elsewhere, and whose origin has answered; `driver` unless it has ended.
    pub(super) fn of_parts(sender: http1::SendRequest<Upload>, driver: Option<Driver>) -> Box<Self> {
        Box::new(Self {
            sender,
            driver,
            resting_since: Instant::now(),
            farewell: Farewell::default(),
            form: Form::Origin,
        })
    }

    /// Lets the connection do what it can. How it ended, if it does, is told to whoever waits for the response or its body.
    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    /// Whether it may take a request, as far as is known here: an origin that closed it is noticed.
    fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        self.driver.is_some() && self.sender.is_ready()
    }
}

impl Exclusive {
    pub(super) fn new(connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        Self {
            connection,
            pool: Some(pool),
        }
    }

    /// A connection that no other exchange will have.
    pub(super) fn alone(connection: Box<Connection>) -> Self {
        Self {
            connection,
            pool: None,
        }
    }

    /// How requests are to be shaped for it.
    pub(crate) fn form(&self) -> &Form {
        &self.connection.form
    }

    /// Sends, and waits for the head of the response.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Upload>,
        interims: &Interims,
    ) -> Result<Response<Arriving>, Unanswered> {
        pass_interims(&mut request, interims);
        let connection = &mut *self.connection;
        // What happened while it rested is seen before a request is risked on it.
        poll_fn(|cx| {
            connection.drive(cx);
            Poll::Ready(())
        })
        .await;
        let mut response = pin!(unconstrained(connection.sender.try_send_request(request)));
        poll_fn(|cx| {
            drive(&mut connection.driver, cx);
            response.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
        .map(|response| response.map(Arriving::of_origin))
        .map_err(|mut failed| {
            let unsent = failed.take_message();
            Unanswered {
                error: failed.into_error().into(),
                unsent,
                alert: connection.farewell.alert(),
            }
        })
    }

    /// The next frame of the response's body.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Arriving,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let mut nobody = Context::from_waker(Waker::noop());
        let body = &mut *body;
        let polled = Pin::new(&mut *body).poll_frame(&mut nobody);
        if polled.is_ready() {
            return polled;
        }
        self.connection.drive(cx);
        Pin::new(body).poll_frame(&mut nobody)
    }

    /// Sends on, and receives as far as there is room.
    pub(crate) fn go_on(&mut self, cx: &mut Context<'_>) {
        self.connection.drive(cx);
    }

    /// The response came whole: ready when the request went whole too, or never will.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.is_ready(cx) || self.connection.driver.is_none() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Both came whole, so that another may use the connection. One that was closed is dropped.
    pub(crate) fn give_back(mut self, cx: &mut Context<'_>) {
        if let Some(pool) = self.pool
            && self.connection.is_ready(cx)
        {
            self.connection.resting_since = Instant::now();
            pool.give_back(self.connection);
        }
    }
}

/// What the origin says before its answer reaches the client.
pub(super) fn pass_interims(request: &mut Request<Upload>, interims: &Interims) {
    let told = interims.clone();
    hyper::ext::on_informational(request, move |interim| {
        let mut response = Response::new(());
        *response.status_mut() = interim.status();
        interim.headers().clone_into(response.headers_mut());
        told.pass(response);
    });
}

type Driver = http1::Connection<TokioIo<OriginStream>, Upload>;

/// Beside [`Connection::drive`], for when the sender is in use.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if driver
        .as_mut()
        .is_some_and(|driver| Pin::new(driver).poll(cx).is_ready())
    {
        *driver = None;
    }
}
