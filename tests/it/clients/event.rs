//! What the audit says of a sandbox, read from `outwall audit --format json`.

use serde_json::Value;

/// One line of the audit.
pub(super) struct Event(Value);

impl From<Value> for Event {
    fn from(line: Value) -> Self {
        Self(line)
    }
}

impl Event {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// The target's host, without its port.
    pub(super) fn host(&self) -> &str {
        let target = self.text("target");
        target.rsplit_once(':').map_or(target, |(host, _)| host)
    }

    pub(super) fn reason(&self) -> &str {
        self.text("reason")
    }

    pub(super) fn is_going_out(&self) -> bool {
        self.text("kind").ends_with(".going_out")
    }

    pub(super) fn is_denied(&self) -> bool {
        self.text("kind") == "denied"
    }

    /// Whether this closes `going_out` with an answer of the origin.
    pub(super) fn answers(&self, going_out: &Self) -> bool {
        self.text("kind") == "exchange.came_back"
            && self.0["for"] == going_out.0["id"]
            && self.0["status"].as_u64().is_some_and(|status| status < 400)
    }
}

/// Hosts that answered with success, in the order of the first request, each once.
pub(super) fn answered(events: &[Event]) -> Vec<&str> {
    let mut hosts = Vec::new();
    for going_out in events.iter().filter(|event| event.is_going_out()) {
        let host = going_out.host();
        if !hosts.contains(&host) && events.iter().any(|event| event.answers(going_out)) {
            hosts.push(host);
        }
    }
    hosts
}

/// Why `host` was refused, if it was.
pub(super) fn refusal<'a>(events: &'a [Event], host: &str) -> Option<&'a str> {
    events
        .iter()
        .find(|event| event.is_denied() && event.host() == host)
        .map(Event::reason)
}

/// Whether anything was let out to `host`.
pub(super) fn went_out(events: &[Event], host: &str) -> bool {
    events
        .iter()
        .any(|event| event.is_going_out() && event.host() == host)
}
