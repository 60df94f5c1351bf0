//! What an environment does about credentials that leave.

use std::sync::Arc;

use super::{CredentialShape, Part, SharedShape, list};
use crate::pattern::HostPattern;
use crate::target::Target;

/// What is done about a credential that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LeakAction {
    /// Nothing is looked at.
    Off,
    /// It is sent, and it is a finding.
    #[default]
    Report,
    /// It is not sent, and it is a finding.
    Block,
}

/// The scan of what a sandbox sends, as an environment configures it. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct LeakScan {
    pub(crate) action: LeakAction,
    pub(crate) patterns: Arc<[SharedShape]>,
    pub(crate) exceptions: Arc<[Exception]>,
}

/// `except`: a shape, and where it may go.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) shape: String,
    /// None: anywhere.
    pub(crate) hosts: Vec<HostPattern>,
}

impl LeakAction {
    /// As written: `off`, `report`, `block`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Block => "block",
        }
    }
}

impl LeakScan {
    /// What is done about a credential.
    pub fn action(&self) -> LeakAction {
        self.action
    }

    /// The shapes that are configured besides the known ones.
    pub fn patterns(&self) -> &[SharedShape] {
        &self.patterns
    }

    /// Every shape that is looked for: the known ones, then the configured ones.
    pub fn shapes(&self) -> impl Iterator<Item = &SharedShape> {
        list().iter().chain(self.patterns.iter())
    }

    /// The exceptions, for people to read: shape, and hosts (none: anywhere).
    pub fn exceptions(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        self.exceptions.iter().map(|exception| {
            let hosts = exception.hosts.iter().map(ToString::to_string);
            (exception.shape.as_str(), hosts.collect())
        })
    }

    /// True when a credential may go there: the target issued it, or an exception says so.
    pub fn excepts(&self, shape: &CredentialShape, target: &Target, part: Part) -> bool {
        shape.is_at_home(target, part)
            || self.exceptions.iter().any(|exception| {
                let anywhere = exception.hosts.is_empty();
                let here = || exception.hosts.iter().any(|hosts| hosts.matches(target));
                exception.shape == shape.name() && (anywhere || here())
            })
    }
}
