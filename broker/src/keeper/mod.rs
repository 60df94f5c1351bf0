//! [`Keeper`]: the secrets of all credentials of a policy, always the newest that its source has.
//!
//! 1. A request that asks takes no lock and waits for nothing, unless there is no secret that can be used: then it waits for the one
//!    fetch that all who ask share.
//! 2. A file is looked at with each use, so that the first request after a change has the new secret. What is behind a command or a
//!    service is fetched again by a task of its own, before it expires.
//! 3. A secret that has expired, or that its source says was taken back, is never used. Where the source cannot be asked, the last
//!    one is used for a while (`Source::patience`), and the state says so.
//! 4. What was replaced is still known for [`REMEMBERED`], to those who look for it in answers.

mod kept;
mod narrowed;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use outwall_policy::brokered::{self, CredentialName};

use crate::secret::{Residence, Secret};
use crate::source::{Means, PresentServices, Services, SourceError, Surroundings};
use crate::unavailable::Unavailable;
use kept::{Kept, Tended};
use narrowed::Narrowed;

/// How long a secret that was replaced is looked for in answers: longer than an origin takes to answer.
pub const REMEMBERED: Duration = Duration::from_mins(10);

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The secrets of all credentials of a policy.
pub struct Keeper {
    credentials: ArcSwap<BTreeMap<CredentialName, Tended>>,
    /// Narrowed for sessions, made when they are first used and gone with the policy.
    narrowed: Mutex<Narrowed>,
    services: Arc<PresentServices>,
    clock: Clock,
}

/// How a credential stands, for people and for metrics.
#[derive(Clone, Debug)]
pub struct CredentialState {
    /// Its name.
    pub name: CredentialName,
    /// Of which kind its source is: the key of the document.
    pub kind: &'static str,
    /// Whether it can be used.
    pub standing: Standing,
    /// When its secret was fetched, or last found to be the same.
    pub fetched_at: Option<Timestamp>,
    /// From when on it is not used.
    pub expires_at: Option<Timestamp>,
    /// When its source is asked again; none: with each use, or never.
    pub asked_again_at: Option<Timestamp>,
    /// Whether its secret may be written to the swap.
    pub residence: Option<Residence>,
    /// How often its source was asked.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

/// Whether a credential can be used.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It can.
    Ready,
    /// It can, for a while: its source could not be asked for a newer one.
    Held(Arc<SourceError>),
    /// It cannot.
    Unavailable(Unavailable),
}

impl Keeper {
    /// Without credentials: [`Self::replace`] gives it some.
    pub fn new(clock: Clock) -> Self {
        Self {
            credentials: ArcSwap::default(),
            narrowed: Mutex::default(),
            services: Arc::default(),
            clock,
        }
    }

    /// Asks services in this way from now on. Before, none is asked.
    pub fn ask_through(&self, services: Box<dyn Services>) {
        self.services.replace(services);
    }

    /// Keeps these from now on, as a policy names them, and no others. What has the same name and the same source is not asked
    /// again. Needs a runtime of tokio.
    pub fn replace<'a>(
        &self,
        surroundings: &Surroundings,
        credentials: impl IntoIterator<Item = (&'a CredentialName, &'a brokered::Source)>,
    ) {
        let before = self.credentials.load();
        let services: Arc<dyn Services> = Arc::clone(&self.services) as _;
        let means = Means {
            surroundings: surroundings.clone(),
            services,
        };
        let tended = |(name, written): (&CredentialName, &brokered::Source)| {
            let known = before.get(name);
            if let Some(same) = known.filter(|known| known.is_of(written, surroundings)) {
                return (name.clone(), same.clone());
            }
            let kept = Kept::new(name, written, &means, Arc::clone(&self.clock));
            kept.remember(known.map(|known| known.known()).unwrap_or_default());
            (name.clone(), Tended::start(kept))
        };
        let replaced = credentials.into_iter().map(tended).collect();
        self.credentials.store(Arc::new(replaced));
        self.forget_narrowed(means);
    }

    /// The secret to put into a request that is about to be sent.
    pub async fn current(&self, name: &CredentialName) -> Result<Arc<Secret>, Unavailable> {
        self.kept(name)?.current().await
    }

    /// Its secret and those that it replaced within [`REMEMBERED`]: all that an answer may reflect. Empty for one that is not there.
    pub fn known(&self, name: &CredentialName) -> Vec<Arc<Secret>> {
        self.kept(name).map(|kept| kept.known()).unwrap_or_default()
    }

    /// Asks the source now, whenever it was asked, and says what came of it.
    pub async fn check(&self, name: &CredentialName) -> Result<CredentialState, Unavailable> {
        let kept = self.kept(name)?;
        kept.ask_anew().await;
        Ok(kept.state())
    }

    /// How one stands. Nothing is asked, but a file is looked at.
    pub async fn state(&self, name: &CredentialName) -> Result<CredentialState, Unavailable> {
        let kept = self.kept(name)?;
        kept.look().await;
        Ok(kept.state())
    }

    /// How all stand, by name.
    pub async fn states(&self) -> Vec<CredentialState> {
        let all: Vec<Arc<Kept>> = self
            .credentials
            .load()
            .values()
            .map(|of| Arc::clone(of))
            .collect();
        let mut states = Vec::with_capacity(all.len());
        for kept in all {
            kept.look().await;
            states.push(kept.state());
        }
        states
    }

    fn kept(&self, name: &CredentialName) -> Result<Arc<Kept>, Unavailable> {
        let credentials = self.credentials.load();
        let tended = credentials.get(name);
        tended
            .map(|tended| Arc::clone(tended))
            .ok_or_else(|| Unavailable::Unknown { name: name.clone() })
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.credentials.load().keys()).finish()
    }
}

#[cfg(test)]
mod tests;
