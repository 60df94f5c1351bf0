//! Which trace a request belongs to: read from the client, and told to origins that are to know (W3C Trace Context, W3C Baggage).
//!
//! Ids of a trace tie requests to different origins together, and baggage carries whatever somebody put into it. So only origins that
//! the environment names are told, and they are told the exchange as the parent of what they do.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use outwall_audit::{EventId, Span, TraceContext};

/// What the client says. Several answers are none (section 4.3: "the tracing system must not use it").
pub(crate) fn read(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(&TRACEPARENT).iter();
    let (value, further) = (values.next()?, values.next());
    let text = value.to_str().ok().filter(|_| further.is_none())?;
    TraceContext::parse(text)
}

/// Writes for the origin what it is to know: the exchange of this id as the parent of what it does; without one, nothing. `within` is
/// what [`read`] gave.
pub(crate) fn tell(headers: &mut HeaderMap, within: Option<TraceContext>, exchange: Option<EventId>) {
    let Some(id) = exchange else {
        for name in [&TRACEPARENT, &TRACESTATE, &BAGGAGE] {
            headers.remove(name);
        }
        return;
    };
    if within.is_none() {
        headers.remove(&TRACESTATE); // it belongs to a parent that is none (section 3.3)
    }
    let context = Span::of(&id.to_string(), within).as_context();
    let value = HeaderValue::from_str(&context.to_string()).expect("hex digits and dashes");
    headers.insert(&TRACEPARENT, value);
}

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn who_is_not_to_know_is_told_nothing() {
        let mut sent = headers(&[
            ("traceparent", EXAMPLE),
            ("tracestate", "vendor=secret"),
            ("baggage", "user=ada"),
            ("accept", "*/*"),
        ]);
        let within = read(&sent);
        tell(&mut sent, within, None);
        assert_eq!(sent, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn what_is_said_twice_or_wrongly_is_not_said() {
        assert_eq!(
            read(&headers(&[("traceparent", EXAMPLE), ("traceparent", EXAMPLE)])),
            None
        );
        assert_eq!(read(&headers(&[("traceparent", "00-x")])), None);
        assert!(read(&headers(&[("traceparent", EXAMPLE)])).is_some());
    }
}
