//! The beginning of a body, put aside as it passes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};

use crate::arriving::Arriving;
use crate::http_error::HttpError;
use crate::scrub;

/// The beginning of one body.
pub(super) struct Kept {
    most: usize,
    bytes: Vec<u8>,
    length: u64,
    whole: bool,
    /// What its head says of its codings.
    pub(super) codings: HeaderMap,
    pub(super) media_type: Option<HeaderValue>,
}

impl Kept {
    /// At most so much of a body with this head.
    pub(super) fn new(most: usize, headers: &HeaderMap) -> Self {
        let kept = most > 0;
        Self {
            most,
            bytes: Vec::new(),
            length: 0,
            whole: false,
            codings: if kept {
                scrub::codings_said(headers)
            } else {
                HeaderMap::new()
            },
            media_type: headers.get(CONTENT_TYPE).filter(|_| kept).cloned(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        let room = (self.most - self.bytes.len()).min(data.len());
        self.bytes.extend_from_slice(&data[..room]);
    }

    /// All of it came.
    pub(super) fn end(&mut self) {
        self.whole = true;
    }

    /// How much is kept at most; 0: nothing is wanted.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// What was kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes came.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether nothing came, and nothing will.
    pub(super) fn is_empty(&self) -> bool {
        self.whole && self.length == 0
    }

    /// Whether all of it is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.whole && self.length == self.bytes.len() as u64
    }
}

/// A body whose beginning is put aside as it is read. It is read as without that.
pub(crate) struct Tapped {
    body: Arriving,
    kept: Arc<Mutex<Kept>>,
}

/// Has at most so many bytes of a body put aside as it is read.
pub(super) fn tap(body: Arriving, most: usize, headers: &HeaderMap) -> (Arriving, Option<Arc<Mutex<Kept>>>) {
    if most == 0 || body.is_end_stream() {
        return (body, None);
    }
    let kept = Arc::new(Mutex::new(Kept::new(most, headers)));
    let tapped = Tapped {
        body,
        kept: Arc::clone(&kept),
    };
    (Arriving::Tapped(Box::new(tapped)), Some(kept))
}

impl Tapped {
    fn note(&self, polled: Option<&Frame<Bytes>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(data) = polled.and_then(Frame::data_ref) {
            kept.push(data);
        }
        // Nobody asks again after the last byte of a known length.
        if polled.is_none() || self.body.is_end_stream() {
            kept.end();
        }
    }
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => this.note(Some(frame)),
            Some(Err(_)) => {}
            None => this.note(None),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_passes_as_it_is_and_no_more_of_it_is_kept_than_asked_for() {
        let body = Arriving::held(Bytes::from_static(b"0123456789"), None);
        let (tapped, kept) = tap(body, 4, &HeaderMap::new());
        assert_eq!(tapped.size_hint().exact(), Some(10));
        assert_eq!(tapped.collect().await.unwrap().to_bytes(), "0123456789");
        let kept = kept.unwrap();
        let kept = kept.lock().unwrap();
        assert_eq!(
            (kept.bytes(), kept.length(), kept.is_whole()),
            (&b"0123"[..], 10, false)
        );
    }

    #[test]
    fn what_has_no_body_or_is_not_asked_for_is_left_alone() {
        let there = || Arriving::held(Bytes::from_static(b"x"), None);
        assert!(tap(there(), 0, &HeaderMap::new()).1.is_none());
        assert!(tap(Arriving::Nothing, 4, &HeaderMap::new()).1.is_none());
        assert!(tap(there(), 4, &HeaderMap::new()).1.is_some());
    }
}
