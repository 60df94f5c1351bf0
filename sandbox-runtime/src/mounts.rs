//! Carries out the file steps of a plan in a new mount namespace.
//!
//! Nothing it makes outlives the namespace: trees are cloned by descriptor, layers lie on a memory file system, and the host's root is cut off at the end.
//! It decides nothing (`layout` does). No path of the host or of the sandbox is followed through a symbolic link: their contents may be an attacker's.
//! Start with [`Root::build`].

mod kernel;
mod overlay;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, linkat, mkdirat, mknodat, open, openat,
    readlinkat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::pivot_root;

use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{IdRange, Identity};
use crate::plan::{FileStep, Owner, Owners, Placed, PlacedBytes};
use crate::syscall::{MountAttributes, mount_setattr, set_file_ids};
use crate::tree::{
    attach, attach_at, chmod, clone_tree, is_directory, leave_mounts_of_host, mapped_namespace, memory,
    open_beneath,
};

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// Ids that system directories are mapped with: the system's own. What belongs to people stays theirs.
const SYSTEM_IDS: u32 = 1000;

/// The root file system of a sandbox while it is built. The process is in its new mount namespace, rooted in a memory file system that holds:
/// `host` (the host's root), `root` (the sandbox's root to be), `layers` (what the sandbox writes to), `stage` (lower directories of overlays).
pub(crate) struct Root<'a> {
    identity: &'a Identity,
    contents: &'a PlacedBytes,
    host: OwnedFd,
    top: OwnedFd,
    layers: OwnedFd,
    /// Numbers the directories in `layers` and `stage`.
    next: u32,
    /// User namespaces whose maps say how owners are swapped.
    mappings: HashMap<Owners, OwnedFd>,
    /// Files written so far, by where their bytes lie: equal ones are linked.
    written: HashMap<(u64, u64, u32), PathBuf>,
    /// `/proc/sys` before it was made read-only.
    sysctl: Option<OwnedFd>,
}

impl<'a> Root<'a> {
    /// Leaves the host's mount namespace, carries out `steps`, and makes the result this process's root.
    /// Returns a descriptor of the sandbox's `/proc/sys`.
    pub(crate) fn build(
        identity: &'a Identity,
        contents: &'a PlacedBytes,
        steps: &[FileStep],
    ) -> Step<Option<OwnedFd>> {
        let before = rustix::process::umask(Mode::empty());
        let mut root = Self::begin(identity, contents)?;
        for step in steps {
            root.take(step)?;
        }
        let sysctl = root.finish();
        rustix::process::umask(before);
        sysctl
    }

    fn begin(identity: &'a Identity, contents: &'a PlacedBytes) -> Step<Self> {
        leave_mounts_of_host()?;
        let base = Path::new("/tmp");
        attach_at(&memory("755")?, base)?;
        rustix::process::chdir(base).doing_at(Part::Mounts, "enter", base)?;
        for name in ["host", "root", "layers", "stage"] {
            mkdirat(CWD, name, Mode::from_raw_mode(0o700)).doing_at(Part::Mounts, "make", Path::new(name))?;
        }
        pivot_root(".", "host").doing(Part::Mounts, "change the root (pivot_root)")?;
        rustix::process::chdir("/").doing(Part::Mounts, "enter the new root")?;
        attach_at(&memory("755")?, Path::new("/root"))?;
        attach_at(&memory("700")?, Path::new("/layers"))?;
        let directory = |path: &str| {
            open(
                path,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .doing_at(Part::Mounts, "open", Path::new(path))
        };
        let root = Self {
            identity,
            contents,
            host: directory("/host")?,
            top: directory("/root")?,
            layers: directory("/layers")?,
            next: 0,
            mappings: HashMap::new(),
            written: HashMap::new(),
            sysctl: None,
        };
        root.give(&root.top, ".", Owner::System)
            .doing(Part::Mounts, "give away the root")?;
        Ok(root)
    }

    /// Cuts the host off.
    fn finish(self) -> Step<Option<OwnedFd>> {
        rustix::process::fchdir(&self.top).doing(Part::Mounts, "enter the sandbox's root")?;
        pivot_root(".", ".").doing(Part::Mounts, "change to the sandbox's root (pivot_root)")?;
        unmount(".", UnmountFlags::DETACH).doing(Part::Mounts, "cut off the host's files")?;
        rustix::process::chdir("/").doing(Part::Mounts, "enter the sandbox's root")?;
        Ok(self.sysctl)
    }

    fn take(&mut self, step: &FileStep) -> Step<()> {
        match step {
            FileStep::Directory { path, mode } => self.directory(path, *mode),
            FileStep::Link { path, to } => self.link(path, to),
            FileStep::File { path, placed } => self.file(path, *placed),
            FileStep::FileOver { path, placed } => self.file_over(path, *placed),
            FileStep::Tree {
                source,
                path,
                writable,
                owners,
            } => self.tree(source, path, *writable, *owners),
            FileStep::Device { path } => self.device(path),
            FileStep::Overlay { .. } => self.overlay(step),
            FileStep::Fresh { path, mode, owner } => self.fresh(path, *mode, *owner),
            FileStep::Processes { path, covered } => self.processes(path, *covered),
            FileStep::Terminals { path } => self.terminals(path),
            FileStep::Pin { path, writable } => self.pin(path, *writable),
            FileStep::Cover { path } => self.cover(path),
            FileStep::Seal => mount_setattr(&self.top, false, &MountAttributes::setting(READ_ONLY))
                .doing(Part::Mounts, "make the root read-only"),
        }
    }

    fn directory(&self, path: &Path, mode: u32) -> Step<()> {
        let directory = self.make_directory(path)?;
        chmod(&directory, mode).doing_at(Part::Mounts, "set the mode of", path)
    }

    fn link(&self, path: &Path, to: &Path) -> Step<()> {
        let (parent, name) = self.parent(path)?;
        // In a kept home there may be one of an earlier run.
        if readlinkat(&parent, name, Vec::new()).is_ok() {
            unlinkat(&parent, name, AtFlags::empty()).doing_at(Part::Mounts, "replace", path)?;
        }
        self.as_owner_of(&parent, || symlinkat(to, &parent, name))
            .doing_at(Part::Mounts, "link", path)
    }

    fn file(&mut self, path: &Path, placed: Placed) -> Step<()> {
        let (parent, name) = self.parent(path)?;
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).doing_at(Part::Mounts, "replace", path),
        }
        let key = (placed.offset, placed.length, placed.mode);
        if let Some(same) = self.written.get(&key) {
            // Another mount, or the limit of links: then it is written again.
            if linkat(
                &self.top,
                same.strip_prefix("/").unwrap_or(same),
                &parent,
                name,
                AtFlags::empty(),
            )
            .is_ok()
            {
                return Ok(());
            }
        }
        self.as_owner_of(&parent, || self.write(&parent, name, placed))
            .doing_at(Part::Mounts, "write", path)?;
        self.written.insert(key, path.to_owned());
        Ok(())
    }

    fn file_over(&mut self, path: &Path, placed: Placed) -> Step<()> {
        let name = self.number();
        self.write(&self.layers, Path::new(&name), placed)
            .doing_at(Part::Mounts, "write", path)?;
        self.give(&self.layers, &name, Owner::System)
            .doing_at(Part::Mounts, "give away", path)?;
        let tree = clone_tree(&self.layers, Path::new(&name)).doing_at(Part::Mounts, "clone", path)?;
        mount_setattr(
            &tree,
            false,
            &MountAttributes::setting(READ_ONLY | NO_SUID | NO_DEVICES),
        )
        .doing_at(Part::Mounts, "make read-only", path)?;
        attach(&tree, &self.find(path)?).doing_at(Part::Mounts, "mount over", path)
    }

    fn tree(&mut self, source: &Path, path: &Path, writable: bool, owners: Owners) -> Step<()> {
        let tree = self.host_tree(source, owners)?;
        let restrictions = NO_SUID | NO_DEVICES | if writable { 0 } else { READ_ONLY };
        mount_setattr(&tree, true, &MountAttributes::setting(restrictions)).doing_at(
            Part::Mounts,
            "restrict",
            path,
        )?;
        let target = if is_directory(&tree)? {
            self.make_directory(path)?
        } else {
            self.make_file(path)?
        };
        attach(&tree, &target).doing_at(Part::Mounts, "mount", path)
    }

    fn device(&self, path: &Path) -> Step<()> {
        let tree =
            clone_tree(&self.open_on_host(path)?, Path::new("")).doing_at(Part::Mounts, "clone", path)?;
        mount_setattr(&tree, true, &MountAttributes::setting(NO_SUID)).doing_at(
            Part::Mounts,
            "restrict",
            path,
        )?;
        attach(&tree, &self.make_file(path)?).doing_at(Part::Mounts, "mount", path)
    }

    fn fresh(&mut self, path: &Path, mode: u32, owner: Owner) -> Step<()> {
        let name = self.number();
        let make = || -> io::Result<OwnedFd> {
            mkdirat(&self.layers, &name, Mode::from_raw_mode(0o700))?;
            self.give(&self.layers, &name, owner)?;
            chmod(
                &openat(&self.layers, &name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?,
                mode,
            )?;
            clone_tree(&self.layers, Path::new(&name))
        };
        let tree = make().doing_at(Part::Mounts, "make", path)?;
        mount_setattr(&tree, false, &MountAttributes::setting(NO_SUID | NO_DEVICES)).doing_at(
            Part::Mounts,
            "restrict",
            path,
        )?;
        attach(&tree, &self.make_directory(path)?).doing_at(Part::Mounts, "mount", path)
    }

    fn pin(&self, path: &Path, writable: bool) -> Step<()> {
        let here = self.find(path)?;
        let tree = clone_tree(&here, Path::new("")).doing_at(Part::Mounts, "clone", path)?;
        if !writable {
            mount_setattr(&tree, true, &MountAttributes::setting(READ_ONLY)).doing_at(
                Part::Mounts,
                "make read-only",
                path,
            )?;
        }
        attach(&tree, &here).doing_at(Part::Mounts, "pin", path)
    }

    fn cover(&mut self, path: &Path) -> Step<()> {
        let here = self.find(path)?;
        let name = self.number();
        let make = |directory: bool| -> io::Result<OwnedFd> {
            if directory {
                mkdirat(&self.layers, &name, Mode::from_raw_mode(0o755))?;
            } else {
                mknodat(
                    &self.layers,
                    &name,
                    FileType::RegularFile,
                    Mode::from_raw_mode(0o444),
                    0,
                )?;
            }
            self.give(&self.layers, &name, Owner::System)?;
            let tree = clone_tree(&self.layers, Path::new(&name))?;
            mount_setattr(
                &tree,
                false,
                &MountAttributes::setting(READ_ONLY | NO_SUID | NO_DEVICES),
            )?;
            Ok(tree)
        };
        let tree = make(is_directory(&here)?).doing_at(Part::Mounts, "make an empty", path)?;
        attach(&tree, &here).doing_at(Part::Mounts, "cover", path)
    }

    /// A clone of a tree of the host, its owners swapped as asked.
    fn host_tree(&mut self, source: &Path, owners: Owners) -> Step<OwnedFd> {
        let tree =
            clone_tree(&self.open_on_host(source)?, Path::new("")).doing_at(Part::Mounts, "clone", source)?;
        mount_setattr(&tree, true, &MountAttributes::private()).doing_at(
            Part::Mounts,
            "make private",
            source,
        )?;
        if owners != Owners::AsTheyAre {
            let mapping = self.mapping(owners)?;
            mount_setattr(&tree, false, &MountAttributes::mapped_by(mapping)).doing_at(Part::Mounts, "map the owners of the files of", source).map_err(
                |failure| match failure.errno {
                    Some(libc::EINVAL | libc::ENOSYS) => failure.remedy(
                        "its file system cannot be mounted with mapped owners; use a directory on ext4, xfs, btrfs or tmpfs (Linux 5.12 or later), or run as an ordinary user who owns it",
                    ),
                    _ => failure,
                },
            )?;
        }
        Ok(tree)
    }

    /// A user namespace whose maps are the swap of owners that is asked for.
    fn mapping(&mut self, owners: Owners) -> Step<BorrowedFd<'_>> {
        if !self.mappings.contains_key(&owners) {
            let range = |disk, seen, count| {
                vec![IdRange {
                    inside: disk,
                    outside: seen,
                    count,
                }]
            };
            let (user, system) = (self.identity.user, self.identity.system);
            let (uids, gids) = match owners {
                Owners::Swapped(disk) => (range(disk.uid, user.uid, 1), range(disk.gid, user.gid, 1)),
                Owners::System | Owners::AsTheyAre => {
                    (range(0, system.uid, SYSTEM_IDS), range(0, system.gid, SYSTEM_IDS))
                }
            };
            let made = mapped_namespace(Path::new("/root/proc"), &uids, &gids)?;
            self.mappings.insert(owners, made);
        }
        Ok(self.mappings[&owners].as_fd())
    }

    fn open_on_host(&self, path: &Path) -> Step<OwnedFd> {
        open_beneath(&self.host, path, OFlags::empty()).doing_at(Part::Mounts, "open", path)
    }

    /// What is at `path` in the sandbox.
    fn find(&self, path: &Path) -> Step<OwnedFd> {
        open_beneath(&self.top, path, OFlags::empty()).doing_at(Part::Mounts, "find", path)
    }

    /// The directory at `path` in the sandbox, made with its parents where missing, each belonging to the owner of the one it is in.
    fn make_directory(&self, path: &Path) -> Step<OwnedFd> {
        if let Ok(found) = open_beneath(&self.top, path, OFlags::DIRECTORY) {
            return Ok(found);
        }
        let make = || -> io::Result<OwnedFd> {
            let mut at = self.top.try_clone()?;
            for part in path.components() {
                let Component::Normal(name) = part else { continue };
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
                at = match openat(&at, name, flags, Mode::empty()) {
                    Err(Errno::NOENT) => {
                        self.as_owner_of(&at, || mkdirat(&at, name, Mode::from_raw_mode(0o755)))?;
                        openat(&at, name, flags, Mode::empty())?
                    }
                    found => found?,
                };
            }
            Ok(at)
        };
        make().doing_at(Part::Mounts, "make", path).map_err(|failure| match failure.errno {
            Some(libc::ENOTDIR | libc::ELOOP) => failure.remedy("something else is in the way there: a kept home may hold a symbolic link or a file with that name"),
            _ => failure,
        })
    }

    /// An empty file at `path` to mount over, where there is none.
    fn make_file(&self, path: &Path) -> Step<OwnedFd> {
        let (parent, name) = self.parent(path)?;
        let made = self.as_owner_of(&parent, || {
            mknodat(
                &parent,
                name,
                FileType::RegularFile,
                Mode::from_raw_mode(0o644),
                0,
            )
        });
        match made {
            Ok(()) | Err(Errno::EXIST) => self.find(path),
            Err(error) => Err(error).doing_at(Part::Mounts, "make", path),
        }
    }

    fn parent<'p>(&self, path: &'p Path) -> Step<(OwnedFd, &'p Path)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Failure {
                path: Some(path.to_owned()),
                ..Failure::new(Part::Mounts, "place a file at")
            });
        };
        Ok((self.make_directory(parent)?, Path::new(name)))
    }

    fn write(&self, parent: &OwnedFd, name: &Path, placed: Placed) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
        self.contents.copy(placed, &file)?;
        Ok(fchmod(&file, Mode::from_raw_mode(placed.mode & 0o777))?)
    }

    /// Does something with the ids of whom `directory` belongs to, so that what is made there belongs to them too, through a mapped mount as well.
    fn as_owner_of<T, E>(&self, directory: &OwnedFd, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if !self.identity.by_real_root() {
            return make();
        }
        let owner = statat(directory, "", AtFlags::EMPTY_PATH);
        if let Ok(owner) = owner {
            set_file_ids(owner.st_uid, owner.st_gid);
        }
        let outcome = make();
        set_file_ids(0, 0);
        outcome
    }

    fn give(&self, directory: &OwnedFd, name: &str, owner: Owner) -> io::Result<()> {
        let ids = match owner {
            Owner::System => self.identity.system,
            Owner::User => self.identity.user,
        };
        Ok(chownat(
            directory,
            name,
            Some(Uid::from_raw(ids.uid)),
            Some(Gid::from_raw(ids.gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn number(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }
}
