//! The gate's end: a socket in a directory that is its owner's alone.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::answer::Answer;
use crate::line::{self, LONGEST_REQUEST, LineError};

/// A socket that others of the same user can ask. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Somebody who asks. The kernel says that it is the same user, or root.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    uid: u32,
}

impl Socket {
    /// Opens one by this name (a file's name) in `directory`, which exists and is its owner's alone.
    pub fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.{EXTENSION}"));
        let beside = format!("{name}.new");
        // Bound beside and renamed: what refuses connections in here is dead, and whoever finds it sweeps it away.
        let listener = reach(directory, &beside, |short| UnixListener::bind(short))?;
        let beside = directory.join(beside);
        fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
        fs::rename(&beside, &path)?;
        Ok(Self { listener, path })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nobody is accepted any more: who waits in [`accept`](Self::accept) gets an error. Its file may be gone long since.
    pub fn close(&self) {
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }

    /// Waits for the next caller; `None` for one that is not to be answered.
    pub fn accept(&self) -> io::Result<Option<Caller>> {
        let (stream, _) = self.listener.accept()?;
        let them = rustix::net::sockopt::socket_peercred(&stream)?;
        let uid = them.uid.as_raw();
        let is_one_of_us =
            uid == 0 || them.uid == rustix::process::geteuid() && shares_our_namespace(them.pid);
        Ok(is_one_of_us.then_some(Caller { stream, uid }))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Caller {
    /// Who it is.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The line that it says.
    pub fn hear(&self) -> Result<String, LineError> {
        line::read(&self.stream, LONGEST_REQUEST)
    }

    /// Answers.
    pub fn answer(&self, answer: &Answer) -> io::Result<()> {
        line::write(&self.stream, &answer.to_line())
    }
}

/// A sandbox's processes are the same user's to the kernel. They see no socket of ours, and if they did: they live in a user
/// namespace of their own.
fn shares_our_namespace(them: rustix::process::Pid) -> bool {
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/user")).ok();
    let ours = of("self");
    ours.is_some() && of(&them.as_raw_nonzero().to_string()) == ours
}

/// Never waits: a gate that is stopped, with as many callers as it has room for, is an error.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Does something with the path of a socket that is short enough for one (108 bytes), whatever the directory's.
pub(crate) fn reach<T>(
    directory: &Path,
    name: &str,
    act: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, open, Mode::empty())?;
    act(&Path::new("/proc/self/fd")
        .join(directory.as_raw_fd().to_string())
        .join(name))
}

/// Of the files of sockets.
pub(crate) const EXTENSION: &str = "sock";
