//! One process of a sandbox, by a descriptor of its directory in `/proc`: when it is gone nothing is read of another one that has
//! its number.

use std::io::Read as _;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, readlink, statat};
use rustix::io::Errno;

use super::{Executable, Inside, Unknown};

/// One process.
pub(super) struct Process {
    pub(super) pid: u32,
    directory: OwnedFd,
}

/// What was seen of a process.
pub(super) struct Sight {
    pub(super) pid: u32,
    /// Ticks since the machine started.
    pub(super) started: u64,
    pub(super) executable: Executable,
    /// Device and inode of what it executes.
    pub(super) file_id: (u64, u64),
    pub(super) ancestors: Vec<String>,
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: u32,
    /// It is on its way out, or has gone and is not waited for yet.
    ends: bool,
    started: u64,
}

impl Process {
    pub(super) fn open(inside: &Inside, pid: u32) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&inside.processes, pid.to_string(), flags, Mode::empty())?;
        Ok(Self { pid, directory })
    }

    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub(super) fn sight(&self, inside: &Inside) -> Result<Sight, Unknown> {
        let stat = self.stat()?;
        let executable = self.executable(inside)?;
        let file = fstat(&executable.file).map_err(|_| Unknown::Changed)?;
        Ok(Sight {
            pid: self.pid,
            started: stat.started,
            file_id: (file.st_dev, file.st_ino),
            executable,
            ancestors: self.ancestors(inside, stat.parent)?,
        })
    }

    /// The file first and then its path, so that both are of the same.
    fn executable(&self, inside: &Inside) -> Result<Executable, Unknown> {
        let opened = openat(
            &self.directory,
            "exe",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let file = opened.map_err(refused)?;
        let path = readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new()).map_err(refused)?;
        let mut path = path.to_string_lossy().into_owned();
        if self.mounts()? != inside.mounts {
            path.push_str(" (in mounts of its own)");
        }
        Ok(Executable { path, file })
    }

    fn mounts(&self) -> Result<u64, Unknown> {
        let namespace = statat(&self.directory, "ns/mnt", AtFlags::empty());
        Ok(namespace.map_err(refused)?.st_ino)
    }

    /// What the processes execute that it descends from. Each is its child's parent still when it was read.
    fn ancestors(&self, inside: &Inside, parent: u32) -> Result<Vec<String>, Unknown> {
        let mut names = Vec::new();
        let (mut child, mut parent) = (None, parent);
        while parent > FIRST_PROCESS && names.len() < MOST_ANCESTORS {
            let process = Self::open(inside, parent).map_err(|_| Unknown::Changed)?;
            let executable = process.executable(inside)?;
            let next = process.stat()?.parent;
            if child.as_ref().unwrap_or(self).stat()?.parent != parent {
                return Err(Unknown::Changed);
            }
            names.push(executable.path);
            (child, parent) = (Some(process), next);
        }
        Ok(names)
    }

    fn stat(&self) -> Result<Stat, Unknown> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, "stat", flags, Mode::empty()).map_err(|_| Unknown::Changed)?;
        let mut text = Vec::with_capacity(512);
        std::fs::File::from(file)
            .read_to_end(&mut text)
            .map_err(|_| Unknown::Changed)?;
        parse_stat(&text).ok_or(Unknown::Changed)
    }
}

/// The number of the mount namespace that this process is in.
pub(crate) fn own_mounts() -> rustix::io::Result<u64> {
    Ok(rustix::fs::stat("/proc/self/ns/mnt")?.st_ino)
}

/// A process that we may not look at, or one that is gone.
fn refused(errno: Errno) -> Unknown {
    match errno {
        Errno::ACCESS | Errno::PERM => Unknown::Unreadable,
        _ => Unknown::Changed,
    }
}

/// Whether a process whose open files are not ours to see has none any more: the kernel shows one that ends to nobody but root.
pub(super) fn is_ending(inside: &Inside, pid: u32) -> bool {
    let stat = Process::open(inside, pid).map_err(refused);
    stat.and_then(|process| process.stat())
        .is_ok_and(|stat| stat.ends)
}

/// Fields 4, 9 and 22 of `proc_pid_stat(5)`. The second is the process's own name, in which anything may be, so it is the last
/// parenthesis that counts.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let flags: u32 = fields.nth(4)?.parse().ok()?;
    Some(Stat {
        parent,
        ends: flags & PF_EXITING != 0,
        started: fields.nth(12)?.parse().ok()?,
    })
}

const FIRST_PROCESS: u32 = 1;
/// From `include/linux/sched.h`; it stays set.
const PF_EXITING: u32 = 4;
/// Of more, the nearest.
const MOST_ANCESTORS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_cannot_stand_for_its_parent() {
        let text = b"42 (x) S 1 (y) 9 9) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99887766 1 2";
        let stat = parse_stat(text).expect("a line of the kernel's");
        assert_eq!((stat.parent, stat.started, stat.ends), (7, 99_887_766, false));
        let text = b"42 (x) Z 7 1 1 0 -1 4194572 1 2 3 4 5 6 7 8 20 0 1 0 99887766 1 2";
        assert!(parse_stat(text).is_some_and(|stat| stat.ends && stat.parent == 7));
        assert!(parse_stat(b"42 (x").is_none());
    }
}
