//! What is done about credentials in what a sandbox sends: `dlp` finds them, policy says where each may go, and here the others
//! are reported, or kept.
//!
//! [`look`] is the step of an exchange: it looks at the head, and gives the body a watch for its way out (`body`). `socket` is the
//! same for messages after an upgrade. What is looked at is what the *sandbox* sent; nothing has been added to it yet.

mod body;
mod compiled;
mod head;
mod place;
mod repeats;
mod socket;
mod watch;

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, EXPECT};
use http::{Request, Uri};
use hyper::body::Body as _;
use outwall_policy::credential::LeakAction;
use outwall_policy::{Denial, RequestPermit};

use crate::arriving::Arriving;
use crate::client_gate::ClientGate;
use crate::websocket::Handshake;

pub(crate) use body::Leaving;
pub(crate) use compiled::Leaks;
pub(crate) use head::Hidden;
pub(crate) use place::Place;
pub(crate) use socket::MessageWatch;
pub(crate) use watch::Watch;

/// A request that was looked at, as far as it has come.
pub(crate) struct Looked {
    pub(crate) request: Request<Leaving>,
    /// Of what is still to come.
    pub(crate) watch: Option<Arc<Watch>>,
    /// What of its URL must not be written down.
    pub(crate) hidden: Hidden,
}

/// Looks at the head of a permitted request, and at its body as far as that may be waited for.
///
/// Where credentials are kept, one that is found here refuses the request before anything of it has left or is recorded as
/// leaving. The rest of the body is looked at on its way.
pub(crate) async fn look(
    gate: &Arc<ClientGate>,
    permit: &RequestPermit,
    request: Request<Arriving>,
) -> Result<Looked, Denial> {
    let scan = gate.leaks.current(gate);
    if !scan.looks() {
        return Ok(Looked::unwatched(request));
    }
    let upgrades = request.extensions().get::<Handshake>().is_some();
    let leaks = head::leaks_of(&scan, &request);
    let hidden = Hidden::of(&leaks);
    if leaks.is_empty() && request.body().is_end_stream() && !upgrades {
        return Ok(Looked::unwatched(request));
    }
    let watch = Watch::new(gate, permit, scan, &request, hidden.clone());
    for leak in leaks {
        watch.found(leak.shape, &leak.place)?;
    }
    let request = watch_body(&watch, request).await?;
    Ok(Looked {
        request,
        watch: Some(watch),
        hidden,
    })
}

/// A body that its client sends whatever is answered may be waited for, while it is small.
async fn watch_body(watch: &Arc<Watch>, request: Request<Arriving>) -> Result<Request<Leaving>, Denial> {
    if request.body().is_end_stream() {
        return Ok(request.map(Leaving::Unwatched));
    }
    let coding = request
        .headers()
        .get(CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").to_owned());
    let waits = !request.headers().contains_key(EXPECT)
        && request
            .body()
            .size_hint()
            .exact()
            .is_some_and(|length| length <= body::READ_AHEAD);
    let (parts, arriving) = request.into_parts();
    let mut body = Leaving::watched(arriving, Arc::clone(watch), coding.as_deref())?;
    if watch.action() == LeakAction::Block {
        body.read_ahead(waits).await?;
    }
    Ok(Request::from_parts(parts, body))
}

/// What of a URL must not be written down, when its request is refused.
pub(crate) fn hidden(gate: &ClientGate, url: &Uri) -> Hidden {
    Hidden::of_url(&gate.leaks.current(gate), url)
}

impl Looked {
    pub(crate) fn unwatched(request: Request<Arriving>) -> Self {
        Self {
            request: request.map(Leaving::Unwatched),
            watch: None,
            hidden: Hidden::default(),
        }
    }
}
