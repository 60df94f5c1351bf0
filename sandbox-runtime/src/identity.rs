//! Who is who: the ids of a sandbox's two user namespaces and how they map to the host's.
//!
//! The *outer* namespace owns the network, the mounts and the processes of the sandbox. Real root needs none: the host's own serves. The *inner* one is where
//! the command runs, so that nothing it does has capabilities over what the outer one owns.
//! It knows nothing of files or networks. Start with [`Identity::of_this_process`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use outwall_policy::SandboxId;
use rustix::process::{getegid, geteuid};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use crate::failure::{Doing, Part, Step};

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// `count` ids from `inside` on are those from `outside` on in the parent namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdRange {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) count: u32,
}

/// How the outer user namespace comes to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outer {
    /// It is the host's: we are real root.
    Host,
    /// A new one in which 0 is the user who asked, and nobody else exists.
    UserOnly(Ids),
    /// A new one in which 0 is the user who asked and 1 and up are the ids that `/etc/subuid` and `/etc/subgid` lend, mapped by `newuidmap`.
    WithSubordinates { uids: Vec<IdRange>, gids: Vec<IdRange> },
}

/// Who is who in a sandbox. "Outer ids" are ids as the outer user namespace numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) outer: Outer,
    /// The map of the inner namespace, inside to outer.
    pub(crate) inner_uids: Vec<IdRange>,
    pub(crate) inner_gids: Vec<IdRange>,
    /// Whom the command runs as, inside.
    pub(crate) runs_as: Ids,
    /// The same in outer ids: the owner of the home and of what the command makes.
    pub(crate) user: Ids,
    /// Who owns the system's files, in outer ids.
    pub(crate) system: Ids,
    /// Whom the first process becomes, in outer ids, when its work is done: nobody whom the sandbox could also become.
    pub(crate) first_process: Option<Ids>,
}

/// Host ids that no distribution gives to users, services, or containers: `0x7000_0000` up to systemd's foreign range at `0x7FFE_0000`.
const RANGES_BASE: u32 = 0x7000_0000;
/// Ids of one sandbox.
const RANGE: u32 = 0x1_0000;
/// How many sandboxes have ids of their own; beyond, ids repeat, which only concerns limits that the kernel counts by user.
const RANGES: u32 = 0xF00;
/// Beyond all ranges: the ids of first processes.
const FIRST_PROCESSES: u32 = 0x7FF0_0000;
/// Who the command is when real root asked and the command is not to be root.
const ORDINARY: u32 = 1000;

impl Identity {
    /// The ids for a sandbox that this process makes.
    pub(crate) fn of_this_process(id: SandboxId, root: bool) -> Self {
        if is_real_root() {
            Self::under_root(id, root)
        } else {
            Self::under_user(root)
        }
    }

    fn under_root(id: SandboxId, root: bool) -> Self {
        let slot = slot(id);
        let base = RANGES_BASE + slot * RANGE;
        let all = vec![IdRange {
            inside: 0,
            outside: base,
            count: RANGE,
        }];
        let own = if root { 0 } else { ORDINARY };
        let first = FIRST_PROCESSES + slot;
        Self {
            outer: Outer::Host,
            inner_uids: all.clone(),
            inner_gids: all,
            runs_as: Ids { uid: own, gid: own },
            user: Ids {
                uid: base + own,
                gid: base + own,
            },
            system: Ids { uid: base, gid: base },
            first_process: Some(Ids {
                uid: first,
                gid: first,
            }),
        }
    }

    fn under_user(root: bool) -> Self {
        let user = Ids {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        };
        let runs_as = if root { Ids { uid: 0, gid: 0 } } else { user };
        let me = |inside| IdRange {
            inside,
            outside: 0,
            count: 1,
        };
        let zero = Ids { uid: 0, gid: 0 };
        let alone = Self {
            outer: Outer::UserOnly(user),
            inner_uids: vec![me(runs_as.uid)],
            inner_gids: vec![me(runs_as.gid)],
            runs_as,
            user: zero,
            system: zero,
            first_process: None,
        };
        if !root {
            return alone;
        }
        let Some((users, groups)) = subordinates(user) else {
            return alone;
        };
        let outer = |own, lent: IdRange| {
            vec![
                IdRange {
                    inside: 0,
                    outside: own,
                    count: 1,
                },
                lent,
            ]
        };
        let inner = |lent: IdRange| {
            vec![
                me(0),
                IdRange {
                    inside: 1,
                    outside: 1,
                    count: lent.count,
                },
            ]
        };
        Self {
            inner_uids: inner(users),
            inner_gids: inner(groups),
            outer: Outer::WithSubordinates {
                uids: outer(user.uid, users),
                gids: outer(user.gid, groups),
            },
            ..alone
        }
    }

    /// Whether the sandbox is made with the powers of the host's root.
    pub(crate) fn by_real_root(&self) -> bool {
        self.outer == Outer::Host
    }
}

/// A number below [`RANGES`] that is the same for the same sandbox.
fn slot(id: SandboxId) -> u32 {
    let name = id.to_string();
    let mixed = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    mixed % RANGES
}

/// Whether this process has the powers of the host's root: uid 0 with all ids mapped and the capabilities that matter.
/// Root of an ordinary container has not, and is treated as any user.
pub(crate) fn is_real_root() -> bool {
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::NET_ADMIN
        | CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE;
    let capable = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
    geteuid().is_root()
        && capable
        && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_ranges(&map))
}

fn maps_ranges(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (Some(inside), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        inside <= RANGES_BASE.into() && inside + count > (FIRST_PROCESSES + RANGES).into()
    })
}

/// The ids that the host lends to `user`, when `newuidmap` and `newgidmap` are there to map them.
pub(crate) fn subordinates(user: Ids) -> Option<(IdRange, IdRange)> {
    program("newuidmap")?;
    program("newgidmap")?;
    let name = user_name(user.uid);
    let lent = |file| lent(&fs::read_to_string(file).ok()?, user.uid, name.as_deref());
    Some((lent("/etc/subuid")?, lent("/etc/subgid")?))
}

/// The largest range of `table` (`name:first:count` lines) for the user, as ids from 1 on.
fn lent(table: &str, uid: u32, name: Option<&str>) -> Option<IdRange> {
    let own = |who: &str| Some(who) == name || who.parse() == Ok(uid);
    table
        .lines()
        .filter_map(|line| {
            let mut parts = line.trim().split(':');
            let (who, first, count) = (
                parts.next()?,
                parts.next()?.parse().ok()?,
                parts.next()?.parse().ok()?,
            );
            own(who).then_some(IdRange {
                inside: 1,
                outside: first,
                count,
            })
        })
        .max_by_key(|range| range.count)
}

/// The name that `/etc/passwd` gives `uid`.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let table = fs::read_to_string("/etc/passwd").ok()?;
    table.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Where the program `name` is on this host.
pub(crate) fn program(name: &str) -> Option<std::path::PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
}

/// Writes the maps of the user namespace of a process, whose directory in `/proc` is `process`. `setgroups` is forbidden first where an ordinary user must.
pub(crate) fn write_maps(
    process: &Path,
    uids: &[IdRange],
    gids: &[IdRange],
    deny_setgroups: bool,
) -> Step<()> {
    let write = |name: &str, text: &str| {
        let path = process.join(name);
        fs::write(&path, text).doing_at(Part::Identity, "map the ids of a user namespace through", &path)
    };
    if deny_setgroups {
        write("setgroups", "deny")?;
    }
    write("uid_map", &table(uids))?;
    write("gid_map", &table(gids))
}

fn table(ranges: &[IdRange]) -> String {
    ranges.iter().fold(String::new(), |mut text, range| {
        writeln!(text, "{} {} {}", range.inside, range.outside, range.count).expect("writing to a string");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_range_of_the_user_is_borrowed() {
        let table = "other:1:9\nme:100000:10\n1000:200000:65536\n";
        assert_eq!(
            lent(table, 1000, Some("me")),
            Some(IdRange {
                inside: 1,
                outside: 200_000,
                count: 65536
            })
        );
        assert_eq!(lent(table, 7, Some("nobody")), None);
    }

    #[test]
    fn a_container_that_maps_few_ids_is_not_the_real_root() {
        assert!(maps_ranges("         0          0 4294967295\n"));
        assert!(!maps_ranges("         0     100000      65536\n"));
    }

    #[test]
    fn sandboxes_of_real_root_are_unprivileged_on_the_host() {
        for root in [false, true] {
            let identity = Identity::under_root(SandboxId::from_random([1, 2, 3, 4]), root);
            assert!(
                identity
                    .inner_uids
                    .iter()
                    .all(|range| range.outside >= RANGES_BASE
                        && range.outside + range.count <= FIRST_PROCESSES)
            );
            assert_eq!(identity.runs_as.uid == 0, root);
        }
    }
}
