//! Limits by control groups, where the host offers them: version 1 to root, version 2 to root or to whom a subtree is delegated. Best effort throughout.
//!
//! It knows nothing of sandboxes but their names. Start with [`make`].

use std::fs;
use std::path::{Path, PathBuf};

use outwall_policy::SandboxId;

use crate::spec::Limits;

const MOUNT: &str = "/sys/fs/cgroup";

/// Makes groups with these limits and returns the directories of those that could be made. The process that is to be limited joins them.
pub(crate) fn make(id: SandboxId, limits: Limits) -> Vec<PathBuf> {
    if limits == Limits::default() {
        return Vec::new();
    }
    if Path::new(MOUNT).join("cgroup.controllers").exists() {
        make_version_2(id, limits).into_iter().collect()
    } else {
        make_version_1(id, limits)
    }
}

fn make_version_1(id: SandboxId, limits: Limits) -> Vec<PathBuf> {
    let group = |controller: &str, file: &str, limit: Option<u64>| {
        let directory = Path::new(MOUNT)
            .join(controller)
            .join("outwall")
            .join(id.to_string());
        fs::create_dir_all(&directory).ok()?;
        fs::write(directory.join(file), limit?.to_string()).ok()?;
        Some(directory)
    };
    let processes = limits
        .processes
        .and_then(|limit| group("pids", "pids.max", Some(limit.into())));
    let memory = limits
        .memory_bytes
        .and_then(|limit| group("memory", "memory.limit_in_bytes", Some(limit)));
    processes.into_iter().chain(memory).collect()
}

/// Below the group we are in, when it is ours to divide; for root below the top.
fn make_version_2(id: SandboxId, limits: Limits) -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))?
        .trim_start_matches('/')
        .to_owned();
    let parents = [
        Path::new(MOUNT).join(own).parent()?.to_owned(),
        PathBuf::from(MOUNT),
    ];
    parents
        .iter()
        .filter(|parent| parent.starts_with(MOUNT))
        .find_map(|parent| {
            let directory = parent.join(format!("outwall-{id}"));
            drop(fs::write(parent.join("cgroup.subtree_control"), "+pids +memory"));
            fs::create_dir(&directory).ok()?;
            let set = |file: &str, limit: Option<u64>| {
                limit.is_none_or(|limit| fs::write(directory.join(file), limit.to_string()).is_ok())
            };
            if set("pids.max", limits.processes.map(u64::from)) && set("memory.max", limits.memory_bytes) {
                return Some(directory);
            }
            drop(fs::remove_dir(&directory));
            None
        })
}

/// Removes groups in which nothing runs any more.
pub(crate) fn remove(groups: &[PathBuf]) {
    for group in groups {
        drop(fs::remove_dir(group));
    }
}
