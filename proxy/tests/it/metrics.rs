//! The gate counts what passes and what it refuses, and tells it as Prometheus reads it.

use crate::intercepted::document;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

fn value(gate: &TestGate, series: &str) -> u64 {
    let text = gate.gate.metrics();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn requests_refusals_and_replaced_policies_are_counted() {
    let origin = Origin::start(OriginKind::H2).await;
    let gate = TestGate::explicit(&document(&origin)).await;
    assert_eq!(value(&gate, "outwall_requests_total"), 0);
    let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
    for _ in 0..3 {
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
    }
    assert_eq!(value(&gate, "outwall_requests_total"), 3);
    assert_eq!(value(&gate, "outwall_connections_total"), 1);
    assert_eq!(value(&gate, "outwall_connections_open"), 1);

    let refused = "outwall_denials_total{reason=\"network-none\"}";
    assert_eq!(value(&gate, refused), 0);
    gate.replace("[environments.default]\nnetwork = \"none\"\n");
    assert_eq!(client.get("allowed.test", "/hello").await.0, 403);
    assert_eq!(value(&gate, refused), 1);
    assert_eq!(value(&gate, "outwall_policy_changes_total"), 1);
    gate.gate.policy_was_refused();
    assert_eq!(value(&gate, "outwall_policy_refusals_total"), 1);
}
