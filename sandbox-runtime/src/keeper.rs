//! A process in the sandbox that changes the permission bits of files for others, without the bits that would make files run as somebody else.
//!
//! Package programs of a sandbox's root make files without any permissions and then give them all at once, `setuid` included. Refusing that would fail the
//! package; answering that it is done would leave a program that nobody can run. So the filter of system calls asks the keeper. It has no more rights than the
//! root of the sandbox that it serves, but for looking into processes of the sandbox; it acts as the user who asks; and it never sets the bits in
//! question, whatever it is told: it may be lied to by a process that changes its memory while it waits.
//! It knows nothing of filters. Start with [`start`].

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, WaitOptions, set_dumpable_behavior, waitpid};
use rustix::thread::{CapabilitySet, UnshareFlags};

use crate::failure::{Doing, Part, Step};
use crate::plan::Plan;
use crate::process::{ROOT_CAPABILITIES, drop_capabilities};
use crate::syscall::{
    Asked, Cloned, answer_asked, clone_process, close_all_but_stdin, next_asked, set_file_ids, set_name,
    still_asked,
};
use crate::wire::Wire;

/// The permission bits that are set: all but `setuid` and `setgid`.
const HARMLESS: u64 = 0o1777;

/// Starts the keeper, as a child of the sandbox's first process: the command must not find a child that it did not start. It waits for the listener of a
/// filter on the other end of what is returned, and ends when that is closed.
pub(crate) fn start(plan: &Plan) -> Step<Wire> {
    let (here, there) = Wire::pair().doing(Part::Confinement, "make a socket")?;
    let clone = || clone_process(UnshareFlags::empty()).doing(Part::Confinement, "start the keeper");
    match clone()? {
        Cloned::Parent(child) => {
            waitpid(Some(child), WaitOptions::empty()).doing(Part::Confinement, "start the keeper")?;
            Ok(here)
        }
        Cloned::Child => {
            if matches!(clone(), Ok(Cloned::Child)) {
                drop(here);
                keep(plan, there).ok();
            }
            std::process::exit(0)
        }
    }
}

fn keep(plan: &Plan, wire: Wire) -> Step<()> {
    set_name(c"outwall-keeper");
    rustix::stdio::dup2_stdin(wire.into_descriptor()).doing(Part::Confinement, "keep a socket")?;
    close_all_but_stdin().doing(Part::Confinement, "close the other descriptors")?;
    drop_capabilities(plan, ROOT_CAPABILITIES | CapabilitySet::SYS_PTRACE)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(Part::Confinement, "become unreadable")?;
    std::env::set_current_dir("/").doing(Part::Confinement, "leave the directory")?;
    let socket = rustix::io::dup(rustix::stdio::stdin()).doing(Part::Confinement, "keep a socket")?;
    let ((), descriptors) = Wire::from_descriptor(socket).expect("wait for the listener")?;
    if let Some(listener) = descriptors.first() {
        serve(listener);
    }
    Ok(())
}

/// Until nobody is left whom the filter concerns.
fn serve(listener: &OwnedFd) {
    loop {
        match next_asked(listener.as_fd()) {
            Ok(asked) => {
                let outcome = change(listener, &asked);
                // Whoever asked may be gone.
                answer_asked(listener.as_fd(), asked.id, outcome.map_err(|error| errno(&error))).ok();
            }
            Err(error) if matches!(errno(&error), libc::EINTR | libc::ENOENT) => {}
            Err(_) => return,
        }
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Does what was asked for, as whoever asked.
fn change(listener: &OwnedFd, asked: &Asked) -> io::Result<()> {
    let process = PathBuf::from(format!("/proc/{}", asked.process));
    let (path, mode, flags) = file_and_mode(&process, asked)?;
    let (uid, gid) = ids(&process)?;
    // All that was read is of the one who asked and not of a later process with its number.
    still_asked(listener.as_fd(), asked.id)?;
    set_file_ids(uid, gid);
    let outcome = set_mode(&path, mode, flags);
    set_file_ids(0, 0);
    outcome
}

fn set_mode(path: &Path, mode: u64, flags: u64) -> io::Result<()> {
    let nofollow = u64::from(libc::AT_SYMLINK_NOFOLLOW.unsigned_abs());
    if flags & nofollow != 0 && fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let mode = u32::try_from(mode & HARMLESS).expect("ten bits fit");
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// The file as the keeper finds it, the permission bits, and the flags of the call.
fn file_and_mode(process: &Path, asked: &Asked) -> io::Result<(PathBuf, u64, u64)> {
    let [first, second, third, fourth] = asked.arguments;
    #[cfg(target_arch = "x86_64")]
    if asked.call == libc::SYS_chmod {
        return Ok((named(process, i64::from(libc::AT_FDCWD), first)?, second, 0));
    }
    let descriptor = descriptor(first);
    match asked.call {
        libc::SYS_fchmod => Ok((process.join(format!("fd/{descriptor}")), second, 0)),
        libc::SYS_fchmodat => Ok((named(process, descriptor, second)?, third, 0)),
        libc::SYS_fchmodat2 => Ok((named(process, descriptor, second)?, third, fourth)),
        _ => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
    }
}

/// The kernel takes the lower half of a register for a descriptor.
fn descriptor(argument: u64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel does")]
    let half = argument as u32;
    i64::from(half.cast_signed())
}

/// The file that `process` calls by the name at `address`, from `descriptor` on.
fn named(process: &Path, descriptor: i64, address: u64) -> io::Result<PathBuf> {
    let name = PathBuf::from(std::ffi::OsString::from_vec(text(process, address)?));
    let from = if name.is_absolute() {
        process.join("root")
    } else if descriptor == i64::from(libc::AT_FDCWD) {
        process.join("cwd")
    } else {
        process.join(format!("fd/{descriptor}"))
    };
    let below = name.strip_prefix("/").unwrap_or(&name);
    Ok(if below.as_os_str().is_empty() {
        from
    } else {
        from.join(below)
    })
}

/// The text that ends in a zero byte at `address` of the memory of `process`.
fn text(process: &Path, address: u64) -> io::Result<Vec<u8>> {
    const PAGE: u64 = 4096;
    let memory = File::open(process.join("mem"))?;
    let mut text = Vec::new();
    // No longer than a path may be, and page by page: the next one may not be there.
    while text.len() < libc::PATH_MAX.unsigned_abs() as usize {
        let at = address.wrapping_add(text.len() as u64);
        let mut page = vec![0; usize::try_from(PAGE - at % PAGE).expect("less than a page")];
        memory
            .read_exact_at(&mut page, at)
            .map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
        if let Some(end) = page.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&page[..end]);
            return Ok(text);
        }
        text.extend_from_slice(&page);
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// Whose files `process` may touch, by its own ids for that.
fn ids(process: &Path) -> io::Result<(u32, u32)> {
    let status = fs::read_to_string(process.join("status"))?;
    let id = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(3)?.parse().ok()
    };
    id("Uid:")
        .zip(id("Gid:"))
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EPERM))
}
