//! Keeps the sandbox's hands off the policy that it runs under, and its eyes off the secrets that the policy names.
//!
//! A policy file may lie in the working directory, which the sandbox writes to, or be reached through a
//! symbolic link there, and the same command will be given again tomorrow. So the file, and the
//! certificates that it names, are read-only in there. That holds only directly below a directory that
//! is mounted: a file deeper down can be got rid of by renaming a folder above it, and a link by putting
//! another one in its place, so such a policy is refused.
//! A project's own file needs none of this: once it changes, it does not count.
//!
//! While a sandbox runs, nothing more can be made read-only in it. So a policy that is to follow must need nothing more; and a
//! file that an editor put in the place of a read-only one is not read-only: the kernel lets the mount go with the old file.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use outwall_sandbox_runtime::{Mount, Spec, way_to};

use crate::discovery::Place;
use crate::failure::Failure;
use crate::policy_in_force::PolicyInForce;

/// What a sandbox that runs must not be able to write, nor to read.
pub(super) struct Guard {
    writable: Vec<PathBuf>,
    /// What it sees of the host's files, writable or not.
    seen: Vec<PathBuf>,
    /// Files that are read-only in the sandbox, by the device and inode that they have since its start.
    held: HashMap<PathBuf, (u64, u64)>,
}

impl Guard {
    /// Of a sandbox that is about to start with this policy.
    pub(super) fn of(in_force: &PolicyInForce, spec: &Spec) -> Result<Self, Failure> {
        let seen = directories(spec, |_| true);
        keep_secrets(in_force, &seen)?;
        let writable = directories(spec, |mount| mount.writable);
        let mounts = mounts(in_force, &writable)?.into_iter();
        let held = mounts.filter_map(|mount| Some((mount.path.clone(), identity(&mount.path)?)));
        Ok(Self {
            held: held.collect(),
            writable,
            seen,
        })
    }

    /// The read-only mounts that it takes.
    pub(super) fn mounts(&self) -> impl Iterator<Item = Mount> {
        self.held.keys().map(|path| Mount {
            path: path.clone(),
            writable: false,
        })
    }

    /// Refuses a policy that the sandbox could have written, or could write from now on, and one whose secrets it could read.
    pub(super) fn object(&self, in_force: &PolicyInForce) -> Result<(), Failure> {
        keep_secrets(in_force, &self.seen)?;
        for mount in mounts(in_force, &self.writable)? {
            let held = self.held.get(&mount.path).copied();
            if held.is_none() || held != identity(&mount.path) {
                return Err(Failure::new(format!(
                    "the sandbox that runs can write to `{}`, which says what it may do",
                    mount.path.display()
                ))
                .hint(
                    "start again; or keep it where no sandbox writes, then it can be replaced while one runs",
                ));
            }
        }
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

/// The read-only mounts that it takes, where these directories are writable.
fn mounts(in_force: &PolicyInForce, writable: &[PathBuf]) -> Result<Vec<Mount>, Failure> {
    match &in_force.file {
        None | Some((Place::Project, _)) => return Ok(Vec::new()),
        Some((Place::Option | Place::Variable | Place::User | Place::System, _)) => {}
    }
    let files = in_force.files();
    files
        .into_iter()
        .filter_map(|file| protected(&file, writable).transpose())
        .collect()
}

/// Refuses a policy with a secret that the sandbox could read: then it could do without the gate.
fn keep_secrets(in_force: &PolicyInForce, seen: &[PathBuf]) -> Result<(), Failure> {
    match in_force.secret_files().iter().find(|file| is_within(file, seen)) {
        None => Ok(()),
        Some(file) => Err(Failure::new(format!(
            "the sandbox could read `{}`, which is secret",
            file.display()
        ))
        .hint("keep it outside of the working directory and of what is mounted")),
    }
}

fn is_within(file: &Path, directories: &[PathBuf]) -> bool {
    let way = way_to(file);
    let real = way.last();
    real.is_some_and(|real| directories.iter().any(|directory| real.starts_with(directory)))
}

/// The working directory, and those mounts.
fn directories(spec: &Spec, which: impl Fn(&Mount) -> bool) -> Vec<PathBuf> {
    let mounts = spec.mounts.iter().filter(|mount| which(mount));
    mounts
        .map(|mount| &mount.path)
        .chain([&spec.working_directory])
        .map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()))
        .collect()
}

fn protected(file: &Path, writable: &[PathBuf]) -> Result<Option<Mount>, Failure> {
    let way = way_to(file);
    let Some(real) = way.last() else { return Ok(None) };
    let replaceable = |station: &&PathBuf| {
        let within = |directory: &PathBuf| station.starts_with(directory) && *station != directory;
        writable.iter().any(within) || *station == real && writable.contains(real)
    };
    let mut replaceable = way.iter().filter(replaceable);
    match (replaceable.next(), replaceable.next()) {
        (None, _) => Ok(None),
        (Some(only), None)
            if only == real && writable.iter().any(|directory| real.parent() == Some(directory)) =>
        {
            Ok(Some(Mount {
                path: real.clone(),
                writable: false,
            }))
        }
        (Some(station), _) => Err(Failure::new(format!(
            "the sandbox could replace `{}`, which says what it may do",
            station.display()
        ))
        .hint("keep it, and every link to it, outside of what the sandbox writes to; or the file itself directly in the working directory")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(file: &str) -> Option<bool> {
        let writable = [PathBuf::from("/nowhere/repo"), PathBuf::from("/nowhere/out")];
        protected(Path::new(file), &writable)
            .ok()
            .map(|mount| mount.is_some())
    }

    #[test]
    fn a_policy_that_the_sandbox_cannot_reach_needs_nothing() {
        assert_eq!(outcome("/nowhere/policies/p.toml"), Some(false));
        assert_eq!(outcome("/nowhere/repository/p.toml"), Some(false));
    }

    #[test]
    fn a_secret_is_within_what_the_sandbox_sees_whichever_way_leads_there() {
        let all = tempfile::tempdir().expect("a directory");
        let all = all.path().canonicalize().expect("a real path");
        for folder in ["repo/sub", "secrets"] {
            std::fs::create_dir_all(all.join(folder)).expect("a directory");
        }
        for file in ["repo/sub/key", "secrets/key"] {
            std::fs::write(all.join(file), "").expect("a file");
        }
        std::os::unix::fs::symlink(all.join("repo/sub/key"), all.join("secrets/link")).expect("a link");
        let within = |file: &str| is_within(&all.join(file), &[all.join("repo")]);
        assert!(within("repo/sub/key") && within("secrets/link") && within("secrets/../repo/sub/key"));
        assert!(!within("secrets/key") && !within("repo/../secrets/key"));
    }

    #[test]
    fn a_policy_directly_in_a_writable_directory_becomes_read_only() {
        assert_eq!(outcome("/nowhere/repo/p.toml"), Some(true));
        assert_eq!(outcome("/nowhere/out/p.toml"), Some(true));
    }

    #[test]
    fn a_policy_further_down_is_refused() {
        assert_eq!(outcome("/nowhere/repo/sub/p.toml"), None);
    }

    #[test]
    fn a_policy_behind_a_link_is_refused_when_the_sandbox_could_replace_the_link() {
        let all = tempfile::tempdir().expect("a directory");
        let all = all.path().canonicalize().expect("a real path");
        for folder in ["repo/dots", "policies"] {
            std::fs::create_dir_all(all.join(folder)).expect("a directory");
        }
        for file in ["repo/own.toml", "repo/dots/deep.toml", "policies/p.toml"] {
            std::fs::write(all.join(file), "").expect("a file");
        }
        let link =
            |to: &str, at: &str| std::os::unix::fs::symlink(all.join(to), all.join(at)).expect("a link");
        link("policies/p.toml", "repo/out.toml");
        link("repo/dots/deep.toml", "policies/in.toml");
        link("repo/own.toml", "policies/own.toml");
        link("policies/p.toml", "policies/beside.toml");
        let writable = [all.join("repo")];
        let outcome = |file: &str| {
            protected(&all.join(file), &writable)
                .ok()
                .map(|mount| mount.is_some())
        };
        assert_eq!(outcome("repo/out.toml"), None);
        assert_eq!(outcome("policies/in.toml"), None);
        assert_eq!(outcome("repo/dots/../../policies/p.toml"), None);
        assert_eq!(outcome("policies/own.toml"), Some(true));
        assert_eq!(outcome("policies/beside.toml"), Some(false));
        assert!(protected(&all.join("policies/p.toml"), &[all.join("policies/p.toml")]).is_err());
    }
}
