//! What is attempted inside a sandbox: one real system call each, its outcome as text.

use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};

/// Attempts each of `names` and prints `NAME: ok` or `NAME: ERROR`.
pub(crate) fn attempt(names: &[String]) -> ExitCode {
    for name in names {
        let (kind, argument) = name.split_once('=').unwrap_or((name, ""));
        let outcome = match kind {
            "socket" => socket(argument),
            "connect" => {
                TcpStream::connect_timeout(&argument.parse().unwrap(), Duration::from_secs(3)).map(drop)
            }
            "udp" => udp(argument),
            "abstract" => SocketAddr::from_abstract_name(argument)
                .and_then(|at| UnixStream::connect_addr(&at))
                .map(drop),
            "own-abstract" => own_abstract(),
            "path" => UnixStream::connect(argument).map(drop),
            "own-path" => own_path(argument),
            "mount" => {
                rustix::mount::mount("none", "/tmp", "tmpfs", rustix::mount::MountFlags::empty(), None)
                    .map_err(Into::into)
            }
            "setns" => std::fs::File::open("/proc/self/ns/net").and_then(|namespace| {
                Ok(rustix::thread::move_into_link_name_space(
                    namespace.as_fd(),
                    None,
                )?)
            }),
            other => panic!("no attempt `{other}`"),
        };
        match outcome {
            Ok(()) => println!("{name}: ok"),
            Err(error) => println!("{name}: {}", name_of(&error)),
        }
    }
    ExitCode::SUCCESS
}

/// The kernel's name of an error.
fn name_of(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "EPERM",
        Some(libc::EACCES) => "EACCES",
        Some(libc::ECONNREFUSED) => "ECONNREFUSED",
        Some(libc::ENETUNREACH) => "ENETUNREACH",
        Some(libc::EAFNOSUPPORT) => "EAFNOSUPPORT",
        Some(libc::EPROTONOSUPPORT) => "EPROTONOSUPPORT",
        Some(libc::ENOSYS) => "ENOSYS",
        _ => "another error",
    }
}

/// `FAMILY,TYPE,PROTOCOL` in the kernel's numbers.
fn socket(argument: &str) -> std::io::Result<()> {
    let numbers: Vec<u32> = argument
        .split(',')
        .map(|number| number.parse().unwrap())
        .collect();
    let family = AddressFamily::from_raw(u16::try_from(numbers[0]).unwrap());
    let protocol = std::num::NonZeroU32::new(numbers[2]).map(Protocol::from_raw);
    Ok(socket_with(
        family,
        SocketType::from_raw(numbers[1]),
        SocketFlags::empty(),
        protocol,
    )
    .map(drop)?)
}

/// A datagram to `argument`: whether an answer or a refusal comes, and within 100 ms.
fn udp(argument: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind(if argument.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    })?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.connect(argument)?;
    let sent = Instant::now();
    socket.send(b"datagram")?;
    let received = socket.recv(&mut [0; 64]).map(drop);
    assert!(
        sent.elapsed() < Duration::from_millis(100),
        "answered after {:?}",
        sent.elapsed()
    );
    received
}

fn own_path(path: &str) -> std::io::Result<()> {
    let _listener = UnixListener::bind(path)?;
    UnixStream::connect(path).map(drop)
}

fn own_abstract() -> std::io::Result<()> {
    let at = SocketAddr::from_abstract_name("outwall-own")?;
    let _listener = UnixListener::bind_addr(&at)?;
    UnixStream::connect_addr(&at).map(drop)
}
