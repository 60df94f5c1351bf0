//! What this machine offers for sandboxes, found by trying each thing in a process made for it.
//!
//! It knows nothing of one particular sandbox. Start with [`probe`].

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, waitpid};
use rustix::thread::UnshareFlags;

use crate::engine::{PrepareError, spawn};
use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{IdRange, Ids, is_real_root, program, subordinates, write_maps};
use crate::network;
use crate::stage::become_ids;
use crate::syscall::{Cloned, clone_process, unshare};
use crate::tree;
use crate::wire::{FromStage, ToStage};

/// Something that sandboxes need or can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Who makes sandboxes here: real root or an ordinary user.
    Identity,
    /// New user namespaces.
    UserNamespaces,
    /// The other namespaces, made in a user namespace where one is needed.
    Namespaces,
    /// Redirection by `nf_tables` in a network namespace.
    Redirection,
    /// A memory file system and a private `/proc`.
    Files,
    /// Overlays, for toolchains and for `--root`.
    Overlays,
    /// Mounts with mapped owners, which real root needs for the working directory.
    MappedMounts,
    /// Lent ids and the programs that map them, for `--root` by an ordinary user.
    SubordinateIds,
    /// Control groups, for limits.
    ControlGroups,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::UserNamespaces => "user namespaces",
            Self::Namespaces => "namespaces",
            Self::Redirection => "redirection (nf_tables)",
            Self::Files => "private files",
            Self::Overlays => "overlays",
            Self::MappedMounts => "mapped mounts",
            Self::SubordinateIds => "subordinate ids",
            Self::ControlGroups => "control groups",
        })
    }
}

/// How much of something there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Works,
    /// Sandboxes work without it, with less.
    Limited,
    /// Sandboxes cannot be made.
    Missing,
}

/// What was found about one subject.
#[derive(Clone, Debug)]
pub struct Capability {
    /// What it is about.
    pub subject: Subject,
    /// How much of it there is.
    pub state: State,
    /// What was seen, for people.
    pub detail: String,
    /// How to get it, when it is not there.
    pub remedy: Option<String>,
}

/// Tries out what sandboxes need. The program must have called [`become_stage_if_asked`](crate::become_stage_if_asked) first in its `main`.
pub fn probe() -> Result<Vec<Capability>, PrepareError> {
    let tried = try_in_stage()?;
    let real_root = is_real_root();
    let mut found = vec![identity(real_root)];
    for (trial, failure) in tried {
        found.push(judge(trial, failure, real_root));
    }
    if !real_root {
        found.push(subordinate_ids());
    }
    found.push(control_groups());
    Ok(found)
}

/// What a stage tries, in this order; each in a child of its own.
const TRIALS: [Subject; 6] = [
    Subject::UserNamespaces,
    Subject::Namespaces,
    Subject::Redirection,
    Subject::Files,
    Subject::Overlays,
    Subject::MappedMounts,
];

fn try_in_stage() -> Result<Vec<(Subject, Option<Failure>)>, PrepareError> {
    let stage = spawn()?;
    stage.wire.send(&ToStage::Probe, &[])?;
    let (FromStage::Probed(failures), _) = stage.wire.expect("wait for what was tried")? else {
        return Err(Failure::new(Part::Conversation, "understand what was tried").into());
    };
    Ok(TRIALS
        .into_iter()
        .zip(failures)
        .filter(|(subject, _)| *subject != Subject::MappedMounts || is_real_root())
        .collect())
}

/// The stage's side: tries everything and says what failed.
pub(crate) fn try_all() -> Step<Vec<Option<Failure>>> {
    TRIALS.into_iter().map(try_one).collect()
}

fn try_one(subject: Subject) -> Step<Option<Failure>> {
    in_child(|| attempt(subject))
}

/// Makes an attempt in a process of its own, so that what it changes goes with it, and returns how it failed.
fn in_child(attempt: impl FnOnce() -> Step<()>) -> Step<Option<Failure>> {
    let (failed, tell_failed) = pipe_with(PipeFlags::CLOEXEC).doing(Part::Conversation, "make a pipe")?;
    match clone_process(UnshareFlags::empty()).doing(Part::Namespaces, "fork")? {
        Cloned::Child => {
            drop(failed);
            tell(tell_failed, attempt().err().as_ref());
            std::process::exit(0)
        }
        Cloned::Parent(child) => {
            drop(tell_failed);
            let mut report = Vec::new();
            fs::File::from(failed)
                .read_to_end(&mut report)
                .doing(Part::Conversation, "hear from a child")?;
            waitpid(Some(child), WaitOptions::empty()).doing(Part::Conversation, "wait for a child")?;
            let died = || Some(Failure::new(Part::Conversation, "hear from a child"));
            Ok(serde_json::from_slice(&report).unwrap_or_else(|_| died()))
        }
    }
}

fn tell(pipe: OwnedFd, failure: Option<&Failure>) {
    let report = serde_json::to_vec(&failure).unwrap_or_default();
    fs::File::from(pipe).write_all(&report).ok();
}

fn attempt(subject: Subject) -> Step<()> {
    let ids = Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    if subject == Subject::UserNamespaces || !is_real_root() {
        unshare(UnshareFlags::NEWUSER).doing(Part::Identity, "make a user namespace")?;
        let only = |outside| {
            [IdRange {
                inside: 0,
                outside,
                count: 1,
            }]
        };
        write_maps(Path::new("/proc/self"), &only(ids.uid), &only(ids.gid), true)?;
        become_ids(Ids { uid: 0, gid: 0 }, false)?;
    }
    match subject {
        Subject::Namespaces => all_namespaces(),
        Subject::Redirection => {
            unshare(UnshareFlags::NEWNET).doing(Part::Namespaces, "make a network namespace")?;
            network::set_up(&[]).map(drop)
        }
        Subject::Files => in_pid_namespace(tree::try_files),
        Subject::Overlays => tree::try_overlay(),
        Subject::MappedMounts => tree::try_mapped(),
        Subject::Identity | Subject::UserNamespaces | Subject::SubordinateIds | Subject::ControlGroups => {
            Ok(())
        }
    }
}

fn all_namespaces() -> Step<()> {
    let all = UnshareFlags::NEWNET
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP
        | UnshareFlags::NEWPID;
    unshare(all).doing(
        Part::Namespaces,
        "make the network, mount, ipc, uts, cgroup and pid namespaces",
    )
}

/// A `/proc` can be mounted by a member of a new pid namespace only, which its maker is not.
fn in_pid_namespace(attempt: fn() -> Step<()>) -> Step<()> {
    unshare(UnshareFlags::NEWPID).doing(Part::Namespaces, "make a pid namespace")?;
    in_child(attempt)?.map_or(Ok(()), Err)
}

fn identity(real_root: bool) -> Capability {
    let detail = if real_root {
        "real root: sandboxes get unprivileged ids of their own on the host".to_owned()
    } else {
        let uid = rustix::process::geteuid().as_raw();
        format!("uid {uid} without the host's full powers: sandboxes are made rootless")
    };
    Capability {
        subject: Subject::Identity,
        state: State::Works,
        detail,
        remedy: None,
    }
}

fn judge(subject: Subject, failure: Option<Failure>, real_root: bool) -> Capability {
    let Some(failure) = failure else {
        return Capability {
            subject,
            state: State::Works,
            detail: "works (tried)".to_owned(),
            remedy: None,
        };
    };
    let state = match subject {
        Subject::Overlays => State::Limited,
        _ => State::Missing,
    };
    let remedy = failure
        .remedy
        .as_deref()
        .map(str::to_owned)
        .or_else(|| remedy(subject, real_root));
    let detail = Failure {
        remedy: None,
        ..failure
    }
    .to_string();
    Capability {
        subject,
        state,
        detail,
        remedy,
    }
}

fn remedy(subject: Subject, real_root: bool) -> Option<String> {
    let text = match subject {
        Subject::UserNamespaces | Subject::Namespaces => return Some(what_forbids_namespaces(real_root)),
        Subject::Redirection => {
            "the kernel needs nf_tables with nat and redirect: `modprobe -a nf_tables nft_chain_nat nft_redir`"
        }
        Subject::Files => {
            "Linux 5.12 or later is needed; in a container, one that does not hide parts of /proc (`--security-opt unmask=/proc/*`, or `--privileged`)"
        }
        Subject::Overlays => {
            "Linux 5.11 or later lets users mount overlays; without, toolchains are read-only"
        }
        Subject::MappedMounts => {
            "Linux 5.12 or later, and a working directory on ext4, xfs, btrfs, or tmpfs (6.3); or run as an ordinary user"
        }
        Subject::Identity | Subject::SubordinateIds | Subject::ControlGroups => return None,
    };
    Some(text.to_owned())
}

/// The known reasons why an ordinary user gets no namespaces, by what the kernel's settings say.
fn what_forbids_namespaces(real_root: bool) -> String {
    let setting = |name: &str| {
        let text = fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let remedy = if setting("user/max_user_namespaces") == Some(0) {
        "user namespaces are switched off: `sysctl user.max_user_namespaces=15000`"
    } else if setting("kernel/unprivileged_userns_clone") == Some(0) {
        "user namespaces are for root only here: `sysctl kernel.unprivileged_userns_clone=1`"
    } else if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        "AppArmor restricts user namespaces (Ubuntu 23.10 and later): give outwall a profile with `userns,`, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    } else if real_root {
        "a container probably forbids it: start it with `--privileged`, or with CAP_SYS_ADMIN and a seccomp profile that allows unshare and mount"
    } else {
        "a container or security module probably forbids it: in Docker, `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`"
    };
    remedy.to_owned()
}

fn subordinate_ids() -> Capability {
    let ids = Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let programs = program("newuidmap").is_some() && program("newgidmap").is_some();
    let (state, detail, remedy) = match subordinates(ids) {
        Some((uids, _)) => (State::Works, format!("{} ids are lent to you", uids.count), None),
        None if programs => (
            State::Limited,
            "no ids are lent to you: with `--root` only uid 0 exists, so programs that change users fail"
                .to_owned(),
            Some("`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`".to_owned()),
        ),
        None => (
            State::Limited,
            "newuidmap or newgidmap is missing: with `--root` only uid 0 exists".to_owned(),
            Some("install `uidmap` (Debian, Ubuntu) or `shadow-utils` (Fedora)".to_owned()),
        ),
    };
    Capability {
        subject: Subject::SubordinateIds,
        state,
        detail,
        remedy,
    }
}

fn control_groups() -> Capability {
    let mount = Path::new("/sys/fs/cgroup");
    let version = if mount.join("cgroup.controllers").exists() {
        "2"
    } else {
        "1"
    };
    let limits = crate::spec::Limits {
        processes: Some(4096),
        memory_bytes: None,
    };
    let id = outwall_policy::SandboxId::from_random(std::process::id().to_ne_bytes());
    let made = crate::control_group::make(id, limits);
    let works = !made.is_empty();
    crate::control_group::remove(&made);
    if works {
        let detail = format!("version {version}, ours to make groups in (tried)");
        return Capability {
            subject: Subject::ControlGroups,
            state: State::Works,
            detail,
            remedy: None,
        };
    }
    Capability {
        subject: Subject::ControlGroups,
        state: State::Limited,
        detail: format!("version {version}, not ours to make groups in: memory limits do not hold"),
        remedy: Some("run under `systemd-run --user --scope -p Delegate=yes`, or as root".to_owned()),
    }
}
