//! Which program of a sandbox made a connection: from the connection to its socket, from the socket to the process that holds it.
//!
//! It is said only of whom it is certain. A program is named when one process holds the socket, before and after its executable was
//! read, all through one descriptor of that process, so that no other process of the same number is mistaken for it. Everything else
//! is [`Unknown`], with the reason. Names are the kernel's: what a process calls itself (`argv`) is not looked at.
//!
//! It knows nothing of what connections are for. It blocks for as long as a look at each process of the sandbox takes. Start with
//! [`Programs::of`].

mod holders;
mod process;
mod sockets;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use self::holders::{Holder, TooMuch, look};
pub(crate) use self::process::own_mounts;
use self::sockets::Sockets;
pub(crate) use self::sockets::diagnosis;

/// Knows the programs of one sandbox.
#[derive(Debug)]
pub struct Programs {
    sockets: Sockets,
    inside: Arc<OnceLock<Inside>>,
}

/// How the sandbox looks from outside, once its files are in place.
#[derive(Debug)]
pub(crate) struct Inside {
    /// Its own `/proc`: its processes and no others, by the numbers that it gives them.
    pub(crate) processes: OwnedFd,
    /// The number of its mount namespace.
    pub(crate) mounts: u64,
}

/// A connection as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client's own end.
    pub client: SocketAddr,
    /// Where it connected to, before any redirection.
    pub server: SocketAddr,
}

/// The program that made a connection.
#[derive(Debug)]
pub struct Program {
    /// Its process, as the sandbox numbers them.
    pub pid: u32,
    /// What it executes.
    pub executable: Executable,
    /// What the processes execute that it descends from: the nearest first, up to the sandbox's command.
    pub ancestors: Vec<String>,
}

/// A file that a process executes.
#[derive(Debug)]
pub struct Executable {
    /// Its path in the sandbox. The kernel adds ` (deleted)` where that leads there no more, as it never did for a file in memory
    /// (`/memfd:… (deleted)`); we say where it is a path of mounts that only the process has.
    pub path: String,
    /// The file itself, opened to be named and not to be read: `/proc/self/fd/N` opens it again.
    pub file: OwnedFd,
}

/// Why it is not certain which program made a connection.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// Nothing of the sandbox runs yet.
    #[error("the sandbox has not begun")]
    NotBegun,
    /// There is no such socket any more, or nobody has it open.
    #[error("its socket was closed before it was looked at")]
    Closed,
    /// The socket is there, and nobody of the sandbox has it open.
    #[error("no process of the sandbox holds its socket")]
    Nobody,
    /// The same, but some processes cannot be looked at.
    #[error("a process that cannot be looked at may hold its socket")]
    Unreadable,
    /// Processes with different executables hold it.
    #[error("its socket is shared by {0}")]
    Shared(String),
    /// Who holds the socket ended, or became another program, while it was looked at.
    #[error("the process that held its socket ended or changed while it was looked at")]
    Changed,
    /// There are more processes or open files than are looked at.
    #[error("there is too much in the sandbox to look at")]
    TooMuch,
    /// The kernel does not say.
    #[error("the kernel does not say whose socket it is")]
    Kernel(#[source] io::Error),
}

impl Programs {
    pub(crate) fn new(sockets: OwnedFd, inside: Arc<OnceLock<Inside>>) -> Self {
        Self {
            sockets: Sockets::new(sockets),
            inside,
        }
    }

    /// The program that made each of these connections, in their order. The processes are looked at once for all of them, and a
    /// second time where the first look met them changing.
    pub fn of(&self, connections: &[Ends]) -> Vec<Result<Program, Unknown>> {
        let mut found: Vec<_> = connections.iter().map(|_| Err(Unknown::NotBegun)).collect();
        let Some(inside) = self.inside.get() else {
            return found;
        };
        let mut open: Vec<usize> = (0..connections.len()).collect();
        for _ in 0..LOOKS {
            self.look(inside, connections, &open, &mut found);
            open.retain(|&at| found[at].as_ref().is_err_and(Unknown::may_pass));
            if open.is_empty() {
                break;
            }
        }
        found
    }

    fn look(
        &self,
        inside: &Inside,
        connections: &[Ends],
        open: &[usize],
        found: &mut [Result<Program, Unknown>],
    ) {
        let mut wanted = HashMap::with_capacity(open.len());
        for &at in open {
            match self.sockets.inode(&connections[at]) {
                Ok(Some(inode)) => {
                    wanted.insert(inode, at);
                }
                Ok(None) => found[at] = Err(Unknown::Closed),
                Err(error) => found[at] = Err(Unknown::Kernel(error)),
            }
        }
        if wanted.is_empty() {
            return;
        }
        match look(inside, &wanted) {
            Err(TooMuch) => {
                for at in wanted.into_values() {
                    found[at] = Err(Unknown::TooMuch);
                }
            }
            Ok(seen) => {
                for (inode, at) in wanted {
                    let holders = seen.holders.get(&inode).map_or(&[][..], Vec::as_slice);
                    found[at] = match (holders, seen.unreadable) {
                        ([], true) => Err(Unknown::Unreadable),
                        ([], false) => Err(Unknown::Nobody),
                        (holders, _) => one_of(inside, inode, holders),
                    };
                }
            }
        }
    }
}

impl Unknown {
    /// Whether a second look may find what the first did not: a process between fork and exec, or one that was just replaced.
    fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Nobody | Self::Unreadable | Self::Shared(_) | Self::Changed
        )
    }
}

/// The program of those who hold a socket, where all of them execute the same. A child that was born with its parent's sockets
/// does, until it executes another: then it cannot be told which of the two speaks.
fn one_of(inside: &Inside, inode: u64, holders: &[Holder]) -> Result<Program, Unknown> {
    let mut sights = holders
        .iter()
        .map(|holder| holder.sight(inside, inode))
        .collect::<Result<Vec<_>, _>>()?;
    let differ = sights.windows(2).any(|two| two[0].file_id != two[1].file_id);
    if differ {
        let mut names = String::new();
        for sight in sights.iter().take(NAMED) {
            let comma = if names.is_empty() { "" } else { ", " };
            let _ = write!(names, "{comma}{} (pid {})", sight.executable.path, sight.pid);
        }
        if sights.len() > NAMED {
            let _ = write!(names, " and {} more", sights.len() - NAMED);
        }
        return Err(Unknown::Shared(names));
    }
    sights.sort_by_key(|sight| (sight.started, sight.pid));
    let eldest = sights.into_iter().next().ok_or(Unknown::Nobody)?;
    Ok(Program {
        pid: eldest.pid,
        executable: eldest.executable,
        ancestors: eldest.ancestors,
    })
}

/// How often the processes are looked at for one connection.
const LOOKS: usize = 2;
/// Of those who share a socket.
const NAMED: usize = 4;
