//! What the broker has to do with one request.

use std::sync::Arc;

use super::{BrokeredCredential, CountedPlace, CredentialPlace, ForeignCredentials, NotFor, Preset};
use crate::decision::Action;
use crate::environment::Environment;
use crate::pattern::HostPattern;
use crate::permit::ConnectionPermit;
use crate::sandbox::Identity;
use crate::target::{Scheme, Target};

/// All credentials of a policy, in the order of the document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brokered(pub(crate) Arc<[Arc<BrokeredCredential>]>);

/// What the broker has to do with a request. Comes with its permit, for a host that has a credential or a preset.
#[derive(Debug)]
pub struct Brokerage {
    /// What counts in this request because the service is known.
    of_presets: Vec<&'static CredentialPlace>,
    /// Those for this host, whoever may use them.
    here: Vec<(Arc<BrokeredCredential>, Option<NotFor>)>,
    foreign: ForeignCredentials,
}

impl Brokered {
    pub(crate) fn for_request<R>(
        &self,
        environment: &Environment,
        via: &ConnectionPermit,
        action: &Action<R>,
    ) -> Option<Arc<Brokerage>> {
        let target = via.target();
        let here = self.0.iter().filter(|known| known.is_at(target));
        let here: Vec<_> = here
            .map(|known| (Arc::clone(known), known.refuses(environment, via, action)))
            .collect();
        let presets = here.iter().filter_map(|(known, _)| known.preset);
        let presets: Vec<&'static Preset> = Preset::for_target(target).into_iter().chain(presets).collect();
        if here.is_empty() && presets.is_empty() {
            return None;
        }
        let written = here.iter().find_map(|(known, _)| known.foreign);
        let foreign = environment.foreign_credentials.at(target).or(written);
        Some(Arc::new(Brokerage {
            of_presets: counted(&presets, action),
            here,
            foreign: foreign.unwrap_or_default(),
        }))
    }
}

impl BrokeredCredential {
    fn is_at(&self, target: &Target) -> bool {
        self.hosts.iter().any(|pattern| pattern.matches(target))
    }

    /// Why it may not be used for a request at one of its hosts, if it may not.
    fn refuses<R>(
        &self,
        environment: &Environment,
        via: &ConnectionPermit,
        action: &Action<R>,
    ) -> Option<NotFor> {
        if action.scheme != Scheme::Https {
            return Some(NotFor::Clear);
        }
        if !self.environments.contains(environment.name()) {
            return Some(NotFor::Environment);
        }
        if via.sandbox().identity != Identity::Own {
            return Some(NotFor::Anonymous);
        }
        let covered = self.covers(&action.method, &action.path)
            && action
                .acts_as
                .as_ref()
                .is_none_or(|other| self.covers(other, &action.path));
        (!covered).then_some(NotFor::Request)
    }
}

impl Brokerage {
    /// The credentials that may be used for the request, in the order of the document.
    pub fn usable(&self) -> impl Iterator<Item = &Arc<BrokeredCredential>> {
        self.here
            .iter()
            .filter_map(|(known, refused)| refused.is_none().then_some(known))
    }

    /// Those for its host, each with why it may not be used for the request, if it may not.
    pub fn here(&self) -> impl Iterator<Item = (&Arc<BrokeredCredential>, Option<NotFor>)> {
        self.here.iter().map(|(known, refused)| (known, *refused))
    }

    /// What counts as a credential in the request.
    pub fn places(&self) -> impl Iterator<Item = &CredentialPlace> {
        let own = self.here.iter().flat_map(|(known, _)| known.places.iter());
        self.of_presets.iter().copied().chain(own)
    }

    /// What is done with one that the broker did not issue.
    pub fn foreign(&self) -> ForeignCredentials {
        self.foreign
    }
}

fn counted<R>(presets: &[&'static Preset], action: &Action<R>) -> Vec<&'static CredentialPlace> {
    let mut counted = Vec::new();
    for preset in presets {
        let here = preset.counted().iter().filter(|place| place.counts_in(action));
        for place in here.map(CountedPlace::place) {
            if !counted.contains(&place) {
                counted.push(place);
            }
        }
    }
    counted
}

/// `foreign_credentials` of an environment: the narrowest pattern that matches decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForeignByHost(Vec<(HostPattern, ForeignCredentials)>);

impl ForeignByHost {
    pub(crate) fn new(mut lines: Vec<(HostPattern, ForeignCredentials)>) -> Self {
        lines.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.narrowness()));
        Self(lines)
    }

    fn at(&self, target: &Target) -> Option<ForeignCredentials> {
        let mut lines = self.0.iter();
        lines
            .find(|(pattern, _)| pattern.matches(target))
            .map(|(_, action)| *action)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&HostPattern, ForeignCredentials)> {
        self.0.iter().map(|(pattern, action)| (pattern, *action))
    }
}
