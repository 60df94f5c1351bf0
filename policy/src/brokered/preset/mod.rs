//! Presets: the services that the broker knows, reviewed data in `data/presets.toml`.
//!
//! [`Preset::named`] is `preset = "…"` of a credential. [`Preset::for_target`] is asked for every connection: what counts as a
//! credential at a known host counts there for everybody, whether or not the operator configured one.

mod file;
mod index;
mod scope;

use std::sync::LazyLock;

use thiserror::Error;

use super::{CredentialPlace, Injection, Placeholder};
use crate::decision::Action;
use crate::pattern::HostPattern;
use crate::target::Target;
use index::Index;
pub use scope::CountedPlace;

/// A service that the broker knows.
#[derive(Debug)]
pub struct Preset {
    name: String,
    hosts: Vec<HostPattern>,
    /// Further hosts where the places count.
    watched: Vec<HostPattern>,
    inject: Vec<Injection>,
    placeholder: Option<Placeholder>,
    places: Vec<CountedPlace>,
    source: String,
    /// Whether it is the one that says what counts at its hosts, and no variant of another.
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Base,
    Variant,
}

/// No preset has that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no preset `{name}`; there are {}", known())]
pub struct UnknownPreset {
    name: String,
}

impl Preset {
    /// Every preset, in the order of the file.
    pub fn all() -> &'static [Self] {
        &PRESETS.list
    }

    /// `preset = "…"`.
    pub fn named(name: &str) -> Result<&'static Self, UnknownPreset> {
        let found = Self::all().iter().find(|preset| preset.name == name);
        found.ok_or_else(|| UnknownPreset {
            name: name.to_owned(),
        })
    }

    /// The preset that says what counts as a credential at that host, at whatever port.
    pub fn for_target(target: &Target) -> Option<&'static Self> {
        PRESETS.index.find(&target.host).map(|index| &PRESETS.list[index])
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a secret of it is used, unless the operator says otherwise.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// Further hosts where its places count.
    pub fn watched(&self) -> &[HostPattern] {
        &self.watched
    }

    /// How a secret is sent. Empty where the operator has to say: an account of a container registry has a name.
    pub fn inject(&self) -> &[Injection] {
        &self.inject
    }

    /// What a sandbox sees instead; none where no client reads it from a variable.
    pub fn placeholder(&self) -> Option<&Placeholder> {
        self.placeholder.as_ref()
    }

    /// Everything that counts somewhere, with the reasons.
    pub fn counted(&self) -> &[CountedPlace] {
        &self.places
    }

    /// What counts as a credential in that request. Its host need not be one of the preset's: an operator may give a preset
    /// other hosts, and there counts what is not narrowed to hosts.
    pub fn places<'a, R>(&'a self, request: &'a Action<R>) -> impl Iterator<Item = &'a CredentialPlace> {
        let counted = self.places.iter().filter(move |place| place.counts_in(request));
        counted.map(CountedPlace::place)
    }

    /// Where the service is described.
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn known() -> String {
    let names: Vec<&str> = Preset::all().iter().map(Preset::name).collect();
    names.join(", ")
}

struct Presets {
    list: Vec<Preset>,
    index: Index,
}

static PRESETS: LazyLock<Presets> = LazyLock::new(|| {
    let list = file::read(include_str!("../../../data/presets.toml"));
    let index = Index::of(&list);
    Presets { list, index }
});

#[cfg(test)]
mod tests;
