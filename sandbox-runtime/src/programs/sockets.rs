//! Asks the kernel for one socket by its two ends (`SOCK_DIAG_BY_FAMILY`, `sock_diag(7)`), through a netlink socket that was made in
//! the sandbox's network: no list is read, however many sockets there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::Ends;
use crate::netlink::{Messages, REQUEST};
use crate::network::TCP_PORT;

/// What knows the sockets of a network.
#[derive(Debug)]
pub(super) struct Sockets(Mutex<OwnedFd>);

/// Makes the netlink socket, in the network whose sockets it is to know.
pub(crate) fn diagnosis() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK; // the kernel has answered when sending returns
    socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        flags,
        Some(netlink::SOCK_DIAG),
    )
}

impl Sockets {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self(Mutex::new(socket))
    }

    /// The inode of the client's socket. None: there is none any more, or nobody has it open.
    pub(super) fn inode(&self, ends: &Ends) -> io::Result<Option<u64>> {
        let inode = self.ask(ends.client, ends.server)?;
        if inode.is_none() {
            self.knows_tcp()?;
        }
        Ok(inode.filter(|inode| *inode != 0))
    }

    /// A kernel without the module answers as if there were no socket; but there is one that we listen on.
    fn knows_tcp(&self) -> io::Result<()> {
        let local = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        match self.ask(local(TCP_PORT), local(1))? {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn ask(&self, here: SocketAddr, there: SocketAddr) -> io::Result<Option<u64>> {
        let mut messages = Messages::default();
        messages.message(SOCK_DIAG_BY_FAMILY, REQUEST, &request(here, there), |_| {});
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        send(&*socket, &messages.into_bytes(), SendFlags::empty())?;
        let mut buffer = [0u8; 4096];
        let (length, _) = recv(&*socket, &mut buffer[..], RecvFlags::empty())?;
        answer(&buffer[..length])
    }
}

/// `struct inet_diag_req_v2`.
fn request(here: SocketAddr, there: SocketAddr) -> Vec<u8> {
    const IPPROTO_TCP: u8 = 6;
    const ALL_STATES: u32 = u32::MAX;
    let (here, there) = (canonical(here), canonical(there));
    let family = if here.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut bytes = vec![family, IPPROTO_TCP, 0, 0];
    bytes.extend(ALL_STATES.to_ne_bytes());
    bytes.extend(here.port().to_be_bytes());
    bytes.extend(there.port().to_be_bytes());
    bytes.extend(sixteen(here.ip()));
    bytes.extend(sixteen(there.ip()));
    bytes.extend([0; 4]); // any interface
    bytes.extend([0xff; 8]); // any cookie
    bytes
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}

/// `struct inet_diag_msg`, or an error. The inode is 0 where nobody has the socket open.
fn answer(message: &[u8]) -> io::Result<Option<u64>> {
    const HEADER: usize = 16;
    const INODE: usize = HEADER + 68;
    const ENOENT: i32 = 2;
    let number = |at: usize| {
        let bytes = message.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    let kind = message
        .get(4..6)
        .map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match kind {
        Some(SOCK_DIAG_BY_FAMILY) => Ok(Some(u32::from_ne_bytes(number(INODE)?).into())),
        Some(NLMSG_ERROR) => match -i32::from_ne_bytes(number(HEADER)?) {
            ENOENT => Ok(None),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;

    use super::*;

    /// What `/proc` calls the socket.
    fn inode_of(stream: &TcpStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
        let name = link.to_str().unwrap().to_owned();
        name.strip_prefix("socket:[")
            .and_then(|name| name.strip_suffix(']'))
            .unwrap()
            .parse()
            .unwrap()
    }

    #[test]
    fn each_end_of_a_connection_has_its_own_socket_and_a_closed_one_has_none() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                eprintln!("skipped: no {address}");
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            let sockets = Sockets::new(diagnosis().unwrap());
            let ends = Ends {
                client: client.local_addr().unwrap(),
                server: client.peer_addr().unwrap(),
            };
            let other = Ends {
                client: ends.server,
                server: ends.client,
            };
            assert_eq!(
                sockets.ask(ends.client, ends.server).unwrap(),
                Some(inode_of(&client))
            );
            assert_eq!(
                sockets.ask(other.client, other.server).unwrap(),
                Some(inode_of(&server))
            );
            drop(client);
            let orphan = sockets.ask(ends.client, ends.server).unwrap();
            assert!(matches!(orphan, None | Some(0)), "{orphan:?}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        assert!(answer(&[]).is_err());
        let mut message = vec![0; 83];
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        assert!(answer(&message).is_err());
    }
}
