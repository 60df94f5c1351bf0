//! Which files are older than `keep_for` by the clock, and since when that has been seen.
//!
//! The clock may be wrong, and what it says young or old about is gone for good. So a file goes when it was too old at two looks that are a
//! day apart ([`patience`]), and at each in between. A clock that jumps forward and comes back within a day removes nothing; a log whose
//! gates live for minutes is kept as one whose gate runs on, since what was seen is in a file, `.overdue.json` beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::segment::Segment;

/// By stem: when it was first seen to be too old.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Overdue(BTreeMap<String, Timestamp>);

impl Overdue {
    /// Looks at all files, at this time, and remembers what was seen.
    pub(super) fn look(
        directory: &Path,
        segments: &[Segment],
        keep_for: Duration,
        now: Timestamp,
    ) -> io::Result<Self> {
        let file = directory.join(FILE);
        let before = Self::read(&file)?;
        let mut seen = Self::default();
        for segment in segments {
            if is_older(segment.modified()?, keep_for, now) {
                let since = before.0.get(segment.stem()).map_or(now, |since| now.min(*since)); // later than now: the clock went back
                seen.0.insert(segment.stem().to_owned(), since);
            }
        }
        if seen != before {
            seen.write(&file)?;
        }
        Ok(seen)
    }

    /// Whether a file has been too old for long enough to be believed.
    pub(super) fn is_believed(&self, segment: &Segment, keep_for: Duration, now: Timestamp) -> bool {
        let since = self.0.get(segment.stem());
        since.is_some_and(|since| is_older(SystemTime::from(*since), patience(keep_for), now))
    }

    /// What cannot be understood was not seen: files stay for a day more.
    fn read(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Ok(bytes) => Ok(Self(serde_json::from_slice(&bytes).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let unfinished = file.with_extension("unfinished");
        fs::write(&unfinished, serde_json::to_vec(&self.0)?)?;
        fs::rename(unfinished, file)
    }
}

fn is_older(written: SystemTime, keep_for: Duration, now: Timestamp) -> bool {
    let age = SystemTime::from(now).duration_since(written).unwrap_or_default(); // of the future: it is new
    age >= keep_for
}

/// How long a file has to be seen as too old.
fn patience(keep_for: Duration) -> Duration {
    keep_for.min(Duration::from_hours(24))
}

const FILE: &str = ".overdue.json";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::fs::File;

    use jiff::SignedDuration;

    use super::*;

    const KEEP: Duration = Duration::from_hours(30 * 24);
    const BEGAN: &str = "2026-11-21T03:35:29Z";

    /// A file that was written at [`BEGAN`], looked at so many hours later.
    struct Log(tempfile::TempDir, Segment);

    impl Log {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory
                .path()
                .join("2026-11-21T03-35-29Z-17-00000000002a.jsonl");
            let file = File::create(&path).unwrap();
            file.set_modified(at(0).into()).unwrap();
            Self(directory, Segment::named(&path))
        }

        fn is_believed_at(&self, hours: i64) -> bool {
            let segments = [self.1.clone()];
            let overdue = Overdue::look(self.0.path(), &segments, KEEP, at(hours)).unwrap();
            overdue.is_believed(&self.1, KEEP, at(hours))
        }
    }

    fn at(hours: i64) -> Timestamp {
        BEGAN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    const DUE: i64 = 30 * 24;

    #[test]
    fn what_is_too_old_for_a_day_is_believed_to_be() {
        let log = Log::new();
        let looks = [1, DUE - 1, DUE, DUE + 23, DUE + 24].map(|hours| log.is_believed_at(hours));
        assert_eq!(looks, [false, false, false, false, true]);
    }

    #[test]
    fn a_clock_that_jumps_forward_and_comes_back_makes_nothing_old() {
        let log = Log::new();
        let decade = 10 * 365 * 24;
        for jump in [decade, decade + 1, decade + 23, 2, decade + 24, decade + 25, 3] {
            assert!(!log.is_believed_at(jump), "at {jump} h");
        }
        assert!(
            !log.is_believed_at(DUE) && log.is_believed_at(DUE + 24),
            "and it is when it is"
        );
    }

    #[test]
    fn a_clock_that_goes_back_while_it_is_too_old_begins_the_day_anew() {
        let log = Log::new();
        let looks = [DUE + 100, DUE + 10, DUE + 33, DUE + 34].map(|hours| log.is_believed_at(hours));
        assert_eq!(looks, [false, false, false, true]);
    }

    #[test]
    fn what_was_seen_and_is_damaged_was_not_seen() {
        let log = Log::new();
        assert!(!log.is_believed_at(DUE));
        fs::write(log.0.path().join(FILE), "{\"torn").unwrap();
        assert!(!log.is_believed_at(DUE + 24) && log.is_believed_at(DUE + 48));
    }
}
