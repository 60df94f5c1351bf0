//! What the gate counts, for people who watch it: told as Prometheus text (version 0.0.4).
//!
//! What every request touches is counted per lane, so that lanes share no cache line; what is rare has a lock. Counting never
//! decides anything and never waits for I/O.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The counters of one gate.
pub(crate) struct Metrics {
    lanes: Box<[LaneCounters]>,
    denials: Labelled,
    findings: Labelled,
    policies_refused: AtomicU64,
    panics: AtomicU64,
}

/// Those that one lane alone counts. Two cache lines, since processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct LaneCounters {
    connections: AtomicU64,
    requests: AtomicU64,
}

/// What is read elsewhere when the counters are told.
pub(crate) struct Gauges {
    pub(crate) open_connections: u64,
    /// How many times the policy was replaced.
    pub(crate) policies_replaced: u64,
}

impl Metrics {
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes.max(1)).map(|_| LaneCounters::default()).collect(),
            denials: Labelled::default(),
            findings: Labelled::default(),
            policies_refused: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }

    pub(crate) fn connection(&self, lane: usize) {
        self.lanes[lane].connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn request(&self, lane: usize) {
        self.lanes[lane].requests.fetch_add(1, Relaxed);
    }

    /// By the stable code of the reason. Limits that are reached are among them.
    pub(crate) fn denial(&self, code: &str) {
        self.denials.count(code);
    }

    pub(crate) fn finding(&self, code: &str) {
        self.findings.count(code);
    }

    /// A new policy was broken, and the one before stays in force.
    pub(crate) fn policy_refused(&self) {
        self.policies_refused.fetch_add(1, Relaxed);
    }

    /// Returns how many there were, with this one.
    pub(crate) fn panic(&self) -> u64 {
        self.panics.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self, gauges: &Gauges) -> String {
        let sum =
            |of: fn(&LaneCounters) -> &AtomicU64| self.lanes.iter().map(|lane| of(lane).load(Relaxed)).sum();
        let mut text = Exposition::default();
        text.counter(
            "connections_total",
            "Connections that clients opened.",
            sum(|lane| &lane.connections),
        );
        text.gauge(
            "connections_open",
            "Connections that are open.",
            gauges.open_connections,
        );
        text.counter(
            "requests_total",
            "Requests that clients sent and the gate read.",
            sum(|lane| &lane.requests),
        );
        text.labelled(
            "denials_total",
            "Connections and requests that were refused.",
            "reason",
            &self.denials,
        );
        text.labelled(
            "findings_total",
            "What security people should look at.",
            "code",
            &self.findings,
        );
        text.counter(
            "policy_changes_total",
            "Times that another policy took over.",
            gauges.policies_replaced,
        );
        text.counter(
            "policy_refusals_total",
            "Times that a broken policy was refused, and the one before stayed.",
            self.policies_refused.load(Relaxed),
        );
        text.counter(
            "panics_total",
            "Connections that ended in a defect of the gate.",
            self.panics(),
        );
        text.0
    }
}

/// A counter for each of few labels, all of them ours.
#[derive(Default)]
struct Labelled(Mutex<BTreeMap<String, u64>>);

impl Labelled {
    fn count(&self, label: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(label) {
            Some(count) => *count += 1,
            None => drop(counts.insert(label.to_owned(), 1)),
        }
    }
}

/// Text in the making.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(format_args!("outwall_{name} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.line(format_args!("outwall_{name} {value}"));
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, counts: &Labelled) {
        self.head(name, help, "counter");
        for (value, count) in &*counts.0.lock().unwrap_or_else(PoisonError::into_inner) {
            self.line(format_args!("outwall_{name}{{{label}=\"{value}\"}} {count}"));
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP outwall_{name} {help}"));
        self.line(format_args!("# TYPE outwall_{name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lanes_count_is_added_up_and_what_has_labels_is_told_by_label() {
        let metrics = Metrics::new(2);
        metrics.connection(0);
        metrics.connection(1);
        metrics.request(1);
        metrics.denial("host-not-allowed");
        metrics.denial("host-not-allowed");
        metrics.denial("limit-reached");
        metrics.policy_refused();
        let text = metrics.text(&Gauges {
            open_connections: 1,
            policies_replaced: 3,
        });
        for line in [
            "# TYPE outwall_connections_total counter",
            "outwall_connections_total 2",
            "outwall_connections_open 1",
            "outwall_requests_total 1",
            "outwall_denials_total{reason=\"host-not-allowed\"} 2",
            "outwall_denials_total{reason=\"limit-reached\"} 1",
            "outwall_policy_changes_total 3",
            "outwall_policy_refusals_total 1",
            "outwall_panics_total 0",
        ] {
            assert!(text.lines().any(|told| told == line), "no `{line}` in\n{text}");
        }
    }
}
