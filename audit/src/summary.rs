//! [`Summary`]: what one sandbox did, for the line at the end of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use outwall_policy::SandboxId;

use crate::event::{Event, Kind};
use crate::query::{self, Events, Filter, ReadError};
use crate::segment::Segment;

/// What one sandbox did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Requests that were let out.
    pub requests: u64,
    /// Tunnels and streams that were let out.
    pub connections: u64,
    /// The different hosts that these went to, without ports.
    pub hosts: BTreeSet<String>,
    /// What was refused, each once.
    pub denied: Vec<DeniedTarget>,
    /// How many findings there are.
    pub findings: u64,
}

/// Refusals of one target for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedTarget {
    /// `host:port`, where it could be read; or in words, that these are refusals of which only the number is known.
    pub target: Option<String>,
    /// The reason's code.
    pub reason: String,
    /// The reason as a sentence. Text of the sandbox may be in it: sanitise before showing.
    pub message: String,
    /// What would allow it.
    pub remedy: Option<String>,
    /// The executables that were refused it, where they are known. Text of the sandbox: sanitise before showing.
    pub programs: BTreeSet<String>,
    /// How often.
    pub times: u64,
}

impl Summary {
    /// Of the log in `directory`.
    pub fn of_directory(directory: &Path, sandbox: SandboxId) -> Result<Self, ReadError> {
        Self::of_events(query::read(directory, filter(sandbox))?)
    }

    /// Of some files of a log.
    pub fn of_files(files: &[Segment], sandbox: SandboxId) -> Result<Self, ReadError> {
        Self::of_events(Events::new(files.to_vec(), filter(sandbox)))
    }

    /// How many refusals in all.
    pub fn times_denied(&self) -> u64 {
        self.denied.iter().map(|denied| denied.times).sum()
    }

    fn of_events(events: Events) -> Result<Self, ReadError> {
        let mut summary = Self::default();
        let mut denied = BTreeMap::new();
        for event in events {
            summary.add(event?, &mut denied);
        }
        Ok(summary)
    }

    /// `places` says where in `denied` a pair of target and reason is.
    fn add(&mut self, event: Event, places: &mut BTreeMap<(Option<String>, String), usize>) {
        match event.kind {
            Kind::ExchangeGoingOut => self.requests += 1,
            Kind::ConnectionGoingOut => self.connections += 1,
            Kind::Finding => self.findings += event.repeated.unwrap_or(1),
            Kind::Denied => return self.add_denied(event, places),
            _ => return,
        }
        let Some((host, _port)) = event.target.as_ref().and_then(|target| target.rsplit_once(':')) else {
            return;
        };
        if !self.hosts.contains(host) {
            self.hosts.insert(host.to_owned());
        }
    }

    fn add_denied(&mut self, event: Event, places: &mut BTreeMap<(Option<String>, String), usize>) {
        let reason = event.reason.unwrap_or_default();
        let (target, times) = match event.repeated {
            Some(times) => (Some(ONLY_COUNTED.to_owned()), times),
            None => (event.target, 1),
        };
        let next = self.denied.len();
        let place = *places.entry((target.clone(), reason.clone())).or_insert(next);
        if place == next {
            let message = event.message.unwrap_or_default();
            self.denied.push(DeniedTarget {
                target,
                reason,
                message,
                remedy: event.remedy,
                programs: BTreeSet::new(),
                times: 0,
            });
        }
        let denied = &mut self.denied[place];
        denied.times += times;
        let executable = event.process.and_then(|process| process.executable);
        if denied.programs.len() < MOST_PROGRAMS {
            denied.programs.extend(executable);
        }
    }
}

/// Of one target. There can be as many as somebody makes.
const MOST_PROGRAMS: usize = 8;
/// Where another refusal has its target.
const ONLY_COUNTED: &str = "more, counted and not recorded one by one";

fn filter(sandbox: SandboxId) -> Filter {
    Filter {
        sandbox: Some(sandbox.to_string()),
        ..Filter::default()
    }
}
