//! One environment, compiled.

use crate::document::{NetworkLevel, RefusedNames};
use crate::host::DomainName;
use crate::permit::RuleName;
use crate::sandbox::EnvironmentName;

/// What is done with an allowed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Treatment {
    /// Its requests are read and decided on one by one.
    Intercept,
    /// As [`Intercept`](Self::Intercept), for requests in absolute form.
    Forward,
    /// Relayed unread, because its client pins certificates.
    Tunnel,
    /// Plain TCP, relayed unread.
    Stream,
}

/// One line of what an environment reaches, with where it comes from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The hosts: a pattern, or `any public host`.
    pub hosts: String,
    /// Where the entry comes from.
    pub rule: RuleName,
    /// What is done with connections to it.
    pub treatment: Treatment,
    /// Its line in the document, from 1, when it is written there.
    pub line: Option<usize>,
}

/// One environment, compiled.
#[derive(Clone, Debug)]
pub struct Environment {
    name: EnvironmentName,
}

impl Environment {
    pub(crate) fn stub(name: EnvironmentName) -> Self {
        Self { name }
    }

    /// Its name.
    pub fn name(&self) -> &EnvironmentName {
        &self.name
    }

    /// Its level.
    pub fn network(&self) -> NetworkLevel {
        NetworkLevel::None
    }

    /// True when namespaces may be made inside its sandboxes.
    pub fn nested_namespaces(&self) -> bool {
        false
    }

    /// What DNS answers for names that are not allowed.
    pub fn refused_names(&self) -> RefusedNames {
        RefusedNames::default()
    }

    /// True when the name is allowed at some port.
    pub fn reaches(&self, name: &DomainName) -> bool {
        let _ = name;
        false
    }

    /// The effective allowlist, with where each entry comes from.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        std::iter::empty()
    }
}
