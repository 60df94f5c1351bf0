//! How much a sandbox has used of what its environment allows it: requests, connections and bytes, in all and of each host.
//!
//! `policy` has the numbers, and this counts. Start at [`Ledger`], a sandbox's own; [`Account`] is the part of it that concerns
//! one host, found once per connection; [`Bounds`] hold one exchange or tunnel within it, to its end.
//! Counting takes no lock and, in an environment without limits, no time.

mod bounds;
mod meter;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use outwall_policy::{Allowances, Denial, Excess, Host, HostPattern, Limit, LimitKind, LimitScope, Target};

use crate::sandbox_gate::SandboxGate;
pub(crate) use bounds::Bounds;
use meter::{Clock, Meter};

/// What one sandbox has used.
pub(crate) struct Ledger {
    clock: Clock,
    books: Mutex<Books>,
}

struct Books {
    /// Of the policy whose limits the meters have.
    generation: u64,
    sandbox: Arc<Meters>,
    /// By the patterns of `limits.hosts`.
    patterns: HashMap<HostPattern, Arc<Meters>>,
    /// By host, for `limits.each_host`.
    hosts: HashMap<Host, Arc<Meters>>,
    /// Shared by the hosts for which there is no room in `hosts`.
    other_hosts: Arc<Meters>,
}

/// A meter for each kind.
struct Meters([Meter; LimitKind::ALL.len()]);

/// What the use of one target counts against.
pub(crate) struct Account {
    generation: u64,
    clock: Clock,
    sandbox: Arc<Meters>,
    /// The host's, by kind, where it has one.
    host: [Option<Arc<Meters>>; LimitKind::ALL.len()],
}

/// The account of the target that a connection used last, if it has limits at all.
#[derive(Default)]
pub(crate) struct LastAccount(Mutex<Option<Opened>>);

struct Opened {
    generation: u64,
    target: Target,
    account: Option<Arc<Account>>,
}

/// One more than a limit lets pass.
pub(crate) struct Over {
    limit: Limit,
    excess: Excess,
}

impl Over {
    fn denial(self, gate: &SandboxGate, target: &Target) -> Denial {
        Denial::over_limit(&gate.sandbox.environment, target.clone(), self.limit, self.excess)
    }
}

impl SandboxGate {
    /// What the use of a target counts against under the policy in force; none where nothing is limited.
    pub(crate) fn account(&self, target: &Target) -> Option<Arc<Account>> {
        let snapshot = self.shared.policy.load();
        let environment = snapshot
            .policy
            .environment(Some(self.sandbox.environment.as_str()));
        let allowances = environment.ok()?.allowances()?;
        Some(self.ledger.account(allowances, snapshot.generation, target))
    }

    /// Counts a new connection that policy allows.
    pub(crate) fn count_connection(&self, target: &Target) -> Result<(), Denial> {
        let Some(account) = self.account(target) else {
            return Ok(());
        };
        account
            .take(LimitKind::Connections, 1)
            .map_err(|over| over.denial(self, target))
    }
}

impl LastAccount {
    /// The account of a target: nearly always the same as before.
    pub(crate) fn of(&self, gate: &SandboxGate, target: &Target) -> Option<Arc<Account>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = gate.shared.policy.generation();
        match &*last {
            Some(opened) if opened.generation == generation && opened.target == *target => {}
            _ => {
                *last = Some(Opened {
                    generation,
                    target: target.clone(),
                    account: gate.account(target),
                });
            }
        }
        last.as_ref().and_then(|opened| opened.account.clone())
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let clock = Clock::starting(Instant::now());
        let books = Books {
            generation: 0,
            sandbox: Meters::new(),
            patterns: HashMap::new(),
            hosts: HashMap::new(),
            other_hosts: Meters::new(),
        };
        Self {
            clock,
            books: Mutex::new(books),
        }
    }

    fn account(&self, allowances: &Allowances, generation: u64, target: &Target) -> Arc<Account> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if generation > books.generation {
            books.generation = generation;
            books.forget_unused(now);
        }
        let is_newest = generation == books.generation; // who comes with an older policy changes nothing
        if is_newest {
            for kind in LimitKind::ALL {
                books.sandbox.limit_to(kind, allowances.of_sandbox(kind), now);
            }
        }
        let host = LimitKind::ALL.map(|kind| {
            let limit = allowances.of_host(target, kind)?;
            let meters = books.meters(limit.scope(), now);
            if is_newest {
                meters.limit_to(kind, Some(limit), now);
            }
            Some(meters)
        });
        Arc::new(Account {
            generation,
            clock: self.clock,
            sandbox: Arc::clone(&books.sandbox),
            host,
        })
    }
}

impl Books {
    fn meters(&mut self, scope: &LimitScope, now: u64) -> Arc<Meters> {
        match scope {
            LimitScope::Sandbox => Arc::clone(&self.sandbox),
            LimitScope::Hosts(pattern) => {
                Arc::clone(self.patterns.entry(pattern.clone()).or_insert_with(Meters::new))
            }
            LimitScope::Host(host) => {
                if let Some(meters) = self.hosts.get(host) {
                    return Arc::clone(meters);
                }
                if self.hosts.len() >= MOST_HOSTS {
                    self.forget_unused(now);
                }
                if self.hosts.len() >= MOST_HOSTS {
                    return Arc::clone(&self.other_hosts);
                }
                Arc::clone(self.hosts.entry(host.clone()).or_insert_with(Meters::new))
            }
        }
    }

    /// Whoever has used nothing is as one that was never seen.
    fn forget_unused(&mut self, now: u64) {
        let is_used = |meters: &Arc<Meters>| Arc::strong_count(meters) > 1 || !meters.are_unused(now);
        self.hosts.retain(|_, meters| is_used(meters));
        self.patterns.retain(|_, meters| is_used(meters));
    }
}

impl Meters {
    fn new() -> Arc<Self> {
        Arc::new(Self(LimitKind::ALL.map(Meter::new)))
    }

    fn of(&self, kind: LimitKind) -> &Meter {
        &self.0[kind.index()]
    }

    /// Only where it changes: the lock is not for every connection.
    fn limit_to(&self, kind: LimitKind, limit: Option<Limit>, now: u64) {
        let meter = self.of(kind);
        if meter.limit() != limit {
            meter.limit_to(limit, now);
        }
    }

    fn are_unused(&self, now: u64) -> bool {
        self.0.iter().all(|meter| meter.is_unused(now))
    }
}

impl Account {
    /// Uses `n` of every limit of the kind, or of none.
    pub(crate) fn take(&self, kind: LimitKind, n: u64) -> Result<(), Over> {
        let now = self.clock.now();
        let sandbox = self.sandbox.of(kind);
        take(sandbox, n, now)?;
        let Some(host) = self.host(kind) else {
            return Ok(());
        };
        take(host, n, now).inspect_err(|_over| sandbox.give_back(n))
    }

    /// Undoes a [`Self::take`].
    fn give_back(&self, kind: LimitKind, n: u64) {
        self.sandbox.of(kind).give_back(n);
        if let Some(host) = self.host(kind) {
            host.give_back(n);
        }
    }

    fn host(&self, kind: LimitKind) -> Option<&Meter> {
        self.host[kind.index()].as_ref().map(|meters| meters.of(kind))
    }
}

fn take(meter: &Meter, n: u64, now: u64) -> Result<(), Over> {
    let Err(excess) = meter.take(n, now) else {
        return Ok(());
    };
    match meter.limit() {
        Some(limit) => Err(Over { limit, excess }),
        None => Ok(()), // it was lifted in this instant
    }
}

/// Hosts whose use is counted one by one. Those beyond share one meter: who reaches so many within an hour is not given an
/// allowance for each of them.
const MOST_HOSTS: usize = 4_096;

#[cfg(test)]
mod tests;
