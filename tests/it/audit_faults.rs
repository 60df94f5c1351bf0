//! What is counted at the origin against what the audit kept, under faults. The long story writes `tests/clients/AUDIT_FAULTS.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
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
    killed(3, 300).nothing_is_wrong();
}

#[test]
fn a_last_line_that_was_torn_at_any_byte_is_repaired() {
    torn(8).nothing_is_wrong();
}

#[test]
fn nothing_leaves_while_the_disk_is_full_and_all_goes_on_when_it_is_not() {
    full_and_back(2).nothing_is_wrong();
}

#[test]
#[ignore = "minutes of deaths, torn lines and full disks; writes the table"]
fn the_audit_keeps_count_under_faults() {
    let rows = [killed(10, 300), torn(24), full_and_back(3)];
    let mut table = String::from(HEAD);
    for row in &rows {
        let _ = writeln!(table, "{row}");
    }
    for row in rows_of_unit_tests() {
        let _ = writeln!(table, "{row}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/AUDIT_FAULTS.md");
    fs::write(path, table).unwrap();
    for row in &rows {
        row.nothing_is_wrong();
    }
}

/// They count in the same columns, and say so.
fn rows_of_unit_tests() -> Vec<String> {
    let arguments = "test --locked --package outwall-audit --lib -- under_fault --nocapture";
    let cargo = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8(cargo.stdout).unwrap();
    assert!(cargo.status.success(), "{said}");
    let rows = said.lines().filter(|line| line.starts_with("| unit: "));
    let mut rows: Vec<_> = rows.map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows.len(), 4, "{said}");
    rows
}

/// What was seen under one fault.
struct Counted {
    fault: &'static str,
    times: usize,
    /// Requests that the origin counted.
    reached: usize,
    /// "Going out" records.
    kept: usize,
    /// Requests that have no record.
    lost: usize,
    /// Ids that occur once more.
    twice: usize,
    /// "Going out" without "came back".
    unknown: usize,
    /// What `outwall audit verify` says.
    chain: &'static str,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            times,
            reached,
            kept,
            lost,
            twice,
            unknown,
            chain,
        } = self;
        write!(
            f,
            "| {fault} | {times} | {reached} | {kept} | {lost} | {twice} | {unknown} | {chain} |"
        )
    }
}

impl Counted {
    fn nothing_is_wrong(&self) {
        assert_eq!((self.lost, self.twice, self.chain), (0, 0, WHOLE), "{self}");
    }
}

const WHOLE: &str = "whole";

fn story(origin: &TestOrigin) -> Outwall {
    outwall().policy(KEPT_SMALL).origin(HOST, origin)
}

fn killed(rounds: usize, requests: usize) -> Counted {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let mut dice = Dice(0x5eed_2222);
    for round in 0..rounds {
        let death = dice.below(requests as u64);
        live_and_die(outwall.gate(), &format!("/n/{round}"), requests, death); // the next gate repairs
    }
    thread::sleep(Duration::from_millis(50)); // what was sent may still be on its way into the origin's count
    outwall.gate().stop();
    let files = log_files(&outwall);
    assert!(files.len() > rounds * 2, "there was rotation: {}", files.len());
    counted("`kill -9` under load", rounds, &outwall, &origin)
}

/// Several gates at once die in the middle of a line, each at another byte; the next one repairs all.
fn torn(times: usize) -> Counted {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    for first in (0..times).step_by(AT_ONCE) {
        let before = log_files(&outwall);
        let mut gates: Vec<_> = (0..AT_ONCE).map(|_| outwall.gate()).collect();
        for (number, gate) in gates.iter_mut().enumerate() {
            let url = format!("https://{HOST}/n/{}", first + number);
            assert_eq!(gate.client().get(&url).status(), 200);
            gate.kill();
        }
        let mut files = log_files(&outwall);
        files.retain(|file| !before.contains(file));
        assert_eq!(files.len(), AT_ONCE);
        for (number, file) in files.iter().enumerate() {
            tear(file, (first + number) * 7);
        }
        outwall.gate().stop();
    }
    assert_eq!(outwall.audit_of("repaired").len(), times);
    counted(
        "a last line torn, each time at another byte",
        times,
        &outwall,
        &origin,
    )
}

const AT_ONCE: usize = 4;

/// A line more, that a crash tore at some byte: what it would have recorded was not sent.
fn tear(file: &Path, byte: usize) {
    let mut bytes = fs::read(file).unwrap();
    let line = bytes.split_inclusive(|byte| *byte == b'\n').next_back();
    let line = line.unwrap().to_vec();
    bytes.extend_from_slice(&line[..=byte % (line.len() - 1)]);
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    fs::write(file, bytes).unwrap();
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
    }
    counted("disk full, and room again", times, &outwall, &origin)
}

/// Compares what the origin counted with the record.
fn counted(fault: &'static str, times: usize, outwall: &Outwall, origin: &TestOrigin) -> Counted {
    let audit = outwall.audit();
    let reached = paths(origin.paths().into_iter());
    let kept = paths(going_out(&audit).map(|record| text(record, "path").to_owned()));
    let missing = |(path, times): (&String, &usize)| {
        let records = kept.get(path).copied().unwrap_or_default();
        times.saturating_sub(records)
    };
    let ids: BTreeSet<_> = audit.iter().map(|record| text(record, "id")).collect();
    let closed: BTreeSet<_> = audit.iter().filter_map(|record| record["for"].as_str()).collect();
    let verified = outwall.run(&["audit", "verify"]).code() == 0;
    Counted {
        fault,
        times,
        reached: reached.values().sum(),
        kept: kept.values().sum(),
        lost: reached.iter().map(missing).sum(),
        twice: audit.len() - ids.len(),
        unknown: going_out(&audit)
            .filter(|record| !closed.contains(text(record, "id")))
            .count(),
        chain: if verified { WHOLE } else { "NOT WHOLE" },
    }
}

/// How often each of our requests occurs.
fn paths(all: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for path in all.filter(|path| path.starts_with("/n/")) {
        *times.entry(path).or_default() += 1;
    }
    times
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap()
}

fn going_out(audit: &[Value]) -> impl Iterator<Item = &Value> {
    audit
        .iter()
        .filter(|record| record["kind"] == "exchange.going_out")
}

/// None before the first gate.
fn log_files(outwall: &Outwall) -> Vec<PathBuf> {
    let entries = fs::read_dir(outwall.state_dir().join("audit"));
    let mut files: Vec<_> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".jsonl") && !path.ends_with("checkpoints.jsonl"))
        .collect();
    files.sort();
    files
}

const HEAD: &str = "\
# What the audit kept under faults

Written by a test; do not edit:

    cargo test -p outwall --test it -- --ignored the_audit_keeps_count_under_faults

The real binary serves clients against an origin that counts; faults fall in the middle, with files of 64 KiB and a checkpoint every 50
records, so that they fall into rotation and compression as well. Then the next gate starts, and what the origin counted is compared with
the record. Rows that begin with *unit* were counted by unit tests of `audit` with a disk or a clock that fails
(`audit/src/writer/faults.rs`, `audit/src/clock/tests.rs`); there is no origin in them, and *origin* is what the log acknowledged: what would
have been sent, or, under the clock, all events.

- *Origin*: requests that the origin counted. *Kept*: \"going out\" records. There may be more of these: what was recorded and not sent.
- *Lost*: requests without their record. *Twice*: ids that occur once more.
- *Unknown*: records without a \"came back\", since the gate died, or the disk was full, before it could write one: their outcome is unknown.
- *Chain*: `outwall audit verify`, with all checkpoints.

| fault | times | origin | kept | lost | twice | unknown | chain |
|---|---|---|---|---|---|---|---|
";
