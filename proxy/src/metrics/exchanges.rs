//! Rate, errors and duration of what goes out, by the class of its host.
//!
//! A class is what allowed the host, so that there are few of them whatever hosts a sandbox names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use outwall_policy::RuleName;

use super::Metrics;
use super::exposition::Exposition;

/// What allowed the host of an exchange or a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostClass {
    Trusted,
    Listed,
    AlwaysReachable,
    Full,
    Learned,
    Tunnelled,
    Tcp,
    Granted,
    HostPort,
    Github,
}

impl HostClass {
    pub(super) const ALL: [Self; 10] = [
        Self::Trusted,
        Self::Listed,
        Self::AlwaysReachable,
        Self::Full,
        Self::Learned,
        Self::Tunnelled,
        Self::Tcp,
        Self::Granted,
        Self::HostPort,
        Self::Github,
    ];

    /// Of the connection's rule: one of the environment on its requests says nothing about the host.
    pub(crate) fn of(rule: &RuleName) -> Self {
        match rule {
            RuleName::Trusted { .. } | RuleName::TrustedWrite { .. } => Self::Trusted,
            RuleName::AlwaysReachable(_) => Self::AlwaysReachable,
            RuleName::Full => Self::Full,
            RuleName::Learn => Self::Learned,
            RuleName::Tunnelled(_) => Self::Tunnelled,
            RuleName::Tcp(_) => Self::Tcp,
            RuleName::Granted { .. } => Self::Granted,
            RuleName::HostPort(_) => Self::HostPort,
            RuleName::Github(_) | RuleName::GithubStorage(_) => Self::Github,
            // The last three allow no connection.
            RuleName::Allowed(_) | RuleName::Rule { .. } | RuleName::Limit(_) | RuleName::Size(_) => {
                Self::Listed
            }
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Listed => "listed",
            Self::AlwaysReachable => "always-reachable",
            Self::Full => "full",
            Self::Learned => "learned",
            Self::Tunnelled => "tunnelled",
            Self::Tcp => "tcp",
            Self::Granted => "granted",
            Self::HostPort => "host-port",
            Self::Github => "github",
        }
    }
}

/// How something that went out ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// The origin's status; none for a tunnel, and where there was no response.
    pub(crate) status: Option<u16>,
    pub(crate) failed: bool,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// The outcomes that are told apart. A tunnel that ended well is `complete`.
const OUTCOMES: [&str; 8] = ["complete", "1xx", "2xx", "3xx", "4xx", "5xx", "failed", "aborted"];
const COMPLETE: usize = 0;
const FAILED: usize = 6;
const ABORTED: usize = 7;

impl Ending {
    fn outcome(self) -> usize {
        match self.status {
            _ if self.failed => FAILED,
            Some(status @ 100..=599) => usize::from(status / 100),
            Some(_) => FAILED,
            None => COMPLETE,
        }
    }
}

/// Upper bounds in milliseconds: from a request to a cache next door to a download of minutes.
const BOUNDS: [u64; 14] = [
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/// The counters of one lane.
#[derive(Default)]
pub(super) struct Exchanges([OfClass; HostClass::ALL.len()]);

#[derive(Default)]
struct OfClass {
    begun: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Not cumulated; the last is what took longer than all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// Something that goes out, until it is told how it ended. Dropped without that, it was aborted.
pub(crate) struct Measured {
    metrics: Arc<Metrics>,
    lane: usize,
    class: HostClass,
    since: Instant,
    open: bool,
}

impl Measured {
    pub(crate) fn begin(metrics: &Arc<Metrics>, lane: usize, rule: &RuleName) -> Self {
        let class = HostClass::of(rule);
        metrics.exchanges(lane).0[class as usize]
            .begun
            .fetch_add(1, Relaxed);
        Self {
            metrics: Arc::clone(metrics),
            lane,
            class,
            since: Instant::now(),
            open: true,
        }
    }

    pub(crate) fn end(mut self, how: Ending) {
        self.open = false;
        self.count(how.outcome(), how);
    }

    fn count(&self, outcome: usize, how: Ending) {
        let counters = &self.metrics.exchanges(self.lane).0[self.class as usize];
        counters.outcomes[outcome].fetch_add(1, Relaxed);
        counters.took(self.since.elapsed());
        counters.bytes_up.fetch_add(how.bytes_up, Relaxed);
        counters.bytes_down.fetch_add(how.bytes_down, Relaxed);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if self.open {
            self.count(ABORTED, Ending::default());
        }
    }
}

impl OfClass {
    fn took(&self, duration: Duration) {
        let millis = duration.as_millis();
        let place = BOUNDS.iter().position(|bound| millis <= u128::from(*bound));
        self.buckets[place.unwrap_or(BOUNDS.len())].fetch_add(1, Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Relaxed);
    }
}

/// What all lanes counted of one class.
#[derive(Default)]
struct Total {
    begun: u64,
    outcomes: [u64; OUTCOMES.len()],
    buckets: [u64; BOUNDS.len() + 1],
    micros: u64,
    bytes_up: u64,
    bytes_down: u64,
}

impl Total {
    fn add(&mut self, counters: &OfClass) {
        self.begun += counters.begun.load(Relaxed);
        for (total, counted) in self.outcomes.iter_mut().zip(&counters.outcomes) {
            *total += counted.load(Relaxed);
        }
        for (total, counted) in self.buckets.iter_mut().zip(&counters.buckets) {
            *total += counted.load(Relaxed);
        }
        self.micros += counters.micros.load(Relaxed);
        self.bytes_up += counters.bytes_up.load(Relaxed);
        self.bytes_down += counters.bytes_down.load(Relaxed);
    }
}

/// What all lanes counted, class by class. Classes that nothing went out for are left out.
pub(super) fn tell<'a>(lanes: impl Iterator<Item = &'a Exchanges>, text: &mut Exposition) {
    let mut totals = HostClass::ALL.map(|class| (class.as_str(), Total::default()));
    for lane in lanes {
        for ((_, total), counters) in totals.iter_mut().zip(&lane.0) {
            total.add(counters);
        }
    }
    let used: Vec<_> = totals.into_iter().filter(|(_, total)| total.begun > 0).collect();
    tell_outcomes(&used, text);
    tell_in_flight(&used, text);
    tell_durations(&used, text);
    tell_bytes(&used, text);
}

type Classes = [(&'static str, Total)];

fn tell_outcomes(classes: &Classes, text: &mut Exposition) {
    let help = "Requests and tunnels that went out and ended, by what allowed their host.";
    text.head("exchanges_total", help, "counter");
    for (class, total) in classes {
        for (outcome, count) in OUTCOMES
            .iter()
            .zip(total.outcomes)
            .filter(|(_, count)| *count > 0)
        {
            let labels = format_args!("class=\"{class}\",outcome=\"{outcome}\"");
            text.sample("exchanges_total", labels, count);
        }
    }
}

fn tell_in_flight(classes: &Classes, text: &mut Exposition) {
    let help = "Requests and tunnels that went out and have not ended.";
    text.head("exchanges_in_flight", help, "gauge");
    for (class, total) in classes {
        let ended: u64 = total.outcomes.iter().sum();
        text.sample(
            "exchanges_in_flight",
            format_args!("class=\"{class}\""),
            total.begun.saturating_sub(ended),
        );
    }
}

fn tell_durations(classes: &Classes, text: &mut Exposition) {
    let help = "From the record that something goes out to its end.";
    text.head("exchange_duration_seconds", help, "histogram");
    for (class, total) in classes {
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(total.buckets) {
            below += count;
            let labels = format_args!("class=\"{class}\",le=\"{}\"", Seconds(*bound));
            text.sample("exchange_duration_seconds_bucket", labels, below);
        }
        below += total.buckets[BOUNDS.len()];
        let labels = format_args!("class=\"{class}\",le=\"+Inf\"");
        text.sample("exchange_duration_seconds_bucket", labels, below);
        let (whole, rest) = (total.micros / 1_000_000, total.micros % 1_000_000);
        let labels = format_args!("class=\"{class}\"");
        text.sample(
            "exchange_duration_seconds_sum",
            labels,
            format_args!("{whole}.{rest:06}"),
        );
        text.sample("exchange_duration_seconds_count", labels, below);
    }
}

fn tell_bytes(classes: &Classes, text: &mut Exposition) {
    let help = "Body bytes of requests and responses, and all bytes of tunnels.";
    text.head("exchange_bytes_total", help, "counter");
    for (class, total) in classes {
        for (direction, bytes) in [("up", total.bytes_up), ("down", total.bytes_down)] {
            let labels = format_args!("class=\"{class}\",direction=\"{direction}\"");
            text.sample("exchange_bytes_total", labels, bytes);
        }
    }
}

/// Milliseconds, told in seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            rest => write!(
                f,
                "{}",
                format!("{}.{rest:03}", self.0 / 1000).trim_end_matches('0')
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(metrics: &Metrics) -> Vec<String> {
        let mut text = Exposition::default();
        tell((0..2).map(|lane| metrics.exchanges(lane)), &mut text);
        text.into_text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_went_out_is_told_by_class_with_how_it_ended() {
        let metrics = Arc::new(Metrics::new(2));
        let full = RuleName::Full;
        Measured::begin(&metrics, 0, &full).end(Ending {
            status: Some(200),
            bytes_up: 10,
            bytes_down: 500,
            ..Ending::default()
        });
        Measured::begin(&metrics, 1, &full).end(Ending {
            failed: true,
            ..Ending::default()
        });
        drop(Measured::begin(&metrics, 1, &full));
        let _running = Measured::begin(&metrics, 1, &RuleName::HostPort(5432));
        let told = told(&metrics);
        for line in [
            "outwall_exchanges_total{class=\"full\",outcome=\"2xx\"} 1",
            "outwall_exchanges_total{class=\"full\",outcome=\"failed\"} 1",
            "outwall_exchanges_total{class=\"full\",outcome=\"aborted\"} 1",
            "outwall_exchanges_in_flight{class=\"full\"} 0",
            "outwall_exchanges_in_flight{class=\"host-port\"} 1",
            "outwall_exchange_duration_seconds_bucket{class=\"full\",le=\"+Inf\"} 3",
            "outwall_exchange_duration_seconds_count{class=\"full\"} 3",
            "outwall_exchange_bytes_total{class=\"full\",direction=\"up\"} 10",
            "outwall_exchange_bytes_total{class=\"full\",direction=\"down\"} 500",
        ] {
            assert!(told.iter().any(|told| told == line), "no `{line}` in {told:#?}");
        }
        assert!(
            !told.iter().any(|line| line.contains("trusted")),
            "nothing went there"
        );
    }

    #[test]
    fn a_duration_is_in_every_bucket_from_its_own_on() {
        let counters = OfClass::default();
        for millis in [0, 5, 6, 400_000] {
            counters.took(Duration::from_millis(millis));
        }
        let counted = |at: usize| counters.buckets[at].load(Relaxed);
        assert_eq!((counted(0), counted(1), counted(BOUNDS.len())), (2, 1, 1));
        assert_eq!(counters.micros.load(Relaxed), 400_011_000);
    }

    #[test]
    fn bounds_are_told_in_seconds_as_prometheus_writes_them() {
        let told: Vec<_> = BOUNDS.iter().map(|bound| Seconds(*bound).to_string()).collect();
        assert_eq!(told[..5], ["0.005", "0.01", "0.025", "0.05", "0.1"]);
        assert_eq!(told[7..9], ["1", "2.5"]);
    }
}
