//! A request's body on its way out, looked at as it passes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use outwall_policy::Denial;
use outwall_policy::credential::LeakAction;

use super::place::Place;
use super::watch::Watch;
use crate::arriving::Arriving;
use crate::dlp::{Inspection, Match, Unreadable};
use crate::http_error::HttpError;

/// A request's body, watched or not.
pub(crate) enum Leaving {
    Unwatched(Arriving),
    Watched(Box<Watched>),
}

/// A body that is looked at. What may be the beginning of a credential waits until it is one or not, where credentials are kept;
/// nothing waits where they are reported.
pub(crate) struct Watched {
    body: Arriving,
    watch: Arc<Watch>,
    /// None when it cannot be looked into, and is sent all the same.
    inspection: Option<Inspection>,
    /// What came and has not left.
    waiting: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    came: u64,
    left: u64,
    /// All of it came, or why nothing more will.
    end: Option<Result<(), HttpError>>,
}

impl Leaving {
    pub(super) fn watched(body: Arriving, watch: Arc<Watch>, coding: Option<&str>) -> Result<Self, Denial> {
        let inspection = match Inspection::new(Arc::clone(watch.shapes()), coding) {
            Ok(inspection) => Some(inspection),
            Err(why) => {
                watch.unreadable(&why)?;
                None
            }
        };
        Ok(Self::Watched(Box::new(Watched {
            body,
            watch,
            inspection,
            waiting: VecDeque::new(),
            trailers: None,
            came: 0,
            left: 0,
            end: None,
        })))
    }

    /// Reads on before anything is sent: to the end of a body that its client `sends` in any case, else what is there.
    pub(super) async fn read_ahead(&mut self, sends: bool) -> Result<(), Denial> {
        match self {
            Self::Unwatched(_) => Ok(()),
            Self::Watched(watched) => poll_fn(|cx| watched.poll_ahead(cx, sends)).await,
        }
    }
}

impl Watched {
    fn poll_ahead(&mut self, cx: &mut Context<'_>, sends: bool) -> Poll<Result<(), Denial>> {
        while self.end.is_none() && self.came < READ_AHEAD {
            match self.poll_more(cx) {
                Poll::Ready(taken) => taken?,
                Poll::Pending if sends => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next frame, whatever it is.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Denial>> {
        let taken = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => self.take(frame),
            Some(Err(error)) => {
                self.end = Some(Err(error));
                Ok(())
            }
            None => self.finish(),
        };
        Poll::Ready(taken)
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Denial> {
        match frame.into_data() {
            Ok(data) => {
                self.look_at(|inspection, found| inspection.push(&data, found))?;
                self.came += data.len() as u64;
                self.waiting.push_back(data);
                // Nobody asks again after the last byte of a known length.
                if self.body.is_end_stream() {
                    self.finish()
                } else {
                    Ok(())
                }
            }
            Err(frame) => {
                self.finish()?;
                if let Ok(trailers) = frame.into_trailers() {
                    self.watch.found_in_trailers(&trailers)?;
                    self.trailers = Some(trailers);
                }
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> Result<(), Denial> {
        if self.end.is_some() {
            return Ok(());
        }
        self.look_at(Inspection::finish)?;
        self.end = Some(Ok(()));
        Ok(())
    }

    fn look_at(
        &mut self,
        look: impl FnOnce(&mut Inspection, &mut Vec<Match>) -> Result<(), Unreadable>,
    ) -> Result<(), Denial> {
        let Some(inspection) = &mut self.inspection else {
            return Ok(());
        };
        let mut found = Vec::new();
        let looked = look(inspection, &mut found);
        for one in found {
            self.watch.found(one.shape, &Place::Body(one.start))?;
        }
        if let Err(why) = looked {
            self.inspection = None;
            self.watch.unreadable(&why)?;
        }
        Ok(())
    }

    /// What may leave by now.
    fn release(&mut self) -> Option<Frame<Bytes>> {
        let Some(first) = self.waiting.front_mut() else {
            return self.trailers.take().map(Frame::trailers);
        };
        let released = match (&self.inspection, self.watch.action()) {
            (Some(inspection), LeakAction::Block) => inspection.released().min(self.came),
            _ => self.came,
        };
        let most = usize::try_from(released.saturating_sub(self.left)).unwrap_or(usize::MAX);
        let leaves = if most >= first.len() {
            self.waiting.pop_front()?
        } else if most > 0 {
            first.split_to(most)
        } else {
            return None;
        };
        self.left += leaves.len() as u64;
        Some(Frame::data(leaves))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        loop {
            if let Some(frame) = self.release() {
                return Poll::Ready(Some(Ok(frame)));
            }
            match &mut self.end {
                Some(Ok(())) => return Poll::Ready(None),
                Some(failed @ Err(_)) => {
                    let failed = std::mem::replace(failed, Ok(()));
                    self.waiting.clear(); // what waits is no whole credential, and its rest will not come
                    return Poll::Ready(Some(failed.map(|()| Frame::data(Bytes::new()))));
                }
                None => {}
            }
            if let Err(denial) = ready!(self.poll_more(cx)) {
                (self.end, self.trailers) = (Some(Ok(())), None);
                self.waiting.clear();
                let denial = self.watch.cut_with(denial);
                return Poll::Ready(Some(Err(HttpError::Cut(denial))));
            }
        }
    }

    fn waiting(&self) -> u64 {
        self.came - self.left
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match self.get_mut() {
            Self::Unwatched(body) => Pin::new(body).poll_frame(cx),
            Self::Watched(watched) => watched.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unwatched(body) => body.is_end_stream(),
            Self::Watched(watched) => {
                matches!(watched.end, Some(Ok(())))
                    && watched.waiting.is_empty()
                    && watched.trailers.is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Unwatched(body) => body.size_hint(),
            Self::Watched(watched) => {
                let rest = watched.body.size_hint();
                match rest.exact() {
                    Some(rest) => SizeHint::with_exact(rest + watched.waiting()),
                    None => SizeHint::default(),
                }
            }
        }
    }
}

/// A body up to this length is read before its request is sent, where credentials are kept.
pub(super) const READ_AHEAD: u64 = 64 << 10;
