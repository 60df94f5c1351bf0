//! Sends a body over a stream of h2, no faster than the peer takes it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use hyper::body::Body;
use thiserror::Error;

/// A body as a stream of h2 needs it.
pub(crate) trait Piped: Body<Data = Bytes, Error: Resets> + Unpin {
    /// Goes on with what does not wait for room in the stream.
    fn go_on(&mut self, _cx: &mut Context<'_>) {}
}

/// With which code a stream is reset when its body fails.
pub(crate) trait Resets: std::error::Error + 'static {
    fn reason(&self) -> Reason;
}

/// Why a body was not sent to its end.
#[derive(Debug, Error)]
pub(crate) enum Unsent<E: std::error::Error + 'static> {
    /// The peer reset the stream.
    #[error("the peer reset the stream: {0}")]
    Reset(Reason),
    /// The stream or its connection failed.
    #[error("the stream failed")]
    Failed(#[source] h2::Error),
    /// The body failed, and the peer was told with a reset.
    #[error("the body failed")]
    Body(#[source] E),
}

/// Sends `body` to its end, trailers included.
pub(crate) async fn send<B>(stream: SendStream<Bytes>, body: B) -> Result<(), Unsent<B::Error>>
where
    B: Piped,
{
    let mut pipe = Pipe {
        stream,
        body,
        waiting: None,
    };
    poll_fn(|cx| pipe.poll(cx)).await
}

struct Pipe<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// Data that waits for room, and whether it is the last.
    waiting: Option<(Bytes, bool)>,
}

impl<B> Pipe<B>
where
    B: Piped,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsent<B::Error>>> {
        loop {
            // Also registers to be woken by a reset, whatever else is waited for.
            if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
                return Poll::Ready(Err(reset.map_or_else(Unsent::Failed, Unsent::Reset)));
            }
            if self.waiting.is_some() {
                let Poll::Ready(room) = self.poll_room(cx) else {
                    self.body.go_on(cx);
                    return Poll::Pending;
                };
                room.map_err(Unsent::Failed)?;
                if self.send_waiting().map_err(Unsent::Failed)? {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(self.send_end().map_err(Unsent::Failed)),
                Some(Err(error)) => {
                    self.stream.send_reset(error.reason());
                    return Poll::Ready(Err(Unsent::Body(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.hold(data),
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        self.stream.reserve_capacity(0);
                        return Poll::Ready(self.stream.send_trailers(trailers).map_err(Unsent::Failed));
                    }
                },
            }
        }
    }

    /// Room is asked for only when there is something to send: a claim of the connection's window that is not used would be
    /// missed by its other streams.
    fn hold(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.stream.reserve_capacity(1); // h2 asks for the rest when it is given the data
        }
        self.waiting = Some((data, self.body.is_end_stream()));
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let is_empty = self.waiting.as_ref().is_none_or(|(data, _)| data.is_empty());
        while !is_empty && self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// True when that was the end.
    fn send_waiting(&mut self) -> Result<bool, h2::Error> {
        let Some((data, last)) = self.waiting.take() else {
            return Ok(false);
        };
        if last || !data.is_empty() {
            self.stream.send_data(data, last)?;
        }
        Ok(last)
    }

    fn send_end(&mut self) -> Result<(), h2::Error> {
        self.stream.send_data(Bytes::new(), true)
    }
}
