//! OTLP 1.x, logs, as JSON (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>): an event is a log record, whose body is the line and
//! whose attributes are what people search by, under the names of the semantic conventions.

use serde_json::{Value, json};

use super::client::Reply;
use super::{Answer, Message, shown};
use crate::batch::Item;

pub(super) fn message(items: &[&Item], host: &str, url_path: &str) -> Message {
    let records: Vec<Value> = items.iter().map(|item| record(item)).collect();
    let resource = [
        text("service.name", "outwall"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("host.name", host),
    ];
    let body = json!({ "resourceLogs": [{
        "resource": { "attributes": resource },
        "scopeLogs": [{
            "scope": { "name": "outwall.audit", "version": env!("CARGO_PKG_VERSION") },
            "logRecords": records,
        }],
    }] });
    Message {
        path: if url_path.is_empty() {
            "/v1/logs".into()
        } else {
            String::new()
        },
        content_type: "application/json",
        body: body.to_string().into_bytes(),
    }
}

fn record(item: &Item) -> Value {
    let event = &item.event;
    let at: Option<jiff::Timestamp> = event.at.parse().ok();
    let nanoseconds = at.map_or(0, jiff::Timestamp::as_nanosecond).max(0).to_string(); // 64 bits are a string in JSON
    let (number, severity) = severity(event.kind.as_str());
    let mut attributes = vec![
        text("log.record.uid", &event.id),
        text("event.name", event.kind.as_str()),
    ];
    let host_and_port = event.target.as_ref().and_then(|target| target.rsplit_once(':'));
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
    if let Some((host, port)) = host_and_port {
        attributes.push(text("server.address", host));
        if port.parse::<u16>().is_ok() {
            attributes.push(json!({ "key": "server.port", "value": { "intValue": port } }));
        }
    }
    if let Some(status) = event.status {
        let status = status.to_string();
        attributes.push(json!({ "key": "http.response.status_code", "value": { "intValue": status } }));
    }
    json!({
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": number,
        "severityText": severity,
        "body": { "stringValue": item.text },
        "attributes": attributes,
    })
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn severity(kind: &str) -> (u32, &'static str) {
    match kind {
        "denied" | "finding" | "policy.refused" => (13, "WARN"),
        _ => (9, "INFO"),
    }
}

/// A partial success says how many were rejected and not which, and must not be tried again. So all of them are kept beside the cursor:
/// those that were taken are there once more, and none is nowhere.
pub(super) fn judge(reply: &Reply, sent: usize) -> Answer {
    let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let partial = &told["partialSuccess"];
    let rejected = &partial["rejectedLogRecords"];
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
