//! A request's body on its way out, as the broker leaves it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use outwall_broker::aws::Chunks;
use outwall_broker::inject::Substitution;
use outwall_policy::Denial;

use super::rechunking::Rechunking;
use super::substituting::Substituting;
use crate::http_error::HttpError;
use crate::leaks::Leaving;

/// A request's body on its way out.
pub(crate) enum Outbound {
    AsItCame(Leaving),
    Substituting(Box<Substituting>),
    Rechunking(Box<Rechunking>),
}

impl Outbound {
    /// With a secret in the place of its placeholder.
    pub(super) fn substituting(body: Leaving, substitution: Substitution) -> Self {
        Self::Substituting(Box::new(Substituting::new(body, substitution)))
    }

    /// Signed again chunk by chunk, and cut with this where it is not signed so.
    pub(super) fn rechunking(body: Leaving, chunks: Chunks, otherwise: Denial) -> Self {
        Self::Rechunking(Box::new(Rechunking::new(body, chunks, otherwise)))
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match self.get_mut() {
            Self::AsItCame(body) => Pin::new(body).poll_frame(cx),
            Self::Substituting(body) => body.poll(cx),
            Self::Rechunking(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::AsItCame(body) => body.is_end_stream(),
            Self::Substituting(body) => body.is_over(),
            Self::Rechunking(body) => body.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::AsItCame(body) => body.size_hint(),
            Self::Substituting(body) if body.is_over() => SizeHint::with_exact(0),
            Self::Substituting(_) => SizeHint::default(),
            Self::Rechunking(body) => body.size_hint(),
        }
    }
}
