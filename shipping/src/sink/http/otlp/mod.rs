//! OTLP 1.x over HTTP, as JSON (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

mod logs;
mod traces;

use outwall_audit::Event;
use outwall_policy::audit_sinks::Signal;
use serde_json::{Value, json};

use super::client::Reply;
use super::{Answer, Message, shown};
use crate::batch::Item;

pub(super) fn message(signal: Signal, items: &[&Item], (host, url_path): (&str, &str)) -> Message {
    let (path, body) = match signal {
        Signal::Logs => ("/v1/logs", logs::body(items, host)),
        Signal::Traces => ("/v1/traces", traces::body(items, host)),
    };
    let path = if url_path.is_empty() { path } else { "" };
    Message {
        path: path.to_owned(),
        content_type: "application/json",
        body: body.to_string().into_bytes(),
    }
}

fn resource(host: &str) -> Value {
    json!({ "attributes": [
        text("service.name", "outwall"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("host.name", host),
    ] })
}

fn scope() -> Value {
    json!({ "name": "outwall.audit", "version": env!("CARGO_PKG_VERSION") })
}

/// What people search by, under the names of the semantic conventions.
fn attributes(event: &Event) -> Vec<Value> {
    let mut attributes = Vec::new();
    for (name, value) in [
        ("outwall.environment", &event.environment),
        ("outwall.sandbox", &event.sandbox),
        ("outwall.session", &event.session),
        ("outwall.decision", &event.decision),
        ("outwall.reason", &event.reason),
        ("outwall.rule", &event.rule),
        ("http.request.method", &event.method),
        ("url.path", &event.path),
        ("url.scheme", &event.scheme),
        ("dns.question.name", &event.name),
    ] {
        attributes.extend(value.as_ref().map(|value| text(name, value)));
    }
    if let Some((host, port)) = event.target.as_ref().and_then(|target| target.rsplit_once(':')) {
        attributes.push(text("server.address", host));
        if port.parse::<u16>().is_ok() {
            attributes.push(number("server.port", port));
        }
    }
    attributes.extend(
        event
            .status
            .map(|status| number("http.response.status_code", &status.to_string())),
    );
    attributes
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn number(name: &str, digits: &str) -> Value {
    json!({ "key": name, "value": { "intValue": digits } })
}

/// Since 1970; 0 where the text is no time.
fn nanoseconds(at: &str) -> i128 {
    let at: Option<jiff::Timestamp> = at.parse().ok();
    at.map_or(0, jiff::Timestamp::as_nanosecond).max(0)
}

/// A partial success says how many were rejected and not which, and must not be tried again. So all of them are kept beside the cursor:
/// those that were taken are there once more, and none is nowhere.
pub(super) fn judge(signal: Signal, reply: &Reply, sent: usize) -> Answer {
    let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let partial = &told["partialSuccess"];
    let rejected = &partial[signal.rejected()];
    let number = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
    let rejected = number.unwrap_or(0);
    if rejected == 0 {
        return Answer::default();
    }
    let said = shown(partial["errorMessage"].as_str().unwrap_or_default());
    let why = format!("{rejected} of {sent} were rejected, and it is not said which: {said}");
    Answer {
        rejected: (0..sent).map(|index| (index, why.clone())).collect(),
        again: Vec::new(),
    }
}
