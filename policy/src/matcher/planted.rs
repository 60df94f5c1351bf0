//! Bugs planted into the matcher in unit tests of the self-check, one at a time and on one thread only.

use std::cell::Cell;

use super::{Found, Matcher, Row};
use crate::pattern::Hosts;
use crate::target::Target;

/// A way for a matcher to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// `badexample.test` for `*.example.test`.
    SuffixWithoutDot,
    /// `example.test` for `*.example.test`.
    WildcardIncludesApex,
    /// Only `a.example.test`, and not `a.b.example.test`.
    WildcardOfOneLabel,
    /// `a.example.test` for `example.test`.
    ExactIncludesBelow,
    /// `example.test.evil` for `example.test`.
    PrefixMatches,
    PortsAreIgnored,
    EverythingMatches,
    NothingMatches,
    LastEntryIsLost,
}

pub(crate) const ALL: [Bug; 9] = [
    Bug::SuffixWithoutDot,
    Bug::WildcardIncludesApex,
    Bug::WildcardOfOneLabel,
    Bug::ExactIncludesBelow,
    Bug::PrefixMatches,
    Bug::PortsAreIgnored,
    Bug::EverythingMatches,
    Bug::NothingMatches,
    Bug::LastEntryIsLost,
];

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Runs `test` with a matcher that is wrong.
pub(crate) fn with<T>(bug: Bug, test: impl FnOnce() -> T) -> T {
    PLANTED.set(Some(bug));
    let outcome = test();
    PLANTED.set(None);
    outcome
}

/// What a wrong matcher finds, while there is one.
pub(super) fn find<'a>(matcher: &'a Matcher, target: &Target) -> Option<Found<'a>> {
    let bug = PLANTED.get()?;
    let known = match bug {
        Bug::LastEntryIsLost => matcher.rows.len().saturating_sub(1),
        _ => matcher.rows.len(),
    };
    let found = matcher.rows[..known]
        .iter()
        .filter(|row| matches(bug, row, target));
    let port = if bug == Bug::PortsAreIgnored {
        None
    } else {
        Some(target.port)
    };
    Some(found.fold(Found::Nothing, |found, row| {
        found.or(row, port.unwrap_or(row.pattern.port.unwrap_or(443)))
    }))
}

fn matches(bug: Bug, row: &Row, target: &Target) -> bool {
    let host = target.host.to_string();
    let right = row.pattern.hosts.contain(&target.host);
    match (bug, &row.pattern.hosts) {
        (Bug::SuffixWithoutDot, Hosts::Below(base)) => host.ends_with(base.as_str()) && host != base.as_str(),
        (Bug::WildcardIncludesApex, Hosts::Below(base)) => right || host == base.as_str(),
        (Bug::WildcardOfOneLabel, Hosts::Below(base)) => {
            right && !host[..host.len() - base.as_str().len() - 1].contains('.')
        }
        (Bug::ExactIncludesBelow, Hosts::Exactly(name)) => {
            right || host.ends_with(&format!(".{}", name.as_str()))
        }
        (Bug::PrefixMatches, Hosts::Exactly(name)) => host.starts_with(name.as_str()),
        (Bug::EverythingMatches, _) => true,
        (Bug::NothingMatches, _) => false,
        _ => right,
    }
}
