//! A clock that jumps, back and forward: nothing is lost, and the order stays that of the numbers.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use outwall_policy::AuditSettings;

use crate::event::Event;
use crate::log::AuditLog;
use crate::query::{Filter, Follow, read};
use crate::segment;
use crate::verify::{Evidence, verify};
use crate::writer::Counted;

static AHEAD_SECONDS: AtomicI64 = AtomicI64::new(0);

fn jumping() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD_SECONDS.load(Ordering::SeqCst))
}

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;
/// Summer time set by hand, a dead battery, a clock of another century.
const JUMPS: [i64; 8] = [0, HOUR, -HOUR, 10 * YEAR, 0, -50 * YEAR, -50 * YEAR + 1, 0];

/// Files are followed by others while the clock is everywhere.
fn live_through_jumps(log: &AuditLog, follow: &mut Follow) -> (BTreeSet<String>, Vec<Event>) {
    let (mut acknowledged, mut followed) = (BTreeSet::new(), Vec::new());
    for jump in JUMPS {
        AHEAD_SECONDS.store(jump, Ordering::SeqCst);
        for _ in 0..30 {
            let id = log.gate_started("outwall", &"x".repeat(100)).unwrap();
            acknowledged.insert(id.to_string());
        }
        let file = log.path();
        let start = Instant::now();
        while log.path() == file && start.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(5)); // the keeper is another thread; it need not come
        }
        followed.extend(follow.poll().unwrap());
    }
    (acknowledged, followed)
}

fn ids(events: &[Event]) -> BTreeSet<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

#[test]
fn under_fault_a_clock_that_jumps() {
    let directory = tempfile::tempdir().unwrap();
    let settings = AuditSettings {
        segment_size: 6 << 10,
        checkpoint_every_events: 20,
        compress: false,
        ..AuditSettings::default()
    };
    let log = AuditLog::open_by(directory.path(), settings, jumping).unwrap();
    let mut follow = Follow::from_start(directory.path(), Filter::default());
    let (acknowledged, mut followed) = live_through_jumps(&log, &mut follow);
    drop(log);
    followed.extend(follow.poll().unwrap());
    let files = segment::list(directory.path()).unwrap();
    assert!(files.len() > 3, "there was rotation");

    let query = |filter: Filter| -> Vec<Event> {
        let events = read(directory.path(), filter).unwrap();
        events.map(Result::unwrap).collect()
    };
    let all = query(Filter::default());
    assert_eq!(
        (followed.len(), ids(&followed)),
        (all.len(), ids(&all)),
        "followed, each once"
    );
    for event in &all {
        let since: Timestamp = event.at.parse().unwrap();
        let wanted: Vec<Event> = all.iter().filter(|other| other.at >= event.at).cloned().collect();
        let found = query(Filter {
            since: Some(since),
            ..Filter::default()
        });
        assert_eq!(ids(&found), ids(&wanted), "since {since}");
    }
    let mut by_number: Vec<u64> = all.iter().map(|event| event.seq).collect();
    by_number.sort_unstable();
    assert!(
        by_number.iter().copied().eq(1..=all.len() as u64),
        "none twice, none missing"
    );

    let report = verify(
        &[directory.path().to_owned()],
        &Evidence::beside(directory.path()).unwrap(),
    )
    .unwrap();
    let found = ids(&all);
    Counted {
        times: JUMPS.len() - 1,
        acknowledged: acknowledged.len(),
        kept: acknowledged.intersection(&found).count(),
        lost: acknowledged.difference(&found).count(),
        twice: all.len() - found.len(),
        unknown: 0, // nothing goes out
        broken_chains: usize::from(!report.is_whole()),
    }
    .say("unit: the clock jumps (an hour, 10 and 50 years; forward and back), files rotate, all is followed and asked for");
}
