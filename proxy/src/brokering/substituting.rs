//! A request's body on its way out, with a secret in the place of its placeholder where the policy says so.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame};
use outwall_broker::inject::Substitution;

use crate::http_error::HttpError;
use crate::leaks::Leaving;

/// A body in which placeholders become the secret.
pub(crate) struct Substituting {
    body: Leaving,
    substitution: Substitution,
    /// What came behind the last byte, and waits for those that waited.
    trailers: Option<Frame<Bytes>>,
    ended: bool,
}

impl Substituting {
    pub(super) fn new(body: Leaving, substitution: Substitution) -> Self {
        Self {
            body,
            substitution,
            trailers: None,
            ended: false,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while !self.ended {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => self.ended = true,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let leaves = self.substitution.push(&data);
                        if !leaves.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(leaves))));
                        }
                    }
                    Err(trailers) => (self.trailers, self.ended) = (Some(trailers), true),
                },
            }
        }
        if self.substitution.held() > 0 {
            return Poll::Ready(Some(Ok(Frame::data(self.substitution.end()))));
        }
        Poll::Ready(self.trailers.take().map(Ok))
    }

    pub(super) fn is_over(&self) -> bool {
        (self.ended || self.body.is_end_stream()) && self.substitution.held() == 0 && self.trailers.is_none()
    }
}
