//! One credential's secret, and the task that keeps it fresh.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use outwall_policy::brokered::{self, CredentialName};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Clock, CredentialState, REMEMBERED, Standing};
use crate::secret::Secret;
use crate::source::{Fetched, Means, Says, Seen, Source, SourceError, Surroundings};
use crate::unavailable::Unavailable;

/// A credential's secret: what there is of it, and where more comes from.
pub(super) struct Kept {
    name: CredentialName,
    written: brokered::Source,
    surroundings: Surroundings,
    source: Arc<dyn Source>,
    clock: Clock,
    /// One value, so that a secret and what is known about it are never of two moments.
    state: ArcSwap<State>,
    /// Held by the one who asks the source.
    asking: tokio::sync::Mutex<()>,
    replaced: Mutex<Vec<Replaced>>,
    fetches: AtomicU64,
    failures: AtomicU64,
}

#[derive(Clone, Default)]
struct State {
    present: Option<Present>,
    /// Since it last succeeded.
    failing: Option<Failing>,
    /// When the source is asked by itself; before that only for who finds that it has changed.
    due: Option<Timestamp>,
}

#[derive(Clone)]
struct Present {
    secret: Arc<Secret>,
    fetched_at: Timestamp,
    expires_at: Option<Timestamp>,
    seen: Option<Seen>,
}

#[derive(Clone)]
struct Failing {
    since: Timestamp,
    times: u32,
    why: Arc<SourceError>,
}

struct Replaced {
    at: Instant,
    secret: Arc<Secret>,
}

/// One that is kept fresh as long as this, or a clone of it, is there.
#[derive(Clone)]
pub(super) struct Tended {
    kept: Arc<Kept>,
    #[expect(dead_code, reason = "held, not read")]
    task: Arc<Task>,
}

struct Task(AbortHandle);

impl Kept {
    pub(super) fn new(
        name: &CredentialName,
        written: &brokered::Source,
        means: &Means,
        clock: Clock,
    ) -> Arc<Self> {
        Self::from_source(name, written, &means.surroundings, means.open(written), clock)
    }

    pub(super) fn from_source(
        name: &CredentialName,
        written: &brokered::Source,
        surroundings: &Surroundings,
        source: Arc<dyn Source>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.clone(),
            written: written.clone(),
            surroundings: surroundings.clone(),
            source,
            clock,
            state: ArcSwap::default(),
            asking: tokio::sync::Mutex::default(),
            replaced: Mutex::default(),
            fetches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    pub(super) fn is_of(&self, written: &brokered::Source, surroundings: &Surroundings) -> bool {
        self.written == *written && self.surroundings == *surroundings
    }

    /// Where it comes from, as the policy says.
    pub(super) fn written(&self) -> &brokered::Source {
        &self.written
    }

    /// The secret that may be used now.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<Secret>, Unavailable> {
        self.look().await;
        self.usable(&self.state.load(), (self.clock)())
    }

    /// Asks the source if that may bring another secret, or one at all.
    pub(super) async fn look(self: &Arc<Self>) {
        if self.should_ask(&self.state.load()) {
            self.ask(Self::should_ask).await;
        }
    }

    /// Asks the source in any case.
    pub(super) async fn ask_anew(self: &Arc<Self>) {
        self.ask(|_, _| true).await;
    }

    /// It has changed; or there is no secret that can be used, and it was not asked a moment ago.
    fn should_ask(&self, state: &State) -> bool {
        let seen = state.present.as_ref().and_then(|present| present.seen.as_ref());
        let now = (self.clock)();
        let is_due = || state.due.is_none_or(|due| due <= now);
        self.source.has_changed(seen) || self.usable(state, now).is_err() && is_due()
    }

    fn usable(&self, state: &State, now: Timestamp) -> Result<Arc<Secret>, Unavailable> {
        let why = state.failing.as_ref().map(|failing| Arc::clone(&failing.why));
        let name = || self.name.clone();
        match (&state.present, &state.failing) {
            (None, None) => Err(Unavailable::Pending { name: name() }),
            (Some(present), _) if present.expires_at.is_some_and(|at| at <= now) => {
                Err(Unavailable::Expired {
                    name: name(),
                    at: present.expires_at.unwrap_or(now),
                    why,
                })
            }
            (Some(present), Some(failing)) if self.may_hold(failing, now) => Ok(Arc::clone(&present.secret)),
            (Some(present), None) => Ok(Arc::clone(&present.secret)),
            (_, Some(failing)) => Err(Unavailable::NotFetched {
                name: name(),
                why: Arc::clone(&failing.why),
            }),
        }
    }

    fn may_hold(&self, failing: &Failing, now: Timestamp) -> bool {
        let held_for = Duration::try_from(now.duration_since(failing.since)).unwrap_or_default();
        failing.why.says() == Says::Nothing && held_for < self.source.patience()
    }

    /// Asks the source, one at a time, if `still` says so once it is our turn. What was begun is done, even if nobody waits for it
    /// any more.
    async fn ask(self: &Arc<Self>, still: fn(&Self, &State) -> bool) {
        let this = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let _turn = this.asking.lock().await;
            if still(&this, &this.state.load()) {
                this.fetch().await;
            }
        });
        if asked.await.is_err() {
            tracing::error!(credential = %self.name, "fetching a secret was broken off");
        }
    }

    async fn fetch(self: &Arc<Self>) {
        self.fetches.fetch_add(1, Relaxed);
        match self.source.fetch((self.clock)()).await {
            Ok(fetched) => self.take(fetched),
            Err(why) => self.fail(why),
        }
    }

    fn take(self: &Arc<Self>, fetched: Fetched) {
        let now = (self.clock)();
        let before = self.state.load();
        let known = before.present.as_ref().map(|present| &present.secret);
        let secret = match known {
            Some(known) if known.is(&fetched.secret) => Arc::clone(known),
            Some(known) => {
                self.remember(vec![Arc::clone(known)]);
                Arc::new(fetched.secret)
            }
            None => Arc::new(fetched.secret),
        };
        let by_then = fetched.expires_at.map(|at| left_alone(at, now));
        let ask_again = fetched.ask_again.into_iter().chain(by_then).min();
        self.state.store(Arc::new(State {
            present: Some(Present {
                secret,
                fetched_at: now,
                expires_at: fetched.expires_at,
                seen: fetched.seen,
            }),
            failing: None,
            due: ask_again.map(|after| later(now, after.mul_f64(1.0 - 0.1 * chance()))),
        }));
    }

    fn fail(&self, why: SourceError) {
        self.failures.fetch_add(1, Relaxed);
        let now = (self.clock)();
        let before = self.state.load();
        let (since, times) = match &before.failing {
            Some(failing) => (failing.since, failing.times.saturating_add(1)),
            None => (now, 1),
        };
        if times == 1 {
            tracing::warn!(credential = %self.name, %why, "a secret cannot be fetched");
        }
        self.state.store(Arc::new(State {
            present: before.present.clone(),
            failing: Some(Failing {
                since,
                times,
                why: Arc::new(why),
            }),
            due: Some(later(now, pause(times))),
        }));
    }

    /// Its secret, then those that were replaced of late.
    pub(super) fn known(&self) -> Vec<Arc<Secret>> {
        let present = self
            .state
            .load()
            .present
            .as_ref()
            .map(|present| Arc::clone(&present.secret));
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = replaced.iter().map(|replaced| Arc::clone(&replaced.secret));
        present.into_iter().chain(replaced).collect()
    }

    /// Counts these among those that were replaced, for a while.
    pub(super) fn remember(self: &Arc<Self>, secrets: Vec<Arc<Secret>>) {
        if secrets.is_empty() {
            return;
        }
        let at = Instant::now();
        let replaced = secrets.into_iter().map(|secret| Replaced { at, secret });
        self.replaced().extend(replaced);
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(REMEMBERED).await;
            if let Some(this) = this.upgrade() {
                this.replaced()
                    .retain(|replaced| replaced.at.elapsed() < REMEMBERED);
            }
        });
    }

    fn replaced(&self) -> std::sync::MutexGuard<'_, Vec<Replaced>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> CredentialState {
        let state = self.state.load();
        let present = state.present.as_ref();
        CredentialState {
            name: self.name.clone(),
            kind: self.written.kind(),
            standing: match (self.usable(&state, (self.clock)()), &state.failing) {
                (Err(unavailable), _) => Standing::Unavailable(unavailable),
                (Ok(_), Some(failing)) => Standing::Held(Arc::clone(&failing.why)),
                (Ok(_), None) => Standing::Ready,
            },
            fetched_at: present.map(|present| present.fetched_at),
            expires_at: present.and_then(|present| present.expires_at),
            asked_again_at: state.due,
            residence: present.map(|present| present.secret.residence()),
            fetches: self.fetches.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }

    /// Asks whenever it is due, until nothing is any more.
    async fn tend(self: Arc<Self>) {
        self.look().await;
        while let Some(due) = self.state.load().due {
            match Duration::try_from(due.duration_since((self.clock)())) {
                // In pieces, since the clock of timers stands still while a laptop sleeps.
                Ok(wait) if !wait.is_zero() => tokio::time::sleep(wait.min(LONGEST_SLEEP)).await,
                Ok(_) | Err(_) => self.ask(Self::is_due).await,
            }
        }
    }

    fn is_due(&self, state: &State) -> bool {
        state.due.is_some_and(|due| due <= (self.clock)())
    }
}

impl Tended {
    pub(super) fn start(kept: Arc<Kept>) -> Self {
        let task = tokio::spawn(Arc::clone(&kept).tend());
        Self {
            kept,
            task: Arc::new(Task(task.abort_handle())),
        }
    }
}

impl Deref for Tended {
    type Target = Arc<Kept>;

    fn deref(&self) -> &Arc<Kept> {
        &self.kept
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// 1 s, 2 s, 4 s and so on to a minute, or up to a quarter more: those that failed together do not come back together.
fn pause(times: u32) -> Duration {
    let seconds = 1_u64.checked_shl(times.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds.clamp(1, LONGEST_PAUSE_SECONDS)).mul_f64(1.0 + 0.25 * chance())
}

/// How long one that expires is left alone: so that there is time for another attempt or two.
fn left_alone(expires_at: Timestamp, now: Timestamp) -> Duration {
    let life = Duration::try_from(expires_at.duration_since(now)).unwrap_or_default();
    let spare = (life / 5).min(MOST_SPARE);
    life.saturating_sub(spare).max(Duration::from_secs(1))
}

/// From 0 to 1; where the system has no random numbers, 0.
fn chance() -> f64 {
    let mut random = [0; 4];
    let _ = aws_lc_rs::rand::fill(&mut random);
    f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX)
}

fn later(now: Timestamp, after: Duration) -> Timestamp {
    now.saturating_add(jiff::SignedDuration::try_from(after).unwrap_or(jiff::SignedDuration::MAX))
        .unwrap_or(Timestamp::MAX)
}

const MOST_SPARE: Duration = Duration::from_mins(5);
const LONGEST_PAUSE_SECONDS: u64 = 60;
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
