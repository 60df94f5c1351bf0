//! Which processes of a sandbox have which sockets open: one look at all of them.

use std::collections::HashMap;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;

use super::process::{Process, Sight, is_ending};
use super::{Inside, Unknown};

/// A process that has a socket open.
pub(super) struct Holder {
    process: Process,
    /// Under which number.
    descriptor: String,
}

/// What one look has seen.
#[derive(Default)]
pub(super) struct Seen {
    /// By the inode of the socket.
    pub(super) holders: HashMap<u64, Vec<Holder>>,
    /// There is a process whose open files are not ours to see.
    pub(super) unreadable: bool,
}

/// There are more processes or open files than are looked at.
pub(super) struct TooMuch;

/// Looks at every process for the sockets that are wanted.
pub(super) fn look(inside: &Inside, wanted: &HashMap<u64, usize>) -> Result<Seen, TooMuch> {
    let until = Instant::now() + LONGEST_LOOK;
    let mut seen = Seen::default();
    let mut processes = 0;
    let Ok(all) = open_directory(&inside.processes, c".") else {
        seen.unreadable = true;
        return Ok(seen);
    };
    let mut buffer = [MaybeUninit::<u8>::uninit(); ENTRIES];
    let mut entries = RawDir::new(&all, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name()).filter(|pid| *pid != FIRST_PROCESS) else {
            continue;
        };
        processes += 1;
        if processes > MOST_PROCESSES || Instant::now() > until {
            return Err(TooMuch);
        }
        match open_files(inside.processes.as_fd(), pid) {
            Ok(files) => look_at(inside, pid, &files, wanted, until, &mut seen)?,
            Err(Errno::ACCESS | Errno::PERM) => seen.unreadable |= !is_ending(inside, pid),
            Err(_) => {} // it ended
        }
    }
    Ok(seen)
}

fn look_at(
    inside: &Inside,
    pid: u32,
    files: &OwnedFd,
    wanted: &HashMap<u64, usize>,
    until: Instant,
    seen: &mut Seen,
) -> Result<(), TooMuch> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); ENTRIES];
    let mut entries = RawDir::new(files, &mut buffer);
    let mut looked_at = 0_u32;
    while let Some(entry) = entries.next() {
        let Ok(entry) = entry else { break }; // it ended
        looked_at += 1;
        if looked_at.is_multiple_of(1024) && Instant::now() > until {
            return Err(TooMuch);
        }
        let name = entry.file_name();
        let Some(inode) = socket(files.as_fd(), name).filter(|inode| wanted.contains_key(inode)) else {
            continue;
        };
        let holders = seen.holders.entry(inode).or_default();
        if holders.iter().any(|holder| holder.process.pid == pid) {
            continue; // by another number
        }
        if let (Ok(process), Ok(name)) = (Process::open(inside, pid), name.to_str()) {
            holders.push(Holder {
                process,
                descriptor: format!("fd/{name}"),
            });
        }
    }
    Ok(())
}

impl Holder {
    /// What the process is, while it has the socket open: before that is read, and after.
    pub(super) fn sight(&self, inside: &Inside, inode: u64) -> Result<Sight, Unknown> {
        self.holds(inode)?;
        let sight = self.process.sight(inside)?;
        self.holds(inode)?;
        Ok(sight)
    }

    fn holds(&self, inode: u64) -> Result<(), Unknown> {
        let mut target = [MaybeUninit::uninit(); LONGEST_NAME];
        let read = readlinkat_raw(self.process.directory(), &self.descriptor, &mut target);
        match read {
            Ok((target, _)) if named_socket(target) == Some(inode) => Ok(()),
            _ => Err(Unknown::Changed),
        }
    }
}

fn open_files(processes: BorrowedFd<'_>, pid: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(processes, format!("{pid}/fd"), flags, Mode::empty())
}

/// A directory again, to be read from its beginning.
fn open_directory(at: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// The inode of the socket that an open file is, if it is one.
fn socket(files: BorrowedFd<'_>, name: &CStr) -> Option<u64> {
    let mut target = [MaybeUninit::uninit(); LONGEST_NAME];
    let (target, _) = readlinkat_raw(files, name, &mut target).ok()?;
    named_socket(target)
}

/// `socket:[5301355]`.
fn named_socket(target: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn number(name: &CStr) -> Option<u32> {
    name.to_str().ok()?.parse().ok()
}

/// Ours: it opens no connections, and is not to be looked at.
const FIRST_PROCESS: u32 = 1;
/// More than a sandbox has; it bounds what one look costs.
const MOST_PROCESSES: u32 = 16_384;
const LONGEST_LOOK: Duration = Duration::from_millis(250);
/// `socket:[` and 20 digits; longer ones are cut, and none of ours.
const LONGEST_NAME: usize = 32;
/// Bytes of a directory that are read at a time.
const ENTRIES: usize = 8192;
