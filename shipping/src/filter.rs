//! `only`: which events a sink gets.

use outwall_audit::Kind;
use outwall_policy::audit_sinks::EventGroup;

/// Whether an event of this kind belongs to one of the groups; none are all.
pub(crate) fn wants(groups: &[EventGroup], kind: Kind) -> bool {
    groups.is_empty() || groups.iter().any(|group| has(*group, kind))
}

fn has(group: EventGroup, kind: Kind) -> bool {
    let name = kind.as_str();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match group {
        EventGroup::Denied => kind == Kind::Denied,
        EventGroup::Findings => kind == Kind::Finding,
        EventGroup::Traffic => begins(&["exchange.", "connection.", "published.", "port."]),
        EventGroup::Dns => kind == Kind::Dns,
        EventGroup::Policy => begins(&["policy.", "grant.", "question."]),
        EventGroup::Credentials => begins(&["credential."]),
        // What is of no group, now or in a later version, is here, so that it is not in none.
        EventGroup::Lifecycle => {
            let others = [
                EventGroup::Denied,
                EventGroup::Findings,
                EventGroup::Traffic,
                EventGroup::Dns,
                EventGroup::Policy,
                EventGroup::Credentials,
            ];
            !others.into_iter().any(|other| has(other, kind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_groups_everything_is_wanted_and_with_them_what_is_in_one() {
        assert!(wants(&[], Kind::Repaired));
        let some = [EventGroup::Denied, EventGroup::Findings];
        assert!(wants(&some, Kind::Denied) && wants(&some, Kind::Finding));
        assert!(!wants(&some, Kind::Dns));
        assert!(wants(&[EventGroup::Traffic], Kind::ExchangeCameBack));
        assert!(wants(&[EventGroup::Lifecycle], Kind::GateStarted));
        assert!(wants(&[EventGroup::Lifecycle], Kind::Unknown));
        assert!(!wants(&[EventGroup::Lifecycle], Kind::GrantMade));
    }
}
