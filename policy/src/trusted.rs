//! The Trusted list: public package registries, version control and the like, in categories. Data, compiled into the binary.
//!
//! It trusts companies, not every customer of theirs: `*.amazonaws.com` and `*.googleapis.com` are on it, where anybody can
//! rent storage. Where data must not leave, `custom` with the hosts that are needed is the level to choose.

use std::sync::LazyLock;

use crate::matcher::{Grant, Matcher};
use crate::pattern::HostPattern;

/// One category of the Trusted list.
#[derive(Clone, Debug)]
pub struct TrustedCategory {
    /// Its name, as written in the list.
    pub name: &'static str,
    /// Its entries, in the order of the list.
    pub entries: Vec<HostPattern>,
}

/// The whole list, in its order.
pub fn list() -> &'static [TrustedCategory] {
    &LIST
}

static LIST: LazyLock<Vec<TrustedCategory>> =
    LazyLock::new(|| read(include_str!("../data/trusted-domains.txt")));

/// The list, compiled once and shared by every environment that includes it.
pub(crate) fn matcher() -> &'static Matcher {
    &MATCHER
}

static MATCHER: LazyLock<Matcher> = LazyLock::new(|| {
    let mut matcher = Matcher::with_capacity(201);
    for (index, category) in (0..).zip(list()) {
        for entry in &category.entries {
            matcher.insert(entry.clone(), Grant::Trusted(index), 0);
        }
    }
    matcher
});

fn read(text: &'static str) -> Vec<TrustedCategory> {
    let mut categories: Vec<TrustedCategory> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# category: ") {
            categories.push(TrustedCategory {
                name,
                entries: Vec::new(),
            });
        } else if !line.is_empty() && !line.starts_with('#') {
            let category = categories.last_mut().expect("a category comes first");
            let entry = HostPattern::parse(line).expect("the list is tested");
            category.entries.push(entry);
        }
    }
    categories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_201_entries_in_17_categories() {
        assert_eq!(list().len(), 17);
        assert_eq!(list().iter().map(|c| c.entries.len()).sum::<usize>(), 201);
    }

    #[test]
    fn every_category_has_entries_and_no_entry_names_a_port_or_an_address() {
        for category in list() {
            assert!(!category.entries.is_empty(), "{}", category.name);
            for entry in &category.entries {
                let text = entry.to_string();
                assert!(entry.port().is_none() && !text.contains(':'), "{text}");
            }
        }
    }

    #[test]
    fn no_entry_appears_twice() {
        let mut all: Vec<_> = list().iter().flat_map(|c| &c.entries).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 201);
    }
}
