//! Connections as they are accepted at a front: by TCP, or by a socket of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::names::Names;
use crate::lanes::Seat;
use crate::listener::{Arrived, Listens, tcp};
use crate::pass_through::one_of;

/// A connection at a front.
pub(crate) struct Arrival {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) names: Names,
    pub(super) seat: Seat,
}

/// Who is at its other end, as far as the system tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    Address(IpAddr),
    /// A user of this machine, by a socket.
    User(u32),
}

/// Its bytes.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A TCP listener.
pub(crate) struct FrontTcp(pub(crate) TcpListener);

/// A socket of this machine.
pub(crate) struct FrontUnix(pub(crate) UnixListener);

/// What came by TCP.
pub(crate) struct ByTcp(std::net::TcpStream, IpAddr);

/// What came by a socket.
pub(crate) struct ByUnix(std::os::unix::net::UnixStream);

impl Listens for FrontTcp {
    type Arrived = ByTcp;

    async fn accept(&self) -> io::Result<ByTcp> {
        let (stream, client) = self.0.accept().await?;
        Ok(ByTcp(stream.into_std()?, client.ip().to_canonical()))
    }
}

impl Listens for FrontUnix {
    type Arrived = ByUnix;

    async fn accept(&self) -> io::Result<ByUnix> {
        let (stream, _nameless) = self.0.accept().await?;
        Ok(ByUnix(stream.into_std()?))
    }
}

impl Arrived for ByTcp {
    type Accepted = Arrival;

    fn admit(self, seat: Seat) -> io::Result<Arrival> {
        Ok(Arrival {
            stream: Stream::Tcp(tcp(self.0)?),
            peer: Peer::Address(self.1),
            names: Names::OneServer,
            seat,
        })
    }
}

impl Arrived for ByUnix {
    type Accepted = Arrival;

    fn admit(self, seat: Seat) -> io::Result<Arrival> {
        let stream = UnixStream::from_std(self.0)?;
        let user = stream.peer_cred()?.uid();
        Ok(Arrival {
            stream: Stream::Unix(stream),
            peer: Peer::User(user),
            names: Names::Hosts,
            seat,
        })
    }
}

impl Peer {
    /// What stands for it where peers are counted by their addresses.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::Address(address) => address,
            Self::User(_) => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::User(user) => write!(f, "user {user}"),
        }
    }
}

one_of!(Stream: Tcp | Unix);
