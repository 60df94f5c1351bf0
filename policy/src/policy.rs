//! The compiled policy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use thiserror::Error;

use crate::document::{DocumentErrors, PolicyDocument, Warning};
use crate::environment::Environment;
use crate::origins::Origins;
use crate::sandbox::EnvironmentName;

/// The compiled policy: what is asked on every connection and every request.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) environments: BTreeMap<EnvironmentName, Environment>,
    pub(crate) default_environment: EnvironmentName,
    pub(crate) origins: Origins,
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) warnings: Vec<Warning>,
}

/// The policy has no environment of that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no environment `{name}` (there is {known})")]
pub struct UnknownEnvironment {
    name: String,
    known: String,
}

impl Policy {
    /// What a document means.
    pub fn compile(document: &PolicyDocument) -> Result<Self, DocumentErrors> {
        let _ = document;
        let name: EnvironmentName = "default".parse().expect("a valid name");
        Ok(Self {
            environments: [(name.clone(), Environment::stub(name.clone()))].into(),
            default_environment: name,
            origins: Origins::default(),
            own_addresses: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// What is legal in the document and probably not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The environment of that name; none gives the default one.
    pub fn environment(&self, name: Option<&str>) -> Result<&Environment, UnknownEnvironment> {
        let name = name.unwrap_or(self.default_environment.as_str());
        self.environments.get(name).ok_or_else(|| UnknownEnvironment {
            name: name.to_owned(),
            known: String::new(),
        })
    }

    /// All environments, by name.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.values()
    }

    /// How the gate itself reaches origins.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Refuses the addresses of the gate's own machine, whatever names lead there.
    pub fn refuse_addresses(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.own_addresses.extend(own);
    }
}
