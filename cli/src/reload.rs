//! Keeps what is in force up to date while a gate runs: with the policy file, the files that it names, and what people grant.
//!
//! A good change takes over for the next request of every connection. One that is broken, untrusted or gone changes nothing and
//! is loud: on stderr, in the log, in the audit, in the metrics, and in `outwall doctor`, until a good one follows.
//! Start with [`Reloader::look_again`].

mod granting;
mod succession;
mod watch;
mod watched;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use outwall_audit::{AuditLog, PolicyEvent};
use outwall_policy::{EnvironmentName, Overrides, Policy};
use outwall_proxy::{Gate, InForce};

pub(crate) use self::watch::{Bell, Watch};
use crate::arguments::Session;
use crate::discovery::policy_paths;
use crate::failure::{Explain, Failure};
use crate::gate::audit_settings;
use crate::grants::GrantList;
use crate::policy_in_force::PolicyInForce;
use crate::terminal::Paint;

/// What a gate is reloaded from and how.
pub(crate) struct Source {
    pub(crate) session: Session,
    /// The environment that the command line is about, by its name: a file that makes another one the default does not move it.
    pub(crate) environment: EnvironmentName,
    pub(crate) overrides: Overrides,
    /// Says of a policy why it must not be in force here.
    pub(crate) objection: Objection,
}

pub(crate) type Objection = Box<dyn Fn(&PolicyInForce) -> Result<(), Failure> + Send + Sync>;

/// Says something to the person at the terminal.
pub(crate) type Voice = Box<dyn Fn(&str) + Send + Sync>;

/// Keeps one gate up to date.
pub(crate) struct Reloader {
    source: Source,
    gate: Gate,
    audit: AuditLog,
    voice: Mutex<Voice>,
    bell: Arc<Bell>,
    shouts: Mutex<Pace>,
    /// Held while files are read: one reading at a time.
    reading: Mutex<()>,
    now: Mutex<Now>,
}

/// What is in force now.
pub(crate) struct Now {
    pub(crate) policy: PolicyInForce,
    base: InForce,
    pub(crate) sha256: String,
    pub(crate) since: Timestamp,
    /// The newest change that does not count.
    pub(crate) refused: Option<Refused>,
    pub(crate) grants: GrantList,
}

/// A change that does not count.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) at: Timestamp,
    pub(crate) error: String,
}

/// Something read that may take over.
struct Read {
    policy: PolicyInForce,
    base: InForce,
    sha256: String,
}

impl Now {
    /// What decides: the policy, and what is granted beside it.
    pub(crate) fn policy_with_grants(&self) -> Policy {
        self.base.policy().with_grants(self.grants.in_force())
    }
}

impl Reloader {
    /// Of a gate that was made with `policy` and `base`.
    pub(crate) fn new(
        source: Source,
        gate: Gate,
        audit: AuditLog,
        (policy, base): (PolicyInForce, InForce),
    ) -> Result<Arc<Self>, Failure> {
        let now = Now {
            sha256: policy.sha256(),
            policy,
            base,
            since: Timestamp::now(),
            refused: None,
            grants: GrantList::default(),
        };
        Ok(Arc::new(Self {
            source,
            gate,
            audit,
            voice: Mutex::new(Box::new(to_stderr)),
            bell: Arc::new(Bell::new().explain("cannot watch the policy file")?),
            shouts: Mutex::default(),
            reading: Mutex::default(),
            now: Mutex::new(now),
        }))
    }

    /// Says things in another way from here on.
    pub(crate) fn speak_through(&self, voice: Voice) {
        *lock(&self.voice) = voice;
    }

    pub(crate) fn say(&self, text: &str) {
        lock(&self.voice)(text);
    }

    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    fn audit(&self) -> &AuditLog {
        &self.audit
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Now> {
        lock(&self.now)
    }

    /// Everything that a look is about: where policy files may be, those that are in force, and the records of trust.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let session = &self.source.session;
        let mut paths = policy_paths(session.config(), &session.surroundings);
        paths.extend(self.now().policy.files());
        paths.push(session.state.trusted());
        paths
    }

    /// Something changed: reads, and puts in force what is good and different.
    fn look_again(&self) {
        let _one_at_a_time = lock(&self.reading);
        if self.is_unchanged() {
            return self.as_before();
        }
        let read = self.read().or_else(|_may_be_in_between| {
            std::thread::sleep(watch::SECOND_LOOK);
            self.read()
        });
        match read {
            Ok(read) if read.sha256 == self.now().sha256 => self.as_before(),
            Ok(read) => self.take_over(read),
            Err(failure) => self.refuse(&failure),
        }
    }

    /// Somebody asked: reads, and puts in force what is good, different or not.
    fn reload(&self) {
        let _one_at_a_time = lock(&self.reading);
        match self.read() {
            Ok(read) => self.take_over(read),
            Err(failure) => {
                self.now().refused = None; // to be loud again
                self.refuse(&failure);
            }
        }
    }

    /// Whether the search comes to what is in force, byte for byte. A project's file that counts does so with all that it names.
    fn is_unchanged(&self) -> bool {
        let Ok(found) = self.source.session.search() else {
            return false;
        };
        let now = self.now();
        now.policy.is_of(found.counts.as_ref()) && now.policy.sha256() == now.sha256
    }

    fn read(&self) -> Result<Read, Failure> {
        let Source {
            session,
            environment,
            overrides,
            objection,
        } = &self.source;
        let discovery = session.search()?;
        succession::check(self.now().policy.file.as_ref(), &discovery)?;
        if let Some(file) = discovery
            .counts
            .as_ref()
            .filter(|file| file.text.trim().is_empty())
        {
            return Err(Failure::new(format!("`{}` is empty", file.path.display()))
                .hint("an empty file would be the level `trusted`: write that, if it is meant"));
        }
        let policy = PolicyInForce::compile(discovery, Some(environment.as_str()), overrides)?;
        let base = policy.read_files()?;
        objection(&policy)?;
        Ok(Read {
            sha256: policy.sha256(),
            policy,
            base,
        })
    }

    /// No record, no change.
    fn take_over(&self, read: Read) {
        let mut now = self.now();
        let difference = read.policy.policy.difference_from(&now.policy.policy);
        let message = if difference.is_empty() {
            "no environment is different"
        } else {
            &difference
        };
        let file = read.policy.path();
        let recorded = self.audit.policy_changed(PolicyEvent {
            file: file.as_deref(),
            sha256: Some(&read.sha256),
            message,
        });
        if let Err(error) = recorded {
            drop(now);
            return self.refuse(&Failure::from(error).explain("the change cannot be recorded"));
        }
        *now = Now {
            policy: read.policy,
            base: read.base,
            sha256: read.sha256,
            since: Timestamp::now(),
            refused: None,
            grants: std::mem::take(&mut now.grants),
        };
        self.put_in_force(&now);
        self.audit.keep_as(audit_settings(&now.policy));
        let said = format!(
            "outwall: the policy was read again: {}, {message}\n",
            now.policy.provenance()
        );
        let warnings = now.policy.warnings(Paint::for_stderr());
        drop(now);
        tracing::info!("{}", said.trim_end());
        self.say(&(warnings + &said));
    }

    /// What is granted stands beside every policy.
    fn put_in_force(&self, now: &Now) {
        self.gate.replace(now.base.with_grants(now.grants.in_force()));
    }

    /// The file is what it was; a change that did not count is undone.
    fn as_before(&self) {
        if self.now().refused.take().is_some() && lock(&self.shouts).take(Instant::now()) {
            self.say("outwall: the policy file is again what is in force\n");
        }
    }

    fn refuse(&self, failure: &Failure) {
        let mut text = Vec::new();
        failure.report(&mut text, Paint::plain());
        let error = String::from_utf8_lossy(&text)
            .trim_end()
            .replacen("error: ", "", 1);
        {
            let mut now = self.now();
            if now.refused.as_ref().is_some_and(|refused| refused.error == error) {
                return; // it was said
            }
            now.refused = Some(Refused {
                at: Timestamp::now(),
                error: error.clone(),
            });
        }
        self.gate.policy_was_refused();
        if !lock(&self.shouts).take(Instant::now()) {
            return; // a sandbox may write to a file that a trusted project names, again and again
        }
        tracing::error!(%error, "a changed policy does not count");
        let file = self.now().policy.path();
        let event = PolicyEvent {
            file: file.as_deref(),
            sha256: None,
            message: &error,
        };
        if let Err(error) = self.audit.policy_refused(event) {
            tracing::error!(%error, "that a policy was refused could not be recorded");
        }
        let paint = Paint::for_stderr();
        let mut said = Vec::new();
        failure.report(&mut said, paint);
        let said = String::from_utf8_lossy(&said);
        self.say(&format!(
            "{said}outwall: the change does not count; the policy before it stays in force\n"
        ));
    }
}

/// What is shouted, so that it stays one: 30 in an hour. The metrics count all, and `doctor` has the newest.
#[derive(Default)]
struct Pace {
    since: Option<Instant>,
    times: u32,
}

const SHOUTS: u32 = 30;
const SHOUTED_IN: Duration = Duration::from_hours(1);

impl Pace {
    fn take(&mut self, now: Instant) -> bool {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= SHOUTED_IN)
        {
            *self = Self {
                since: Some(now),
                times: 0,
            };
        }
        self.times = self.times.saturating_add(1);
        self.times <= SHOUTS
    }
}

fn to_stderr(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shouts_have_a_pace_and_start_again_after_an_hour() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!((0..100).filter(|_| pace.take(start)).count(), 30);
        assert!(!pace.take(start + Duration::from_mins(59)));
        assert!(pace.take(start + Duration::from_mins(61)));
    }
}
