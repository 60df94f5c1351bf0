//! What is counted at the origin against what the audit kept, under faults. The long story writes `tests/clients/AUDIT_FAULTS.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use outwall_tests::{Outwall, TestOrigin};
use serde_json::Value;

use crate::crash::{Dice, live_and_die};
use crate::outwall;

const HOST: &str = "api.example.test";

/// Files of 64 KiB with a checkpoint every 50 records: kills fall into all that happens to files, too.
const KEPT_SMALL: &str = r#"default_environment = "test"
[environments.test]
network = "custom"
allowed_domains = ["api.example.test"]
[audit]
segment_size = "64 KiB"
checkpoint_every_events = 50
"#;

#[test]
fn what_reached_the_origin_is_on_record_when_gates_die_within_rotation() {
    killed(3, 300);
}

#[test]
fn a_last_line_that_was_torn_at_any_byte_is_repaired() {
    torn(6);
}

#[test]
fn nothing_leaves_while_the_disk_is_full_and_all_goes_on_when_it_is_not() {
    full_and_back(2);
}

#[test]
#[ignore = "minutes of deaths, torn lines and full disks; writes the table"]
fn the_audit_keeps_count_under_faults() {
    let rows = [killed(10, 600), torn(25), full_and_back(5)];
    let mut table = String::from(HEAD);
    for row in rows {
        let Counted {
            fault,
            times,
            reached,
            recorded,
            unknown,
        } = row;
        let _ = writeln!(
            table,
            "| {fault} | {times} | {reached} | {recorded} | 0 | 0 | {unknown} | whole |"
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/AUDIT_FAULTS.md");
    fs::write(path, table).unwrap();
}

/// What was seen under one fault.
struct Counted {
    fault: &'static str,
    times: usize,
    /// Requests that the origin counted.
    reached: usize,
    /// "Going out" records.
    recorded: usize,
    /// Of those, without "came back".
    unknown: usize,
}

fn story(origin: &TestOrigin) -> Outwall {
    outwall().policy(KEPT_SMALL).origin(HOST, origin)
}

fn killed(rounds: usize, requests: usize) -> Counted {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let mut dice = Dice(0x5eed_2222);
    for round in 0..rounds {
        let death = dice.below(requests as u64);
        live_and_die(outwall.gate(), &format!("/n/{round}"), requests, death);
        thread::sleep(Duration::from_millis(50)); // what was sent may still be on its way into the origin's count
        outwall.gate().stop(); // repairs
        compare(&outwall, &origin);
    }
    let files = log_files(&outwall);
    assert!(files.len() > rounds * 2, "there was rotation: {}", files.len());
    counted("`kill -9` under load", rounds, &outwall, &origin)
}

fn torn(times: usize) -> Counted {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    for time in 0..times {
        let mut gate = outwall.gate();
        let url = format!("https://{HOST}/n/{time}");
        assert_eq!(gate.client().get(&url).status(), 200);
        gate.kill();
        let file = newest(&outwall);
        let mut bytes = fs::read(&file).unwrap();
        let line = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .next_back()
            .unwrap()
            .to_vec();
        // A line more, that a crash tore at this byte: what it would have recorded was not sent.
        bytes.extend_from_slice(&line[..=time * 7 % (line.len() - 1)]);
        fs::write(&file, bytes).unwrap();
        outwall.gate().stop();
        compare(&outwall, &origin);
    }
    assert_eq!(outwall.audit_of("repaired").len(), times);
    counted(
        "a last line torn, each time at another byte",
        times,
        &outwall,
        &origin,
    )
}

/// A file-size limit stands for the full disk: the write fails in the same way, and no privilege is needed.
fn full_and_back(times: usize) -> Counted {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    for time in 0..times {
        let gate = outwall.gate_with_files_up_to(8);
        let mut number = 0;
        let refused = loop {
            let response = gate.client().get(&format!("https://{HOST}/n/{time}-{number}"));
            if response.status() != 200 {
                break response;
            }
            number += 1;
            assert!(number < 500, "the disk is never full");
        };
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.reason(), "audit-unavailable");
        let reached = origin.requests().len();
        gate.client().get(&format!("https://{HOST}/n/{time}-while-full"));
        assert_eq!(
            origin.requests().len(),
            reached,
            "nothing went out without a record"
        );
        let room = ["--pid", &gate.pid().to_string(), "--fsize=unlimited:"].map(str::to_owned);
        assert!(Command::new("prlimit").args(room).status().unwrap().success());
        let after = gate.client().get(&format!("https://{HOST}/n/{time}-after"));
        assert_eq!(after.status(), 200, "it recovers by itself");
        gate.stop();
        compare(&outwall, &origin);
    }
    counted("disk full, and room again", times, &outwall, &origin)
}

/// Each request that the origin counted has its record, ids are unique, and every chain is whole.
fn compare(outwall: &Outwall, origin: &TestOrigin) {
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for path in origin.paths().into_iter().filter(|path| path.starts_with("/n/")) {
        *reached.entry(path).or_default() += 1;
    }
    let audit = outwall.audit();
    let mut recorded: BTreeMap<&str, usize> = BTreeMap::new();
    for record in going_out(&audit) {
        *recorded.entry(record["path"].as_str().unwrap()).or_default() += 1;
    }
    for (path, times) in &reached {
        let records = recorded.get(path.as_str()).copied().unwrap_or_default();
        assert!(
            records >= *times,
            "{path} reached the origin {times} times, with {records} records"
        );
    }
    let ids: BTreeSet<_> = audit
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), audit.len(), "ids are unique");
    outwall.run(&["audit", "verify"]).exited_with(0);
}

fn counted(fault: &'static str, times: usize, outwall: &Outwall, origin: &TestOrigin) -> Counted {
    let audit = outwall.audit();
    let closed: BTreeSet<_> = audit.iter().filter_map(|record| record["for"].as_str()).collect();
    let open = |record: &&Value| !closed.contains(record["id"].as_str().unwrap());
    Counted {
        fault,
        times,
        reached: origin
            .paths()
            .iter()
            .filter(|path| path.starts_with("/n/"))
            .count(),
        recorded: going_out(&audit).count(),
        unknown: going_out(&audit).filter(open).count(),
    }
}

fn going_out(audit: &[Value]) -> impl Iterator<Item = &Value> {
    audit
        .iter()
        .filter(|record| record["kind"] == "exchange.going_out")
}

fn log_files(outwall: &Outwall) -> Vec<PathBuf> {
    let entries = fs::read_dir(outwall.state_dir().join("audit")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".jsonl") && !path.ends_with("checkpoints.jsonl"))
        .collect();
    files.sort();
    files
}

fn newest(outwall: &Outwall) -> PathBuf {
    let file = log_files(outwall).pop().unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

const HEAD: &str = "\
# What the audit kept under faults

Written by the test `tests/it/audit_faults`; do not edit. The real binary serves clients against an origin that counts; faults fall in the
middle, with files of 64 KiB and a checkpoint every 50 records, so that they fall into rotation and compression as well. Then the next gate
starts, and what the origin counted is compared with the record.

- *Reached*: requests that the origin counted. *Recorded*: \"going out\" records. There may be more of these: what was recorded and not sent.
- *Lost*: requests without their record. *Twice*: ids that occur more than once.
- *Outcome unknown*: records without a \"came back\", since the gate died before it could write one.
- *Chain*: `outwall audit verify`, with all checkpoints.

| fault | times | reached | recorded | lost | twice | outcome unknown | chain |
|---|---|---|---|---|---|---|---|
";
