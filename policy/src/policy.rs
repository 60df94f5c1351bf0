//! The compiled policy. `compile` makes it, `decide` asks it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::audit_settings::AuditSettings;
use crate::audit_sinks::AuditSink;
use crate::brokered::{Brokered, BrokeredCredential};
use crate::document::Warning;
use crate::environment::Environment;
use crate::gate_settings::GateSettings;
use crate::github::{Github, GithubHost, Githubs};
use crate::grants::HostGrant;
use crate::origins::Origins;
use crate::sandbox::EnvironmentName;

/// The compiled policy: what is asked on every connection and every request. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) environments: Arc<BTreeMap<EnvironmentName, Environment>>,
    pub(crate) default_environment: EnvironmentName,
    /// Of clients of a proxy that show no credential; none: they are refused.
    pub(crate) anonymous_environment: Option<EnvironmentName>,
    pub(crate) origins: Arc<Origins>,
    pub(crate) brokered: Brokered,
    pub(crate) githubs: Githubs,
    pub(crate) blocklist_files: Arc<[PathBuf]>,
    pub(crate) gate: GateSettings,
    pub(crate) audit: Arc<AuditSettings>,
    /// In canonical form, sorted.
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) warnings: Vec<Warning>,
    /// Beside the document, and few.
    pub(crate) grants: Arc<[HostGrant]>,
    /// The environment that learns, beside the document as well.
    pub(crate) learns: Option<EnvironmentName>,
}

/// The policy has no environment of that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no environment `{name}`; the environments are: {known}")]
pub struct UnknownEnvironment {
    name: String,
    known: String,
}

impl Policy {
    /// What is legal in the document and probably not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The environment of that name; none gives the default one.
    pub fn environment(&self, name: Option<&str>) -> Result<&Environment, UnknownEnvironment> {
        let name = name.unwrap_or(self.default_environment.as_str());
        self.environments.get(name).ok_or_else(|| self.unknown(name))
    }

    /// All environments, by name.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.values()
    }

    /// The environment of clients of `outwall proxy` that show no credential; none where they are refused.
    pub fn anonymous_environment(&self) -> Option<&EnvironmentName> {
        self.anonymous_environment.as_ref()
    }

    /// How the gate itself reaches origins.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The credentials that are used on behalf of sandboxes, in the order of the document.
    pub fn credentials(&self) -> &[Arc<BrokeredCredential>] {
        &self.brokered.0
    }

    /// Each GitHub that sessions may work at, in the order of the document.
    pub fn githubs(&self) -> &[Github] {
        &self.githubs.0
    }

    /// The one of this host.
    pub fn github(&self, host: &GithubHost) -> Option<&Github> {
        self.githubs.at(host)
    }

    /// The bounds of the gate that the document sets. A gate takes them when it is made.
    pub fn gate(&self) -> &GateSettings {
        &self.gate
    }

    /// How the audit log is kept.
    pub fn audit(&self) -> &AuditSettings {
        &self.audit
    }

    /// Every file that is named anywhere in the policy, as written and each once: what it holds is part of the policy. Relative
    /// paths are relative to the policy file.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.public_files().chain(self.origins.secret_files())
    }

    /// The files that no sandbox may read, as written. Those of credentials, which may begin with `~/`, say nothing about what is in
    /// force, and are none of [`Self::files`]: they are replaced whenever a secret is.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let credentials = self.credentials().iter();
        let named = credentials.filter_map(|credential| credential.source().secret_file());
        let sinks = self.audit.sinks.iter().flat_map(AuditSink::secret_files);
        self.origins.secret_files().chain(named).chain(sinks)
    }

    /// Those of them that hold no secret.
    pub fn public_files(&self) -> impl Iterator<Item = &Path> {
        let lists = self.blocklist_files.iter().map(PathBuf::as_path);
        self.origins.public_files().chain(lists)
    }

    /// Refuses addresses of the gate's own machine, whatever name leads there: a sandbox must not reach the services beside
    /// the gate. Whoever composes the gate knows them; a new policy has to be told again.
    pub fn refuse_addresses(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.own_addresses
            .extend(own.into_iter().map(|address| address.to_canonical()));
        self.own_addresses.sort_unstable();
        self.own_addresses.dedup();
    }

    fn unknown(&self, name: &str) -> UnknownEnvironment {
        let known: Vec<&str> = self.environments.keys().map(EnvironmentName::as_str).collect();
        UnknownEnvironment {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}
