//! The two processes that make a sandbox and then watch over it.
//!
//! *Stage 1* is this very program, executed again with a clean environment and one socket. It makes the namespaces, sets up the network, opens the listeners,
//! and starts the *first process* (pid 1 of the sandbox), which lays out the files and starts the command (`process`). From then on stage 1 waits for the
//! lifeline to close, and the first process reaps.
//!
//! The chain of deaths, each link the kernel's: the asking process dies → its end of the socket closes → stage 1 kills the first process → the kernel kills
//! everything in the pid namespace. Stage 1 dies → the parent-death signal kills the first process.
//!
//! It knows nothing of what is in a plan beyond the order of its parts. Start with [`become_stage_if_asked`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, set_dumpable_behavior,
    set_parent_process_death_signal, wait, waitpid,
};
use rustix::pty::OpenptFlags;
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities};

use crate::engine::Exit;
use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{Ids, Outer, write_maps};
use crate::inner_sockets::Maker;
use crate::mounts::Root;
use crate::network;
use crate::plan::{PlacedBytes, Plan};
use crate::process::{self, Inheritance};
use crate::programs::own_mounts;
use crate::seccomp::Filters;
use crate::syscall::{Cloned, clone_process, set_name, unshare};
use crate::wire::{FromStage, ToStage, Wire};

/// The name that a stage is executed under.
pub(crate) const STAGE_NAME: &str = "outwall-sandbox";

/// Name of the machine inside.
pub(crate) const HOST_NAME: &str = "outwall";

/// Turns this process into a stage of a sandbox when the engine executed it as one; else returns at once.
///
/// To be called first in `main`, before any thread is started: a stage must be single-threaded.
pub fn become_stage_if_asked() {
    if std::env::args_os().next().is_none_or(|name| name != STAGE_NAME) {
        return;
    }
    std::process::exit(i32::from(stage_1().is_err()));
}

/// Ends quietly: a failure has been told on the wire, or there is nobody to tell.
struct Told;

fn stage_1() -> Result<(), Told> {
    let lifeline = rustix::io::dup(rustix::stdio::stdin()).map_err(|_| Told)?;
    let wire = Wire::from_descriptor(lifeline);
    rustix::io::fcntl_setfd(&wire, rustix::io::FdFlags::CLOEXEC).map_err(|_| Told)?;
    let made = make_sandbox(&wire);
    if let Some((first, maker)) = tell(&wire, made)? {
        watch(&wire, first, maker);
    }
    Ok(())
}

fn tell<T>(wire: &Wire, step: Step<T>) -> Result<T, Told> {
    step.map_err(|failure| {
        drop(wire.send(&FromStage::Failed(failure), &[])); // if nobody listens, nobody needs to know
        Told
    })
}

/// Makes the namespaces, the network and the first process; none when only a probe was asked for.
fn make_sandbox(wire: &Wire) -> Step<Option<(Pid, Option<Maker>)>> {
    let began = Instant::now();
    let (message, descriptors) = wire.expect("wait for the plan")?;
    if matches!(message, ToStage::Probe) {
        wire.send(&FromStage::Probed(crate::probe::try_all()?), &[])?;
        return Ok(None);
    }
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next();
    let (ToStage::Plan, Some(memory), Some(stdin), Some(stdout), Some(stderr)) =
        (message, next(), next(), next(), next())
    else {
        return Err(Failure::new(Part::Conversation, "understand the first message"));
    };
    let maker = next().map(|asked_on| Maker::new(Wire::from_descriptor(asked_on)));
    let (plan, contents) = Plan::read(memory)?;
    let inheritance = [stdin, stdout, stderr];
    // A terminal of the host must not become that of the sandbox, nor its signals ours.
    rustix::process::setsid().doing(Part::Namespaces, "leave the session")?;
    join_control_groups(&plan.control_groups);
    enter_outer_namespace(wire, &plan)?;
    let rest = UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP
        | UnshareFlags::NEWPID;
    unshare(rest).doing(
        Part::Namespaces,
        "make the network, ipc, uts, cgroup and pid namespaces",
    )?;
    let first =
        match clone_process(UnshareFlags::empty()).doing(Part::Namespaces, "start the first process")? {
            Cloned::Parent(first) => first,
            Cloned::Child => {
                drop(maker); // it is asked outside
                std::process::exit(first_process(wire, &plan, contents, inheritance))
            }
        };
    let namespaces = micros(began);
    let networking = Instant::now();
    let listening = network::set_up(&plan.host_ports)?;
    let (kinds, sockets): (Vec<_>, Vec<_>) = listening.into_iter().unzip();
    let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    wire.send(
        &FromStage::Listening {
            kinds,
            namespaces,
            network: micros(networking),
        },
        &borrowed,
    )?;
    Ok(Some((first, maker)))
}

/// Makes the outer user namespace, where one is needed, and becomes its root.
fn enter_outer_namespace(wire: &Wire, plan: &Plan) -> Step<()> {
    let new = || {
        unshare(UnshareFlags::NEWUSER).doing(Part::Identity, "make a user namespace").map_err(|failure| {
            failure.remedy("this machine does not let ordinary users make user namespaces; `outwall doctor` says what forbids it and how to allow it")
        })
    };
    match &plan.identity.outer {
        Outer::Host => Ok(()),
        Outer::UserOnly(Ids { uid, gid }) => {
            new()?;
            let only = |outside| {
                [crate::identity::IdRange {
                    inside: 0,
                    outside,
                    count: 1,
                }]
            };
            write_maps(Path::new("/proc/self"), &only(*uid), &only(*gid), true)?;
            become_ids(Ids { uid: 0, gid: 0 }, false)
        }
        Outer::WithSubordinates { .. } => {
            new()?;
            wire.send(&FromStage::WantsIds, &[])?;
            match wire.expect("wait for the ids to be mapped")? {
                (ToStage::IdsMapped, _) => become_ids(Ids { uid: 0, gid: 0 }, true),
                _ => Err(Failure::new(
                    Part::Conversation,
                    "understand the message after `WantsIds`",
                )),
            }
        }
    }
}

/// Takes the ids of somebody else, and leaves all groups where that is allowed.
pub(crate) fn become_ids(ids: Ids, leave_groups: bool) -> Step<()> {
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(ids.uid),
        rustix::fs::Gid::from_raw(ids.gid),
    );
    if leave_groups {
        set_thread_groups(&[]).doing(Part::Identity, "leave the groups (setgroups)")?;
    }
    set_thread_res_gid(gid, gid, gid).doing(Part::Identity, "change the group")?;
    set_thread_res_uid(uid, uid, uid).doing(Part::Identity, "change the user")
}

/// Best effort: a host without control groups for us is no reason to fail.
fn join_control_groups(groups: &[std::path::PathBuf]) {
    for group in groups {
        drop(std::fs::write(group.join("cgroup.procs"), "0"));
    }
}

/// Stage 1's life after its work: until the first process ends or nobody is left who asked for it. Meanwhile it makes sockets in
/// the sandbox's network for who asks outside.
fn watch(wire: &Wire, first: Pid, mut maker: Option<Maker>) {
    set_name(c"outwall-watch");
    let ended = pidfd_open(first, PidfdFlags::empty());
    silence();
    if let Ok(ended) = &ended {
        while let News::Asked = await_news(ended, wire, maker.as_ref()) {
            if !maker.as_ref().is_some_and(Maker::answer) {
                maker = None;
            }
        }
    }
    if !matches!(waitpid(Some(first), WaitOptions::NOHANG), Ok(Some(_))) {
        rustix::process::kill_process(first, Signal::KILL).ok();
        waitpid(Some(first), WaitOptions::empty()).ok();
    }
}

/// What stage 1 waits for.
enum News {
    /// The first process ended, or nobody is left who asked for the sandbox.
    Over,
    /// Somebody wants a socket, or will never want one again.
    Asked,
}

fn await_news(ended: &OwnedFd, wire: &Wire, maker: Option<&Maker>) -> News {
    let mut events = vec![
        PollFd::new(ended, PollFlags::IN),
        PollFd::new(wire, PollFlags::empty()),
    ];
    events.extend(maker.map(|maker| PollFd::new(maker, PollFlags::IN)));
    // HUP on the wire: every other end is closed, so the asking process is gone.
    while let Err(rustix::io::Errno::INTR) = poll(&mut events, None) {}
    let happened = |event: &PollFd<'_>| !event.revents().is_empty();
    let over = events[..2].iter().any(happened) || !events.iter().any(happened);
    if over { News::Over } else { News::Asked }
}

/// Lets go of the standard error, which may be a pipe whose reader waits for its end. The standard output is `/dev/null`.
fn silence() {
    rustix::stdio::dup2_stderr(rustix::stdio::stdout()).ok();
}

/// Pid 1 of the sandbox. Returns the exit code of the process.
fn first_process(wire: &Wire, plan: &Plan, contents: PlacedBytes, inheritance: [OwnedFd; 3]) -> i32 {
    set_name(c"outwall-init");
    match run_command(wire, plan, contents, inheritance) {
        Ok(command) => {
            let exit = reap_until(command);
            drop(wire.send(&FromStage::Ended(exit), &[]));
            0
        }
        Err(failure) => {
            drop(wire.send(&FromStage::Failed(failure), &[]));
            1
        }
    }
}

fn run_command(wire: &Wire, plan: &Plan, contents: PlacedBytes, inheritance: [OwnedFd; 3]) -> Step<Pid> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .doing(Part::Namespaces, "tie our life to our parent's")?;
    let began = Instant::now();
    rustix::system::sethostname(HOST_NAME.as_bytes()).doing(Part::Namespaces, "name the machine")?;
    let sysctl = Root::build(&plan.identity, &contents, &plan.files)?;
    drop(contents);
    let terminal = plan
        .terminal
        .contains(&true)
        .then(|| open_terminal(plan))
        .transpose()?;
    let processes = open_processes()?;
    let master = terminal.iter().map(|(master, _)| master.as_fd());
    let given: Vec<BorrowedFd<'_>> = std::iter::once(processes.as_fd()).chain(master).collect();
    wire.send(
        &FromStage::Built {
            mounts: micros(began),
            namespace: own_mounts().doing(Part::Mounts, "number our mount namespace")?,
        },
        &given,
    )?;
    drop(processes);
    let filters = Filters::for_commands(plan.nested_namespaces, plan.root)?;
    let (ToStage::Start, _) = wire.expect("wait for the start")? else {
        return Err(Failure::new(
            Part::Conversation,
            "understand the message before the start",
        ));
    };
    let began = Instant::now();
    let slave = terminal.map(|(_master, slave)| slave);
    let command = process::start(
        plan,
        &filters,
        sysctl,
        Inheritance::new(inheritance, plan.terminal, slave),
    )?;
    let descriptor =
        pidfd_open(command, PidfdFlags::empty()).doing(Part::Command, "open a descriptor of the command")?;
    wire.send(
        &FromStage::Started { start: micros(began) },
        &[descriptor.as_fd()],
    )?;
    give_up_powers(plan)?;
    silence();
    Ok(command)
}

/// The sandbox's `/proc`, before anybody in it could put another there.
fn open_processes() -> Step<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc", flags, Mode::empty()).doing(Part::Mounts, "open the processes")
}

/// A terminal of the sandbox's own, which its user may reopen by name.
fn open_terminal(plan: &Plan) -> Step<(OwnedFd, OwnedFd)> {
    let open = || -> std::io::Result<(OwnedFd, OwnedFd)> {
        let master = rustix::fs::open(
            "/dev/pts/ptmx",
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        rustix::pty::unlockpt(&master)?;
        let slave = rustix::pty::ioctl_tiocgptpeer(
            &master,
            OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC,
        )?;
        let user = plan.identity.user;
        rustix::fs::fchown(
            &slave,
            Some(rustix::fs::Uid::from_raw(user.uid)),
            Some(rustix::fs::Gid::from_raw(user.gid)),
        )?;
        Ok((master, slave))
    };
    open().doing(Part::Terminal, "open a terminal")
}

/// From here on the first process only reaps: it needs no powers, and must not be worth attacking.
fn give_up_powers(plan: &Plan) -> Step<()> {
    if let Some(ids) = plan.identity.first_process {
        become_ids(ids, true)?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).doing(Part::Confinement, "give up the capabilities of the first process")?;
    rustix::thread::set_no_new_privs(true).doing(Part::Confinement, "renounce privileges")?;
    // Not to be traced or read through /proc by the sandbox, which may run as the same host user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(Part::Confinement, "become unreadable")?;
    // Changing ids forgets it.
    set_parent_process_death_signal(Some(Signal::KILL))
        .doing(Part::Namespaces, "tie our life to our parent's")
}

/// Reaps every process of the sandbox until `command` ends.
fn reap_until(command: Pid) -> Exit {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => return exit_of(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Exit::Signal(Signal::KILL.as_raw()),
        }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(0),
    }
}

pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
