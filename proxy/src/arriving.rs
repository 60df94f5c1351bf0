//! A body as it arrives, from a client or from an origin, over http/1.1 or over h2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::excerpt::Tapped;
use crate::http_error::HttpError;
use crate::lingering::Lingering;
use crate::patience::{Patience, Touched};

/// A body as it arrives.
pub(crate) enum Arriving {
    /// None.
    Nothing,
    /// From a client over http/1.1.
    OfClient(Lingering),
    /// From an origin over http/1.1.
    OfOrigin(Incoming),
    /// Over h2, from either.
    H2(H2Body),
    /// From a client, all of it, read before.
    Held(HeldBody),
    /// Written here, from what a client sent.
    Made(BoxBody<Bytes, HttpError>),
    /// From a client, its beginning put aside as it comes.
    Tapped(Box<Tapped>),
}

/// A body that is all here.
pub(crate) struct HeldBody {
    data: Option<Bytes>,
    trailers: Option<Box<HeaderMap>>,
}

/// The body of one stream of h2.
pub(crate) struct H2Body {
    stream: RecvStream,
    sender: Sender,
    /// What `Content-Length` says is still to come; h2 itself holds the peer to it.
    left: Option<u64>,
    /// Who has to know that something came.
    touched: Option<Touched>,
    /// All data came; trailers may follow.
    data_ended: bool,
    ended: bool,
}

/// Who sends a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Origin,
}

impl Arriving {
    /// A client's request over http/1.1.
    pub(crate) fn request_http1(request: http::Request<Incoming>) -> http::Request<Self> {
        let lingers = !request.headers().contains_key(EXPECT);
        request.map(|body| Self::OfClient(Lingering::new(body, lingers)))
    }

    /// The body of an origin's response over http/1.1.
    pub(crate) fn of_origin(body: Incoming) -> Self {
        Self::OfOrigin(body)
    }

    /// A client's request over h2. The patience with its stream is told when something of the body comes.
    pub(crate) fn request_h2(
        request: http::Request<RecvStream>,
        patience: &mut Patience,
    ) -> http::Request<Self> {
        let (parts, stream) = request.into_parts();
        let touched = (!stream.is_end_stream()).then(|| patience.watch_upload());
        let body = Self::h2(stream, Sender::Client, &parts.headers, touched);
        http::Request::from_parts(parts, body)
    }

    /// An origin's response over h2 to a request of this method.
    pub(crate) fn response_h2(response: http::Response<RecvStream>, method: &Method) -> http::Response<Self> {
        let (parts, stream) = response.into_parts();
        let mut body = Self::h2(stream, Sender::Origin, &parts.headers, None);
        // Its `Content-Length` is that of another response (RFC 9110 section 8.6).
        let is_head_alone = method == Method::HEAD || parts.status == StatusCode::NOT_MODIFIED;
        if let (Self::H2(body), true) = (&mut body, is_head_alone) {
            body.left = Some(0);
        }
        http::Response::from_parts(parts, body)
    }

    /// Whether all that its head announced is there, though its sender has not said yet that this was the end.
    pub(crate) fn came_whole(&self) -> bool {
        matches!(self, Self::H2(body) if body.left == Some(0))
    }

    /// What was read of a client's request.
    pub(crate) fn held(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::Held(HeldBody {
            data: (!data.is_empty()).then_some(data),
            trailers: trailers.map(Box::new),
        })
    }

    /// What is written here while a client sends.
    pub(crate) fn made(body: impl Body<Data = Bytes, Error = HttpError> + Send + Sync + 'static) -> Self {
        Self::Made(BoxBody::new(body))
    }

    fn h2(stream: RecvStream, sender: Sender, headers: &HeaderMap, touched: Option<Touched>) -> Self {
        let left = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        Self::H2(H2Body {
            ended: stream.is_end_stream(),
            stream,
            sender,
            left,
            touched,
            data_ended: false,
        })
    }
}

impl HeldBody {
    fn next(&mut self) -> Option<Frame<Bytes>> {
        let data = self.data.take().map(Frame::data);
        data.or_else(|| self.trailers.take().map(|trailers| Frame::trailers(*trailers)))
    }
}

impl H2Body {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                None => self.data_ended = true,
                Some(Ok(data)) => {
                    if let Some(touched) = &self.touched {
                        touched.touch();
                    }
                    // The window opens as far as was read, so what is not read on holds its sender back.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    self.ended = self.stream.is_end_stream();
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) if self.was_whole(&error) => self.data_ended = true,
                Some(Err(error)) => return self.fail(error),
            }
        }
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => {
                self.ended = true;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) if self.was_whole(&error) => {
                self.ended = true;
                Poll::Ready(None)
            }
            Err(error) => self.fail(error),
        }
    }

    /// An origin that has answered in full asks with this code not to be sent the rest of the request (RFC 9113 section 8.1).
    /// From a client it would make a request whole that was cut short.
    fn was_whole(&self, error: &h2::Error) -> bool {
        self.sender == Sender::Origin
            && error.is_remote()
            && error.reason() == Some(Reason::NO_ERROR)
            && self.left.is_none_or(|left| left == 0)
    }

    fn fail(&mut self, error: h2::Error) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        (self.data_ended, self.ended) = (true, true);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match self.get_mut() {
            Self::Nothing => Poll::Ready(None),
            Self::OfClient(body) => Pin::new(body.incoming()).poll_frame(cx).map_err(HttpError::from),
            Self::OfOrigin(body) => Pin::new(body).poll_frame(cx).map_err(HttpError::from),
            Self::H2(body) => body.poll(cx).map_err(HttpError::from),
            Self::Held(body) => Poll::Ready(body.next().map(Ok)),
            Self::Made(body) => Pin::new(body).poll_frame(cx),
            Self::Tapped(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::OfClient(body) => body.is_end_stream(),
            Self::OfOrigin(body) => body.is_end_stream(),
            Self::H2(body) => body.ended,
            Self::Held(body) => body.data.is_none() && body.trailers.is_none(),
            Self::Made(body) => body.is_end_stream(),
            Self::Tapped(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::OfClient(body) => body.size_hint(),
            Self::OfOrigin(body) => body.size_hint(),
            Self::H2(body) if body.ended => SizeHint::with_exact(0),
            Self::H2(body) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Made(body) => body.size_hint(),
            Self::Tapped(body) => body.size_hint(),
            Self::Held(body) => SizeHint::with_exact(body.data.as_ref().map_or(0, |data| data.len() as u64)),
        }
    }
}
