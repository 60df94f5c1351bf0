//! A request's body on its way out whose chunks are signed again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};
use outwall_broker::aws::{ChunkError, Chunks};
use outwall_policy::Denial;

use crate::http_error::HttpError;
use crate::leaks::Leaving;

/// A body whose chunks are signed again. It keeps its length.
pub(crate) struct Rechunking {
    body: Leaving,
    chunks: Chunks,
    /// What is said where the body is not in chunks.
    otherwise: Denial,
    /// Bytes that came and have not left, in the chunk that is not whole yet.
    held: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    /// Ended, or cut.
    Over,
}

impl Rechunking {
    pub(super) fn new(body: Leaving, chunks: Chunks, otherwise: Denial) -> Self {
        Self {
            body,
            chunks,
            otherwise,
            held: 0,
            state: State::Coming,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.state == State::Coming {
            let came = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => {
                    self.state = State::Over;
                    let whole = self.chunks.finish();
                    return Poll::Ready(whole.err().map(|why| Err(self.cut(why))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame.into_data(),
            };
            let data = match came {
                Ok(data) => data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
            let mut out = Vec::new();
            if let Err(why) = self.chunks.push(&data, &mut out) {
                return Poll::Ready(Some(Err(self.cut(why))));
            }
            self.held = (self.held + data.len() as u64).saturating_sub(out.len() as u64);
            if self.body.is_end_stream() && self.chunks.finish().is_ok() {
                self.state = State::Over;
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
        Poll::Ready(None)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body
            .size_hint()
            .exact()
            .map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + self.held))
    }

    fn cut(&mut self, _why: ChunkError) -> HttpError {
        self.state = State::Over;
        HttpError::Cut(self.otherwise.clone())
    }
}
