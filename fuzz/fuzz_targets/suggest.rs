//! A suggestion made of any events whatever loads without warning, reaches what passed and nothing that did not, and each of its entries
//! is needed. Events are put together from a small vocabulary, so that they meet, and from raw text, so that they are hostile.
#![no_main]
use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use outwall_audit::Event;
use outwall_audit::replay::{Answer, decide};
use outwall_audit::suggest::{DeniedToo, RulesToo, Suggester, TrustedInstead, Wanted};
use outwall_audit::traffic::{Fate, Passage, Reached, Traffic};
use outwall_policy::{
    ConnectionDecision, EnvironmentName, Opening, Policy, PolicyDocument, Sandbox, SandboxId, Target,
    classify,
};
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let wanted = Wanted {
        name: "test".parse().expect("a name"),
        trusted: [TrustedInstead::Never, TrustedInstead::WhereShorter][choices.below(2)],
        rules: [RulesToo::No, RulesToo::Yes][choices.below(2)],
        denied: [DeniedToo::No, DeniedToo::Yes][choices.below(2)],
    };
    let passages = passages(&mut choices);
    let in_force = Policy::compile(&PolicyDocument::default()).expect("the default");
    let mut suggester = Suggester::new(wanted.clone());
    for passage in &passages {
        suggester.add(passage, &in_force);
    }
    let suggestion = suggester.suggest().expect("there is always a suggestion");
    let policy = load(&suggestion.toml);
    assert!(policy.warnings().is_empty());
    reaches_what_was_seen(&policy, &wanted, &passages, &suggestion.toml);
    needs_each_entry(&wanted, &passages, &suggestion.toml);
});

const TARGETS: [&str; 14] = [
    "a.test:443",
    "a.test:80",
    "a.test:8443",
    "A.TEST.:443",
    "pypi.org:443",
    "pypi.org:80",
    "registry.npmjs.org:443",
    "crates.io:443",
    "host.outwall.internal:5432",
    "10.0.0.1:443",
    "203.0.114.9:443",
    "[2606:4700::1111]:443",
    "224.0.0.1:80",
    "s3.amazonaws.com:443",
];
const PATHS: [&str; 10] = [
    "/",
    "/v1/x",
    "/v1/***",
    "/a//b",
    "/a%2Fb/c",
    "/a;p/b",
    "*",
    "/**/x",
    "/x/ghp_***/y?z=*",
    "/long…",
];
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "OPTIONS", "get", "X!"];
const SCHEMES: [&str; 2] = ["https", "http"];
const RULES: [&str; 4] = [
    "allowed_domains \"a.test\"",
    "always_reachable \"a.test\"",
    "learn",
    "github \"github.com\"",
];
const REASONS: [&str; 6] = [
    "host-not-allowed",
    "literal-not-allowed",
    "rule-refused",
    "blocklisted",
    "host-port-not-allowed",
    "not-http",
];
/// Few enough that no more ports of the host are seen than an environment may have.
const MOST_EVENTS: usize = 24;

/// Bytes as a sequence of small choices; zero when there are no more.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, number: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % number
    }

    /// One of these, or text that is not.
    fn text(&mut self, known: &[&str]) -> String {
        let choice = self.below(known.len() + 1);
        known
            .get(choice)
            .map_or_else(|| self.raw(), |text| (*text).to_owned())
    }

    fn raw(&mut self) -> String {
        let length = self.below(32).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}

fn passages(choices: &mut Choices<'_>) -> Vec<Passage> {
    let mut traffic = Traffic::default();
    let mut all = Vec::new();
    for seq in 0..=choices.below(MOST_EVENTS) {
        let line = event(seq, choices).to_string();
        let event = Event::parse(&line).expect("it is an event");
        all.extend(traffic.take(&event));
    }
    all.extend(traffic.rest());
    all
}

fn event(seq: usize, choices: &mut Choices<'_>) -> Value {
    let mut event = json!({
        "v": 1,
        "seq": seq,
        "id": format!("00-{seq}"),
        "at": format!("2026-11-26T06:00:{:02}.000000000Z", seq % 60),
        "environment": "test",
        "sandbox": "s-00000001",
        "target": choices.text(&TARGETS),
    });
    let mut put = |name: &str, value: String| event[name] = Value::String(value);
    match choices.below(4) {
        0 => {
            put("kind", "denied".to_owned());
            put("reason", choices.text(&REASONS));
        }
        1 => {
            put("kind", "connection.going_out".to_owned());
            put("scheme", choices.text(&["tunnel", "stream"]));
            put("rule", choices.text(&RULES));
        }
        kind => {
            put(
                "kind",
                if kind == 2 { "exchange.going_out" } else { "denied" }.to_owned(),
            );
            put("reason", choices.text(&REASONS));
            put("scheme", choices.text(&SCHEMES));
            put("method", choices.text(&METHODS));
            put("path", choices.text(&PATHS));
            put("rule", choices.text(&RULES));
            put("credential", choices.text(&["one"]));
            if choices.below(4) == 0 {
                put("acts_as", choices.text(&METHODS));
            }
            if choices.below(4) == 0 {
                put(
                    "address",
                    choices.text(&["10.9.8.7:443", "127.0.0.1:443", "93.184.216.34:443"]),
                );
            }
        }
    }
    if choices.below(4) == 0 {
        let action = choices.text(&[
            "read acme/app",
            "read other/lib",
            "read pull requests of other/lib",
        ]);
        event["session"] = json!("github.com/acme/app#outwall/x");
        event["github"] =
            json!({ "repository": "github.com/acme/app", "operation": "x", "actions": [action] });
    }
    if choices.below(4) == 0 {
        event["process"] = json!({ "executable": choices.raw() });
    }
    event
}

fn load(toml: &str) -> Policy {
    let document = PolicyDocument::parse(toml, "t").expect("a suggestion loads");
    Policy::compile(&document).expect("a suggestion compiles")
}

fn name() -> EnvironmentName {
    "test".parse().expect("a name")
}

fn connects(policy: &Policy, target: &Target) -> bool {
    let sandbox = Sandbox::new(SandboxId::from_random([0, 0, 0, 1]), name());
    !matches!(
        policy.decide_connection(&sandbox, target, Opening::Unread),
        ConnectionDecision::Deny(_)
    )
}

/// What passed, and is no business of a session's with its own repository.
fn passed(passages: &[Passage]) -> impl Iterator<Item = &Passage> {
    let passed = |passage: &&Passage| {
        matches!(passage.outcome, Fate::Passed { .. }) && (!passage.at_github || passage.reads_elsewhere())
    };
    let somebodys = |passage: &&Passage| match passage.target.literal() {
        Some(address) if address.is_multicast() || address.is_unspecified() => false,
        Some(address) => passage.reached == Reached::Yes || !classify(address).is_refused(),
        None => true,
    };
    passages.iter().filter(passed).filter(somebodys)
}

fn reaches_what_was_seen(policy: &Policy, wanted: &Wanted, passages: &[Passage], toml: &str) {
    for passage in passed(passages) {
        let answer = decide(policy, &name(), passage);
        assert!(
            !matches!(answer, Answer::Deny(_)),
            "{passage:?} is refused by\n{toml}"
        );
    }
    if wanted.trusted == TrustedInstead::WhereShorter {
        return; // the list reaches more, as it was asked for
    }
    let seen: BTreeSet<&Target> = match wanted.denied {
        DeniedToo::No => passed(passages).map(|passage| &passage.target).collect(),
        DeniedToo::Yes => passages.iter().map(|passage| &passage.target).collect(),
    };
    let asked = TARGETS.iter().filter_map(|target| Target::parse(target).ok());
    let hosts = passages.iter().map(|passage| passage.target.host.clone());
    let others = hosts.flat_map(|host| [80, 443, 8443, 5432].map(|port| Target::new(host.clone(), port)));
    for target in asked.chain(others) {
        assert!(
            !connects(policy, &target) || seen.contains(&target),
            "{target} was not seen, and is reached by\n{toml}"
        );
    }
}

fn needs_each_entry(wanted: &Wanted, passages: &[Passage], toml: &str) {
    if wanted.denied == DeniedToo::Yes || wanted.rules == RulesToo::Yes {
        return; // a rule for a host that no entry names is a warning of its own
    }
    let is_entry = |line: &&str| line.starts_with("    ") && !line.trim_start().starts_with('#');
    let addresses = toml.find("allowed_addresses").unwrap_or(toml.len());
    let entries: Vec<&str> = toml[..addresses].lines().filter(is_entry).collect();
    for entry in entries {
        let kept: Vec<&str> = toml.lines().filter(|line| *line != entry).collect();
        let policy = load(&kept.join("\n"));
        let refused =
            passed(passages).any(|passage| matches!(decide(&policy, &name(), passage), Answer::Deny(_)));
        assert!(refused, "{entry} is not needed in\n{toml}");
    }
}
