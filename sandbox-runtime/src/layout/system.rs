//! The system's directories and its `/etc`, from the reviewed list `data/etc.json`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Planner;
use super::unreadable::unreadable;
use crate::identity::{Outer, user_name};
use crate::network::{ADDRESS_V4, ADDRESS_V6, RESOLVER};
use crate::plan::{FileStep, Owner, Owners};
use crate::stage::HOST_NAME;

const ETC: &str = include_str!("../../data/etc.json");

#[derive(Deserialize)]
struct Etc {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

/// Directories of the top that hold the system's programs.
const PROGRAMS: [&str; 10] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/gnu",
];

/// Of these, stores that no package program of a sandbox writes to: whole and for everybody by design, and too large to look through.
const STORES: [&str; 2] = ["/nix", "/gnu"];

impl Planner<'_, '_> {
    pub(super) fn system(&mut self) {
        let discarded = self.spec.root && self.identity.by_real_root();
        for path in PROGRAMS.map(Path::new) {
            match fs::symlink_metadata(path) {
                Ok(found) if found.is_symlink() => self.copy_link(path),
                Ok(found)
                    if found.is_dir()
                        && discarded
                        && !STORES.iter().any(|store| path == Path::new(store)) =>
                {
                    self.system_overlay(path, true);
                }
                Ok(found) if found.is_dir() => self.tree(path, false, Owners::AsTheyAre),
                _ => {}
            }
        }
        self.etc(discarded);
        self.package_state(discarded);
    }

    /// What package programs keep in `/var`.
    fn package_state(&mut self, discarded: bool) {
        for database in [
            "/var/lib/dpkg",
            "/var/lib/rpm",
            "/lib/apk",
            "/var/lib/apk",
            "/var/lib/pacman/local",
        ]
        .map(Path::new)
        {
            if database.is_dir() && !database.starts_with("/lib") {
                if discarded {
                    self.system_overlay(database, true);
                } else {
                    self.tree(database, false, Owners::AsTheyAre);
                }
            }
        }
        for path in [
            "/var/cache",
            "/var/log",
            "/var/lib",
            "/var/mail",
            "/var/spool",
            "/srv",
            "/mnt",
            "/media",
            "/home",
        ] {
            self.directory(path, 0o755);
        }
        if self.spec.root {
            for path in [
                "/var/lib/apt/lists/partial",
                "/var/cache/apt/archives/partial",
                "/var/cache/debconf",
                "/var/cache/ldconfig",
                "/var/cache/man",
                "/var/log/apt",
                "/etc/apt/apt.conf.d",
                "/var/lib/systemd",
                "/var/lib/pam",
                "/var/lib/ucf",
                "/usr/local/share/ca-certificates",
            ] {
                if !path.starts_with("/usr") || discarded {
                    self.directory(path, 0o755);
                }
            }
        } else {
            self.fresh("/var/cache", 0o755, Owner::System);
        }
    }

    fn system_overlay(&mut self, path: &Path, writable: bool) {
        let owners = if self.identity.by_real_root() && writable {
            Owners::System
        } else {
            Owners::AsTheyAre
        };
        let hidden = match owners {
            Owners::System => unreadable(path),
            Owners::AsTheyAre | Owners::Swapped(_) => Vec::new(),
        };
        self.steps.push(FileStep::Overlay {
            source: path.to_owned(),
            path: path.to_owned(),
            writable,
            owners,
            placed: Vec::new(),
            hidden,
        });
    }

    fn copy_link(&mut self, path: &Path) {
        if let Ok(to) = fs::read_link(path) {
            self.link(path, to);
        }
    }

    fn etc(&mut self, discarded: bool) {
        let list: Etc = serde_json::from_str(ETC).expect("the list of /etc is checked by a test");
        self.directory("/etc", 0o755);
        for path in list.directories.iter().map(|name| Path::new("/etc").join(name)) {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_symlink() => self.copy_link(&path),
                Ok(found) if found.is_dir() && (discarded || self.has_placed_below(&path)) => {
                    self.system_overlay(&path, discarded);
                }
                Ok(found) if found.is_dir() => self.tree(&path, false, Owners::AsTheyAre),
                _ => {}
            }
        }
        for path in list.files.iter().map(|name| Path::new("/etc").join(name)) {
            self.copy(&path);
        }
        self.own_files();
    }

    fn has_placed_below(&self, directory: &Path) -> bool {
        self.spec
            .files
            .iter()
            .any(|file| file.path.starts_with(directory))
    }

    /// The file as it is, or the link where what it points to is visible too.
    fn copy(&mut self, path: &Path) {
        let Ok(found) = fs::symlink_metadata(path) else {
            return;
        };
        let target = path.canonicalize().unwrap_or_default();
        if found.is_symlink()
            && (target.starts_with("/usr") || target.starts_with("/proc") || target.starts_with("/nix"))
        {
            return self.copy_link(path);
        }
        let for_all = path.metadata().is_ok_and(|file| file.mode() & 0o004 != 0);
        if self.identity.by_real_root() && !for_all {
            return; // we may read it; the sandbox must not
        }
        if let Ok(bytes) = fs::read(path) {
            let placed = self.contents.add_owned(bytes, 0o644);
            self.steps.push(FileStep::File {
                path: path.to_owned(),
                placed,
            });
        }
    }

    /// What a sandbox has instead of the host's.
    fn own_files(&mut self) {
        self.file("/etc/hostname", format!("{HOST_NAME}\n"));
        self.file("/etc/hosts", format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{ADDRESS_V4} {HOST_NAME}\n{ADDRESS_V6} {HOST_NAME}\n"));
        self.file(
            "/etc/resolv.conf",
            format!("nameserver {RESOLVER}\noptions edns0\n"),
        );
        let sources = ["passwd", "group", "shadow", "gshadow"]
            .map(|name| format!("{name}: files\n"))
            .concat();
        let rest = ["networks", "protocols", "services", "ethers", "rpc"]
            .map(|name| format!("{name}: files\n"))
            .concat();
        self.file("/etc/nsswitch.conf", format!("{sources}hosts: files dns\n{rest}"));
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let (users, groups) = (self.users(&users), self.groups(&groups));
        if self.spec.root {
            // Programs that ask who may log in want one; nobody may.
            let shadow = locked(&users);
            self.file("/etc/shadow", shadow);
        }
        self.file("/etc/passwd", users);
        self.file("/etc/group", groups);
        if self.spec.root && matches!(self.identity.outer, Outer::UserOnly(_)) {
            // Nobody but root exists in there for apt to become.
            self.file(
                "/etc/apt/apt.conf.d/00outwall",
                "APT::Sandbox::User \"root\";\n".to_owned(),
            );
        }
    }

    /// The name of the sandbox's user: the one in `USER`, or the host's.
    fn user_name(&self) -> String {
        let named = self
            .spec
            .variables
            .iter()
            .find(|(name, _)| name == "USER")
            .and_then(|(_, value)| value.to_str());
        let plain = |name: &&str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        let own = || {
            if self.identity.by_real_root() {
                None
            } else {
                user_name(rustix::process::geteuid().as_raw())
            }
        };
        let name = named
            .filter(plain)
            .map(str::to_owned)
            .or_else(own)
            .unwrap_or_else(|| "user".to_owned());
        if name == "root" { "user".to_owned() } else { name }
    }

    /// The system's users and the sandbox's own; other people's accounts are nobody's business.
    fn users(&self, host: &str) -> String {
        let (ids, home) = (self.identity.runs_as, self.spec.home_path.display());
        let own = match ids.uid {
            0 => format!("root:x:0:0:root:{home}:/bin/bash"),
            uid => format!(
                "root:x:0:0:root:/root:/bin/bash\n{}:x:{uid}:{}::{home}:/bin/bash",
                self.user_name(),
                ids.gid
            ),
        };
        lines(&own, system_entries(host, ids.uid))
    }

    fn groups(&self, host: &str) -> String {
        let own = match self.identity.runs_as.gid {
            0 => "root:x:0:".to_owned(),
            gid => format!("root:x:0:\n{}:x:{gid}:", self.user_name()),
        };
        // Without members: who is in a group of the host is nobody's business either.
        let emptied = system_entries(host, self.identity.runs_as.gid)
            .map(|line| &line[..=line.rfind(':').unwrap_or(line.len() - 1)]);
        lines(&own, emptied)
    }
}

fn lines<'a>(first: &'a str, rest: impl Iterator<Item = &'a str>) -> String {
    std::iter::once(first)
        .chain(rest)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// A table of passwords by which nobody can log in, for those of a table of users.
fn locked(users: &str) -> String {
    let names = users.lines().filter_map(|line| line.split(':').next());
    names.flat_map(|name| [name, ":*:19000:0:99999:7:::\n"]).collect()
}

/// The lines of a passwd or group table that are the system's own: ids below 1000 and nobody's, without root and without `taken`.
fn system_entries(table: &str, taken: u32) -> impl Iterator<Item = &str> {
    const FIRST_PERSON: u32 = 1000;
    const NOBODY: u32 = 65534;
    table.lines().filter(move |line| {
        let id = line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok());
        id.is_some_and(|id| id != 0 && id != taken && (id < FIRST_PERSON || id == NOBODY))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_etc_names_nothing_secret() {
        let list: Etc = serde_json::from_str(ETC).expect("the list is JSON");
        let all: Vec<_> = list.files.iter().chain(&list.directories).collect();
        for secret in [
            "shadow",
            "gshadow",
            "ssh",
            "ssl",
            "ssl/private",
            "apt",
            "apt/auth.conf",
            "apt/auth.conf.d",
            "sudoers",
            "krb5.keytab",
            "pip.conf",
            "npmrc",
        ] {
            assert!(
                !all.iter().any(|path| Path::new(secret).starts_with(path)),
                "{secret}"
            );
        }
        assert!(all.iter().any(|path| Path::new("ssl/certs").starts_with(path)));
    }

    #[test]
    fn other_peoples_accounts_are_left_out_and_daemons_are_not() {
        let table = "root:x:0:0::/root:/bin/sh\n_apt:x:42:65534::/:/no\nann:x:1001:1001::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/no";
        assert_eq!(
            system_entries(table, 1000)
                .map(|line| line.split(':').next().unwrap_or_default())
                .collect::<Vec<_>>(),
            ["_apt", "nobody"]
        );
    }
}
