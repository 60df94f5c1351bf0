//! What is written down: every request in a pair, every refusal with its reason, in a
//! chain that shows when somebody has edited it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use outwall_tests::{Outwall, TestOrigin};
use serde_json::Value;

use crate::outwall;

const HOST: &str = "api.example.test";

fn story(origin: &TestOrigin) -> Outwall {
    outwall().allowing(&[HOST]).origin(HOST, origin)
}

/// The record that closes `going_out`.
fn closing<'a>(records: &'a [Value], going_out: &Value) -> &'a Value {
    let closes = |record: &&Value| record["for"] == going_out["id"];
    records
        .iter()
        .find(closes)
        .unwrap_or_else(|| panic!("nothing closes {going_out}"))
}

#[test]
fn a_request_is_a_pair_of_records() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    gate.client()
        .send("POST", &format!("https://{HOST}/echo/items?key=s3cret"), "hello")
        .into_text();
    gate.stop();

    let records = outwall.audit();
    let going_out: Vec<_> = records
        .iter()
        .filter(|r| r["kind"] == "exchange.going_out")
        .collect();
    assert_eq!(going_out.len(), 1, "{records:#?}");
    let going_out = going_out[0];
    assert_eq!(going_out["environment"], "test");
    assert_eq!(going_out["target"], format!("{HOST}:443"));
    assert_eq!(going_out["scheme"], "https");
    assert_eq!(going_out["method"], "POST");
    assert_eq!(going_out["decision"], "allow");
    assert_eq!(going_out["rule"], format!("allowed_domains \"{HOST}\""));
    assert!(going_out["sandbox"].as_str().unwrap().starts_with("s-"));
    let path = going_out["path"].as_str().unwrap();
    assert!(path.starts_with("/echo/items") && path.contains("key"), "{path}");

    let came_back = closing(&records, going_out);
    assert_eq!(came_back["kind"], "exchange.came_back");
    assert_eq!(came_back["status"], 200);
    assert_eq!(came_back["bytes_up"], 5);
    assert!(came_back["bytes_down"].as_u64().unwrap() > 0);
    assert!(came_back["duration_us"].as_u64().is_some());
}

#[test]
fn query_values_are_not_written_down_anywhere() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    gate.client()
        .get(&format!("https://{HOST}/echo?token=hunter2hunter2"))
        .into_text();
    gate.client()
        .get("https://other.example.test/?token=hunter2hunter2")
        .into_text();
    let finished = gate.stop();
    let on_disk = everything_below(&outwall.state_dir().join("audit"));
    assert!(on_disk.contains("token"), "{on_disk}");
    assert!(!on_disk.contains("hunter2"), "{on_disk}");
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
}

#[test]
fn a_refusal_is_recorded_with_its_reason_and_can_be_asked_for() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    gate.client().get(&format!("https://{HOST}/")).into_text();
    gate.client().get("https://other.example.test/").into_text();
    gate.stop();

    let denied = outwall.audit_with(&["--denied"]);
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(denied[0]["kind"], "denied");
    assert_eq!(denied[0]["reason"], "host-not-allowed");
    assert_eq!(denied[0]["target"], "other.example.test:443");
    let sandbox = denied[0]["sandbox"].as_str().unwrap();
    assert!(outwall.audit_with(&["--sandbox", sandbox]).len() > denied.len());
    assert_eq!(outwall.audit_with(&["--sandbox", "s-00000000"]).len(), 0);
    assert_eq!(
        outwall.audit_with(&["--since", "1h"]).len(),
        outwall.audit().len()
    );
    let table = outwall.run(&["audit", "--denied"]).succeeded().stdout;
    assert!(
        table.contains("other.example.test") && table.contains("host-not-allowed"),
        "{table}"
    );
}

#[test]
fn a_request_whose_origin_hangs_up_says_so() {
    let outwall = outwall().allowing(&[HOST]).host(HOST, "127.0.0.1:1");
    let gate = outwall.gate();
    assert_eq!(gate.client().get(&format!("https://{HOST}/")).status(), 502);
    gate.stop();
    let records = outwall.audit();
    let closed: Vec<_> = records
        .iter()
        .filter(|record| record["for"].is_string())
        .collect();
    for record in &closed {
        assert_ne!(record["outcome"], "complete", "{record}");
    }
    assert!(!closed.is_empty(), "{records:#?}");
}

#[test]
fn a_whole_log_verifies_and_an_edited_one_names_the_record() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    for _ in 0..5 {
        gate.client().get(&format!("https://{HOST}/")).into_text();
    }
    gate.stop();
    outwall.run(&["audit", "verify"]).exited_with(0);

    let file = log_files(&outwall).pop().unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = whole.lines().collect();

    // A log that is closed is read-only; whoever edits it is its owner.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let edited = whole.replacen("\"status\":200", "\"status\":404", 1);
    assert_ne!(edited, whole);
    fs::write(&file, edited).unwrap();
    let finished = outwall.run(&["audit", "verify"]).exited_with(1);
    assert!(
        format!("{finished:?}").contains("jsonl"),
        "it names the file: {finished:?}"
    );

    let without_one: Vec<_> = lines
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 3)
        .map(|(_, line)| *line)
        .collect();
    fs::write(&file, without_one.join("\n") + "\n").unwrap();
    outwall.run(&["audit", "verify"]).exited_with(1);

    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    fs::write(&file, swapped.join("\n") + "\n").unwrap();
    outwall.run(&["audit", "verify"]).exited_with(1);

    fs::write(&file, &whole).unwrap();
    outwall.run(&["audit", "verify"]).exited_with(0);
}

#[test]
fn a_torn_last_line_is_repaired_at_the_next_start_and_noted() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let mut gate = outwall.gate();
    gate.client().get(&format!("https://{HOST}/")).into_text();
    gate.kill();
    let file = log_files(&outwall).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 40]).unwrap();

    outwall.gate().stop();
    assert_eq!(outwall.audit_of("repaired").len(), 1, "{:#?}", outwall.audit());
    outwall.run(&["audit", "verify"]).exited_with(0);
}

#[test]
fn nothing_is_forwarded_when_the_log_cannot_be_written() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    // A file-size limit: the log takes a little and then no more, as on a full disk.
    let gate = outwall.gate_with_files_up_to(8);
    let mut refused = None;
    for number in 0..200 {
        let response = gate.client().get(&format!("https://{HOST}/n/{number}"));
        if response.status() != 200 {
            refused = Some((response.status(), response.reason().to_owned()));
            break;
        }
    }
    assert_eq!(refused, Some((503, "audit-unavailable".to_owned())));
    let reached = origin.requests().len();
    gate.client().get(&format!("https://{HOST}/after"));
    assert_eq!(
        origin.requests().len(),
        reached,
        "nothing went out without a record"
    );
}

fn log_files(outwall: &Outwall) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(outwall.state_dir().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "jsonl")
                && !path.ends_with("checkpoints.jsonl")
        })
        .collect();
    files.sort();
    files
}

fn everything_below(directory: &std::path::Path) -> String {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap_or_default())
        .collect()
}
