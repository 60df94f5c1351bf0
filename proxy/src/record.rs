//! The record of one exchange while it runs: the proof that it was written down, and what its closing record will say.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::{HeaderMap, StatusCode};
use outwall_audit::{CameBack, Recorded};
use outwall_policy::Denial;

use crate::allowance::Bounds;
use crate::body::Sent;
use crate::error::Error;
use crate::excerpt::Reply;
use crate::leaks::Watch;
use crate::metrics::{Ending, Measured};

/// The record of one exchange. Dropped without an end, it says that the outcome is unknown.
pub(crate) struct ExchangeRecord {
    recorded: Recorded,
    measured: Measured,
    status: Option<u16>,
    sent: Option<Sent>,
    bounds: Option<Arc<Bounds>>,
    watch: Option<Arc<Watch>>,
    /// What is recorded of the response besides; none where nothing is.
    reply: Option<Box<Reply>>,
}

impl ExchangeRecord {
    /// `sent` is of the request's body, if it has one.
    pub(crate) fn new(
        (recorded, measured): (Recorded, Measured),
        sent: Option<Sent>,
        bounds: Option<Arc<Bounds>>,
        watch: Option<Arc<Watch>>,
        reply: Option<Box<Reply>>,
    ) -> Self {
        Self {
            recorded,
            measured,
            status: None,
            sent,
            bounds,
            watch,
            reply,
        }
    }

    /// The proof that dialling demands.
    pub(crate) fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// What is sent is counted here, from now on.
    pub(crate) fn sending(&mut self, sent: Arc<AtomicU64>) {
        self.sent = Some(Sent::counted(sent));
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
    }

    /// The head of the response, as its client gets it.
    pub(crate) fn shown(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(reply) = &mut self.reply {
            reply.head(status, headers);
        }
    }

    /// The next bytes of its body, as its client gets them.
    pub(crate) fn received(&mut self, data: &[u8]) {
        if let Some(reply) = &mut self.reply {
            reply.received(data);
        }
    }

    /// What the exchange is held within; none where nothing bounds it.
    pub(crate) fn bounds(&self) -> Option<&Arc<Bounds>> {
        self.bounds.as_ref()
    }

    /// The watch over what is sent, where something is looked for.
    pub(crate) fn watch(&self) -> Option<&Arc<Watch>> {
        self.watch.as_ref()
    }

    /// Why it was cut short by us, if it was: whatever failed then is a consequence.
    pub(crate) fn cut(&self) -> Option<&Denial> {
        let by_bounds = self.bounds.as_ref().and_then(|bounds| bounds.cut());
        by_bounds.or_else(|| self.watch.as_ref().and_then(|watch| watch.cut()))
    }

    /// A failure, by its cause: what we cut, or what the client broke, fails at the origin too.
    pub(crate) fn explained(&self, error: Error) -> Error {
        if let Some(denial) = self.cut() {
            return Error::CutOff(denial.clone());
        }
        let broken = self.sent.as_ref().and_then(Sent::broken);
        broken.map_or(error, |what| Error::ClientBody(what.to_owned()))
    }

    /// Closes the record: `received` bytes of body came back, all of them unless there is an error.
    pub(crate) fn came_back(self, received: u64, error: Option<&Error>) {
        match error {
            None => self.close(received, None),
            Some(error) => self.close(received, Some(&error.chain())),
        }
    }

    /// Closes the record of a response that nobody waited for to its end.
    pub(crate) fn abandoned(self, received: u64) {
        self.close(received, Some("the client's side ended before the response did"));
    }

    fn close(self, received: u64, error: Option<&str>) {
        let cut = self.cut().map(ToString::to_string);
        let error = cut.as_deref().or(error);
        let bytes_up = self.sent.map_or(0, |sent| sent.bytes());
        let status = self.status;
        self.measured.end(Ending {
            status,
            failed: error.is_some(),
            bytes_up,
            bytes_down: received,
        });
        let (request, response) = self.reply.map(|reply| reply.end(error.is_none())).unzip();
        self.recorded.came_back(CameBack {
            status,
            bytes_up,
            bytes_down: received,
            address: None,
            error,
            request: request.as_ref(),
            response: response.as_ref(),
        });
    }
}
