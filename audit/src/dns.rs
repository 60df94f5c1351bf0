//! Lookups: one event per distinct name and sandbox, up to a number; the rest is counted.
//!
//! A lookup costs the sandbox one small packet and carries nothing out (nobody else is asked), so a flood of them must not fill the
//! disk. The counts are in the sandbox's last event.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use outwall_policy::SandboxId;

/// What a lookup was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// Synthetic addresses that stand for the name.
    Addresses,
    /// The name exists, and has nothing of the type asked for.
    Empty,
    /// No such name (NXDOMAIN), by the operator's wish.
    NoSuchName,
    /// SERVFAIL: the addresses of this sandbox are used up.
    Exhausted,
}

impl DnsAnswer {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Empty => "empty",
            Self::NoSuchName => "no-such-name",
            Self::Exhausted => "exhausted",
        }
    }
}

/// What to do with a lookup.
#[derive(Debug, PartialEq)]
pub(crate) enum Note {
    /// Write an event.
    Record,
    /// Write a finding: this is the first that is one too many.
    TooMany,
    /// It is counted.
    Count,
}

/// The names that each living sandbox has asked for.
#[derive(Default)]
pub(crate) struct Lookups {
    sandboxes: HashMap<SandboxId, Seen>,
    hasher: RandomState,
}

/// Of one sandbox.
#[derive(Default)]
pub(crate) struct Seen {
    names: HashSet<u64>, // hashes: a collision costs one event, and cannot be aimed at without the random keys
    pub(crate) lookups: u64,
    pub(crate) unrecorded: u64,
}

impl Lookups {
    pub(crate) fn note(&mut self, sandbox: SandboxId, name: &str) -> Note {
        let hash = self.hasher.hash_one(name);
        let seen = self.sandboxes.entry(sandbox).or_default();
        seen.lookups += 1;
        if seen.names.contains(&hash) {
            return Note::Count;
        }
        if seen.names.len() < RECORDED_NAMES {
            seen.names.insert(hash);
            return Note::Record;
        }
        seen.unrecorded += 1;
        if seen.unrecorded == 1 {
            Note::TooMany
        } else {
            Note::Count
        }
    }

    /// Takes a name back whose event could not be written.
    pub(crate) fn forget(&mut self, sandbox: SandboxId, name: &str) {
        let hash = self.hasher.hash_one(name);
        if let Some(seen) = self.sandboxes.get_mut(&sandbox) {
            seen.names.remove(&hash);
        }
    }

    pub(crate) fn end(&mut self, sandbox: SandboxId) -> Seen {
        self.sandboxes.remove(&sandbox).unwrap_or_default()
    }
}

/// Per sandbox: about 400 kB of log. An honest build asks for a few dozen.
pub(crate) const RECORDED_NAMES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recorded_once_per_sandbox() {
        let (mut lookups, one, two) = (
            Lookups::default(),
            SandboxId::from_random([1; 4]),
            SandboxId::from_random([2; 4]),
        );
        assert_eq!(lookups.note(one, "a.test"), Note::Record);
        assert_eq!(lookups.note(one, "a.test"), Note::Count);
        assert_eq!(lookups.note(two, "a.test"), Note::Record);
        assert_eq!(lookups.end(one).lookups, 2);
        assert_eq!(
            lookups.note(one, "a.test"),
            Note::Record,
            "another sandbox by then"
        );
    }

    #[test]
    fn a_flood_is_one_finding_and_a_number() {
        let (mut lookups, sandbox) = (Lookups::default(), SandboxId::from_random([1; 4]));
        let notes: Vec<_> = (0..3000)
            .map(|n| lookups.note(sandbox, &format!("{n}.test")))
            .collect();
        assert!(notes[..1000].iter().all(|note| *note == Note::Record));
        assert_eq!(notes[1000], Note::TooMany);
        assert!(notes[1001..].iter().all(|note| *note == Note::Count));
        let seen = lookups.end(sandbox);
        assert_eq!((seen.lookups, seen.unrecorded), (3000, 2000));
    }
}
