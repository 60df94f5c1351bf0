//! Sockets of a sandbox's network, made inside it and connected from outside.
//!
//! A socket belongs to the network namespace in which it was made, whoever holds it. Making one there takes a process that is
//! there, and entering takes rights that an ordinary user does not have; so stage 1, which has been there from the start, makes
//! unconnected sockets and passes them out. It connects to nothing itself and is asked by nobody inside.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use serde::{Deserialize, Serialize};

use crate::failure::Step;
use crate::wire::Wire;

/// Makes sockets in the network of one sandbox. When the sandbox is gone, it makes none.
#[derive(Debug)]
pub struct InnerSockets {
    /// One question at a time.
    wire: Mutex<Wire>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    v6: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The socket comes with it.
    Made,
    /// The number of the error.
    Failed(i32),
}

impl InnerSockets {
    pub(crate) fn new(wire: Wire) -> Self {
        Self {
            wire: Mutex::new(wire),
        }
    }

    /// An unconnected TCP socket for addresses of this family: non-blocking, closed at `exec`. Blocks for as long as a process
    /// takes to answer.
    pub fn tcp(&self, to: IpAddr) -> io::Result<OwnedFd> {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the sandbox is gone");
        wire.send(&Ask { v6: to.is_ipv6() }, &[]).map_err(|_| gone())?;
        match wire.receive().map_err(|_| gone())?.ok_or_else(gone)? {
            (Answer::Made, sockets) => sockets.into_iter().next().ok_or_else(gone),
            (Answer::Failed(number), _) => Err(io::Error::from_raw_os_error(number)),
        }
    }
}

/// The end of stage 1: answers questions until nobody asks any more.
pub(crate) struct Maker(Wire);

impl Maker {
    pub(crate) fn new(wire: Wire) -> Self {
        Self(wire)
    }

    /// Answers the question that waits. False: there will be no other.
    pub(crate) fn answer(&self) -> bool {
        matches!(self.answer_one(), Ok(true))
    }

    fn answer_one(&self) -> Step<bool> {
        let Some((ask, _)) = self.0.receive::<Ask>()? else {
            return Ok(false);
        };
        match make(&ask) {
            Ok(socket) => self.0.send(&Answer::Made, &[socket.as_fd()])?,
            Err(errno) => self.0.send(&Answer::Failed(errno.raw_os_error()), &[])?,
        }
        Ok(true)
    }
}

impl AsFd for Maker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn make(ask: &Ask) -> rustix::io::Result<OwnedFd> {
    let family = if ask.v6 {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(family, SocketType::STREAM, flags, None)
}
