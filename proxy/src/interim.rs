//! Interim responses (1xx, RFC 9110 section 15.2): on their way from an origin to its client while the client waits for its
//! answer, and what `100 Continue` is worth to the request's own body.
//!
//! A client that sends `Expect: 100-continue` is told to go on when its origin has said so, and not before: a request that is
//! refused, by policy or by its origin, is refused without its body. An origin that says neither yes nor no is given the body
//! after a while (RFC 9110 section 10.1.1).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::EXPECT;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use tokio::time::{Sleep, sleep};

use crate::hop_by_hop;
use crate::scrub::Scrubbing;

/// The interim responses of one exchange, or of the exchanges of one http/1.1 connection, one after the other.
#[derive(Clone)]
pub(crate) struct Interims(Arc<Mutex<State>>);

struct State {
    client: Client,
    phase: Phase,
    waiting: VecDeque<Response<()>>,
    /// How many the exchange has had, and how large they were.
    passed: usize,
    bytes: usize,
    body: Asked,
    /// What the exchange is searched by, if it is.
    scrubbing: Option<Arc<Scrubbing>>,
    client_waits: Option<Waker>,
    upload_waits: Option<Waker>,
}

/// What its client understands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Interim responses, and `100 Continue` is told by hyper as soon as the body is asked for.
    Http1,
    /// Interim responses, `100 Continue` among them.
    H2,
    /// None of them: http/1.0.
    Old,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Answered,
}

/// Whether a body that its client holds back is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The client does not wait to be asked.
    Anyway,
    NotYet,
    Yes,
    /// The answer came first.
    Never,
}

impl Interims {
    /// Of a connection of http/1.1.
    pub(crate) fn of_http1() -> Self {
        Self::new(Client::Http1)
    }

    /// Of a stream of h2.
    pub(crate) fn of_h2() -> Self {
        Self::new(Client::H2)
    }

    fn new(client: Client) -> Self {
        Self(Arc::new(Mutex::new(State {
            client,
            phase: Phase::Answered,
            waiting: VecDeque::new(),
            passed: 0,
            bytes: 0,
            body: Asked::Anyway,
            scrubbing: None,
            client_waits: None,
            upload_waits: None,
        })))
    }

    /// An exchange begins.
    pub(crate) fn begin<B>(&self, request: &Request<B>) {
        let mut state = self.lock();
        if state.client != Client::H2 {
            state.client = match request.version() {
                Version::HTTP_11 => Client::Http1,
                _ => Client::Old,
            };
        }
        let expects = state.client != Client::Old && expects_to_be_asked(request.headers());
        state.body = if expects { Asked::NotYet } else { Asked::Anyway };
        state.phase = Phase::Waiting;
        state.scrubbing = None;
        state.waiting.clear();
        (state.passed, state.bytes) = (0, 0);
    }

    /// Its answer is there: what did not reach the client before it does not any more.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        state.phase = Phase::Answered;
    }

    /// The body is here, or was asked for: it goes out as it is, whatever its client expected.
    pub(crate) fn body_is_here(&self) {
        self.lock().body = Asked::Anyway;
    }

    /// Holds the body back until it is asked for, if its client does.
    pub(crate) fn hold_back(&self) -> Option<ToBeAsked> {
        let holds_back = self.lock().body == Asked::NotYet;
        holds_back.then(|| ToBeAsked::new(self.clone()))
    }

    /// What is said before the answer is searched, too.
    pub(crate) fn scrub_by(&self, scrubbing: &Arc<Scrubbing>) {
        self.lock().scrubbing = Some(Arc::clone(scrubbing));
    }

    /// An origin says something before its answer.
    pub(crate) fn pass(&self, mut interim: Response<()>) {
        if interim.status() == StatusCode::CONTINUE {
            return self.ask_for_body();
        }
        if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
            return; // is no interim response
        }
        hop_by_hop::strip_response(interim.headers_mut());
        let mut state = self.lock();
        if let Some(scrubbing) = &state.scrubbing {
            scrubbing.fields(interim.headers_mut());
        }
        state.passed += 1;
        state.bytes += size_of(interim.headers());
        let fits = state.passed <= MOST && state.bytes <= MOST_BYTES;
        if fits && state.client != Client::Old && state.phase == Phase::Waiting {
            state.waiting.push_back(interim);
            state.wake_client();
        }
    }

    /// The origin's answer is there: a body that it has not asked for by now is not wanted.
    pub(crate) fn settle(&self) {
        let mut state = self.lock();
        if state.body == Asked::NotYet {
            state.body = Asked::Never;
        }
    }

    /// Whether the answer came before the body was asked for.
    pub(crate) fn refused_body(&self) -> bool {
        self.lock().body == Asked::Never
    }

    fn ask_for_body(&self) {
        let mut state = self.lock();
        if state.body != Asked::NotYet {
            return; // nobody waits for it
        }
        state.body = Asked::Yes;
        if state.client == Client::H2 {
            let mut go_on = Response::new(());
            *go_on.status_mut() = StatusCode::CONTINUE;
            state.waiting.push_back(go_on);
            state.wake_client();
        }
        if let Some(upload) = state.upload_waits.take() {
            upload.wake();
        }
    }

    /// The next one, for the client.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Response<()>> {
        let mut state = self.lock();
        if let Some(interim) = state.waiting.pop_front() {
            return Poll::Ready(interim);
        }
        state.client_waits = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next one, if there is one.
    pub(crate) fn next(&self) -> Option<Response<()>> {
        self.lock().waiting.pop_front()
    }

    /// Forgets those that come too late for an answer that is on its way.
    pub(crate) fn drop_late(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Answered {
            state.waiting.clear();
        }
    }

    fn poll_asked(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        match state.body {
            Asked::Anyway | Asked::Yes => Poll::Ready(()),
            Asked::NotYet | Asked::Never => {
                state.upload_waits = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_client(&mut self) {
        if let Some(client) = self.client_waits.take() {
            client.wake();
        }
    }
}

/// A body's wait to be asked for.
pub(crate) struct ToBeAsked {
    interims: Interims,
    /// From when the request's head was sent.
    patience: Option<Pin<Box<Sleep>>>,
}

impl ToBeAsked {
    pub(crate) fn new(interims: Interims) -> Self {
        Self {
            interims,
            patience: None,
        }
    }

    /// To be polled from when the request's head is sent.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.interims.poll_asked(cx).is_ready() {
            return Poll::Ready(());
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if patience.as_mut().poll(cx).is_ready() {
            self.interims.ask_for_body(); // not when it is refused by now
        }
        self.interims.poll_asked(cx)
    }
}

/// Whether a client sends its body only when it is asked for.
pub(crate) fn expects_to_be_asked(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// An interim response as bytes of http/1.1.
pub(crate) fn to_http1(interim: &Response<()>) -> Vec<u8> {
    let status = interim.status();
    let line = format!(
        "HTTP/1.1 {} {}\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or("")
    );
    let mut text = line.into_bytes();
    for (name, value) in interim.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

fn size_of(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// Interim responses that one exchange may have. Progress may be told by the second, and nobody waits for minutes so.
const MOST: usize = 256;
const MOST_BYTES: usize = 128 * 1024;
/// curl waits as long.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn hints(number: usize) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::EARLY_HINTS;
        response.headers_mut().insert("link", HeaderValue::from(number));
        response
    }

    fn request(version: Version, expect: bool) -> Request<()> {
        let mut request = Request::new(());
        *request.version_mut() = version;
        if expect {
            request
                .headers_mut()
                .insert(EXPECT, HeaderValue::from_static("100-Continue"));
        }
        request
    }

    #[test]
    fn what_an_origin_says_first_passes_in_order_and_within_bounds() {
        let interims = Interims::of_h2();
        interims.begin(&request(Version::HTTP_2, false));
        for number in 0..2 * MOST {
            interims.pass(hints(number));
        }
        let passed: Vec<_> = std::iter::from_fn(|| interims.next()).collect();
        assert_eq!(passed.len(), MOST);
        assert_eq!(passed[3].headers()["link"], "3");
    }

    #[test]
    fn a_client_of_http_1_0_is_told_nothing() {
        let interims = Interims::of_http1();
        interims.begin(&request(Version::HTTP_10, true));
        assert!(interims.hold_back().is_none());
        interims.pass(hints(1));
        assert!(interims.next().is_none());
        interims.begin(&request(Version::HTTP_11, true));
        interims.pass(hints(1));
        assert!(interims.next().is_some());
    }

    #[test]
    fn a_body_is_asked_for_by_the_origins_word_and_never_after_its_answer() {
        let interims = Interims::of_h2();
        interims.begin(&request(Version::HTTP_2, true));
        assert!(interims.hold_back().is_some());
        let go_on = Response::builder().status(100).body(()).expect("a response");
        interims.pass(go_on.clone());
        assert!(interims.hold_back().is_none());
        assert_eq!(
            interims.next().map(|told| told.status()),
            Some(StatusCode::CONTINUE)
        );

        interims.begin(&request(Version::HTTP_2, true));
        interims.settle();
        interims.pass(go_on);
        assert!(interims.refused_body() && interims.next().is_none());
    }

    #[test]
    fn as_bytes_it_is_a_head_and_no_more() {
        let text = to_http1(&hints(7));
        assert_eq!(text, b"HTTP/1.1 103 Early Hints\r\nlink: 7\r\n\r\n");
    }
}
