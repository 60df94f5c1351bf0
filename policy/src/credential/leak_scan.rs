//! What an environment does about credentials that leave.

use std::sync::Arc;

use super::{Check, CredentialShape, Expression, Part, SharedShape, list};
use crate::brokered::BrokeredCredential;
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
    /// Of one sandbox, each named after its credential.
    pub(crate) placeholders: Arc<[SharedShape]>,
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
    /// The same for one sandbox, with what stands for secrets there. A placeholder is kept from other hosts whatever the action.
    #[must_use]
    pub fn with_placeholders<'a>(
        &self,
        placeholders: impl IntoIterator<Item = (&'a BrokeredCredential, &'a str)>,
    ) -> Self {
        let shapes = placeholders
            .into_iter()
            .filter_map(|(credential, text)| placeholder(credential, text));
        Self {
            placeholders: shapes.map(Arc::new).collect(),
            ..self.clone()
        }
    }

    /// The same where what is found is only left out of what is written down: everything is looked for, whatever the action.
    #[must_use]
    pub fn for_masking(&self) -> Self {
        let action = LeakAction::Report;
        Self {
            action,
            ..self.clone()
        }
    }

    /// Whether anything is looked at.
    pub fn looks(&self) -> bool {
        self.action != LeakAction::Off || !self.placeholders.is_empty()
    }

    /// Whether nothing but the known shapes is looked for.
    pub fn is_plain(&self) -> bool {
        self.action != LeakAction::Off && self.patterns.is_empty() && self.placeholders.is_empty()
    }

    /// What is done about a credential.
    pub fn action(&self) -> LeakAction {
        self.action
    }

    /// The shapes that are configured besides the known ones.
    pub fn patterns(&self) -> &[SharedShape] {
        &self.patterns
    }

    /// Every shape that is looked for: the known ones, the configured ones, and placeholders; those alone where the action is off.
    pub fn shapes(&self) -> impl Iterator<Item = &SharedShape> {
        let credentials = match self.action {
            LeakAction::Off => (&[][..], &[][..]),
            LeakAction::Report | LeakAction::Block => (list(), &*self.patterns),
        };
        credentials
            .0
            .iter()
            .chain(credentials.1)
            .chain(self.placeholders.iter())
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

/// None for one that is too short to be looked for: those occur by chance.
fn placeholder(credential: &BrokeredCredential, text: &str) -> Option<CredentialShape> {
    let parsed = Expression::parse(&regex_syntax::escape(text)).ok()?;
    let (name, issuers) = (credential.name().as_str(), credential.hosts().to_vec());
    Some(CredentialShape::of_expression(
        name,
        parsed,
        Check::Placeholder,
        issuers,
    ))
}
