//! Entries of an allowlist, compiled: a lookup hashes the name and each of its parents once, however many entries there are.
//! A million entries take one row, one shared name and one map slot each.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::host::{DomainName, Host};
use crate::pattern::{HostPattern, Hosts};
use crate::target::Target;

#[cfg(test)]
pub(crate) mod planted;

/// What an entry grants, the strongest first: where several entries match, the first of these decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Before [`Tunnelled`](Self::Tunnelled): such hosts are always intercepted.
    AlwaysReachable,
    Tunnelled,
    Tcp,
    Allowed,
    /// With the index of its category.
    Trusted(u8),
}

/// Rows, found by name or by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    rows: Vec<Row>,
    exactly: HashMap<DomainName, u32>,
    below: HashMap<DomainName, u32>,
    literal: HashMap<IpAddr, u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) pattern: HostPattern,
    pub(crate) grant: Grant,
    /// Its line in the document, 0 when it is not from there.
    pub(crate) line: u32,
    /// The next row of the same hosts, [`LAST`] at the end.
    next: u32,
}

const LAST: u32 = u32::MAX;

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Row(&'a Row),
    /// Rows for the host, and none for the port.
    OtherPort,
    Nothing,
}

impl Matcher {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    pub(crate) fn insert(&mut self, pattern: HostPattern, grant: Grant, line: u32) {
        let index = u32::try_from(self.rows.len()).expect("fewer entries than u32::MAX");
        let before = match &pattern.hosts {
            Hosts::Exactly(name) => self.exactly.insert(name.clone(), index),
            Hosts::Below(name) => self.below.insert(name.clone(), index),
            Hosts::Literal(address) => self.literal.insert(*address, index),
        };
        self.rows.push(Row {
            pattern,
            grant,
            line,
            next: before.unwrap_or(LAST),
        });
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn find(&self, target: &Target) -> Found<'_> {
        #[cfg(test)]
        if let Some(wrong) = planted::find(self, target) {
            return wrong;
        }
        let mut found = Found::Nothing;
        for first in self.chains(&target.host) {
            for row in self.chain(first) {
                found = found.or(row, target.port);
            }
        }
        found
    }

    /// True when some row names the host, at whatever port.
    pub(crate) fn names(&self, host: &Host) -> bool {
        self.chains(host).next().is_some()
    }

    /// True when every host of the pattern is a host of some row that matches its port.
    pub(crate) fn covers(&self, pattern: &HostPattern) -> bool {
        let same_port = |row: &Row| {
            row.pattern.port == pattern.port || pattern.port.is_some_and(|port| row.pattern.covers_port(port))
        };
        let any = |first: Option<&u32>| first.is_some_and(|first| self.chain(*first).any(same_port));
        match &pattern.hosts {
            Hosts::Exactly(name) => any(self.exactly.get(name)) || self.above(name).any(|row| any(Some(row))),
            Hosts::Below(name) => any(self.below.get(name)) || self.above(name).any(|row| any(Some(row))),
            Hosts::Literal(address) => any(self.literal.get(address)),
        }
    }

    /// The first rows of all patterns that have this host.
    fn chains<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = u32> + 'a {
        let (name, address) = (host.name(), host.address());
        let by_address = address.and_then(|address| self.literal.get(&address));
        let by_name = name.and_then(|name| self.exactly.get(name));
        let by_parent = name.into_iter().flat_map(|name| self.above(name));
        by_address.into_iter().chain(by_name).chain(by_parent).copied()
    }

    fn above<'a>(&'a self, name: &'a DomainName) -> impl Iterator<Item = &'a u32> + 'a {
        let parents = (!self.below.is_empty()).then(|| name.parents());
        parents
            .into_iter()
            .flatten()
            .filter_map(|parent| self.below.get(parent))
    }

    fn chain(&self, first: u32) -> impl Iterator<Item = &Row> {
        let row = |index: u32| self.rows.get(index as usize); // LAST is no row
        std::iter::successors(row(first), move |row_now| row(row_now.next))
    }
}

impl<'a> Found<'a> {
    fn or(self, row: &'a Row, port: u16) -> Self {
        if !row.pattern.covers_port(port) {
            return match self {
                Self::Nothing => Self::OtherPort,
                Self::OtherPort | Self::Row(_) => self,
            };
        }
        match self {
            Self::Row(best) if best.grant <= row.grant => self,
            Self::Row(_) | Self::OtherPort | Self::Nothing => Self::Row(row),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn matcher(entries: &[(&str, Grant)]) -> Matcher {
        let mut matcher = Matcher::default();
        for (text, grant) in entries {
            matcher.insert(HostPattern::parse(text).unwrap(), *grant, 0);
        }
        matcher
    }

    fn found(matcher: &Matcher, target: &str) -> Option<String> {
        match matcher.find(&Target::parse(target).unwrap()) {
            Found::Row(row) => Some(row.pattern.to_string()),
            Found::OtherPort => Some("other port".into()),
            Found::Nothing => None,
        }
    }

    #[test]
    fn a_wildcard_is_every_depth_and_not_the_name_itself() {
        let matcher = matcher(&[("*.example.test", Grant::Allowed)]);
        assert_eq!(found(&matcher, "a.b.example.test:443").unwrap(), "*.example.test");
        assert_eq!(found(&matcher, "a.example.test:443").unwrap(), "*.example.test");
        assert_eq!(found(&matcher, "example.test:443"), None);
        assert_eq!(found(&matcher, "badexample.test:443"), None);
    }

    #[test]
    fn an_entry_without_port_is_for_80_and_443() {
        let matcher = matcher(&[("a.test", Grant::Allowed), ("b.test:8443", Grant::Allowed)]);
        assert_eq!(found(&matcher, "a.test:80").unwrap(), "a.test");
        assert_eq!(found(&matcher, "a.test:443").unwrap(), "a.test");
        assert_eq!(found(&matcher, "a.test:8443").unwrap(), "other port");
        assert_eq!(found(&matcher, "b.test:8443").unwrap(), "b.test:8443");
        assert_eq!(found(&matcher, "b.test:443").unwrap(), "other port");
    }

    #[test]
    fn several_entries_for_one_host_all_count_and_the_strongest_decides() {
        let matcher = matcher(&[
            ("a.test", Grant::Allowed),
            ("a.test:5432", Grant::Tcp),
            ("*.test", Grant::AlwaysReachable),
            ("a.test", Grant::Tunnelled),
        ]);
        assert_eq!(found(&matcher, "a.test:443").unwrap(), "*.test");
        assert_eq!(found(&matcher, "a.test:5432").unwrap(), "a.test:5432");
    }

    #[test]
    fn a_literal_is_found_by_its_address_only() {
        let matcher = matcher(&[("192.0.2.1", Grant::Allowed), ("::1", Grant::Allowed)]);
        assert!(found(&matcher, "192.0.2.1:443").is_some());
        assert!(found(&matcher, "[::ffff:192.0.2.1]:443").is_some());
        assert!(found(&matcher, "[0::0:1]:80").is_some());
        assert_eq!(found(&matcher, "192.0.2.2:443"), None);
    }

    #[test]
    fn a_pattern_is_covered_by_a_wider_one() {
        let matcher = matcher(&[("*.a.test", Grant::Allowed), ("b.test", Grant::Allowed)]);
        for (text, covered) in [
            ("x.a.test", true),
            ("*.x.a.test", true),
            ("*.a.test", true),
            ("b.test", true),
            ("b.test:443", true),
            ("a.test", false),
            ("b.test:22", false),
            ("*.b.test", false),
            ("*.test", false),
        ] {
            assert_eq!(
                matcher.covers(&HostPattern::parse(text).unwrap()),
                covered,
                "{text}"
            );
        }
    }
}
