//! What an environment has recorded of its messages besides what always is (`record` in a policy file): header fields, and the beginning
//! of bodies. Nothing of a message is changed, held back or waited for on this account, and where nothing is asked for, nothing is done.
//!
//! A request is looked at as the sandbox sent it, before anything is taken out or put in; a response as the sandbox receives it, after
//! secrets that were put in were masked. What passes through a tunnel, as plain TCP or in a WebSocket is no message of HTTP.
//!
//! - `wanted`: what is recorded, and what is masked in it, compiled once per policy.
//! - `fields`: header fields, as they are written down.
//! - `kept`: the beginning of a body, put aside as it passes.
//! - `body`: what of that is written down, when all is over.
//! - `masked`, `members`: where in a text there are credentials, by their shape and by their name.
//!
//! # Attacks, and where each ends
//!
//! - *Have a secret written down*, split over frames, in a coding, behind the end of what is kept, in an archive: what was kept is looked
//!   at as one text, decoded; its last word is left out where more followed; what cannot be looked into is not kept (`body`).
//! - *Fill the log*: bounded per message, and refusals are counted by what their lines weigh (`outwall_audit`).
//! - *Have the log lie*: text is escaped as all text of sandboxes is.

mod body;
mod fields;
mod kept;
mod masked;
mod members;
mod wanted;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{HeaderMap, Request, StatusCode};
use outwall_audit::Message;

use crate::arriving::Arriving;
use crate::sandbox_gate::SandboxGate;

#[cfg(any(test, fuzzing))]
pub(crate) use body::written_of;
use kept::Kept;
pub(crate) use kept::Tapped;
pub(crate) use wanted::Excerpts;
use wanted::Wanted;

/// What is recorded of one request of a sandbox. Travels with the request, among its extensions.
pub(crate) struct Excerpt {
    wanted: Arc<Wanted>,
    fields: Message,
    /// None where it has none, or bodies are not recorded.
    body: Option<Arc<Mutex<Kept>>>,
    answer: OnceLock<AnswerShown>,
}

/// What of an origin's answer its sandbox is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerShown {
    /// All of it.
    AsItComes,
    /// All but tokens that GitHub puts beside what was asked for.
    WithoutTokens,
    /// Not where it leads elsewhere: that is followed on its behalf.
    UnlessItLeads,
    /// Another text, made of it.
    Another,
}

/// What is recorded of the response to it.
pub(crate) struct Reply {
    excerpt: Arc<Excerpt>,
    fields: Message,
    status: StatusCode,
    body: Kept,
}

impl Excerpt {
    /// Begins with a request as it came, which has one with it from here on. Where nothing is recorded, it has none.
    pub(crate) fn begin(gate: &SandboxGate, request: Request<Arriving>) -> Request<Arriving> {
        let Some(wanted) = gate.excerpts.current(gate) else {
            return request;
        };
        let (mut parts, arriving) = request.into_parts();
        let asked = wanted.recording.request();
        let fields = Message::default().with_fields(fields::of(&parts.headers, asked.fields(), &wanted));
        let (arriving, body) = kept::tap(arriving, asked.body(), &parts.headers);
        parts.extensions.insert(Arc::new(Self {
            wanted,
            fields,
            body,
            answer: OnceLock::new(),
        }));
        Request::from_parts(parts, arriving)
    }

    /// The one that travels with a request.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Arc<Self>> {
        request.extensions().get::<Arc<Self>>().cloned()
    }

    /// Of a request that the gate makes for this one, of which nothing is the sandbox's.
    pub(crate) fn led(&self) -> Arc<Self> {
        Arc::new(Self {
            wanted: Arc::clone(&self.wanted),
            fields: Message::default(),
            body: None,
            answer: OnceLock::from(AnswerShown::UnlessItLeads),
        })
    }

    /// What of the answer its sandbox is shown, where that is not all of it.
    pub(crate) fn answer_is(&self, shown: AnswerShown) {
        let _known_before = self.answer.set(shown);
    }

    /// What is known of the request when it goes out.
    pub(crate) fn going_out(&self) -> &Message {
        &self.fields
    }

    /// What is known of the request when it is refused.
    pub(crate) fn refused(&self) -> Message {
        self.fields.clone().with_body(self.body())
    }

    fn body(&self) -> Option<outwall_audit::Body> {
        let kept = self.body.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        body::written(&kept, &self.wanted, AnswerShown::AsItComes)
    }
}

impl Reply {
    /// To the request that goes out with this.
    pub(crate) fn to(excerpt: Arc<Excerpt>) -> Box<Self> {
        Box::new(Self {
            body: Kept::new(excerpt.wanted.recording.response().body(), &HeaderMap::new()),
            fields: Message::default(),
            status: StatusCode::OK,
            excerpt,
        })
    }

    /// Its head, as the sandbox gets it.
    pub(crate) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        let wanted = &self.excerpt.wanted;
        let asked = wanted.recording.response();
        self.fields = Message::default().with_fields(fields::of(headers, asked.fields(), wanted));
        self.status = status;
        self.body = Kept::new(asked.body(), headers);
    }

    /// The next bytes of its body, as the sandbox gets them.
    pub(crate) fn received(&mut self, data: &[u8]) {
        self.body.push(data);
    }

    /// What is recorded when all is over: of the request, and of this. `whole`: nothing is missing of it.
    pub(crate) fn end(mut self: Box<Self>, whole: bool) -> (Message, Message) {
        if whole {
            self.body.end();
        }
        let shown = self
            .excerpt
            .answer
            .get()
            .copied()
            .unwrap_or(AnswerShown::AsItComes);
        let shown = match shown {
            AnswerShown::UnlessItLeads if self.status.is_redirection() => AnswerShown::Another,
            AnswerShown::UnlessItLeads => AnswerShown::AsItComes,
            shown => shown,
        };
        let body = body::written(&self.body, &self.excerpt.wanted, shown);
        let request = Message::default().with_body(self.excerpt.body());
        (request, self.fields.with_body(body))
    }
}
