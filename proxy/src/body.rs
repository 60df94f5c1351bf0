//! The bodies that pass through: a request's on its way out, a response's on its way back. Neither is ever held whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::Reason;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::allowance::Bounds;
use crate::arriving::Arriving;
use crate::brokering::Outbound;
use crate::error::{Error, chain};
use crate::github::Rewritten;
use crate::h2_pipe::{Piped, Resets};
use crate::hop_by_hop;
use crate::http_error::HttpError;
use crate::interim::{Interims, ToBeAsked};
use crate::origins::Carrier;
use crate::pulse::Running;
use crate::record::ExchangeRecord;
use crate::scrub::BodyScrub;
use crate::upload_rest;

/// What a client sends with a request.
pub(crate) enum Upload {
    /// Nothing.
    Empty,
    /// A body, held within its bounds and counted as it leaves.
    Streaming {
        /// Some while it is not sent because nobody has asked for it.
        waits: Option<ToBeAsked>,
        body: Outbound,
        bounds: Option<Arc<Bounds>>,
        sent: Sent,
    },
}

/// How far a request's body has come: shared by who sends it and who writes the record.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    bytes: Arc<AtomicU64>,
    broken: Arc<OnceLock<String>>,
}

impl Sent {
    /// Counted by somebody else.
    pub(crate) fn counted(bytes: Arc<AtomicU64>) -> Self {
        Self {
            bytes,
            broken: Arc::default(),
        }
    }

    /// Bytes that left.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// What the client did wrong in it, if anything.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// What we cut ourselves is not the client's fault.
    fn failed(&self, error: &HttpError) {
        if !matches!(error, HttpError::Cut(_)) {
            let _already_known = self.broken.set(chain(error));
        }
    }
}

impl Upload {
    /// Takes a request's body over. The counter exists only where there is something to count.
    pub(crate) fn new(
        body: Outbound,
        bounds: Option<Arc<Bounds>>,
        waits: Option<ToBeAsked>,
    ) -> (Self, Option<Sent>) {
        if body.is_end_stream() {
            return (Self::Empty, None);
        }
        let sent = Sent::default();
        (
            Self::Streaming {
                waits,
                body,
                bounds,
                sent: sent.clone(),
            },
            Some(sent),
        )
    }

    /// Whether sending it a second time sends the same.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let Self::Streaming {
            waits,
            body,
            bounds,
            sent,
        } = self.get_mut()
        else {
            return Poll::Ready(None);
        };
        if let Some(waiting) = waits {
            ready!(waiting.poll(cx));
            *waits = None;
        }
        let frame = match ready!(Pin::new(body).poll_frame(cx)) {
            Some(Ok(frame)) => without_smuggled_trailers(frame),
            Some(Err(error)) => {
                sent.failed(&error);
                return Poll::Ready(Some(Err(error)));
            }
            None => return Poll::Ready(None),
        };
        let passed = match bounds {
            Some(bounds) => bounds.send(frame).map_err(HttpError::Cut),
            None => Ok(frame),
        };
        if let Ok(frame) = &passed {
            sent.bytes.fetch_add(length_of(frame), Relaxed);
        }
        Poll::Ready(Some(passed))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming { body, .. } => body.size_hint(),
        }
    }
}

/// What a client gets back.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every response is relayed, and a box for each would cost an allocation"
)]
pub(crate) enum ResponseBody {
    /// Nothing: what follows the head is no body.
    Nothing,
    /// A text of ours.
    Text { text: Option<Bytes>, _running: Running },
    /// What the origin sends.
    Relayed(Relayed),
    /// The same, written anew.
    Rewritten(Rewritten),
}

/// What an exchange holds until its last byte.
pub(crate) struct Held {
    pub(crate) running: Running,
    pub(crate) _room: OwnedSemaphorePermit,
    pub(crate) interims: Interims,
}

impl Held {
    /// It may be silent for as long as a tunnel may.
    pub(crate) fn may_rest(&mut self) {
        self.running.may_rest();
    }
}

/// An origin's body on its way back, with everything that has to happen at its end.
pub(crate) struct Relayed {
    body: Arriving,
    /// What it is searched by, if it is.
    scrub: Option<Box<BodyScrub>>,
    /// None when it is over.
    running: Option<(Carrier, ExchangeRecord)>,
    received: u64,
    held: Option<Held>,
}

impl Relayed {
    pub(crate) fn new(body: Arriving, carrier: Carrier, record: ExchangeRecord, held: Held) -> Self {
        Self {
            body,
            scrub: None,
            running: Some((carrier, record)),
            received: 0,
            held: Some(held),
        }
    }

    /// The same, searched.
    pub(crate) fn scrubbed_by(mut self, scrub: Option<BodyScrub>) -> Self {
        self.scrub = scrub.map(Box::new);
        self
    }

    /// To be called before the first byte is asked for: a response without a body is over at once.
    pub(crate) async fn ended_if_empty(mut self) -> Self {
        if self.is_end_stream() {
            poll_fn(|cx| {
                self.end(cx);
                Poll::Ready(())
            })
            .await;
        }
        self
    }

    /// A connection of http/1.1 moves only when polled, and it is polled here and nowhere else.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = match &mut self.running {
            Some((Carrier::Exclusive(connection), _)) => connection.poll_body(&mut self.body, cx),
            Some((Carrier::Shared(_), _)) | None => Pin::new(&mut self.body).poll_frame(cx),
        };
        polled.map_err(Error::OriginHttp)
    }

    /// What comes next, within its bounds.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(self.poll_source(cx));
        if let Some(Ok(frame)) = &polled {
            if let Some(bounds) = self.running.as_ref().and_then(|(_, record)| record.bounds())
                && let Err(denial) = bounds.receive(frame)
            {
                return Poll::Ready(Some(Err(Error::CutOff(denial))));
            }
            self.received += length_of(frame);
        }
        Poll::Ready(polled)
    }

    /// What passes next of a body that is searched by `scrub`.
    fn poll_scrubbed(
        &mut self,
        scrub: &mut BodyScrub,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match scrub.next() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if scrub.is_over() => return Poll::Ready(None),
                Ok(None) => {}
                Err(why) => return Poll::Ready(Some(Err(Error::Unsearchable(why)))),
            }
            match ready!(self.poll_received(cx)) {
                Some(Ok(frame)) => scrub.push(frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => scrub.end(),
            }
            if self.body.is_end_stream() {
                scrub.end();
            }
        }
    }

    /// Everything came.
    fn end(&mut self, cx: &mut Context<'_>) {
        if let Some((carrier, record)) = self.running.take() {
            upload_rest::finish(carrier, record, self.received, &mut self.held, cx);
        }
    }

    /// It will not end well.
    fn fail(&mut self, error: &Error) {
        error.log();
        if let Some((_, record)) = self.running.take() {
            record.came_back(self.received, Some(error));
        }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = match this.scrub.take() {
            None => ready!(this.poll_received(cx)),
            Some(mut scrub) => {
                let polled = this.poll_scrubbed(&mut scrub, cx);
                this.scrub = Some(scrub);
                ready!(polled)
            }
        };
        if let (Some(Ok(frame)), Some((_, record))) = (&polled, &mut this.running)
            && let Some(data) = frame.data_ref()
        {
            record.received(data);
        }
        match &polled {
            Some(Ok(_)) if this.is_end_stream() => this.end(cx),
            Some(Ok(_)) => {}
            Some(Err(error)) => this.fail(error),
            None => this.end(cx),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        match &self.scrub {
            None => self.body.is_end_stream(),
            Some(scrub) => scrub.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.scrub {
            None => self.body.size_hint(),
            Some(scrub) => scrub.size_hint(&self.body.size_hint()),
        }
    }
}

/// Whoever drops it before its end is the client's side: it went away, or was closed for a reason that is logged there. Or it has
/// everything: over http/1.1 nobody asks for more than `Content-Length` says, and the end of an origin's stream may come in a frame
/// of its own, or not at all.
impl Drop for Relayed {
    fn drop(&mut self) {
        if self.body.came_whole() {
            return self.end(&mut Context::from_waker(Waker::noop()));
        }
        let Some((_, record)) = self.running.take() else {
            return;
        };
        if self.held.as_ref().is_some_and(|held| held.running.is_overdue()) {
            record.came_back(self.received, Some(&Error::TooLong));
        } else {
            record.abandoned(self.received);
        }
    }
}

impl ResponseBody {
    pub(crate) fn text(text: Bytes, running: Running) -> Self {
        Self::Text {
            text: Some(text).filter(|text| !text.is_empty()),
            _running: running,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Nothing => Poll::Ready(None),
            Self::Text { text, .. } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Relayed(relayed) => Pin::new(relayed).poll_frame(cx),
            Self::Rewritten(rewritten) => Pin::new(rewritten).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text { text, .. } => text.is_none(),
            Self::Relayed(relayed) => relayed.is_end_stream(),
            Self::Rewritten(rewritten) => rewritten.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Text { text, .. } => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Relayed(relayed) => relayed.size_hint(),
            Self::Rewritten(rewritten) => rewritten.size_hint(),
        }
    }
}

impl Piped for Upload {}

/// A connection of http/1.1 takes the rest of a request while nobody reads its response.
impl Piped for ResponseBody {
    fn go_on(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Relayed(relayed) => {
                if let Some((Carrier::Exclusive(connection), _)) = &mut relayed.running {
                    connection.go_on(cx);
                }
            }
            Self::Rewritten(rewritten) => rewritten.go_on(cx),
            Self::Nothing | Self::Text { .. } => {}
        }
    }
}

/// What a client did to its stream is done to the origin's; a client that vanished has cancelled.
impl Resets for HttpError {
    fn reason(&self) -> Reason {
        self.reset().unwrap_or(Reason::CANCEL)
    }
}

/// What an origin did to its stream is done to the client's.
impl Resets for Error {
    fn reason(&self) -> Reason {
        match self {
            Self::OriginHttp(error) => error.reset().unwrap_or(Reason::INTERNAL_ERROR),
            _ => Reason::INTERNAL_ERROR,
        }
    }
}

fn without_smuggled_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            hop_by_hop::strip_trailers(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

fn length_of(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}
