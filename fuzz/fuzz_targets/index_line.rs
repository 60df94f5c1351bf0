//! The index reads of a line what the whole event says, field by field, and leaves out none that is an event: whoever asks the index is
//! told what the log has. An id has one spelling, so that no line passes for another.
#![no_main]
use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use outwall_audit::index::read_of_line;
use outwall_audit::{Event, Kind};
use serde_json::Value;

fuzz_target!(|line: &str| {
    let read = read_of_line(line.as_bytes());
    let Some(event) = Event::parse(line).filter(|_| is_plain(line)) else {
        return; // the index may know less of what is no event of ours
    };
    let mut read = read.expect("an event is in the index");
    let kind = read.remove("kind").expect("an event has a kind");
    assert!(event.kind == Kind::Unknown || event.kind.as_str() == kind);
    for (field, id) in [("id", Some(&event.id)), ("for", event.closes.as_ref())] {
        let name = read.remove(field);
        assert!(name.is_none() || name.as_ref() == id, "{name:?} of {id:?}");
        let ours = id.is_some_and(|id| is_ours(id));
        assert_eq!(name.is_some(), ours, "{id:?}");
    }
    assert_eq!(read, said(&event));
});

/// serde takes a list for a structure, and an object for a variant. No writer of ours makes either.
fn is_plain(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| {
        value.is_object()
            && value["kind"].is_string()
            && (value["process"].is_object() || value["process"].is_null())
    })
}

/// Twelve lower hex digits, and a number from 1 as it is written.
fn is_ours(id: &str) -> bool {
    let Some((writer, seq)) = id.rsplit_once('-') else {
        return false;
    };
    let number = |digits: &str, radix| u64::from_str_radix(digits, radix).ok();
    number(writer, 16).is_some_and(|number| format!("{number:012x}") == writer)
        && writer.len() == 12
        && number(seq, 10).is_some_and(|number| number > 0 && number.to_string() == seq)
}

fn said(event: &Event) -> BTreeMap<&'static str, String> {
    let place = event.target.as_ref().or(event.name.as_ref());
    let process = event.process.as_ref();
    let texts = [
        ("environment", event.environment.as_ref()),
        ("session", event.session.as_ref()),
        ("sandbox", event.sandbox.as_ref()),
        ("place", place),
        ("method", event.method.as_ref()),
        ("reason", event.reason.as_ref()),
        ("credential", event.credential.as_ref()),
        ("program", process.and_then(|process| process.executable.as_ref())),
        ("outcome", event.outcome.as_ref()),
    ];
    let numbers = [
        ("seq", Some(event.seq)),
        ("connection", event.connection),
        ("status", event.status.map(u64::from)),
        ("bytes_up", event.bytes_up),
        ("bytes_down", event.bytes_down),
        ("duration_us", event.duration_us),
        ("repeated", event.repeated),
    ];
    let texts = texts.map(|(field, text)| (field, text.cloned()));
    let numbers = numbers.map(|(field, number)| (field, number.map(|number| number.to_string())));
    let all = texts.into_iter().chain(numbers);
    all.filter_map(|(field, value)| Some((field, value?))).collect()
}
