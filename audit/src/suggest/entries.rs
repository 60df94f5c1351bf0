//! Entries of lists: exact hosts with the ports that were seen.

use std::collections::BTreeSet;

use outwall_policy::{HostPattern, Target};

use super::need::{Need, Way};

/// One entry of one list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) way: Way,
    pub(super) pattern: HostPattern,
    /// What it is for: one target, or the same host at both usual ports.
    pub(super) targets: Vec<Target>,
}

/// The entries for these, by list and host. A host that was reached at 443 alone is written with its port, for without one an entry is
/// for port 80 as well. At both it is one entry without, where its requests are read: in the other lists an entry without a port is
/// taken for every port by what may not be beside it.
pub(super) fn of<'a>(needs: impl Iterator<Item = (&'a Target, &'a Need)>) -> Vec<Entry> {
    let all: Vec<(&Target, Way)> = needs.map(|(target, need)| (target, need.way())).collect();
    let has = |target: &Target, way: Way| all.binary_search(&(target, way)).is_ok();
    let mut entries = Vec::new();
    for (target, way) in &all {
        let other = Target::new(target.host.clone(), if target.port == 443 { 80 } else { 443 });
        let both = is_usual(target.port) && *way == Way::Allowed && has(&other, *way);
        if both && target.port == 443 {
            continue; // with the one at 80
        }
        let targets = if both {
            vec![(*target).clone(), other]
        } else {
            vec![(*target).clone()]
        };
        let text = if both {
            without_port(target)
        } else {
            target.to_string()
        };
        let Ok(pattern) = HostPattern::parse(&text) else {
            continue;
        };
        entries.push(Entry {
            way: *way,
            pattern,
            targets,
        });
    }
    entries.sort_by(|a, b| (a.way, &a.pattern).cmp(&(b.way, &b.pattern)));
    entries
}

fn without_port(target: &Target) -> String {
    let text = target.to_string();
    let end = text.rfind(':').unwrap_or(text.len());
    text[..end].to_owned()
}

fn is_usual(port: u16) -> bool {
    [80, 443].contains(&port)
}

/// Ports of the host's loopback.
pub(super) fn host_ports(entries: &[Entry]) -> BTreeSet<u16> {
    let ports = entries.iter().filter(|entry| entry.way == Way::HostPort);
    ports
        .flat_map(|entry| &entry.targets)
        .map(|target| target.port)
        .collect()
}
