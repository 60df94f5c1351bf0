//! Which preset a host belongs to: one look at the name and one at each of its parents.

use std::collections::HashMap;

use super::{Preset, Role};
use crate::host::{DomainName, Host};
use crate::pattern::Hosts;

/// Indexes of presets, by name. The nearest name decides: `storage.googleapis.com` before `*.googleapis.com`.
#[derive(Debug, Default)]
pub(super) struct Index {
    exactly: HashMap<DomainName, usize>,
    below: HashMap<DomainName, usize>,
}

impl Index {
    pub(super) fn of(presets: &[Preset]) -> Self {
        let mut index = Self::default();
        let bases = presets
            .iter()
            .enumerate()
            .filter(|(_, preset)| preset.role == Role::Base);
        for (at, preset) in bases {
            for pattern in preset.hosts.iter().chain(&preset.watched) {
                match &pattern.hosts {
                    Hosts::Exactly(name) => index.exactly.insert(name.clone(), at),
                    Hosts::Below(name) => index.below.insert(name.clone(), at),
                    Hosts::Literal(_) => None, // no service is known by an address
                };
            }
        }
        index
    }

    pub(super) fn find(&self, host: &Host) -> Option<usize> {
        let name = host.name()?;
        let below = || name.parents().find_map(|parent| self.below.get(parent));
        self.exactly.get(name).or_else(below).copied()
    }
}
