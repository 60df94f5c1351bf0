//! How many queries a sandbox may ask in a time: a token bucket, told the time.

use std::time::{Duration, Instant};

/// Lets `per_second` queries through on average, and `burst` at once.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self {
            per_second: f64::from(per_second),
            burst,
            tokens: burst,
            filled: now,
        }
    }

    /// Takes one token: zero when the query may be answered at once, else how long
    /// until it may.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Duration::ZERO;
        }
        Duration::from_secs_f64((1.0 - self.tokens) / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_waits_its_turn() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 2, start);
        assert_eq!(pace.wait(start), Duration::ZERO);
        assert_eq!(pace.wait(start), Duration::ZERO);
        let wait = pace.wait(start);
        assert!(
            wait > Duration::from_millis(90) && wait <= Duration::from_millis(100),
            "{wait:?}"
        );
        assert_eq!(pace.wait(start + wait), Duration::ZERO);
    }

    #[test]
    fn rest_fills_the_bucket_no_higher_than_the_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 2, start);
        let later = start + Duration::from_hours(1);
        assert_eq!(pace.wait(later), Duration::ZERO);
        assert_eq!(pace.wait(later), Duration::ZERO);
        assert!(pace.wait(later) > Duration::ZERO);
    }
}
