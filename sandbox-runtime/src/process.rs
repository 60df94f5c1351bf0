//! The command's own process, from its birth in the inner user namespace to `exec`.
//!
//! It knows nothing of files or networks: they are in place. What it takes away, in order: the id it was born with, capabilities, the means to gain any,
//! descriptors, signal dispositions, and system calls. Start with [`start`].

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities};

use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{Outer, write_maps};
use crate::keeper;
use crate::plan::Plan;
use crate::seccomp::Filters;
use crate::stage::become_ids;
use crate::syscall::{Cloned, clone_process, close_from, reset_signals};

/// What root in a sandbox may do beyond an ordinary user.
pub(crate) const ROOT_CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID);

/// Open files that the command may have, where the host's limit allows.
const OPEN_FILES: u64 = 1 << 16;

/// Standard input, output and error of the command.
pub(crate) struct Inheritance {
    descriptors: [OwnedFd; 3],
    terminal: Option<OwnedFd>,
    replaced: [bool; 3],
}

impl Inheritance {
    /// The caller's `descriptors`, those marked in `replaced` being the sandbox's own terminal instead.
    pub(crate) fn new(descriptors: [OwnedFd; 3], replaced: [bool; 3], terminal: Option<OwnedFd>) -> Self {
        Self {
            descriptors,
            terminal,
            replaced,
        }
    }

    /// Puts them to 0, 1 and 2 and makes the terminal the controlling one.
    fn take(self) -> Step<()> {
        use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
        rustix::process::setsid().doing(Part::Terminal, "begin a session")?;
        if let Some(terminal) = &self.terminal {
            rustix::process::ioctl_tiocsctty(terminal).doing(Part::Terminal, "take the terminal")?;
        }
        let chosen = |index: usize| match &self.terminal {
            Some(terminal) if self.replaced[index] => terminal,
            _ => &self.descriptors[index],
        };
        dup2_stdin(chosen(0)).doing(Part::Terminal, "set the standard input")?;
        dup2_stdout(chosen(1)).doing(Part::Terminal, "set the standard output")?;
        dup2_stderr(chosen(2)).doing(Part::Terminal, "set the standard error")
    }
}

/// Starts the command and returns its pid once `exec` succeeded.
pub(crate) fn start(
    plan: &Plan,
    filters: &Filters,
    sysctl: Option<OwnedFd>,
    inheritance: Inheritance,
) -> Step<Pid> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).doing(Part::Command, "make a pipe");
    let (mapped, tell_mapped) = pipe()?;
    let (failed, tell_failed) = pipe()?;
    match clone_process(UnshareFlags::NEWUSER).doing(Part::Identity, "make the inner user namespace")? {
        Cloned::Child => {
            drop((tell_mapped, failed));
            let Err(failure) = run(plan, filters, sysctl, inheritance, &mapped);
            drop(
                std::fs::File::from(tell_failed).write_all(&serde_json::to_vec(&failure).unwrap_or_default()),
            );
            std::process::exit(126)
        }
        Cloned::Parent(child) => {
            drop((mapped, tell_failed, inheritance));
            let process = Path::new("/proc").join(child.as_raw_pid().to_string());
            // An ordinary user's outer namespace without lent ids forbids setgroups already, and the inner one inherits that.
            write_maps(
                &process,
                &plan.identity.inner_uids,
                &plan.identity.inner_gids,
                false,
            )?;
            rustix::io::write(&tell_mapped, b"m")
                .doing(Part::Conversation, "tell the command's process of its ids")?;
            let mut report = Vec::new();
            std::fs::File::from(failed)
                .read_to_end(&mut report)
                .doing(Part::Conversation, "hear from the command's process")?;
            if report.is_empty() {
                Ok(child)
            } else {
                Err(understand(&report))
            }
        }
    }
}

fn understand(report: &[u8]) -> Failure {
    serde_json::from_slice(report)
        .unwrap_or_else(|_| Failure::new(Part::Command, "understand why the command did not start"))
}

/// The child: returns only when it fails.
fn run(
    plan: &Plan,
    filters: &Filters,
    sysctl: Option<OwnedFd>,
    inheritance: Inheritance,
    mapped: &OwnedFd,
) -> Step<std::convert::Infallible> {
    if rustix::io::read(mapped, &mut [0u8; 1]).doing(Part::Conversation, "wait for our ids")? == 0 {
        return Err(Failure::new(Part::Conversation, "wait for our ids"));
    }
    if !plan.nested_namespaces {
        forbid_user_namespaces(sysctl);
    }
    inheritance.take()?;
    limit(plan)?;
    let keeper = plan.root.then(|| keeper::start(plan)).transpose()?;
    let kept = if plan.root {
        ROOT_CAPABILITIES
    } else {
        CapabilitySet::empty()
    };
    drop_capabilities(plan, kept)?;
    std::env::set_current_dir(&plan.working_directory).doing_at(
        Part::Command,
        "enter",
        &plan.working_directory,
    )?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    reset_signals();
    close_from(3).doing(Part::Confinement, "close the other descriptors")?;
    let mut command = command(plan)?;
    filters.apply(keeper)?;
    let error = command.exec();
    Err(Failure {
        path: Some(plan.command[0].clone().into()),
        ..Failure::new(Part::Command, "run")
    }
    .with(&error))
}

impl Failure {
    fn with(self, error: &std::io::Error) -> Self {
        Self {
            errno: error.raw_os_error(),
            ..self
        }
    }
}

fn command(plan: &Plan) -> Step<Command> {
    let [program, arguments @ ..] = plan.command.as_slice() else {
        return Err(Failure::new(Part::Command, "run nothing"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(plan.variables.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// A second string beside the filter: the kernel refuses user namespaces below the inner one. Best effort.
fn forbid_user_namespaces(sysctl: Option<OwnedFd>) {
    let Some(sysctl) = sysctl else { return };
    let open = rustix::fs::openat(
        sysctl.as_fd(),
        "user/max_user_namespaces",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    if let Ok(file) = open {
        rustix::io::write(&file, b"0").ok();
    }
}

fn limit(plan: &Plan) -> Step<()> {
    let set = |resource, current, maximum| {
        setrlimit(
            resource,
            Rlimit {
                current: Some(current),
                maximum: Some(maximum),
            },
        )
        .doing(Part::Confinement, "set a limit")
    };
    // Not 0: a host that pipes cores to a program of its own, as root, looks at no other limit.
    let core = getrlimit(Resource::Core)
        .maximum
        .map_or(1, |maximum| maximum.min(1));
    set(Resource::Core, core, core)?;
    let files = getrlimit(Resource::Nofile)
        .maximum
        .map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    // The soft limit stays where programs that use select(2) expect it.
    set(Resource::Nofile, files.min(1024 * 16), files)?;
    if let Some(processes) = plan.processes {
        set(Resource::Nproc, processes.into(), processes.into())?;
    }
    Ok(())
}

/// Becomes the user of the sandbox with no way to more than `kept`.
pub(crate) fn drop_capabilities(plan: &Plan, kept: CapabilitySet) -> Step<()> {
    rustix::thread::clear_ambient_capability_set()
        .doing(Part::Confinement, "clear the ambient capabilities")?;
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break, // past the last that this kernel knows
            Err(error) => return Err(error).doing(Part::Confinement, "drop a capability"),
        }
    }
    let may_leave_groups = !matches!(plan.identity.outer, Outer::UserOnly(_));
    become_ids(plan.identity.runs_as, may_leave_groups)?;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).doing(Part::Confinement, "drop the capabilities")?;
    rustix::thread::set_no_new_privs(true).doing(Part::Confinement, "renounce privileges")
}
