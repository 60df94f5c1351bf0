//! What the gate counts, for people who watch it: told as Prometheus text (version 0.0.4).
//!
//! What every request touches is counted per lane, so that lanes share no cache line; what is rare has a lock. Counting never
//! decides anything and never waits for I/O.

mod exchanges;
mod exposition;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use outwall_audit::LogCounts;
use outwall_certs::LeafCounts;

use exchanges::Exchanges;
pub(crate) use exchanges::{Ending, Measured};
use exposition::{Exposition, Labelled};

/// The counters of one gate.
pub(crate) struct Metrics {
    lanes: Box<[LaneCounters]>,
    denials: Labelled,
    findings: Labelled,
    policies_refused: AtomicU64,
    panics: AtomicU64,
    opened: AtomicU64,
    reused: AtomicU64,
    unrecorded: AtomicU64,
}

/// Those that one lane alone counts. Two cache lines, since processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct LaneCounters {
    connections: AtomicU64,
    requests: AtomicU64,
    exchanges: Exchanges,
}

/// What is read elsewhere when the counters are told.
pub(crate) struct Gauges {
    pub(crate) open_connections: u64,
    /// How many times the policy was replaced.
    pub(crate) policies_replaced: u64,
    /// Of the CA.
    pub(crate) leaves: LeafCounts,
    pub(crate) log: LogCounts,
}

impl Metrics {
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes.max(1)).map(|_| LaneCounters::default()).collect(),
            denials: Labelled::default(),
            findings: Labelled::default(),
            policies_refused: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
        }
    }

    fn exchanges(&self, lane: usize) -> &Exchanges {
        &self.lanes[lane].exchanges
    }

    /// Something was not sent, because the log could not be written.
    pub(crate) fn unrecorded(&self) {
        self.unrecorded.fetch_add(1, Relaxed);
    }

    /// A connection to an origin was opened.
    pub(crate) fn origin_opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    /// A request went over one that was there.
    pub(crate) fn origin_reused(&self) {
        self.reused.fetch_add(1, Relaxed);
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
        text.counter(
            "unrecorded_total",
            "Requests and connections that were not sent, because the audit log could not be written.",
            self.unrecorded.load(Relaxed),
        );
        exchanges::tell(self.lanes.iter().map(|lane| &lane.exchanges), &mut text);
        self.tell_of_origins(&mut text);
        tell_of_leaves(gauges.leaves, &mut text);
        tell_of_log(gauges.log, &mut text);
        text.into_text()
    }

    fn tell_of_origins(&self, text: &mut Exposition) {
        text.head(
            "origin_connections_total",
            "Connections to origins that requests went over: opened for them, or there already.",
            "counter",
        );
        for (how, count) in [("opened", &self.opened), ("reused", &self.reused)] {
            text.sample(
                "origin_connections_total",
                format_args!("how=\"{how}\""),
                count.load(Relaxed),
            );
        }
    }
}

fn tell_of_leaves(leaves: LeafCounts, text: &mut Exposition) {
    text.head(
        "leaves_total",
        "Certificates that clients were shown: minted for them, or known already.",
        "counter",
    );
    for (how, count) in [("minted", leaves.minted), ("known", leaves.known)] {
        text.sample("leaves_total", format_args!("how=\"{how}\""), count);
    }
    text.gauge("leaves_cached", "Certificates that are kept.", leaves.cached);
}

fn tell_of_log(log: LogCounts, text: &mut Exposition) {
    text.counter(
        "audit_records_total",
        "Records that are in the audit log.",
        log.records,
    );
    text.gauge(
        "audit_waiting_bytes",
        "Records of how things ended that are to be written within 100 ms.",
        log.waiting_bytes,
    );
    text.counter(
        "audit_syncs_total",
        "Times that somebody waited for the disk (`durability = \"power\"`).",
        log.syncs,
    );
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
            leaves: LeafCounts {
                minted: 2,
                known: 5,
                cached: 2,
            },
            log: LogCounts {
                records: 9,
                ..LogCounts::default()
            },
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
            "outwall_origin_connections_total{how=\"opened\"} 0",
            "outwall_leaves_total{how=\"known\"} 5",
            "outwall_leaves_cached 2",
            "outwall_audit_records_total 9",
        ] {
            assert!(text.lines().any(|told| told == line), "no `{line}` in\n{text}");
        }
    }
}
