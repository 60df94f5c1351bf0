//! What gates count, as Prometheus reads it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use outwall_tests::{Client, TestOrigin};

use crate::outwall;

const HOST: &str = "api.example.test";

/// The value of the one series that begins so and has these labels.
fn value(text: &str, name: &str, labels: &[&str]) -> u64 {
    let of_name = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    let series: Vec<_> = of_name.collect();
    assert_eq!(series.len(), 1, "{name} {labels:?} in\n{text}");
    series[0].rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn what_went_out_and_what_was_refused_is_counted_by_class_and_reason() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    for _ in 0..3 {
        connection.get(&format!("https://{HOST}/")).into_text();
    }
    gate.client().get("https://other.example.test/").into_text();

    let text = outwall.run(&["metrics"]).succeeded().stdout;
    let told = |name: &str, labels: &[&str]| value(&text, name, labels);
    let pid = format!("gate=\"{}\"", gate.pid());
    assert_eq!(
        told(
            "outwall_exchanges_total",
            &[&pid, "class=\"listed\"", "outcome=\"2xx\""]
        ),
        3
    );
    assert_eq!(
        told("outwall_exchange_duration_seconds_count", &["class=\"listed\""]),
        3
    );
    assert_eq!(
        told(
            "outwall_exchange_duration_seconds_bucket",
            &["class=\"listed\"", "le=\"+Inf\""]
        ),
        3
    );
    assert_eq!(told("outwall_exchanges_in_flight", &["class=\"listed\""]), 0);
    assert_eq!(told("outwall_denials_total", &["reason=\"host-not-allowed\""]), 1);
    assert_eq!(told("outwall_origin_connections_total", &["how=\"opened\""]), 1);
    assert_eq!(told("outwall_origin_connections_total", &["how=\"reused\""]), 2);
    assert_eq!(told("outwall_leaves_total", &["how=\"minted\""]), 1);
    assert_eq!(told("outwall_gates", &[]), 1);
    assert!(told("outwall_audit_bytes", &[]) > 0);
}

#[test]
fn a_tunnel_is_counted_as_long_as_it_runs_and_when_it_has_ended() {
    let origin = TestOrigin::start();
    let outwall = outwall()
        .policy("[environments.default]\nnetwork = \"custom\"\ntunnelled_domains = [\"api.example.test\"]\n")
        .origin(HOST, &origin);
    let gate = outwall.gate();
    let pinned = std::fs::read_to_string(origin.ca_file()).unwrap();
    let client = Client::through(gate.address(), &pinned);
    let connection = client.open(&format!("https://{HOST}/"));
    let running = outwall.run(&["metrics"]).succeeded().stdout;
    assert_eq!(
        value(&running, "outwall_exchanges_in_flight", &["class=\"tunnelled\""]),
        1
    );
    drop(connection);
    let ended = || {
        let text = outwall.run(&["metrics"]).succeeded().stdout;
        value(&text, "outwall_exchanges_in_flight", &["class=\"tunnelled\""]) == 0
    };
    while !ended() {}
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a scraper dials by itself")]
fn they_are_served_where_prometheus_scrapes_and_nothing_else_is() {
    let outwall = outwall();
    let _gate = outwall.gate();
    let server = outwall.start(&["metrics", "--listen", "127.0.0.1:0"]);
    server.wait_for_output("listening on ");
    let said = server.output();
    let address = said.trim().rsplit(' ').next().unwrap().to_owned();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let metrics = ask("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("outwall_connections_total{"), "{metrics}");
    assert!(ask("/").starts_with("HTTP/1.1 404"));
}

/// The dashboard and the alerts ask for what there is, so that neither stays empty for ever.
#[test]
fn dashboard_and_alerts_ask_for_metrics_that_are_told() {
    let outwall = outwall().policy(
        "[environments.default]\nnetwork = \"none\"\n[[audit.sinks]]\nname = \"copy\"\nkind = \"file\"\npath = \"copy.jsonl\"\n",
    );
    let _gate = outwall.gate();
    let told = outwall.run(&["metrics"]).succeeded().stdout;
    let names: Vec<_> = told
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for file in ["grafana-dashboard.json", "alerts.yml"] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../monitoring/").to_owned() + file;
        let text = std::fs::read_to_string(path).unwrap();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let asked = text
            .split(|c| !word(c))
            .filter(|word| word.starts_with("outwall_"));
        for asked in asked {
            let family = asked.trim_end_matches("_bucket");
            assert!(
                names.contains(&family),
                "{file} asks for {asked}, which nobody tells"
            );
        }
    }
}
