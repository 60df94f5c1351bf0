//! How long to wait before a receiver is tried again: twice as long each time, and never all at once.

use std::time::Duration;

/// Counts failures in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    failures: u32,
}

impl Backoff {
    /// `first`: how long to wait at most after one failure.
    pub(crate) fn new(first: Duration) -> Self {
        Self { first, failures: 0 }
    }

    /// After another failure. `asked`: what the receiver said (`Retry-After`), which is at least waited for.
    pub(crate) fn after_failure(&mut self, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = self
            .first
            .saturating_mul(1 << self.failures.min(20).saturating_sub(1));
        let most = doubled.min(LONGEST);
        let jittered = most.mul_f64(0.5 + 0.5 * random());
        asked.map_or(jittered, |asked| {
            asked.min(LONGEST_ASKED).max(jittered.min(self.first))
        })
    }

    pub(crate) fn after_success(&mut self) {
        self.failures = 0;
    }
}

/// From 0 to 1, so that many gates do not come back to a receiver in the same moment. Without random numbers: the middle.
fn random() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

const LONGEST: Duration = Duration::from_mins(1);
/// Longer than any receiver means, who says more: it is asked again then.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(FIRST);
        let waits: Vec<Duration> = (0..40).map(|_| backoff.after_failure(None)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[3] >= FIRST * 4 && waits[3] <= FIRST * 8);
        assert!(
            waits[10..]
                .iter()
                .all(|wait| *wait >= LONGEST / 2 && *wait <= LONGEST)
        );
        backoff.after_success();
        assert!(backoff.after_failure(None) <= FIRST);
    }

    #[test]
    fn what_the_receiver_asks_for_is_waited_for_within_an_hour() {
        let mut backoff = Backoff::new(FIRST);
        assert_eq!(
            backoff.after_failure(Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        assert_eq!(
            backoff.after_failure(Some(Duration::from_hours(99))),
            LONGEST_ASKED
        );
        assert!(
            backoff.after_failure(Some(Duration::ZERO)) >= FIRST / 2,
            "never at once"
        );
    }
}
