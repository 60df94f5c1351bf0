//! File descriptors: a gate needs two for each connection, and the usual limit of 1,024 is for programs that know no better.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as it goes without rights, and says how many there are then. The command in a sandbox has a limit of
/// its own.
pub(crate) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_refused) => current.unwrap_or(u64::MAX),
    }
}
