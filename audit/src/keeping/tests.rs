#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use outwall_policy::AuditSettings;

use crate::checkpoint;
use crate::event::{Event, Kind};
use crate::log::AuditLog;
use crate::query::{Filter, read};
use crate::segment::{self, Form};
use crate::verify::{Evidence, Misfit, Report, verify};

/// Files so small that a test fills several.
fn small() -> AuditSettings {
    AuditSettings {
        segment_size: 8 << 10,
        checkpoint_every_events: 20,
        compress: false,
        ..AuditSettings::default()
    }
}

/// Writes until there are so many files.
fn fill(log: &AuditLog, directory: &Path, files: usize) {
    let start = Instant::now();
    let mut number = 0;
    while segment::list(directory).unwrap().len() < files {
        log.gate_started("outwall", &format!("event {number} {}", "x".repeat(100)))
            .unwrap();
        number += 1;
        assert!(start.elapsed() < Duration::from_mins(1), "no rotation");
        if number % 20 == 0 {
            std::thread::sleep(Duration::from_millis(2)); // the keeper is another thread
        }
    }
    until("it goes on in the new file", || {
        segment::list(directory)
            .unwrap()
            .iter()
            .any(|file| file.path() == log.path() && file.of().unwrap().number as usize >= files)
    });
    log.gate_started("outwall", "in the last file").unwrap();
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn verified(directory: &Path) -> Report {
    verify(&[directory.to_owned()], &Evidence::beside(directory).unwrap()).unwrap()
}

fn problems(report: &Report) -> Vec<&Misfit> {
    let problems = report.files.iter().filter_map(|file| file.problem.as_ref());
    problems.map(|problem| &problem.why).collect()
}

fn events(directory: &Path) -> Vec<Event> {
    let events = read(directory, Filter::default()).unwrap();
    events.map(Result::unwrap).collect()
}

#[test]
fn a_chain_goes_on_over_files_and_a_removed_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(directory.path(), small()).unwrap();
    fill(&log, directory.path(), 4);
    drop(log);
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert!(report.checkpoints > 4 && report.signatures_checked);
    let numbers: Vec<u64> = events(directory.path()).iter().map(|event| event.seq).collect();
    assert!(
        numbers.iter().copied().eq(1..=report.records()),
        "none twice, none missing"
    );

    let files = segment::list(directory.path()).unwrap();
    for (place, file) in files.iter().enumerate() {
        let away = directory.path().join("away");
        fs::rename(file.path(), &away).unwrap();
        let report = verified(directory.path());
        assert!(!report.is_whole(), "file {place} of {}", files.len());
        let is_last = place == files.len() - 1;
        match problems(&report)[..] {
            [Misfit::FilesMissing { .. }] => assert!(!is_last),
            [Misfit::CutOff { .. }] => assert!(is_last),
            ref other => panic!("{other:?}"),
        }
        fs::rename(&away, file.path()).unwrap();
    }
    assert!(verified(directory.path()).is_whole());
}

#[test]
fn an_old_file_is_followed_by_another_and_one_without_records_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let settings = AuditSettings {
        segment_age: Duration::from_millis(50),
        ..AuditSettings::default()
    };
    let log = AuditLog::open(directory.path(), settings).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(segment::list(directory.path()).unwrap().len(), 1);
    log.gate_started("outwall", "").unwrap();
    until("a second file", || {
        segment::list(directory.path()).unwrap().len() == 2
    });
    drop(log);
    assert!(verified(directory.path()).is_whole());
}

#[test]
fn finished_files_are_compressed_and_read_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let settings = AuditSettings {
        segment_size: 64 << 10,
        compress: true,
        ..small()
    };
    let log = AuditLog::open(directory.path(), settings).unwrap();
    fill(&log, directory.path(), 3);
    until("two compressed files", || {
        let files = segment::list_forms(directory.path()).unwrap();
        let compressed = files.iter().filter(|file| file.form() == Form::Compressed);
        compressed.count() >= 2 && files.len() == segment::list(directory.path()).unwrap().len()
    });
    log.flush().unwrap();
    let files = segment::list(directory.path()).unwrap();
    assert!(files[0].size().unwrap() * 3 < files[0].length().unwrap());
    drop(log);
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(events(directory.path()).len() as u64, report.records());
}

#[test]
fn a_crash_while_compressing_leaves_each_event_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(directory.path(), small()).unwrap();
    fill(&log, directory.path(), 2);
    drop(log);
    let all = events(directory.path()).len();
    let first = segment::list(directory.path()).unwrap().remove(0);
    // Both forms are there: it stopped between renaming and removing.
    let plain = fs::read(first.path()).unwrap();
    super::compress::compress(&first, || false).unwrap();
    fs::write(first.path(), &plain).unwrap();
    assert_eq!(events(directory.path()).len(), all);
    assert!(verified(directory.path()).is_whole());
    // It stopped within writing.
    fs::remove_file(first.compressed_path()).unwrap();
    super::compress::compress(&first, || true).unwrap();
    assert!(first.path().exists() && !first.compressed_path().exists());
    assert!(verified(directory.path()).is_whole());
    super::compress::compress(&first, || false).unwrap();
    assert!(!first.path().exists() && first.compressed_path().exists());
    assert_eq!(events(directory.path()).len(), all);
    assert!(verified(directory.path()).is_whole());
}

#[test]
fn what_is_too_much_is_removed_oldest_first_and_that_is_no_tampering() {
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(directory.path(), small()).unwrap();
    fill(&log, directory.path(), 6);
    let before = segment::list(directory.path()).unwrap();
    log.keep_as(AuditSettings {
        keep_at_most: Some(24 << 10),
        ..small()
    });
    until("removed", || {
        log.gate_started("outwall", &"y".repeat(200)).unwrap();
        !before[1].path().exists()
    });
    drop(log);
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    let removed: Vec<_> = events(directory.path())
        .into_iter()
        .filter(|event| event.kind == Kind::SegmentRemoved)
        .collect();
    assert_eq!(removed[0].file.as_deref(), Some(before[0].stem()));
    assert!(removed[0].message.as_ref().unwrap().contains("keep_at_most"));

    // The same by hand is tampering.
    let next = segment::list(directory.path()).unwrap().remove(0);
    fs::remove_file(next.path()).unwrap();
    assert!(!verified(directory.path()).is_whole());
}

static AHEAD_HOURS: AtomicI64 = AtomicI64::new(0);

#[test]
fn what_is_too_old_is_removed_once_every_sink_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(directory.path(), small()).unwrap();
    fill(&log, directory.path(), 3);
    drop(log);
    let files = segment::list(directory.path()).unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(1000);
    let clock = || Timestamp::now() + SignedDuration::from_hours(AHEAD_HOURS.load(Ordering::SeqCst));
    for file in &files {
        fs::File::open(file.path())
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let sinks = directory.path().join("sinks");
    fs::create_dir(&sinks).unwrap();
    let acknowledge = |until: u64| {
        let positions = format!("{{\"v\":1,\"positions\":{{\"{}\":{until}}}}}", files[0].stem());
        fs::write(sinks.join("siem.json"), positions).unwrap();
    };
    let length = files[0].length().unwrap();
    acknowledge(length - 1);
    let old = AuditSettings {
        keep_for: Some(Duration::from_hours(24)),
        ..small()
    };
    let log = AuditLog::open_by(directory.path(), old, clock).unwrap();
    log.gate_started("outwall", "").unwrap();
    let core = log.shared().core();
    let apply = || {
        let settings = std::sync::Arc::clone(&core.lock().settings);
        super::retention::apply(core, &settings).unwrap()
    };
    assert_eq!(apply(), None, "a clock may be wrong");
    assert!(files.iter().all(|file| file.path().exists()));
    AHEAD_HOURS.store(20, Ordering::SeqCst); // the log's own file is younger than keep_for
    let waits = apply();
    assert_eq!(waits, None, "and a day is longer");
    AHEAD_HOURS.store(24, Ordering::SeqCst);
    let waits = apply().unwrap();
    assert!(waits.contains("`siem`") && files[0].path().exists(), "{waits}");
    acknowledge(length);
    let waits = apply().unwrap();
    assert!(!files[0].path().exists() && files[1].path().exists(), "{waits}");
    fs::remove_file(sinks.join("siem.json")).unwrap();
    assert_eq!(apply(), None);
    assert!(files.iter().all(|file| !file.path().exists()));
    drop(log);
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    fs::remove_file(checkpoint::beside(directory.path())).unwrap();
    assert!(verified(directory.path()).is_whole(), "the chain says it too");
}

#[test]
fn what_does_not_hold_together_is_kept_as_evidence() {
    let directory = tempfile::tempdir().unwrap();
    let log = AuditLog::open(directory.path(), small()).unwrap();
    fill(&log, directory.path(), 3);
    let first = segment::list(directory.path()).unwrap().remove(0);
    let text = fs::read_to_string(first.path()).unwrap();
    fs::remove_file(first.path()).unwrap();
    fs::write(first.path(), text.replacen("event 3", "event 4", 1)).unwrap();
    fs::set_permissions(first.path(), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let settings = AuditSettings {
        keep_at_most: Some(8 << 10),
        ..small()
    };
    let said = super::retention::apply(log.shared().core(), &settings).unwrap();
    assert!(said.unwrap().contains("evidence") && first.path().exists());
}
