//! A response's body on its way back: decoded, searched, and sent on as identity.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use outwall_broker::scrub::ScrubStream;

use super::reading::Unsearchable;
use super::scrubbing::Scrubbing;
use crate::coding::Codings;
use crate::leaks::Place;

/// The search of one body. What the origin sends is pushed, what its client gets is taken; all of that is taken before more is
/// pushed.
pub(crate) struct BodyScrub {
    scrubbing: Arc<Scrubbing>,
    codings: Option<Codings>,
    stream: ScrubStream,
    /// What came, where it has no coding.
    waiting: Bytes,
    trailers: Option<HeaderMap>,
    came: Came,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// More may come.
    Some,
    /// All came, and what was held back is to be given out.
    All,
    /// Nothing but trailers is left.
    AllAndIsGiven,
}

impl BodyScrub {
    pub(super) fn new(scrubbing: Arc<Scrubbing>, codings: Option<Codings>) -> Self {
        Self {
            stream: scrubbing.stream(),
            scrubbing,
            codings,
            waiting: Bytes::new(),
            trailers: None,
            came: Came::Some,
        }
    }

    /// Takes what the origin sent.
    pub(crate) fn push(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => match &mut self.codings {
                Some(codings) => codings.push(data),
                None => self.waiting = data,
            },
            Err(frame) => {
                if let Ok(mut trailers) = frame.into_trailers() {
                    self.scrubbing.trailers(&mut trailers);
                    self.trailers = Some(trailers);
                }
                self.end();
            }
        }
    }

    /// The origin has sent all.
    pub(crate) fn end(&mut self) {
        if self.came == Came::Some {
            self.came = Came::All;
        }
    }

    /// Whether the client has been given all.
    pub(crate) fn is_over(&self) -> bool {
        self.came == Came::AllAndIsGiven && self.trailers.is_none()
    }

    /// What the client gets next; none until more comes.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<Bytes>>, Unsearchable> {
        while let Some(piece) = self.decoded()? {
            let given = self.stream.push(&piece);
            self.scrubbing.found_by(&mut self.stream, Place::Body);
            if !given.is_empty() {
                return Ok(Some(Frame::data(given)));
            }
        }
        if self.came == Came::All {
            if let Some(codings) = &self.codings {
                codings.finish()?;
            }
            self.came = Came::AllAndIsGiven;
            let given = self.stream.end();
            self.scrubbing.found_by(&mut self.stream, Place::Body);
            if !given.is_empty() {
                return Ok(Some(Frame::data(given)));
            }
        }
        if self.came == Came::AllAndIsGiven {
            return Ok(self.trailers.take().map(Frame::trailers));
        }
        Ok(None)
    }

    fn decoded(&mut self) -> Result<Option<Bytes>, Unsearchable> {
        match &mut self.codings {
            Some(codings) => Ok(codings.next()?),
            None => Ok(Some(std::mem::take(&mut self.waiting)).filter(|waiting| !waiting.is_empty())),
        }
    }

    /// How much its client will get, where so much is still to come.
    pub(crate) fn size_hint(&self, to_come: &SizeHint) -> SizeHint {
        let here = self.waiting.len() + self.stream.held();
        match to_come.exact() {
            _ if self.is_over() => SizeHint::with_exact(0),
            Some(to_come) if self.codings.is_none() => SizeHint::with_exact(to_come + here as u64),
            _ => SizeHint::default(),
        }
    }
}
