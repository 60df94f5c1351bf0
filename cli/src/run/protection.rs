//! Keeps the sandbox's hands off the policy that it runs under.
//!
//! A policy that was named with `--config` may lie in the working directory, which the sandbox writes
//! to, and the same command will be given again tomorrow. So the file, and the certificates that it
//! names, are read-only in there. That holds only directly below a directory that is mounted: a file
//! deeper down can be got rid of by renaming a folder above it, so such a policy is refused.
//! A project's own file needs none of this: once it changes, it does not count.

use std::path::{Path, PathBuf};

use outwall_sandbox_runtime::{Mount, Spec};

use crate::discovery::Place;
use crate::failure::Failure;
use crate::policy_in_force::PolicyInForce;

/// The read-only mounts that it takes.
pub(super) fn of_policy(in_force: &PolicyInForce, spec: &Spec) -> Result<Vec<Mount>, Failure> {
    let Some((Place::Option | Place::Variable, policy)) = &in_force.file else {
        return Ok(Vec::new());
    };
    let writable = writable_directories(spec);
    let files = std::iter::once(policy.clone()).chain(in_force.extra_roots());
    files
        .filter_map(|file| protected(&file, &writable).transpose())
        .collect()
}

fn writable_directories(spec: &Spec) -> Vec<PathBuf> {
    let mounts = spec
        .mounts
        .iter()
        .filter(|mount| mount.writable)
        .map(|mount| &mount.path);
    mounts
        .chain([&spec.working_directory])
        .map(|path| real(path))
        .collect()
}

fn protected(file: &Path, writable: &[PathBuf]) -> Result<Option<Mount>, Failure> {
    let file = real(file);
    if !writable.iter().any(|directory| file.starts_with(directory)) {
        return Ok(None);
    }
    if writable.iter().any(|directory| file.parent() == Some(directory)) {
        return Ok(Some(Mount {
            path: file,
            writable: false,
        }));
    }
    Err(Failure::new(format!(
        "the sandbox could replace `{}`, which says what it may do",
        file.display()
    ))
    .hint("keep it outside of what the sandbox writes to, or directly in the working directory"))
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
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
    fn a_policy_directly_in_a_writable_directory_becomes_read_only() {
        assert_eq!(outcome("/nowhere/repo/p.toml"), Some(true));
        assert_eq!(outcome("/nowhere/out/p.toml"), Some(true));
    }

    #[test]
    fn a_policy_further_down_is_refused() {
        assert_eq!(outcome("/nowhere/repo/sub/p.toml"), None);
    }
}
