//! Secrets narrowed for sessions: a token of a GitHub App for one repository, with the permissions that a session needs. A secret that
//! cannot be narrowed is the credential's own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use outwall_policy::brokered::{self, CredentialName};
use outwall_policy::github::{RepositoryName, SessionRules};

use super::{Keeper, Kept, Tended};
use crate::secret::Secret;
use crate::source::Means;
use crate::unavailable::Unavailable;

/// Those of one policy.
#[derive(Default)]
pub(super) struct Narrowed {
    means: Option<Means>,
    kept: HashMap<(CredentialName, RepositoryName, Permissions), Tended>,
    /// What was narrowed under the policy before: still known to those who look for it in answers.
    before: Vec<(CredentialName, Vec<Arc<Secret>>)>,
}

type Permissions = BTreeMap<&'static str, &'static str>;

impl Keeper {
    /// The secret to put into a request of a session at this repository, by these rules.
    pub async fn current_for(
        &self,
        name: &CredentialName,
        repository: &RepositoryName,
        rules: SessionRules,
    ) -> Result<Arc<Secret>, Unavailable> {
        self.kept_for(name, repository, rules)?.current().await
    }

    /// Its secrets that an answer to a session may reflect: of that session, and the credential's own.
    pub fn known_for(
        &self,
        name: &CredentialName,
        repository: &RepositoryName,
        rules: SessionRules,
    ) -> Vec<Arc<Secret>> {
        let narrowed = self.kept_for(name, repository, rules);
        let mut known = narrowed.map(|kept| kept.known()).unwrap_or_default();
        let before = self.narrowed();
        let of_name = before.before.iter().filter(|(of, _)| of == name);
        let others: Vec<_> = of_name.flat_map(|(_, secrets)| secrets.iter().cloned()).collect();
        drop(before);
        for other in others.into_iter().chain(self.known(name)) {
            if !known.iter().any(|one| one.generation() == other.generation()) {
                known.push(other);
            }
        }
        known
    }

    fn kept_for(
        &self,
        name: &CredentialName,
        repository: &RepositoryName,
        rules: SessionRules,
    ) -> Result<Arc<Kept>, Unavailable> {
        let own = self.kept(name)?;
        if !matches!(own.written(), brokered::Source::GithubApp { .. }) {
            return Ok(own);
        }
        let mut narrowed = self.narrowed();
        let Some(means) = narrowed.means.clone() else {
            return Ok(own); // no policy yet, and nothing is fetched
        };
        let key = (name.clone(), repository.clone(), rules.permissions());
        let tended = narrowed
            .kept
            .entry(key)
            .or_insert_with_key(|(_, _, permissions)| {
                let source = own.written().narrowed_to(repository, permissions);
                Tended::start(Kept::new(name, &source, &means, Arc::clone(&self.clock)))
            });
        Ok(Arc::clone(tended))
    }

    /// A policy was replaced: what was narrowed under the one before is fetched anew when it is needed.
    pub(super) fn forget_narrowed(&self, means: Means) {
        let mut narrowed = self.narrowed();
        let before = std::mem::take(&mut narrowed.kept);
        narrowed.before = before
            .into_iter()
            .map(|((name, ..), kept)| (name, kept.known()))
            .collect();
        narrowed.means = Some(means);
    }

    fn narrowed(&self) -> std::sync::MutexGuard<'_, Narrowed> {
        self.narrowed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
