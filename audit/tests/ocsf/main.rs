//! OCSF events against the published schema: one of each kind, alone and with its other half.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod schema;

use std::collections::BTreeSet;

use outwall_audit::export::ocsf::ocsf;
use outwall_audit::{Event, Kind};
use serde_json::Value;

/// At least one of each kind, with every field that such an event may have.
fn events() -> Vec<Event> {
    let lines = include_str!("events.jsonl").lines();
    lines.map(|line| Event::parse(line).unwrap()).collect()
}

#[test]
fn one_of_each_kind_is_what_the_published_schema_says() {
    for event in events() {
        let mapped = ocsf(&event, None);
        assert_eq!(schema::faults(&mapped), [""; 0], "{}\n{mapped:#}", event.line);
    }
}

/// What is not among the samples is held against nothing.
#[test]
fn every_kind_that_is_written_has_a_sample_and_a_later_one_too() {
    let sampled: Vec<Kind> = events().iter().map(|event| event.kind).collect();
    for kind in Kind::ALL.into_iter().chain([Kind::Unknown]) {
        assert!(
            sampled.contains(&kind),
            "add one of `{}` to events.jsonl",
            kind.as_str()
        );
    }
}

#[test]
fn a_file_of_the_log_that_is_removed_is_an_entity_that_is_deleted() {
    let events = events();
    let removed = events.iter().find(|event| event.kind == Kind::SegmentRemoved);
    let mapped = ocsf(removed.unwrap(), None);
    assert_eq!(
        (&mapped["class_uid"], &mapped["activity_id"]),
        (&3004.into(), &4.into())
    );
    assert_eq!(mapped["entity"]["name"], "2026-11-21T03-00-01Z-1-00000000002b");
    assert_eq!(mapped["unmapped"]["last_seq"], 41, "what is signed stays whole");
    assert_eq!(mapped["status"], "Success");
}

#[test]
fn both_halves_together_are_what_the_published_schema_says() {
    let events = events();
    let halves = |suffix: &'static str| {
        let both = events
            .iter()
            .filter(move |event| event.kind.as_str().ends_with(suffix));
        both.collect::<Vec<_>>()
    };
    for opening in halves("going_out") {
        for closing in halves("came_back") {
            for (event, other) in [(opening, closing), (closing, opening)] {
                let mapped = ocsf(event, Some(other));
                assert_eq!(schema::faults(&mapped), [""; 0], "{mapped:#}");
            }
        }
    }
}

#[test]
fn nothing_of_an_event_is_lost() {
    for event in events() {
        let mapped = ocsf(&event, None);
        let kept: BTreeSet<String> = leaves(&mapped).into_iter().collect();
        let line: Value = serde_json::from_str(&event.line).unwrap();
        for leaf in leaves(&line) {
            let found = kept.iter().any(|kept| kept.contains(&leaf));
            let said = parts(&leaf)
                .iter()
                .all(|part| kept.iter().any(|kept| kept.contains(part)));
            let decision = ["allow", "deny"].contains(&leaf.as_str()); // the action's number
            assert!(
                found || said || decision,
                "{leaf} of {} is not in {mapped:#}",
                event.line
            );
        }
    }
}

/// A place with its port, a path with its query.
fn parts(leaf: &str) -> Vec<String> {
    leaf.split([':', '?', ' ', '[', ']']).map(str::to_owned).collect()
}

fn leaves(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

#[test]
fn a_request_with_its_answer_is_one_whole_event() {
    let events = events();
    let mapped = ocsf(&events[0], Some(&events[4]));
    assert_eq!(mapped["class_uid"], 4002);
    assert_eq!(mapped["http_response"]["code"], 200);
    assert_eq!(
        mapped["http_request"]["url"]["url_string"],
        "https://api.example.test:443/v1/items?page=*&key=*"
    );
    assert_eq!(mapped["traffic"]["bytes_in"], 20);
    assert_eq!(mapped["status"], "Success");
    assert_eq!(mapped["actor"]["process"]["name"], "python3.11");
    assert_eq!(mapped["unmapped"]["came_back"]["duration_us"], 12345);
    let agent = &mapped["http_request"]["http_headers"][0];
    assert_eq!(
        (&agent["name"], &agent["value"]),
        (&"user-agent".into(), &"curl/8.5.0".into())
    );
    assert_eq!(mapped["http_response"]["http_headers"][0]["value"], "text/plain");
    assert_eq!(
        mapped["unmapped"]["came_back"]["request"]["body"]["length"], 7,
        "bodies have no place"
    );
}

/// The judge must be able to find fault, or what it lets pass means nothing.
#[test]
fn the_judge_finds_what_is_wrong() {
    let right = ocsf(&events()[0], None);
    let spoiled = |change: fn(&mut Value)| {
        let mut event = right.clone();
        change(&mut event);
        schema::faults(&event)
    };
    assert_eq!(spoiled(|_| {}), [""; 0]);
    assert_eq!(
        spoiled(|event| event["severity_id"] = 7.into()),
        [".severity_id: 7 is not in the enum"]
    );
    assert_eq!(
        spoiled(|event| event["activity_name"] = "Get".into()),
        [".activity_id: 6 is called \"Get\", and is \"Post\""]
    );
    assert_eq!(
        spoiled(|event| event["sandbox"] = "s".into()),
        [".sandbox: is not in the schema"]
    );
    assert_eq!(
        spoiled(|event| event["time"] = "now".into()),
        [".time: \"now\" is no timestamp_t"]
    );
    assert_eq!(
        spoiled(|event| drop(event.as_object_mut().unwrap().remove("time"))),
        [".time: is required"]
    );
    assert_eq!(
        spoiled(|event| event["dst_endpoint"]["ip"] = "here".into()),
        [".dst_endpoint.ip: \"here\" is no ip_t"]
    );
    assert_eq!(
        spoiled(|event| event["src_endpoint"] = Value::Object(serde_json::Map::new())).len(),
        1
    );
}
