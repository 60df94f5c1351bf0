//! What the audit keeps is delivered to other systems, whatever dies. Repeats are taken out by id; what is left is compared with the
//! log, and where retention removed files of it, with the numbers of each writer, which have no gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use outwall_tests::receivers::{Api, Mood, TestReceiver};
use outwall_tests::{Outwall, TestGate, TestOrigin};
use serde_json::Value;

use crate::crash::{Dice, live_and_die};
use crate::{as_each_user, outwall};

/// The judge of the OCSF mapping, by the published schema.
#[path = "../../audit/tests/ocsf/schema.rs"]
mod ocsf_schema;

const HOST: &str = "api.example.test";

/// Files of 64 KiB, some hundred requests each.
const SMALL_FILES: &str = "segment_size = \"64 KiB\"\ncheckpoint_every_events = 50\n";
/// The same, and what is beyond one file, and nobody waits for, is removed.
const REMOVED_SOON: &str =
    "segment_size = \"64 KiB\"\ncheckpoint_every_events = 50\nkeep_at_most = \"64 KiB\"\ncompress = false\n";

const FILE: &str = "[[audit.sinks]]\nname = \"lines\"\nkind = \"file\"\npath = \"DIR/lines.jsonl\"\n";
const OCSF: &str =
    "[[audit.sinks]]\nname = \"ocsf\"\nkind = \"file\"\npath = \"DIR/ocsf.jsonl\"\nformat = \"ocsf\"\n";

#[test]
fn what_is_kept_is_delivered_to_every_sink_when_gates_die() {
    let moody = |number: u64| match number % 5 {
        1 => Mood::TookAndDied,
        3 => Mood::Closed,
        _ => Mood::Well,
    };
    let receivers = [Api::Webhook, Api::Otlp, Api::Syslog].map(|api| TestReceiver::in_mood(api, moody));
    let mut sinks = format!("{FILE}{OCSF}");
    for (receiver, kind) in receivers.iter().zip(["webhook", "otlp", "syslog"]) {
        sinks += &http(kind, kind, receiver);
    }
    let origin = TestOrigin::start();
    let outwall = story(outwall(), &origin, SMALL_FILES, &sinks);
    let mut dice = Dice(0x5eed_3333);
    for round in 0..4 {
        let death = 20 + dice.below(100);
        live_and_die(outwall.gate(), &format!("/n/{round}"), 150, death);
    }
    let gate = outwall.gate(); // repairs
    eventually("finished files are compressed", || compressed(&outwall) > 2);
    gate.stop();
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);

    let kept = kept(&outwall);
    let reached = origin
        .paths()
        .iter()
        .filter(|path| path.starts_with("/n/"))
        .count();
    assert!(reached >= 80, "clients were served: {reached}");
    assert_eq!(ids(&lines(&outwall, "lines.jsonl")), kept);
    for receiver in &receivers {
        assert_eq!(receiver.taken().into_iter().collect::<BTreeSet<_>>(), kept);
    }
    let taken: usize = receivers.iter().map(|receiver| receiver.taken().len()).sum();
    assert!(
        taken > 3 * kept.len(),
        "something was repeated, so that something was tested"
    );
    let mapped = lines(&outwall, "ocsf.jsonl");
    let names: BTreeSet<String> = mapped
        .iter()
        .map(|event| event["metadata"]["uid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, kept);
    let printed = outwall.run(&["audit", "--format", "ocsf"]).succeeded().stdout;
    let printed: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        printed.len() >= reached,
        "each request at least: {}",
        printed.len()
    );
    for event in mapped.iter().chain(&printed) {
        assert_eq!(ocsf_schema::faults(event), [""; 0], "{event:#}");
    }
    outwall.run(&["audit", "verify"]).exited_with(0);
}

#[test]
fn a_dead_sink_slows_nobody_and_what_it_waits_for_is_kept_until_it_has_it() {
    let alive = Arc::new(AtomicBool::new(false));
    let dead = mortal(&alive);
    let origin = TestOrigin::start();
    let sinks = format!("{FILE}{}", http("dead", "webhook", &dead));
    let outwall = story(outwall(), &origin, REMOVED_SOON, &sinks);
    let gate = outwall.gate();
    ask(&gate, 300);
    gate.stop();
    let gate = outwall.gate();
    eventually("retention waits", || {
        outwall.audit_of("finding").iter().any(|finding| {
            finding["reason"] == "retention-waits" && finding["message"].as_str().unwrap().contains("`dead`")
        })
    });
    ask(&gate, 5);
    gate.stop();
    assert_eq!(
        outwall.audit_of("segment.removed"),
        [] as [Value; 0],
        "though there is too much"
    );
    assert_eq!(going_out(&outwall), 305);

    let once = outwall.run(&["audit", "ship", "--once"]).exited_with(1);
    assert!(
        once.stdout.contains("sink dead has not got") && once.stdout.contains("broke off"),
        "{once:?}"
    );
    assert!(!once.stdout.contains("sink lines"), "{once:?}");
    let told = outwall.run(&["audit", "sinks"]).succeeded();
    assert!(told.stdout.contains("dead: it broke off"), "{told:?}");

    let kept_until_now = kept(&outwall);
    alive.store(true, Ordering::Relaxed);
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);
    assert_eq!(dead.taken().into_iter().collect::<BTreeSet<_>>(), kept_until_now);
    let gate = outwall.gate();
    eventually("what it has is removed", || {
        !outwall.audit_of("segment.removed").is_empty()
    });
    ask(&gate, 10);
    gate.stop();
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);

    let lines = ids(&lines(&outwall, "lines.jsonl"));
    assert_eq!(dead.taken().into_iter().collect::<BTreeSet<_>>(), lines);
    let kept = kept(&outwall);
    assert!(
        lines.is_superset(&kept) && lines.len() > kept.len(),
        "some is not in the log any more"
    );
    assert_no_gaps(&lines);
    outwall.run(&["audit", "verify"]).exited_with(0);
}

#[test]
fn a_sink_that_was_taken_out_of_the_policy_keeps_nothing_and_comes_back_where_it_was() {
    let alive = Arc::new(AtomicBool::new(false));
    let dead = mortal(&alive);
    let origin = TestOrigin::start();
    let both = format!("{FILE}{}", http("dead", "webhook", &dead));
    let outwall = story(outwall(), &origin, REMOVED_SOON, &both);
    let gate = outwall.gate();
    ask(&gate, 200);
    gate.stop();
    assert_eq!(outwall.audit_of("segment.removed"), [] as [Value; 0]);

    let outwall = outwall_with(outwall, REMOVED_SOON, FILE);
    let told = outwall.run(&["audit", "sinks"]).succeeded().stdout;
    assert!(
        told.contains("dead (not in this policy)") && told.contains("until a gate starts"),
        "{told}"
    );
    outwall.run(&["audit", "ship", "--once"]).exited_with(0); // so that nothing else waits
    let gate = outwall.gate();
    gate.wait_for_stderr("no policy names the audit sink `dead` any more");
    eventually("nothing waits any more", || {
        !outwall.audit_of("segment.removed").is_empty()
    });
    gate.stop();
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);
    let set_aside = |line: &&Value| line["reason"] == "sink-set-aside";
    assert_eq!(
        lines(&outwall, "lines.jsonl").iter().filter(set_aside).count(),
        1,
        "the other sink has it"
    );
    let told = outwall
        .run(&["audit", "sinks", "--format", "json"])
        .succeeded()
        .stdout;
    assert!(told.contains(r#""standing":"set-aside""#), "{told}");

    let outwall = outwall_with(outwall, SMALL_FILES, &both);
    alive.store(true, Ordering::Relaxed);
    outwall.run(&["audit", "ship", "--once"]).exited_with(0);
    assert_eq!(
        dead.taken().into_iter().collect::<BTreeSet<_>>(),
        kept(&outwall),
        "what the log still has"
    );
    let told = outwall
        .run(&["audit", "sinks", "--format", "json"])
        .succeeded()
        .stdout;
    assert!(!told.contains("standing"), "{told}");
}

#[test]
fn a_run_delivers_what_it_did() {
    as_each_user(|outwall| {
        let origin = TestOrigin::start();
        let outwall = story(outwall, &origin, "", &format!("{FILE}{OCSF}"));
        outwall
            .shell(
                &["--quiet"],
                &format!("curl -sf https://{HOST}/n/0; curl -s https://evil.example.test; true"),
            )
            .succeeded();
        outwall.run(&["audit", "ship", "--once"]).exited_with(0); // what a busy machine left
        assert_eq!(ids(&lines(&outwall, "lines.jsonl")), kept(&outwall));
        let mapped = lines(&outwall, "ocsf.jsonl");
        let of_class = |uid: u32| mapped.iter().filter(|event| event["class_uid"] == uid).count();
        assert!(of_class(4002) >= 2 && of_class(6002) >= 2, "{mapped:#?}");
        for event in &mapped {
            assert_eq!(ocsf_schema::faults(event), [""; 0], "{event:#}");
        }
    });
}

fn story(outwall: Outwall, origin: &TestOrigin, settings: &str, sinks: &str) -> Outwall {
    outwall.write_work_file("signing", "signing\n");
    outwall_with(outwall, settings, sinks).origin(HOST, origin)
}

fn outwall_with(outwall: Outwall, settings: &str, sinks: &str) -> Outwall {
    let directory = outwall.work_dir().display().to_string();
    let policy = format!(
        "default_environment = \"test\"\n[environments.test]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[audit]\n{settings}{}",
        sinks.replace("DIR", &directory)
    );
    outwall.policy(&policy)
}

/// Small batches, so that deaths fall between them.
fn http(name: &str, kind: &str, receiver: &TestReceiver) -> String {
    let signing = if kind == "webhook" {
        "signing_secret = { file = \"DIR/signing\" }\n"
    } else {
        ""
    };
    format!(
        "[[audit.sinks]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{}\"\nbatch = 20\n{signing}",
        receiver.url()
    )
}

/// Accepts and closes until it is alive.
fn mortal(alive: &Arc<AtomicBool>) -> TestReceiver {
    let alive = Arc::clone(alive);
    TestReceiver::in_mood(Api::Webhook, move |_| {
        if alive.load(Ordering::Relaxed) {
            Mood::Well
        } else {
            Mood::Closed
        }
    })
}

#[track_caller]
fn ask(gate: &TestGate, times: usize) {
    let mut connection = gate.client().open(&format!("https://{HOST}/"));
    for number in 0..times {
        let response = connection.get(&format!("https://{HOST}/n/{number}"));
        assert_eq!(response.status(), 200);
    }
}

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "not within a minute: {what}"
        );
        thread::sleep(Duration::from_millis(200));
    }
}

/// The ids that the log has.
fn kept(outwall: &Outwall) -> BTreeSet<String> {
    ids(&outwall.audit())
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    let ids = events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// A line that a kill tore is none; its event comes again.
fn lines(outwall: &Outwall, file: &str) -> Vec<Value> {
    let path: PathBuf = outwall.work_dir().join(file);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn compressed(outwall: &Outwall) -> usize {
    let entries = fs::read_dir(outwall.state_dir().join("audit")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".jsonl.zst"))
        .count()
}

fn going_out(outwall: &Outwall) -> usize {
    outwall.audit_of("exchange.going_out").len()
}

/// `WRITER-SEQ`: each writer counts from 1 in steps of 1.
#[track_caller]
fn assert_no_gaps(ids: &BTreeSet<String>) {
    let mut writers: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for id in ids {
        let (writer, seq) = id.split_once('-').unwrap();
        writers.entry(writer).or_default().insert(seq.parse().unwrap());
    }
    for (writer, seqs) in writers {
        let count = seqs.len() as u64;
        assert_eq!(seqs.last(), Some(&count), "{writer} has gaps");
    }
}
