//! What keeps the secrets of a gate from who can read the memory of a process: another process of the same user, and the file that a
//! crash leaves.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// From here on this process leaves no core, and no other of the same user may attach to it or read its memory (`ptrace(2)`,
/// `/proc/PID/mem`). What it starts is as others are, once it has become another program. Refusals are told, and end nothing.
pub(crate) fn keep_to_ourselves() {
    // Not 0: a host that pipes cores to a program of its own looks at no other limit (core(5)). What we start inherits it.
    let least = getrlimit(Resource::Core)
        .maximum
        .map_or(1, |maximum| maximum.min(1));
    let none = Rlimit {
        current: Some(least),
        maximum: Some(least),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a crash may leave the memory in a file");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "others of the same user may read the memory");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn no_core_is_left_and_nobody_else_reads_the_memory() {
        keep_to_ourselves();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert!(getrlimit(Resource::Core).current.is_some_and(|core| core <= 1));
    }
}
