//! One limit as it is counted: an atomic number, so that counting takes no lock.
//!
//! What refills is a leaky bucket, kept as the moment at which it is empty again (the "theoretical arrival time" of GCRA): using
//! `n` of an amount moves that moment by `n / amount` of the period, and it may be no further away than one period. So a whole
//! amount may be used at once, and it comes back evenly, not all at once at the full hour.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use outwall_policy::{Excess, Limit, LimitKind};

/// Moments are counted in ticks since a sandbox began. A sixteenth of a nanosecond: fine enough that a byte of a terabyte an
/// hour is not rounded to nothing, and 36 years fit.
const TICKS_PER_NANOSECOND: u128 = 16;

/// Gives the moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

/// A moment, or a length of time.
type Ticks = u64;

/// What is used of one limit.
#[derive(Debug)]
pub(super) struct Meter {
    kind: LimitKind,
    /// 0: not limited.
    amount: AtomicU64,
    /// When all that was used is whole again; or how many run, of what ends by itself.
    used: AtomicU64,
    /// The limit that the amount is of.
    limit: Mutex<Option<Limit>>,
}

impl Clock {
    pub(super) fn starting(now: Instant) -> Self {
        Self(now)
    }

    pub(super) fn now(self) -> Ticks {
        ticks(self.0.elapsed())
    }
}

fn ticks(time: Duration) -> Ticks {
    u64::try_from(time.as_nanos() * TICKS_PER_NANOSECOND).unwrap_or(u64::MAX)
}

fn duration(ticks: Ticks) -> Duration {
    Duration::from_nanos(u64::try_from(u128::from(ticks).div_ceil(TICKS_PER_NANOSECOND)).unwrap_or(u64::MAX))
}

impl Meter {
    pub(super) fn new(kind: LimitKind) -> Self {
        Self {
            kind,
            amount: AtomicU64::new(0),
            used: AtomicU64::new(0),
            limit: Mutex::default(),
        }
    }

    /// Whether it is as if nothing had ever been used.
    pub(super) fn is_unused(&self, now: Ticks) -> bool {
        let used = self.used.load(Relaxed);
        match self.kind.period() {
            Some(_) => used <= now,
            None => used == 0,
        }
    }

    /// The limit is another one from here on; what was used of the one before counts as used of this one.
    pub(super) fn limit_to(&self, limit: Option<Limit>, now: Ticks) {
        let after = limit.as_ref().map_or(0, Limit::amount);
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        let before = self.amount.swap(after, Relaxed);
        if before == after || before == 0 || after == 0 || self.kind.period().is_none() {
            return;
        }
        let rescale = |whole_at: Ticks| {
            let used = u128::from(whole_at.saturating_sub(now)) * u128::from(before) / u128::from(after);
            now.saturating_add(u64::try_from(used).unwrap_or(u64::MAX))
        };
        let _ = self
            .used
            .fetch_update(Relaxed, Relaxed, |whole_at| Some(rescale(whole_at)));
    }

    /// Uses `n`, or says why there is not as much.
    pub(super) fn take(&self, n: u64, now: Ticks) -> Result<(), Excess> {
        let amount = self.amount.load(Relaxed);
        match self.kind.period() {
            Some(_) if amount == 0 => Ok(()),
            Some(period) => self.take_refilling(n, amount, ticks(period), now),
            // Counted without a limit too: it ends under whatever limit there is then.
            None => self
                .used
                .fetch_update(Relaxed, Relaxed, |running| {
                    (amount == 0 || running < amount).then_some(running + 1)
                })
                .map(drop)
                .map_err(|_full| Excess::For(SOON)),
        }
    }

    fn take_refilling(&self, n: u64, amount: u64, period: Ticks, now: Ticks) -> Result<(), Excess> {
        let cost = cost(n, amount, period);
        if cost > period {
            return Err(Excess::Forever);
        }
        let full = now.saturating_add(period);
        let whole_at = |whole_at: Ticks| whole_at.max(now).saturating_add(cost);
        self.used
            .fetch_update(Relaxed, Relaxed, |used| {
                Some(whole_at(used)).filter(|at| *at <= full)
            })
            .map(drop)
            .map_err(|used| Excess::For(duration(whole_at(used) - full)))
    }

    /// Undoes a [`Self::take`] of `n` that came to nothing; or ends what ran.
    pub(super) fn give_back(&self, n: u64) {
        let amount = self.amount.load(Relaxed);
        let returned = match self.kind.period() {
            Some(_) if amount == 0 => return,
            Some(period) => cost(n, amount, ticks(period)),
            None => 1,
        };
        let _ = self
            .used
            .fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(returned)));
    }

    /// The limit, to be named in a refusal.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What using `n` costs in time. Rounded up: never is a byte free.
fn cost(n: u64, amount: u64, period: Ticks) -> Ticks {
    let cost = (u128::from(n) * u128::from(period)).div_ceil(u128::from(amount.max(1)));
    u64::try_from(cost).unwrap_or(u64::MAX)
}

/// When to come back where nobody knows when a request will end.
const SOON: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use outwall_policy::{Policy, PolicyDocument};

    use super::*;

    const SECOND: Ticks = 16_000_000_000;

    fn limit(kind: LimitKind, amount: u64) -> Option<Limit> {
        let document = format!("[environments.a.limits]\n{} = {amount}\n", kind.key());
        let policy = Policy::compile(&PolicyDocument::parse(&document, "test.toml").unwrap()).unwrap();
        policy
            .environment(None)
            .unwrap()
            .allowances()
            .unwrap()
            .of_sandbox(kind)
    }

    fn meter(kind: LimitKind, amount: u64) -> Meter {
        let meter = Meter::new(kind);
        meter.limit_to(limit(kind, amount), 0);
        meter
    }

    #[test]
    fn an_amount_may_be_used_at_once_and_comes_back_evenly() {
        let meter = meter(LimitKind::Requests, 60);
        for _ in 0..60 {
            meter.take(1, 0).unwrap();
        }
        assert_eq!(meter.take(1, 0), Err(Excess::For(Duration::from_secs(1))));
        assert_eq!(
            meter.take(30, SECOND / 2),
            Err(Excess::For(Duration::from_millis(29_500)))
        );
        assert_eq!(meter.take(1, SECOND), Ok(()));
        assert!(meter.take(1, SECOND).is_err());
        assert_eq!(meter.take(60, 61 * SECOND), Ok(()), "a minute later all is whole");
    }

    #[test]
    fn waiting_as_long_as_is_said_is_enough_and_less_is_not() {
        let meter = meter(LimitKind::Upload, 10 << 30);
        meter.take(10 << 30, 7).unwrap();
        for n in [1, 1_500, 1 << 20, 10 << 30] {
            let Err(Excess::For(wait)) = meter.take(n, 7) else {
                panic!("nothing is left");
            };
            let at = 7 + ticks(wait);
            assert!(meter.take(n, at - 32).is_err(), "{n}: two nanoseconds too early");
            assert_eq!(meter.take(n, at), Ok(()), "{n}");
            meter.give_back(n);
        }
    }

    #[test]
    fn what_is_more_than_all_of_it_never_fits() {
        let meter = meter(LimitKind::Upload, 1_000);
        assert_eq!(meter.take(1_001, 0), Err(Excess::Forever));
        assert_eq!(meter.take(1_000, 0), Ok(()));
    }

    #[test]
    fn a_byte_is_never_free() {
        let meter = meter(LimitKind::Download, 1 << 40);
        meter.take((1 << 40) - 1, 0).unwrap();
        let taken = (0..3).filter(|_| meter.take(1, 0).is_ok()).count();
        assert!(taken <= 1, "{taken}");
    }

    #[test]
    fn what_was_used_stays_used_when_the_limit_changes() {
        let meter = meter(LimitKind::Requests, 100);
        meter.take(60, 0).unwrap();
        meter.limit_to(limit(LimitKind::Requests, 80), 0);
        assert_eq!(meter.take(20, 0), Ok(()));
        assert!(meter.take(1, 0).is_err());
        meter.limit_to(limit(LimitKind::Requests, 40), 0); // 80 used of 40
        assert_eq!(
            meter.take(1, 0),
            Err(Excess::For(Duration::from_millis(61_500))),
            "40 have to come back, and one more"
        );
        meter.limit_to(limit(LimitKind::Requests, 100), 0);
        assert_eq!(meter.take(20, 0), Ok(()));
        meter.limit_to(None, 0);
        assert_eq!(meter.take(1_000, 0), Ok(()), "no limit");
    }

    #[test]
    fn what_runs_ends_by_itself() {
        let meter = meter(LimitKind::Concurrent, 2);
        meter.take(1, 0).unwrap();
        meter.take(1, 0).unwrap();
        assert_eq!(meter.take(1, 5), Err(Excess::For(SOON)));
        meter.give_back(1);
        assert_eq!(meter.take(1, 5), Ok(()));
        assert!(!meter.is_unused(1 << 60));
        meter.give_back(1);
        meter.give_back(1);
        assert!(meter.is_unused(0));
    }

    #[test]
    fn threads_that_take_at_once_get_no_more_than_there_is() {
        let meter = meter(LimitKind::Upload, 10_000);
        let taken: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..5_000).filter(|_| meter.take(1, 1).is_ok()).count() as u64))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 10_000);
    }
}
