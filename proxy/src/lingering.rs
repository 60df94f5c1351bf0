//! The body of a request over http/1.1 whose reader may lose interest before its sender is done.
//!
//! Many clients send all of a body before they look at the answer. Closed on them, they see a broken pipe and never the refusal;
//! and a socket closed with unread bytes resets, so that even an answer on its way may be lost. So what nobody wants is read for
//! a while and dropped (what nginx calls a lingering close). h2 has a code for it and needs none of this.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A body that is read to its end, within bounds, when it is dropped before.
pub(crate) struct Lingering {
    body: Option<Incoming>,
    /// Not when the client asked to be told first (`Expect: 100-continue`): it has sent nothing, and to read is to ask for it.
    lingers: bool,
}

impl Lingering {
    pub(crate) fn new(body: Incoming, lingers: bool) -> Self {
        Self {
            body: Some(body),
            lingers,
        }
    }

    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        self.lingers = true; // it is asked for now
        self.body.as_mut().expect("taken only when dropped")
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = self
            .body
            .take()
            .filter(|body| self.lingers && !body.is_end_stream());
        if let (Some(rest), Ok(lane)) = (rest, Handle::try_current()) {
            lane.spawn(timeout(LONGEST, drain(rest)));
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, bytes::Bytes::len);
        if drained > MOST {
            return;
        }
    }
}

const LONGEST: Duration = Duration::from_secs(10);
const MOST: usize = 64 << 20;
