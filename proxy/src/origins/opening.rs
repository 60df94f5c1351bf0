//! Asks an origin for a WebSocket: over http/1.1 on a connection of its own, which never comes from a pool nor goes to one; over
//! h2 where the origin offers nothing else and takes extended CONNECT.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::exclusive::{Connection, Exclusive, pass_interims};
use super::{Carrier, Lease, Offer, Sending, Shared, Unanswered, shape_for_h2, shape_for_http1};
use crate::allowance::Bounds;
use crate::arriving::Arriving;
use crate::body::Upload;
use crate::dialer::{Form, ParentError};
use crate::error::Error;
use crate::http_error::HttpError;
use crate::origin_stream::OriginStream;
use crate::rewind::Rewind;
use crate::scrub::{BodyScrub, Scrubbing};
use crate::websocket::{Duplex, Handshake, NoSocket, ask_over_h2, ask_over_http1, verify};

/// What an origin makes of it.
pub(super) enum Asked {
    /// A socket, with the head that says so.
    Opened(Response<()>, Box<dyn Duplex>),
    /// An ordinary response: it refuses, or sends elsewhere.
    Answered(Response<Arriving>, Carrier),
}

impl Asked {
    /// What was asked for no socket is answered.
    pub(super) fn answered((response, carrier): (Response<Arriving>, Carrier)) -> Self {
        Self::Answered(response, carrier)
    }

    /// A 407 is the parent proxy's, where it reads the requests, and no origin's (RFC 9110 section 15.5.8).
    pub(super) fn of_origin(self) -> Result<Self, Error> {
        match &self {
            Self::Answered(response, Carrier::Exclusive(connection))
                if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED =>
            {
                match connection.form() {
                    Form::Origin => Ok(self),
                    Form::Absolute { authorization } => {
                        Err(Error::Parent(ParentError::unauthorized(authorization.is_some())))
                    }
                }
            }
            _ => Ok(self),
        }
    }

    /// An answer that its client would take for another one goes no further: 101 where nothing was asked; success, which over h2
    /// is what opens a socket, where none was opened.
    pub(super) fn fits(self, handshake: Option<&Handshake>) -> Result<Self, Error> {
        let Self::Answered(response, _) = &self else {
            return Ok(self);
        };
        match (response.status(), handshake) {
            (StatusCode::SWITCHING_PROTOCOLS, _) => Err(Error::NoSocket(NoSocket::Unasked)),
            (status, Some(Handshake::H2)) if status.is_success() => {
                Err(Error::NoSocket(NoSocket::Ordinary(status)))
            }
            _ => Ok(self),
        }
    }

    /// What is searched is searched from its head on, and what cannot be does not begin.
    pub(super) fn scrubbed(
        self,
        scrubbing: Option<&Arc<Scrubbing>>,
    ) -> Result<(Self, Option<BodyScrub>), Error> {
        let Some(scrubbing) = scrubbing else {
            return Ok((self, None));
        };
        match self {
            Self::Opened(mut head, origin) => {
                scrubbing.of_socket(&mut head).map_err(Error::Unsearchable)?;
                Ok((Self::Opened(head, origin), None))
            }
            Self::Answered(response, carrier) => {
                let (mut head, body) = response.into_parts();
                let scrub = scrubbing.of_response(&mut head, body.is_end_stream());
                let scrub = scrub.map_err(Error::Unsearchable)?;
                Ok((Self::Answered(Response::from_parts(head, body), carrier), scrub))
            }
        }
    }

    /// A response that is larger than there is room for does not begin.
    pub(super) fn within(self, bounds: Option<&Bounds>) -> Result<Self, Error> {
        if let (Self::Answered(response, _), Some(bounds)) = (&self, bounds) {
            bounds.expect(response).map_err(Error::CutOff)?;
        }
        Ok(self)
    }
}

impl Sending<'_> {
    /// Asks for a socket, by the request of a client that asked by `handshake`.
    pub(super) async fn ask(self, handshake: &Handshake, request: Request<Upload>) -> Result<Asked, Error> {
        let connecting = self
            .origins
            .connect(self.permit, self.record, self.pool, Offer::Http1);
        match connecting.await {
            Ok(stream) => self.ask_over_http1(stream, handshake, request).await,
            Err(error) if error.is_of_protocol() => self.ask_over_h2(request).await,
            Err(error) => Err(error),
        }
    }

    async fn ask_over_http1(
        &self,
        stream: OriginStream,
        handshake: &Handshake,
        mut request: Request<Upload>,
    ) -> Result<Asked, Error> {
        shape_for_http1(&mut request, &self.authority);
        let key = handshake.key();
        let farewell = stream.farewell();
        let http_failed = |error: hyper::Error| {
            self.failed(Unanswered {
                error: HttpError::from(error),
                unsent: None,
                alert: farewell.alert(),
            })
        };
        ask_over_http1(request.headers_mut(), key.clone());
        pass_interims(&mut request, self.interims);
        let (mut sender, mut driver) = http1::Builder::new()
            .max_headers(self.origins.limits.head_fields)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(http_failed)?;
        let mut done = false;
        let response = {
            let mut response = pin!(sender.send_request(request));
            poll_fn(|cx| {
                // Not to its end: after a 101, the stream is taken from it.
                done = done || driver.poll_without_shutdown(cx).is_ready();
                response.as_mut().poll(cx)
            })
            .await
            .map_err(http_failed)?
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let driver = (!done).then_some(driver);
            let connection = Connection::of_parts(sender, driver);
            let carrier = Carrier::Exclusive(Exclusive::alone(connection));
            return Ok(Asked::Answered(response.map(Arriving::of_origin), carrier));
        }
        verify(response.headers(), &key).map_err(Error::NoSocket)?;
        let parts = driver.into_parts();
        let stream = Rewind::new(parts.read_buf, parts.io.into_inner());
        Ok(Asked::Opened(response.map(drop), Box::new(stream)))
    }

    async fn ask_over_h2(&self, mut request: Request<Upload>) -> Result<Asked, Error> {
        let connect = || {
            self.origins
                .connect(self.permit, self.record, self.pool, Offer::Any)
        };
        let shared: Arc<Shared> = match self.pool.take() {
            Some(Lease::Shared(shared)) => shared,
            _ => match Box::pin(self.pool.open(connect)).await? {
                Lease::Shared(shared) => shared,
                Lease::Exclusive(_) => return Err(Error::NoSocket(NoSocket::NotOverH2)),
            },
        };
        shape_for_h2(&mut request, &self.authority, self.permit.scheme());
        ask_over_h2(&mut request);
        shared.ask(request, self.interims).await
    }
}
