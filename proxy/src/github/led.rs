//! Where GitHub leads: signed URLs, followed on the gate's side, since whoever has them has what is behind them.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Uri};
use outwall_broker::scrub::Scrubber;
use outwall_policy::{
    Action as Decided, Method as PolicyMethod, Reason, RequestPath, RequestPermit, Scheme, Target,
};

use super::visit::Visit;
use crate::answer::Answer;
use crate::arriving::Arriving;
use crate::body::{Held, ResponseBody};
use crate::exchange::Stopped;
use crate::interim::Interims;

/// Follows redirects that lead to no service of GitHub's, for a request that reads.
pub(super) async fn follow(
    visit: &Visit<'_>,
    permit: &RequestPermit,
    asks: &HeaderMap,
    response: Response<ResponseBody>,
) -> Result<Answer, Stopped> {
    let mut response = response;
    for _hop in 0..MOST_HOPS {
        let Some(led) = led_to(visit, &response) else {
            return Ok(Answer::Response(visit.led_nowhere(response)));
        };
        drop(response);
        let mut request = Request::new(Arriving::Nothing);
        *request.method_mut() = method(permit);
        *request.uri_mut() = led;
        asks.clone_into(request.headers_mut());
        request.headers_mut().remove(CONTENT_TYPE);
        if let Some(excerpt) = &visit.excerpt {
            request.extensions_mut().insert(excerpt.led());
        }
        let held = visit.held()?;
        let going = Going {
            request,
            scrubber: None,
        };
        match send(visit, permit, going, held).await? {
            Answer::Response(next) => response = next,
            other => return Ok(other),
        }
    }
    Err(visit.not_understood(&outwall_git_proxy::NotUnderstood::because(
        "GitHub leads from one place to the next without an end",
    )))
}

/// A request that goes to where GitHub led one, and what is masked in the answer to it.
pub(super) struct Going {
    pub(super) request: Request<Arriving>,
    pub(super) scrubber: Option<Arc<Scrubber>>,
}

/// Sends a request to where GitHub led one that was permitted. What it carries besides is GitHub's, and not looked at.
pub(super) async fn send(
    visit: &Visit<'_>,
    from: &RequestPermit,
    going: Going,
    held: Held,
) -> Result<Answer, Stopped> {
    let Going { request, scrubber } = going;
    let (permit, authority) = permit(visit, from, &request)?;
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let way = visit.exchanges.way_elsewhere(&permit, authority);
    let request = Request::from_parts(parts, body);
    visit
        .exchanges
        .forward_unlooked(permit, (request, scrubber), way, held)
        .await
}

fn permit(
    visit: &Visit<'_>,
    from: &RequestPermit,
    request: &Request<Arriving>,
) -> Result<(RequestPermit, Authority), Stopped> {
    let gate = visit.gate();
    let malformed = || {
        let what = "GitHub leads to a URL that cannot be read".to_owned();
        visit.told(gate.denial(Reason::MalformedRequest { what }))
    };
    let uri = request.uri();
    let target = target_of(uri).ok_or_else(malformed)?;
    let authority = uri.authority().cloned().ok_or_else(malformed)?;
    let path = RequestPath::parse(uri.path()).map_err(|_| malformed())?;
    let method = PolicyMethod::parse(request.method().as_str()).map_err(|_| malformed())?;
    let action = Decided::new(Scheme::Https, target, method, path, ());
    let snapshot = gate.shared.policy.load();
    let permit = snapshot
        .policy
        .decide_led(from, action)
        .map_err(|denial| visit.told(denial))?;
    Ok((permit, authority))
}

/// Where a response leads that is followed here.
fn led_to(visit: &Visit<'_>, response: &Response<ResponseBody>) -> Option<Uri> {
    let leads = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).map(HeaderValue::to_str)?.ok()?;
    (leads && !visit.is_of_service(location)).then(|| location.parse().ok())?
}

/// The target of an `https://` URL.
pub(super) fn target_of(uri: &Uri) -> Option<Target> {
    let authority = uri
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))?;
    (uri.scheme_str() == Some("https")).then_some(())?;
    Target::parse_with_default(authority.as_str(), Scheme::Https.default_port()).ok()
}

fn method(permit: &RequestPermit) -> Method {
    match permit.method().as_str() {
        "HEAD" => Method::HEAD,
        _ => Method::GET,
    }
}

impl Visit<'_> {
    /// Room for another request of the same exchange.
    pub(super) fn held(&self) -> Result<Held, Stopped> {
        Ok(Held {
            running: self.exchanges.pulse.run(),
            _room: self.gate().room_for_exchange()?,
            interims: Interims::of_http1(),
        })
    }
}

/// GitHub leads to a store, which may lead to another one.
const MOST_HOPS: usize = 4;
