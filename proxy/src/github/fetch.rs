//! What a fetch asks for, on its way: read line by line, and written anew.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use outwall_git_proxy::git::{FetchReader, ProtocolVersion};
use outwall_policy::{Denial, Reason, Target};

use crate::arriving::Arriving;
use crate::client_gate::ClientGate;
use crate::coding::{Decoder, Unreadable};
use crate::http_error::HttpError;

/// The body of a fetch.
struct FetchBody {
    body: Arriving,
    decoder: Decoder,
    /// None when it is over.
    reader: Option<FetchReader>,
    gate: Arc<ClientGate>,
    target: Target,
}

/// The body to send for one that came with this coding.
pub(super) fn body(
    gate: &Arc<ClientGate>,
    target: &Target,
    version: ProtocolVersion,
    coding: Option<&str>,
    body: Arriving,
) -> Result<Arriving, Unreadable> {
    Ok(Arriving::made(FetchBody {
        body,
        decoder: Decoder::named(coding)?,
        reader: Some(FetchReader::new(version)),
        gate: Arc::clone(gate),
        target: target.clone(),
    }))
}

impl FetchBody {
    fn pass(&mut self, piece: &[u8]) -> Result<Bytes, String> {
        let mut plain = Vec::with_capacity(piece.len());
        let decoded = self.decoder.decode(piece, |bytes| plain.extend_from_slice(bytes));
        decoded.map_err(|why| why.to_string())?;
        let reader = self.reader.as_mut().expect("a piece comes before the end");
        reader
            .feed(&plain)
            .map(Bytes::from)
            .map_err(|why| why.to_string())
    }

    fn end(&mut self) -> Result<(), String> {
        self.decoder.finish().map_err(|why| why.to_string())?;
        let reader = self.reader.take().expect("the end comes once");
        reader.end().map(|_command| ()).map_err(|why| why.to_string())
    }

    fn cut(&self, what: String) -> HttpError {
        let target = self.target.clone();
        let denial: Denial = self.gate.denial(Reason::GithubNotUnderstood { target, what });
        HttpError::Cut(denial)
    }
}

impl Body for FetchBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.get_mut();
        loop {
            if this.reader.is_none() {
                return Poll::Ready(None);
            }
            let passed = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => this.pass(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => match this.end() {
                    Ok(()) => return Poll::Ready(None),
                    Err(what) => Err(what),
                },
            };
            match passed {
                Ok(bytes) if bytes.is_empty() => {}
                passed => {
                    let passed = passed.map(Frame::data).map_err(|what| this.cut(what));
                    return Poll::Ready(Some(passed));
                }
            }
        }
    }
}
