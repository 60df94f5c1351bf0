use outwall_policy::PolicyDocument;

use super::*;
use crate::traffic::tests::{denied, line, request, traffic};

mod github;

fn policy(environment: &str) -> Policy {
    let text = format!("[environments.test]\n{environment}");
    Policy::compile(&PolicyDocument::parse(&text, "new.toml").unwrap()).unwrap()
}

fn replay(environment: &str, lines: &[String]) -> Replay {
    let (policy, name) = (policy(environment), "test".parse().unwrap());
    let mut replay = Replay::default();
    for passage in traffic(lines) {
        replay.add(&policy, &name, &passage);
    }
    replay
}

fn told(changes: &Changes) -> Vec<String> {
    let told = changes.iter().map(|(about, seen)| {
        let request = about
            .request
            .as_ref()
            .map(|(method, path)| format!(" {method} {path}"));
        format!(
            "{}{} {} x{}",
            about.target,
            request.unwrap_or_default(),
            about.reason,
            seen.times
        )
    });
    told.collect()
}

const RULES: &str = r#"
network = "custom"
allowed_domains = ["a.test"]
[[environments.test.rules]]
host = "a.test"
methods = ["GET"]
paths = ["/v1/**", "/commit/*"]
action = "allow"
"#;

#[test]
fn what_would_change_is_told_and_what_would_not_is_counted() {
    let lines = [
        request(1, "GET", "https://a.test:443/v1/x", "r"),
        request(2, "POST", "https://a.test:443/v1/x", "r"),
        request(3, "POST", "https://a.test:443/v1/x", "r"),
        request(4, "GET", "https://a.test:443/v2", "r"),
        request(5, "GET", "https://b.test:443/1", "r"),
        request(6, "GET", "https://b.test:443/2", "r"),
        denied(7, "a.test:443", "host-not-allowed"),
        denied(8, "c.test:443", "host-not-allowed"),
        denied(9, "a.test:443", "not-http"),
    ];
    let replay = replay(RULES, &lines);
    assert_eq!(
        told(&replay.newly_refused),
        [
            "a.test:443 GET /v2 rule-refused x1",
            "a.test:443 POST /v1/x rule-refused x2",
            "b.test:443 host-not-allowed x2", // no request of it would be read
        ]
    );
    let seen = replay.newly_refused.values().last().unwrap();
    assert!(seen.remedy.as_ref().unwrap().contains("b.test"), "{seen:?}");
    assert_eq!(told(&replay.newly_allowed), ["a.test:443 host-not-allowed x1"]);
    assert_eq!(told(&replay.undecidable), ["a.test:443 not-asked-again x1"]);
    assert_eq!((replay.still_allowed, replay.still_refused), (1, 1));
}

#[test]
fn a_masked_path_is_decided_where_what_is_masked_does_not_matter() {
    let lines = [
        request(1, "GET", "https://a.test:443/v1/***/x", "r"),
        request(2, "GET", "https://a.test:443/v2/***", "r"),
        request(3, "POST", "https://a.test:443/v1/***", "r"),
        request(4, "GET", "https://a.test:443/commit/da39a3***", "r"), // may have had a %2F
        request(5, "GET", "https://a.test:443/***", "r"),
    ];
    let replay = replay(RULES, &lines);
    assert_eq!(replay.still_allowed, 1);
    assert_eq!(
        told(&replay.newly_refused),
        [
            "a.test:443 GET /v2/*** rule-refused x1",
            "a.test:443 POST /v1/*** rule-refused x1"
        ]
    );
    assert_eq!(
        told(&replay.undecidable),
        [
            "a.test:443 GET /*** masked-path x1",
            "a.test:443 GET /commit/da39a3*** masked-path x1"
        ]
    );
}

#[test]
fn what_is_recorded_of_a_request_decides_on_reading_and_size() {
    let trusted =
        "network = \"trusted\"\n[[environments.test.sizes]]\nmethods = [\"POST\"]\nmax_body = \"1KiB\"";
    let with = |line: String, fields: &str| line.replace("\"decision\"", &format!("{fields},\"decision\""));
    let get = || request(1, "GET", "https://pypi.org:443/simple/", "r");
    let of = |line| replay(trusted, &[line]);
    assert_eq!(of(get()).still_allowed, 1);
    for fields in [
        r#""carries":"body""#,
        r#""carries":"upgrade""#,
        r#""acts_as":"DELETE""#,
    ] {
        let refused = of(with(get(), fields));
        assert_eq!(
            told(&refused.newly_refused),
            ["pypi.org:443 GET /simple/ trusted-write-refused x1"],
            "{fields}"
        );
    }
    let sized = "network = \"custom\"\nallowed_domains = [\"a.test\"]\n[[environments.test.sizes]]\nmax_body = \"1KiB\"";
    for (bytes, refused) in [(1024, 0), (1025, 1)] {
        let back = format!(r#","for":"00-1","outcome":"complete","status":200,"bytes_up":{bytes}"#);
        let lines = [
            request(1, "POST", "https://a.test:443/", "r"),
            line(2, "exchange.came_back", &back),
        ];
        assert_eq!(replay(sized, &lines).newly_refused.len(), refused, "{bytes}");
    }
}

#[test]
fn an_address_is_classified_where_one_is_recorded() {
    let with_address = |address: &str| {
        let back = format!(r#","for":"00-1","outcome":"complete","address":"{address}""#);
        let lines = [
            request(1, "GET", "https://a.test:443/", "r"),
            line(2, "exchange.came_back", &back),
        ];
        replay("network = \"custom\"\nallowed_domains = [\"a.test\"]", &lines)
    };
    assert_eq!(with_address("93.184.216.34:443").still_allowed, 1);
    assert_eq!(
        told(&with_address("10.1.2.3:443").newly_refused),
        ["a.test:443 GET / address-refused x1"]
    );
    assert_eq!(
        told(&with_address("127.0.0.1:34567").undecidable),
        ["a.test:443 GET / address x1"]
    );
}

#[test]
fn what_was_relayed_unread_is_not_known_to_bear_being_read() {
    let went = |scheme: &str| {
        let fields = format!(r#","target":"a.test:443","scheme":"{scheme}","decision":"allow","rule":"r""#);
        line(1, "connection.going_out", &fields)
    };
    let tunnel = "network = \"custom\"\ntunnelled_domains = [\"a.test\"]";
    let stream = "network = \"custom\"\ntcp = [\"a.test:443\"]";
    let read = "network = \"custom\"\nallowed_domains = [\"a.test\"]";
    let unknown = |environment, scheme| replay(environment, &[went(scheme)]).undecidable.len();
    assert_eq!(
        [
            unknown(tunnel, "tunnel"),
            unknown(stream, "tunnel"),
            unknown(read, "tunnel")
        ],
        [0, 0, 1]
    );
    assert_eq!(
        [
            unknown(tunnel, "stream"),
            unknown(stream, "stream"),
            unknown(read, "stream")
        ],
        [1, 0, 1]
    );
    let clear = request(1, "GET", "http://a.test:443/", "r");
    assert_eq!(
        told(&replay(tunnel, &[clear]).undecidable),
        ["a.test:443 GET / opening x1"]
    );
}
