//! A certificate that the gate shows to origins on a sandbox's behalf: which origins, and for whom. The files are read by
//! whoever composes the gate; here they are paths.

use std::path::Path;

use crate::pattern::HostPattern;
use crate::sandbox::{EnvironmentName, Identity, Sandbox};
use crate::target::{Scheme, Target};

/// `[[origins.client_certificates]]`, compiled.
#[derive(Debug)]
pub struct ClientCertificate {
    pub(crate) number: usize,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) environments: Vec<EnvironmentName>,
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) line: Option<u32>,
}

impl ClientCertificate {
    /// Its place among those of the policy, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// What it is called in records and errors: its file, as written.
    pub fn name(&self) -> &str {
        &self.certificate
    }

    /// The file with the certificate and those that vouch for it, as written: a relative one is relative to the policy file.
    pub fn certificate(&self) -> &Path {
        Path::new(&self.certificate)
    }

    /// The file with its private key, likewise.
    pub fn key(&self) -> &Path {
        Path::new(&self.key)
    }

    /// To whom it is shown.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// Whose requests it is shown for.
    pub fn environments(&self) -> &[EnvironmentName] {
        &self.environments
    }

    /// Its line in the document, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line.map(|line| line as usize)
    }

    /// True when a request of that sandbox is sent with it: only inside TLS, only where it says, and for nobody without an
    /// identity.
    pub(crate) fn is_for(&self, sandbox: &Sandbox, scheme: Scheme, target: &Target) -> bool {
        scheme == Scheme::Https
            && sandbox.identity == Identity::Own
            && self.environments.contains(&sandbox.environment)
            && self.hosts.iter().any(|pattern| pattern.matches(target))
    }
}
