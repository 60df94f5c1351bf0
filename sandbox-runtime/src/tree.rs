//! Trees of files that are mounted nowhere yet, and the few ways to make, restrict and attach one.
//!
//! All by descriptor, so that no path is looked up twice, and none through a symbolic link: what is on the way may be an attacker's.
//! It knows nothing of what a sandbox sees. Start with [`clone_tree`] and [`attach`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dev, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fchmod, mkdirat, mknodat,
    open, openat, openat2, statat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, waitpid};
use rustix::thread::UnshareFlags;

use crate::failure::{Doing, Failure, Part, Step};
use crate::identity::{IdRange, is_real_root, write_maps};
use crate::syscall::{Cloned, MountAttributes, clone_process, mount_setattr, unshare};

/// An overlay; `by_user` when the kernel does not let us write trusted attributes.
pub(crate) fn new_overlay(
    options: &[(&str, String)],
    restrictions: MountAttrFlags,
    by_user: bool,
) -> io::Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, value.as_str())?;
    }
    if by_user {
        // An ordinary user may not write trusted attributes.
        fsconfig_set_flag(&context, "userxattr")?;
    }
    fsconfig_create(&context)?;
    let restrictions = restrictions | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, restrictions)?)
}

/// A user namespace with these maps, which nothing runs in.
pub(crate) fn mapped_namespace(processes: &Path, uids: &[IdRange], gids: &[IdRange]) -> Step<OwnedFd> {
    let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC).doing(Part::Identity, "make a pipe")?;
    match clone_process(UnshareFlags::NEWUSER)
        .doing(Part::Identity, "make a user namespace for mapped mounts")?
    {
        Cloned::Child => {
            drop(ours);
            // Waits for the end of its parent's interest, or of its parent.
            rustix::io::read(&theirs, &mut [0u8; 1]).ok();
            std::process::exit(0)
        }
        Cloned::Parent(child) => {
            let process = processes.join(child.as_raw_pid().to_string());
            let path = process.join("ns/user");
            let made = write_maps(&process, uids, gids, false).and_then(|()| {
                open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).doing_at(
                    Part::Identity,
                    "open",
                    &path,
                )
            });
            drop(ours);
            waitpid(Some(child), WaitOptions::empty()).doing(Part::Identity, "end a user namespace")?;
            made
        }
    }
}

/// A mount namespace of our own, which nothing is propagated to or from.
pub(crate) fn leave_mounts_of_host() -> Step<()> {
    unshare(UnshareFlags::NEWNS).doing(Part::Namespaces, "make a mount namespace")?;
    let top =
        open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(Part::Mounts, "open the root")?;
    mount_setattr(&top, true, &MountAttributes::private())
        .doing(Part::Mounts, "make the mounts private")
        .map_err(|failure| match failure.errno {
            Some(libc::ENOSYS) => failure.remedy("Linux 5.12 or later is needed (mount_setattr)"),
            _ => failure,
        })
}

pub(crate) fn ignore_missing(step: Step<()>) -> Step<()> {
    match step {
        Err(Failure {
            errno: Some(libc::ENOENT | libc::EACCES),
            ..
        }) => Ok(()),
        step => step,
    }
}

pub(crate) fn is_directory(descriptor: &OwnedFd) -> Step<bool> {
    let stat = statat(descriptor, "", AtFlags::EMPTY_PATH).doing(Part::Mounts, "look at a file")?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

pub(crate) fn chmod(descriptor: &OwnedFd, mode: u32) -> io::Result<()> {
    // An O_PATH descriptor takes no fchmod, and no /proc is at hand: reopen it.
    let open = openat(
        descriptor,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(fchmod(&open, Mode::from_raw_mode(mode))?)
}

/// Opens `path` below `top`, through no symbolic link.
pub(crate) fn open_beneath(top: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() {
        Path::new(".")
    } else {
        relative
    };
    let flags = flags | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(top, relative, flags, Mode::empty(), resolve)?)
}

pub(crate) fn clone_tree(at: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    // Recursive, because mounts below it that the host locked to it cannot be left out.
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    Ok(open_tree(at, path, flags)?)
}

pub(crate) fn attach(tree: &OwnedFd, target: &OwnedFd) -> io::Result<()> {
    Ok(move_mount(
        tree,
        "",
        target,
        "",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )?)
}

pub(crate) fn attach_at(tree: &OwnedFd, path: &Path) -> Step<()> {
    move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).doing_at(
        Part::Mounts,
        "mount",
        path,
    )
}

/// A memory file system.
pub(crate) fn memory(mode: &'static str) -> Step<OwnedFd> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    file_system("tmpfs", &[("mode", Some(mode))], flags).doing(Part::Mounts, "make a memory file system")
}

pub(crate) fn file_system(
    kind: &str,
    options: &[(&str, Option<&str>)],
    flags: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&context, *key, *value)?,
            None => fsconfig_set_flag(&context, *key)?,
        }
    }
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)?)
}

/// The directory at `relative` in a layer over `lower`, made with its parents: like those it lies over, or else like the one each is in.
pub(crate) fn directories_in_layer(layer: &OwnedFd, lower: &OwnedFd, relative: &Path) -> io::Result<OwnedFd> {
    let mut at = layer.try_clone()?;
    let mut path = PathBuf::new();
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return Err(Errno::INVAL.into());
        };
        path.push(name);
        let made = match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let parent = at;
        at = openat(
            &parent,
            name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        if made {
            let below = statat(lower, &path, AtFlags::SYMLINK_NOFOLLOW);
            let below = below
                .ok()
                .filter(|below| FileType::from_raw_mode(below.st_mode).is_dir());
            if let Some(below) = &below {
                chmod(&at, below.st_mode & 0o7777)?;
            }
            let like = below.map_or_else(|| statat(&parent, "", AtFlags::EMPTY_PATH), Ok)?;
            chownat(
                &parent,
                name,
                Some(Uid::from_raw(like.st_uid)),
                Some(Gid::from_raw(like.st_gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .ok();
        }
    }
    Ok(at)
}

/// The number of the device that an overlay takes for "nothing here".
const NOTHING: Dev = 0;

/// A whiteout: the overlay shows nothing by that name.
pub(crate) fn hide_in_layer(layer: &OwnedFd, lower: &OwnedFd, relative: &Path) -> io::Result<()> {
    let parent = directories_in_layer(layer, lower, relative.parent().unwrap_or(Path::new("")))?;
    let name = relative.file_name().ok_or(Errno::INVAL)?;
    Ok(mknodat(
        &parent,
        name,
        FileType::CharacterDevice,
        Mode::empty(),
        NOTHING,
    )?)
}

/// Tries whether files can be laid out here: private mounts, a memory file system, the processes of the caller's pid namespace.
pub(crate) fn try_files() -> Step<()> {
    leave_mounts_of_host()?;
    attach_at(&memory("755")?, Path::new("/tmp"))?;
    file_system("proc", &[], MountAttrFlags::empty())
        .doing(Part::Mounts, "mount /proc")
        .map(drop)
}

/// Tries whether overlays can be mounted here.
pub(crate) fn try_overlay() -> Step<()> {
    leave_mounts_of_host()?;
    attach_at(&memory("755")?, Path::new("/tmp"))?;
    for name in ["lower", "upper", "work"] {
        mkdirat(CWD, Path::new("/tmp").join(name), Mode::from_raw_mode(0o700))
            .doing(Part::Mounts, "make a directory")?;
    }
    let options = [
        ("lowerdir", "/tmp/lower"),
        ("upperdir", "/tmp/upper"),
        ("workdir", "/tmp/work"),
    ];
    let options = options.map(|(key, value)| (key, value.to_owned()));
    new_overlay(&options, MountAttrFlags::empty(), !is_real_root())
        .doing(Part::Mounts, "mount an overlay")
        .map(drop)
}

/// Tries whether the owners of the files of the root file system can be mapped.
pub(crate) fn try_mapped() -> Step<()> {
    leave_mounts_of_host()?;
    let top =
        open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(Part::Mounts, "open the root")?;
    let tree = clone_tree(&top, Path::new("")).doing(Part::Mounts, "clone the root")?;
    let ids = [IdRange {
        inside: 0,
        outside: 1,
        count: 1,
    }];
    let mapping = mapped_namespace(Path::new("/proc"), &ids, &ids)?;
    mount_setattr(&tree, false, &MountAttributes::mapped_by(mapping.as_fd()))
        .doing(Part::Mounts, "map the owners of the files of `/`")
}
