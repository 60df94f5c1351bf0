//! Policies from what happened: what is suggested lets the same pass and nothing else, what is replayed is what a live run then
//! refuses, and who learns is told what was learned.

mod learning;
mod registries;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

use outwall_tests::{Client, Outwall, TestGate, TestOrigin};
use serde_json::Value;

use crate::outwall;

const HOSTS: [&str; 4] = [
    "api.example.test",
    "plain.example.test",
    "both.example.test",
    "pinned.example.test",
];
const DATABASE: &str = "db.example.test:5432";
const ODD: &str = "odd.example.test:8443";

const WIDE: &str = r#"
default_environment = "test"
[environments.test]
network = "custom"
allowed_domains = ["*.example.test", "*.example.test:8443"]
tunnelled_domains = ["pinned.example.test"]
tcp = ["db.example.test:5432"]
"#;

/// A server that is no web server.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut buffer = [0; 64];
            let length = connection.read(&mut buffer).unwrap_or_default();
            let _ = connection.write_all(&buffer[..length]);
        }
    });
    address
}

fn story(policy: &str, origin: &TestOrigin, database: SocketAddr) -> Outwall {
    let outwall = outwall()
        .policy(policy)
        .host(ODD, &origin.tls_address().to_string())
        .host(DATABASE, &database.to_string());
    HOSTS
        .iter()
        .fold(outwall, |outwall, host| outwall.origin(host, origin))
}

/// The traffic of the story: several hosts, ports, methods, a tunnel, plain TCP.
fn traffic(gate: &TestGate, origin: &TestOrigin) {
    let client = gate.client();
    let _ = client.try_get("https://api.example.test/echo/a?key=1");
    let _ = client.try_send("POST", "https://api.example.test/echo/b");
    let _ = client.try_get("http://plain.example.test/echo");
    let _ = client.try_get("https://both.example.test/echo");
    let _ = client.try_get("http://both.example.test/echo");
    let _ = client.try_get(&format!("https://{ODD}/echo"));
    let pinned = std::fs::read_to_string(origin.ca_file()).unwrap();
    let _ = Client::through(gate.address(), &pinned).try_get("https://pinned.example.test/echo");
    let mut raw = gate.raw();
    raw.send(format!("CONNECT {DATABASE} HTTP/1.1\r\nhost: {DATABASE}\r\n\r\n"));
    if raw.read_head().starts_with("HTTP/1.1 200") {
        raw.send("hello");
        raw.closes_within(Duration::from_secs(5));
    }
}

/// What was refused under this policy.
fn live(policy: &str, origin: &TestOrigin, database: SocketAddr) -> (Outwall, Vec<Value>) {
    let outwall = story(policy, origin, database);
    let gate = outwall.gate();
    traffic(&gate, origin);
    gate.stop();
    let denied = outwall.audit_with(&["--denied"]);
    (outwall, denied)
}

fn targets(denied: &[Value]) -> BTreeSet<String> {
    let target = |record: &Value| record["target"].as_str().unwrap().to_owned();
    denied.iter().map(target).collect()
}

/// The lines of a suggestion that are entries of its lists.
pub(super) fn entries(toml: &str) -> Vec<&str> {
    toml.lines()
        .filter(|line| line.trim_start().starts_with('"'))
        .collect()
}

pub(super) fn without(toml: &str, entry: &str) -> String {
    let kept: Vec<&str> = toml.lines().filter(|line| *line != entry).collect();
    kept.join("\n")
}

#[test]
fn a_suggestion_lets_the_same_pass_and_needs_each_of_its_entries() {
    let (origin, database) = (TestOrigin::start(), echo());
    let (before, denied) = live(WIDE, &origin, database);
    assert_eq!(denied.len(), 0, "{denied:#?}");
    let suggested = before
        .run(&["policy", "suggest", "--from", "audit"])
        .succeeded()
        .stdout;
    let entries = entries(&suggested);
    assert_eq!(
        entries.iter().map(|entry| entry.trim()).collect::<Vec<_>>(),
        [
            "\"api.example.test:443\",",
            "\"both.example.test\",",
            "\"odd.example.test:8443\",",
            "\"plain.example.test:80\",",
            "\"pinned.example.test:443\",",
            "\"db.example.test:5432\",",
        ],
        "{suggested}"
    );
    let (_, denied) = live(&suggested, &origin, database);
    assert_eq!(denied.len(), 0, "{suggested}\n{denied:#?}");
    for entry in entries {
        let (_, denied) = live(&without(&suggested, entry), &origin, database);
        let host = entry.trim().trim_matches(['"', ',']).split(':').next().unwrap();
        let refused = targets(&denied);
        assert!(!refused.is_empty(), "{entry} is not needed");
        assert!(
            refused
                .iter()
                .all(|target| target.split(':').next() == Some(host)),
            "without {entry} {refused:?} is refused"
        );
    }
}

/// What both say: the target, the reason, and the request where it was read.
fn told(records: &[Value], requests: &BTreeSet<(String, String)>) -> BTreeSet<String> {
    let one = |record: &Value| {
        let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
        let about = (text("target"), text("reason"));
        let request = if requests.contains(&about) {
            format!(
                " {} {}",
                text("method"),
                text("path").split('?').next().unwrap_or_default()
            )
        } else {
            String::new()
        };
        format!("{} {}{request}", about.0, about.1)
    };
    records.iter().map(one).collect()
}

#[test]
fn what_is_replayed_is_what_a_live_run_then_refuses() {
    let (origin, database) = (TestOrigin::start(), echo());
    let strict = r#"
default_environment = "test"
[environments.test]
network = "custom"
allowed_domains = ["api.example.test", "both.example.test:80", "odd.example.test:8443"]
tunnelled_domains = ["pinned.example.test"]
[[environments.test.rules]]
host = "api.example.test"
methods = ["GET"]
paths = ["/echo/*"]
action = "allow"
[[environments.test.rules]]
host = "odd.example.test"
paths = ["/other/**"]
action = "allow"
"#;
    let (before, denied) = live(WIDE, &origin, database);
    assert_eq!(denied.len(), 0, "{denied:#?}");
    let (after, denied) = live(strict, &origin, database);
    let replayed = replay(&before, &after.policy_file(), 1);
    let newly = replayed["newly_refused"].as_array().unwrap();
    let requests: BTreeSet<(String, String)> = newly
        .iter()
        .filter(|change| change["method"].is_string())
        .map(|change| {
            (
                change["target"].as_str().unwrap().to_owned(),
                change["reason"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(told(newly, &requests), told(&denied, &requests), "{replayed:#}");
    assert_eq!(newly.len(), 5, "{replayed:#}");
    assert_eq!(
        replayed["undecidable"].as_array().unwrap().len(),
        0,
        "{replayed:#}"
    );
    assert_eq!(replayed["still_allowed"], 3);

    // And what was refused live would pass under what was in force before.
    let back = replay(&after, &before.policy_file(), 0);
    assert_eq!(back["newly_refused"].as_array().unwrap().len(), 0, "{back:#}");
    assert_eq!(
        back["newly_allowed"].as_array().unwrap().len(),
        denied.len(),
        "{back:#}"
    );
    let table = before
        .run(&[
            "--config",
            after.policy_file().to_str().unwrap(),
            "policy",
            "replay",
        ])
        .exited_with(1)
        .stdout;
    assert!(
        table.contains("db.example.test:5432") && table.contains("host-not-allowed"),
        "{table}"
    );
}

pub(super) fn replay(of: &Outwall, config: &Path, code: i32) -> Value {
    let config = config.to_str().unwrap();
    let said = of.run(&["policy", "replay", "--config", config, "--format", "json"]);
    serde_json::from_str(&said.exited_with(code).stdout).unwrap()
}

#[test]
fn with_rules_what_was_not_seen_is_refused_and_refused_names_are_marked() {
    let (origin, database) = (TestOrigin::start(), echo());
    let outwall = story(WIDE, &origin, database);
    let gate = outwall.gate();
    gate.client().get("https://api.example.test/echo/a").into_text();
    assert_eq!(gate.client().get("https://evil.test/").status(), 403);
    gate.stop();
    let suggest = |options: &[&str]| {
        outwall
            .run(&[&["policy", "suggest", "--from", "audit"], options].concat())
            .succeeded()
            .stdout
    };
    assert!(!suggest(&[]).contains("evil.test"));
    let marked = suggest(&["--including-denied"]);
    assert!(
        marked.contains("# REFUSED 1 time (host-not-allowed): is it meant?\n    \"evil.test:443\","),
        "{marked}"
    );
    let ruled = suggest(&["--rules"]);
    let after = story(&ruled, &origin, database);
    let gate = after.gate();
    assert_eq!(
        gate.client().get("https://api.example.test/echo/a").status(),
        200,
        "{ruled}"
    );
    assert_eq!(gate.client().get("https://api.example.test/echo/b").status(), 403);
    assert_eq!(
        gate.client()
            .send("POST", "https://api.example.test/echo/a", "x")
            .status(),
        403
    );
    gate.stop();
}

#[test]
fn what_cannot_be_replayed_ends_with_a_code_of_its_own() {
    let outwall = outwall().allowing(&["a.test"]);
    outwall
        .run(&["policy", "replay", "--as", "nowhere"])
        .exited_with(2);
    outwall.run(&["policy", "replay"]).exited_with(0);
}
