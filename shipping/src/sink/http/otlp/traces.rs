//! An exchange or a tunnel that has ended is a span of kind client. Its ids are those that the origin was told, where it was told any.

use outwall_audit::{Event, Span, TraceContext};
use serde_json::{Value, json};

use super::{attributes, nanoseconds, number, resource, scope, text};
use crate::batch::Item;

pub(super) fn body(items: &[&Item], host: &str) -> Value {
    let spans: Vec<Value> = items.iter().map(|item| span(item)).collect();
    json!({ "resourceSpans": [{
        "resource": resource(host),
        "scopeSpans": [{ "scope": scope(), "spans": spans }],
    }] })
}

/// What went out may be unknown, after a restart: then its time follows from how long it took, and little else is told.
fn span(item: &Item) -> Value {
    let ended = &item.event;
    let began = item.going_out.as_ref();
    let id = ended.closes.as_deref().unwrap_or(&ended.id);
    let within = began.and_then(|event| TraceContext::parse(event.trace.as_deref()?));
    let span = Span::of(id, within);
    let (start, end) = times(began, ended);
    let mut told = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "flags": u32::from(span.flags),
        "name": name(began),
        "kind": CLIENT,
        "startTimeUnixNano": start.to_string(), // 64 bits are a string in JSON
        "endTimeUnixNano": end.to_string(),
        "attributes": facts(began, ended, id),
        "status": status(ended),
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = format!("{parent:016x}").into();
    }
    told
}

/// By the record of what went out. A clock that was set back in between must not make it end before it began.
fn times(began: Option<&Event>, ended: &Event) -> (i128, i128) {
    let end = nanoseconds(&ended.at);
    let took = i128::from(ended.duration_us.unwrap_or(0)) * 1000;
    match began {
        Some(event) => {
            let start = nanoseconds(&event.at);
            (start, end.max(start))
        }
        None => ((end - took).max(0), end),
    }
}

/// Of few: the method, as the semantic conventions have it where there is no route.
fn name(began: Option<&Event>) -> &str {
    let event = began.and_then(|event| event.method.as_deref().or(event.scheme.as_deref()));
    event.unwrap_or("HTTP")
}

fn facts(began: Option<&Event>, ended: &Event, id: &str) -> Vec<Value> {
    let mut facts = vec![text("log.record.uid", id)];
    facts.extend(began.map(attributes).unwrap_or_default());
    facts.extend(
        ended
            .status
            .map(|status| number("http.response.status_code", &status.to_string())),
    );
    for (name, bytes) in [
        ("http.request.body.size", ended.bytes_up),
        ("http.response.body.size", ended.bytes_down),
    ] {
        facts.extend(bytes.map(|bytes| number(name, &bytes.to_string())));
    }
    facts.extend(
        ended
            .error
            .as_ref()
            .map(|_| text("error.type", ended.outcome.as_deref().unwrap_or("failed"))),
    );
    facts
}

/// An error by the semantic conventions of clients: no response, or one of 400 and above.
fn status(ended: &Event) -> Value {
    let failed = ended.outcome.as_deref() != Some("complete");
    match (&ended.error, ended.status) {
        (Some(error), _) => json!({ "code": ERROR, "message": error }),
        (None, Some(400..)) => json!({ "code": ERROR }),
        (None, _) if failed => json!({ "code": ERROR, "message": "its outcome is unknown" }),
        (None, _) => json!({}),
    }
}

/// `SPAN_KIND_CLIENT`.
const CLIENT: u32 = 3;
/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let line = format!("{{\"v\":1,\"seq\":1,{text}}}");
        Event::parse(&line).unwrap()
    }

    fn item(going_out: Option<&str>, came_back: &str) -> Item {
        let event = event(came_back);
        Item {
            text: event.line.clone(),
            event,
            going_out: going_out.map(self::event),
        }
    }

    const OUT: &str = r#""id":"00000000002a-7","at":"2026-11-26T10:00:00.000000000Z","kind":"exchange.going_out","target":"api.test:443","method":"POST","path":"/v1","scheme":"https","trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#;
    const BACK: &str = r#""id":"00000000002a-9","at":"2026-11-26T10:00:02.500000000Z","kind":"exchange.came_back","for":"00000000002a-7","outcome":"complete","status":503,"bytes_up":5,"bytes_down":7,"duration_us":2500000"#;

    #[test]
    fn an_exchange_is_a_span_within_the_trace_that_it_came_with() {
        let told = span(&item(Some(OUT), BACK));
        let known = Span::of(
            "00000000002a-7",
            TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        );
        assert_eq!(told["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(told["spanId"], format!("{:016x}", known.id));
        assert_eq!(told["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(told["name"], "POST");
        assert_eq!(told["startTimeUnixNano"], "1795687200000000000");
        assert_eq!(told["endTimeUnixNano"], "1795687202500000000");
        assert_eq!(told["status"]["code"], ERROR, "503");
        let facts = told["attributes"].to_string();
        assert!(
            facts.contains("server.address") && facts.contains("http.request.body.size"),
            "{facts}"
        );
    }

    #[test]
    fn what_went_out_before_a_restart_is_a_span_all_the_same() {
        let told = span(&item(None, BACK));
        assert_eq!(told["startTimeUnixNano"], "1795687200000000000");
        assert_eq!(told["spanId"], span(&item(Some(OUT), BACK))["spanId"]);
        assert!(told["parentSpanId"].is_null());
    }

    #[test]
    fn it_never_ends_before_it_began() {
        let set_back = BACK.replace("10:00:02.5", "09:00:02.5");
        let told = span(&item(Some(OUT), &set_back));
        assert_eq!(told["startTimeUnixNano"], told["endTimeUnixNano"]);
    }
}
