//! A response's body that is written anew as it passes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::body::ResponseBody;
use crate::error::Error;
use crate::h2_pipe::Piped;

/// Writes a body anew, piece by piece.
pub(super) trait Rewrite: Send {
    /// Takes the next piece and gives what the client gets for it.
    fn feed(&mut self, piece: Bytes) -> Result<Bytes, Error>;
    /// All of it came.
    fn end(&mut self) -> Result<Bytes, Error>;
    /// It broke off: what the client gets besides, if it need not know of that.
    fn broken(&mut self, error: Error) -> Result<Bytes, Error> {
        Err(error)
    }
}

/// A response's body that is written anew.
pub(crate) struct Rewritten {
    body: Box<ResponseBody>,
    rewrite: Box<dyn Rewrite>,
    over: bool,
}

impl Rewritten {
    pub(super) fn new(body: ResponseBody, rewrite: impl Rewrite + 'static) -> Self {
        Self {
            body: Box::new(body),
            rewrite: Box::new(rewrite),
            over: false,
        }
    }

    /// Asks the origin's connection to go on.
    pub(crate) fn go_on(&mut self, cx: &mut Context<'_>) {
        self.body.go_on(cx);
    }
}

impl Body for Rewritten {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if this.over {
                return Poll::Ready(None);
            }
            let written = match ready!(Pin::new(&mut *this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rewrite.feed(data),
                    Err(_trailers) => continue, // they were about other bytes
                },
                Some(Err(error)) => {
                    this.over = true;
                    this.rewrite.broken(error)
                }
                None => {
                    this.over = true;
                    this.rewrite.end()
                }
            };
            match written {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(error) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
