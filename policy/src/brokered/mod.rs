//! Credentials that the broker uses on a sandbox's behalf: whose they are, where each may go, how it is put into a request, and
//! what counts as a credential at a host. What a secret *is* stays out of here: a [`Source`] says where it comes from.
//!
//! [`BrokeredCredential`] is `[[credentials]]`, compiled.

mod brokerage;
mod foreign;
mod injection;
mod name;
mod place;
mod placeholder;
mod preset;
mod refusal;
mod service_url;
mod source;

pub use brokerage::Brokerage;
pub(crate) use brokerage::{Brokered, ForeignByHost};
pub use foreign::ForeignCredentials;
pub use injection::Injection;
pub use name::{CredentialName, CredentialNameError};
pub use place::CredentialPlace;
pub use placeholder::{Alphabet, Placeholder};
pub use preset::{CountedPlace, Preset, UnknownPreset};
pub use refusal::{BrokerRefusal, Instead, NotFor};
pub use service_url::{ServiceUrl, ServiceUrlError};
pub use source::{Source, VaultAuth};

use std::sync::Arc;

use crate::glob::Glob;
use crate::method::Method;
use crate::path::RequestPath;
use crate::pattern::HostPattern;
use crate::sandbox::EnvironmentName;

/// `[[credentials]]`, compiled: its preset's words filled in.
#[derive(Debug)]
pub struct BrokeredCredential {
    pub(crate) name: CredentialName,
    pub(crate) source: Source,
    pub(crate) hosts: Vec<HostPattern>,
    /// Empty: every method.
    pub(crate) methods: Vec<Method>,
    /// Empty: every path.
    pub(crate) paths: Vec<Glob>,
    pub(crate) environments: Vec<EnvironmentName>,
    pub(crate) inject: Vec<Injection>,
    pub(crate) placeholder: Option<Placeholder>,
    /// Where it is put in: there a client's own would stand.
    pub(crate) places: Arc<[CredentialPlace]>,
    pub(crate) preset: Option<&'static Preset>,
    pub(crate) foreign: Option<ForeignCredentials>,
    pub(crate) line: Option<u32>,
}

impl BrokeredCredential {
    /// What it is called.
    pub fn name(&self) -> &CredentialName {
        &self.name
    }

    /// Where its secret comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The hosts that it is for.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// How it is put into a request.
    pub fn inject(&self) -> &[Injection] {
        &self.inject
    }

    /// Whether it goes only where its placeholder is.
    pub fn needs_placeholder(&self) -> bool {
        self.inject.iter().all(Injection::needs_placeholder)
    }

    /// What a sandbox sees instead; none: nothing.
    pub fn placeholder(&self) -> Option<&Placeholder> {
        self.placeholder.as_ref()
    }

    /// Whose requests it is used for.
    pub fn environments(&self) -> &[EnvironmentName] {
        &self.environments
    }

    /// Its line in the document, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line.map(|line| line as usize)
    }

    /// Whether it may be used for a request with that method and path, in every reading of the path.
    pub(crate) fn covers(&self, method: &Method, path: &RequestPath) -> bool {
        (self.methods.is_empty() || self.methods.contains(method)) && self.covers_path(path)
    }

    fn covers_path(&self, path: &RequestPath) -> bool {
        let matches = |reading: &str| self.paths.iter().any(|glob| glob.matches(reading));
        if self.paths.is_empty() {
            return true;
        }
        let Ok(readings) = path.readings() else {
            return false;
        };
        matches(path.as_str()) && readings.iter().all(|reading| matches(reading))
    }
}
