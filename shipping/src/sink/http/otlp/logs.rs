//! An event is a log record, whose body is the line and whose attributes are what people search by, under the names of the semantic
//! conventions.

use serde_json::{Value, json};

use super::{attributes, nanoseconds, resource, scope, text};
use crate::batch::Item;

pub(super) fn body(items: &[&Item], host: &str) -> Value {
    let records: Vec<Value> = items.iter().map(|item| record(item)).collect();
    json!({ "resourceLogs": [{
        "resource": resource(host),
        "scopeLogs": [{ "scope": scope(), "logRecords": records }],
    }] })
}

fn record(item: &Item) -> Value {
    let event = &item.event;
    let nanoseconds = nanoseconds(&event.at).to_string(); // 64 bits are a string in JSON
    let (number, severity) = severity(event.kind.as_str());
    let facts = attributes(event);
    let mut attributes = vec![
        text("log.record.uid", &event.id),
        text("event.name", event.kind.as_str()),
    ];
    attributes.extend(facts);
    json!({
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": number,
        "severityText": severity,
        "body": { "stringValue": item.text },
        "attributes": attributes,
    })
}

fn severity(kind: &str) -> (u32, &'static str) {
    match kind {
        "denied" | "finding" | "policy.refused" => (13, "WARN"),
        _ => (9, "INFO"),
    }
}
