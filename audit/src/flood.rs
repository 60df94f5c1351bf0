//! Floods: refusals and findings that come faster than a pace are counted, and the counts are written.
//!
//! A refusal costs its sandbox one small packet. A line for each would fill the disk, and a full disk stops every gate of the
//! machine. What a flood loses is what its single refusals were about; never one of them from the sum. It is asked about what
//! was refused already, so it lets nothing through.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use outwall_policy::{Sandbox, SandboxId};

use crate::event::Kind;
use crate::fields::Fields;
use crate::log::who;
use crate::mask::MaskedText;

/// An event of a sandbox that may be one of very many.
#[derive(Clone, Copy)]
pub(crate) struct Frequent<'a> {
    /// None: who it was cannot be said. All of those share one pace.
    pub(crate) sandbox: Option<&'a Sandbox>,
    pub(crate) kind: Kind,
    /// Its code. Ours, so there are few of them.
    pub(crate) reason: &'a str,
    pub(crate) message: &'a dyn fmt::Display,
    /// What its line has besides what each has, in bytes, about.
    pub(crate) size: usize,
}

/// What every living sandbox has used up of its pace.
#[derive(Default)]
pub(crate) struct Floods {
    sandboxes: HashMap<Option<SandboxId>, Flow>,
    /// When the oldest event was counted that is in no count yet that was written.
    since: Option<Instant>,
}

/// Of one sandbox.
struct Flow {
    who: Option<Sandbox>,
    denials: Pace,
    /// By code: a flood of one finding must not hide another.
    findings: HashMap<String, Pace>,
    counted: Vec<Counted>,
}

/// Events of one kind and reason that have no record of their own.
pub(crate) struct Counted {
    who: Option<Sandbox>,
    pub(crate) kind: Kind,
    reason: String,
    first: String,
    times: u64,
}

/// A token bucket.
struct Pace {
    left: f64,
    since: Instant,
}

impl Floods {
    /// Whether an event is to be written. If not, it is counted.
    pub(crate) fn admit(&mut self, event: Frequent<'_>, now: Instant) -> bool {
        let flow = self
            .sandboxes
            .entry(event.sandbox.map(|sandbox| sandbox.id))
            .or_insert_with(|| Flow::new(event.sandbox, now));
        if flow.pace(event, now).take(cost(event), now) {
            return true;
        }
        flow.count(event);
        self.since.get_or_insert(now);
        false
    }

    /// Whether everything that was counted was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// The counts, if it is time to write them.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Counted> {
        match self.since {
            Some(since) if now.saturating_duration_since(since) >= COUNTED_FOR => self.take(),
            _ => Vec::new(),
        }
    }

    /// The counts so far.
    pub(crate) fn take(&mut self) -> Vec<Counted> {
        if self.since.take().is_none() {
            return Vec::new();
        }
        let flows = self.sandboxes.values_mut();
        flows.flat_map(|flow| flow.counted.drain(..)).collect()
    }

    /// The counts of a sandbox that is gone.
    pub(crate) fn end(&mut self, sandbox: SandboxId) -> Vec<Counted> {
        let flow = self.sandboxes.remove(&Some(sandbox));
        flow.map(|flow| flow.counted).unwrap_or_default()
    }
}

impl Flow {
    fn new(who: Option<&Sandbox>, now: Instant) -> Self {
        Self {
            who: who.cloned(),
            denials: Pace::new(now),
            findings: HashMap::new(),
            counted: Vec::new(),
        }
    }

    fn pace(&mut self, event: Frequent<'_>, now: Instant) -> &mut Pace {
        if event.kind == Kind::Denied {
            return &mut self.denials;
        }
        if !self.findings.contains_key(event.reason) {
            self.findings.insert(event.reason.to_owned(), Pace::new(now));
        }
        self.findings
            .get_mut(event.reason)
            .expect("it was just put there")
    }

    fn count(&mut self, event: Frequent<'_>) {
        let same = |counted: &&mut Counted| counted.kind == event.kind && counted.reason == event.reason;
        if let Some(counted) = self.counted.iter_mut().find(same) {
            counted.times += 1;
            return;
        }
        self.counted.push(Counted {
            who: self.who.clone(),
            kind: event.kind,
            reason: event.reason.to_owned(),
            first: MaskedText(&event.message.to_string()).to_string(),
            times: 1,
        });
    }
}

impl Counted {
    /// Without a target: they may have had many, and who lists events is to see the number.
    pub(crate) fn write(&self, line: &mut Fields<'_>) {
        if let Some(sandbox) = &self.who {
            who(line, sandbox);
        }
        if self.kind == Kind::Denied {
            line.plain("decision", "deny");
        }
        line.text("reason", &self.reason);
        let (times, first) = (self.times, &self.first);
        line.text(
            "message",
            format_args!("{times} more that were counted and not recorded one by one; the first: {first}"),
        );
        line.number("repeated", times);
    }
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            since: now,
        }
    }

    /// Grants one while anything is left, whatever it costs: then it is paid for before the next.
    fn take(&mut self, cost: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        self.left = (self.left + passed * PER_SECOND).min(AT_ONCE);
        let granted = self.left >= 1.0;
        if granted {
            self.left -= cost;
        }
        granted
    }
}

/// What an event takes of its pace: as many as usual lines of its length do.
#[expect(clippy::cast_precision_loss, reason = "some hundred thousand bytes")]
fn cost(event: Frequent<'_>) -> f64 {
    1.0 + event.size as f64 / USUAL_LINE
}

/// In bytes.
const USUAL_LINE: f64 = 600.0;
/// Refusals of a sandbox that are recorded one by one, however fast they come; and findings of one code. Far more than a build
/// that is denied a mirror makes, and 5 MB at the very most.
const AT_ONCE: f64 = 1000.0;
/// And from then on. A line is 600 bytes as a rule and 5 kB at most: 50 MB a day, and never 500.
const PER_SECOND: f64 = 1.0;
/// How long events are counted before the count is written: what the death of the process may lose of a count.
const COUNTED_FOR: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn sandbox(number: u8) -> Sandbox {
        Sandbox::new(SandboxId::from_random([number; 4]), "web".parse().unwrap())
    }

    fn event<'a>(sandbox: &'a Sandbox, kind: Kind, reason: &'a str) -> Frequent<'a> {
        Frequent {
            sandbox: Some(sandbox),
            kind,
            reason,
            message: &"said",
            size: 0,
        }
    }

    /// How many of so many are to be written.
    fn written(floods: &mut Floods, event: Frequent<'_>, times: u32, now: Instant) -> usize {
        (0..times).filter(|_| floods.admit(event, now)).count()
    }

    #[test]
    fn a_burst_is_written_and_what_follows_at_a_pace_and_the_rest_is_counted() {
        let (mut floods, one, start) = (Floods::default(), sandbox(1), Instant::now());
        let denied = event(&one, Kind::Denied, "host-not-allowed");
        assert_eq!(written(&mut floods, denied, 1500, start), 1000);
        assert_eq!(
            written(&mut floods, denied, 500, start + Duration::from_secs(3)),
            3
        );
        let [counted] = floods.take().try_into().ok().unwrap();
        assert_eq!((counted.times, counted.first.as_str()), (997, "said"));
        assert!(floods.is_empty() && floods.take().is_empty());
    }

    #[test]
    fn what_makes_long_lines_is_counted_sooner_and_what_makes_short_ones_is_not() {
        let (mut floods, one, two, start) = (Floods::default(), sandbox(1), sandbox(2), Instant::now());
        let short = event(&one, Kind::Denied, "host-not-allowed");
        let long = Frequent {
            size: 60_000,
            ..event(&two, Kind::Denied, "host-not-allowed")
        };
        assert_eq!(written(&mut floods, short, 900, start), 900);
        assert_eq!(written(&mut floods, long, 900, start), 10);
        let later = start + Duration::from_secs(10);
        assert_eq!(
            written(&mut floods, long, 1, later),
            0,
            "the last one is not paid for yet"
        );
        assert_eq!(written(&mut floods, long, 2, later + Duration::from_mins(1)), 1);
    }

    #[test]
    fn each_sandbox_and_each_finding_has_a_pace_of_its_own() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let (one, two) = (sandbox(1), sandbox(2));
        written(&mut floods, event(&one, Kind::Denied, "fronting"), 2000, now);
        written(&mut floods, event(&one, Kind::Finding, "client-tls"), 2000, now);
        assert!(floods.admit(event(&one, Kind::Finding, "dns-flood"), now));
        assert!(floods.admit(event(&two, Kind::Denied, "fronting"), now));
        assert!(
            !floods.admit(event(&one, Kind::Denied, "not-http"), now),
            "all refusals share one"
        );
        let counts: Vec<_> = floods.end(one.id).iter().map(|counted| counted.times).collect();
        assert_eq!(counts, [1000, 1000, 1]);
    }

    #[test]
    fn counts_are_due_after_a_while() {
        let (mut floods, one, start) = (Floods::default(), sandbox(1), Instant::now());
        written(&mut floods, event(&one, Kind::Denied, "fronting"), 1001, start);
        assert!(floods.take_due(start + Duration::from_secs(1)).is_empty());
        assert!(!floods.is_empty());
        assert_eq!(floods.take_due(start + COUNTED_FOR).len(), 1);
    }
}
