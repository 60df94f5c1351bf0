//! What is asked of the kernel: sockets that a sandbox has no business with, packets, namespaces.
//!
//! An attempt gets through when the kernel does what was asked; the error is how it holds.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::process::Command;
use std::time::Duration;

use rustix::mount::{MountFlags, mount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

use crate::make::Surroundings;

/// Something that is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// A socket of this domain, type and protocol.
    Socket(i32, i32, i32),
    /// Deletes the rules that capture connections.
    FlushRules,
    /// Gives the loopback interface an address, as a first step to a network of one's own.
    AddAddress,
    /// Makes a namespace, in a process of its own.
    Unshare(Space),
    /// The system call of this name, which no safe library makes, in a process of its own. See [`ALONE`].
    Call(&'static str),
    /// A file system of one's own.
    Mount,
    /// The network namespace of the first process.
    EnterInitNetwork,
    /// Another value of this setting.
    Write(&'static str),
    /// The memory of the first process.
    InitMemory,
    /// A datagram to this address, and an answer to it.
    Datagram(&'static str),
    /// The same to a service on the host's loopback, at the victim's port.
    DatagramToVictim,
    /// An echo request by a datagram socket, as ordinary users may send it.
    Echo(&'static str),
    /// The host's abstract unix socket of this run.
    Abstract,
    /// A unix socket of the host at this path.
    Unix(&'static str),
    /// A socket is made and used as servers inside do. This is a twin.
    OwnServer,
}

/// A namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    User,
    Network,
}

impl Space {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Network => "network",
        }
    }
}

impl Kernel {
    /// Asks.
    pub(crate) fn attempt(self, around: &Surroundings) -> io::Result<String> {
        match self {
            Self::Socket(domain, kind, protocol) => {
                Socket::new(
                    Domain::from(domain),
                    Type::from(kind),
                    Some(Protocol::from(protocol)),
                )
                .map(drop)?;
            }
            Self::FlushRules => netlink(12, &flush_rules())?,
            Self::AddAddress => netlink(0, &add_address())?,
            Self::Unshare(space) => alone(space.name())?,
            Self::Call(name) => alone(name)?,
            Self::Mount => {
                let place = std::env::temp_dir();
                mount("none", &place, "tmpfs", MountFlags::empty(), None)?;
            }
            Self::EnterInitNetwork => {
                let space = File::open("/proc/1/ns/net")?;
                move_into_link_name_space(
                    std::os::fd::AsFd::as_fd(&space),
                    Some(LinkNameSpaceType::Network),
                )?;
            }
            Self::Write(setting) => write_again(setting)?,
            Self::InitMemory => {
                OpenOptions::new().read(true).write(true).open("/proc/1/mem")?;
            }
            Self::Datagram(to) => return datagram(to.parse().map_err(io::Error::other)?),
            Self::DatagramToVictim => return datagram(([127, 0, 0, 1], around.victim).into()),
            Self::Echo(to) => return echo(to.parse().map_err(io::Error::other)?),
            Self::Abstract => {
                let address = UnixAddress::from_abstract_name(abstract_name(around.victim))?;
                UnixStream::connect_addr(&address)?;
            }
            Self::Unix(path) => drop(UnixStream::connect(path)?),
            Self::OwnServer => return own_server(),
        }
        Ok(String::new())
    }
}

/// The host's abstract unix socket of a run with this victim.
pub(crate) fn abstract_name(victim: u16) -> String {
    format!("outwall-attack-{victim}")
}

/// The hidden argument that has a process make one namespace, or one system call, and say whether it could. A process with
/// threads cannot. What is no namespace is made by whoever has this crate, which has no way to it.
pub const ALONE: &str = "--alone";

/// What a process does that was started with [`ALONE`]. Nothing where it is no namespace that was named.
pub fn make_namespace(name: &str) -> Option<io::Result<()>> {
    let spaces = [Space::User, Space::Network];
    spaces.into_iter().find(|space| space.name() == name).map(unshare)
}

fn unshare(space: Space) -> io::Result<()> {
    let flags = match space {
        Space::User => UnshareFlags::NEWUSER,
        Space::Network => UnshareFlags::NEWNET,
    };
    #[expect(deprecated, reason = "nothing is shared with a thread: there is none")]
    rustix::thread::unshare(flags)?;
    Ok(())
}

fn alone(name: &str) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["attempt", ALONE, name]).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let cause = said.lines().last().unwrap_or_default().trim();
    Err(io::Error::other(
        cause.trim_start_matches("caused by: ").to_owned(),
    ))
}

fn write_again(setting: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(setting)?;
    let mut value = String::new();
    file.read_to_string(&mut value)?;
    file.rewind()?;
    file.write_all(value.as_bytes())
}

fn datagram(to: SocketAddr) -> io::Result<String> {
    let any: SocketAddr = if to.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(to)?;
    socket.send(b"outwall")?;
    let length = socket.recv(&mut [0; 100])?;
    Ok(format!("{length} bytes came back"))
}

fn echo(to: IpAddr) -> io::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
    socket.set_read_timeout(Some(LIMIT))?;
    let request = [8, 0, 0xf7, 0xfd, 0, 1, 0, 1];
    socket.send_to(&request, &SocketAddr::new(to, 0).into())?;
    let mut socket = socket;
    let length = io::Read::read(&mut socket, &mut [0; 100])?;
    Ok(format!("{length} bytes came back"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server inside talks to a client inside"
)]
fn own_server() -> io::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (mut peer, _) = listener.accept()?;
    client.write_all(b"hello")?;
    peer.read_exact(&mut [0; 5])?;
    Ok("hello".to_owned())
}

/// Sends a message and reads the kernel's word on it.
fn netlink(family: i32, message: &[u8]) -> io::Result<()> {
    let mut socket = Socket::new(Domain::from(16), Type::RAW, Some(Protocol::from(family)))?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.send(message)?;
    let mut reply = [0; 4096];
    let length = io::Read::read(&mut socket, &mut reply)?;
    let error = reply[..length]
        .get(16..20)
        .and_then(|error| error.try_into().ok())
        .map_or(0, i32::from_ne_bytes);
    match (reply[4], error) {
        (2, error) if error != 0 => Err(io::Error::from_raw_os_error(-error)),
        _ => Ok(()),
    }
}

/// `nft flush ruleset`: every table of every family is deleted, in one batch.
fn flush_rules() -> Vec<u8> {
    let part = |kind: u16, flags: u16, sequence: u32, family: u8, resource: u16| {
        let mut bytes = 20_u32.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&[family, 0]);
        bytes.extend_from_slice(&resource.to_be_bytes());
        bytes
    };
    [
        part(0x10, 1, 0, 0, 10),
        part((10 << 8) | 2, 5, 1, 0, 0),
        part(0x11, 1, 2, 0, 10),
    ]
    .concat()
}

fn add_address() -> Vec<u8> {
    let mut body = vec![2, 32, 0, 0];
    body.extend_from_slice(&1_u32.to_ne_bytes());
    body.extend_from_slice(&8_u16.to_ne_bytes());
    body.extend_from_slice(&2_u16.to_ne_bytes());
    body.extend_from_slice(&[192, 0, 2, 9]);
    let mut message = u32::try_from(16 + body.len())
        .expect("small")
        .to_ne_bytes()
        .to_vec();
    message.extend_from_slice(&20_u16.to_ne_bytes());
    message.extend_from_slice(&0x605_u16.to_ne_bytes());
    message.extend_from_slice(&1_u32.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    [message, body].concat()
}

/// How long an answer is waited for that must not come.
const LIMIT: Duration = Duration::from_millis(1500);
