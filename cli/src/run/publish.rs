//! `--publish`: ports of the sandbox that clients of this machine reach.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use outwall_policy::Publish;
use outwall_proxy::{Publication, WayIn};
use outwall_sandbox_runtime::{ADDRESS_V4, ADDRESS_V6, DNS_PORT, InnerSockets, TCP_PORT};

use crate::failure::Failure;
use crate::terminal::Paint;

/// Ports that are published, with their listeners open.
#[derive(Debug, Default)]
pub(super) struct Published(Vec<Publication>);

impl Published {
    /// Opens the listeners, before there is a sandbox: a port that is taken is a reason not to make one.
    pub(super) fn open(
        asked: impl IntoIterator<Item = Publish>,
        host_ports: &[u16],
    ) -> Result<Self, Failure> {
        let mut open = Vec::new();
        for publish in asked {
            check(publish, host_ports)?;
            for listener in listen(publish)? {
                let port = publish.port;
                open.push(Publication { port, listener });
            }
        }
        Ok(Self(open))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line for each port, on stderr.
    pub(super) fn say(&self, paint: Paint) {
        let mut said = Vec::new();
        for publication in &self.0 {
            let Ok(at) = publication.listener.local_addr() else {
                continue;
            };
            let place = if at.ip().is_loopback() {
                format!("http://localhost:{}", at.port())
            } else {
                format!("{at}, open to the network")
            };
            if !said.contains(&(publication.port, place.clone())) {
                let port = publication.port;
                let _ = writeln!(
                    io::stderr(),
                    "outwall: port {port} of the sandbox is at {}",
                    paint.cyan(&place)
                );
                said.push((port, place));
            }
        }
    }

    pub(super) fn into_publications(self) -> Vec<Publication> {
        self.0
    }
}

/// What would lead back, or to the gate, is refused.
fn check(publish: Publish, host_ports: &[u16]) -> Result<(), Failure> {
    let Publish { port, host_port, .. } = publish;
    if [TCP_PORT, DNS_PORT].contains(&port) {
        return Err(
            Failure::new(format!("port {port} of a sandbox is the gate's own"))
                .hint("let the program inside listen on another port"),
        );
    }
    if host_ports.contains(&port) {
        return Err(Failure::new(format!(
            "port {port} inside stands for the host's (`--host-port {port}`), so it cannot be published"
        ))
        .hint("let the program inside listen on another port"));
    }
    if host_port > 0 && host_ports.contains(&host_port) {
        return Err(Failure::new(format!(
            "`--host-port {host_port}` would lead back to what is published there"
        ))
        .hint(format!("publish at another port: `--publish {port}:HOSTPORT`")));
    }
    Ok(())
}

/// On both addresses of the loopback, and on nothing else unless it was named.
fn listen(publish: Publish) -> Result<Vec<TcpListener>, Failure> {
    let Publish {
        port,
        address,
        host_port,
    } = publish;
    let listen_at = |at| TcpListener::bind(at).map_err(|error| not_open(port, at, &error));
    if let Some(address) = address {
        return Ok(vec![listen_at(SocketAddr::new(address, host_port))?]);
    }
    let first = listen_at(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), host_port))?;
    let chosen = first.local_addr().map_or(host_port, |at| at.port());
    let second = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), chosen);
    match TcpListener::bind(second) {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if is_no_ipv6(&error) => Ok(vec![first]),
        Err(error) => Err(not_open(port, second, &error)),
    }
}

fn not_open(port: u16, at: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(format!(
            "cannot publish port {port}: {at} is taken on this machine"
        ))
        .hint(format!(
            "choose another: `--publish {port}:HOSTPORT`, or `--publish {port}:0` for any that is free"
        )),
        _ => Failure::new(format!("cannot publish port {port} at {at}: {error}")).hint(format!(
            "`--publish {port}:HOSTPORT` chooses the port of this machine"
        )),
    }
}

/// A machine without IPv6 has no `::1`.
fn is_no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_FAMILY)
}

const NO_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();

/// The sandbox's network, as the gate enters it.
pub(super) struct Way(pub(super) InnerSockets);

impl WayIn for Way {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
            ADDRESS_V4.into(),
            ADDRESS_V6.into(),
        ]
    }

    fn socket(&self, to: IpAddr) -> io::Result<TcpStream> {
        self.0.tcp(to).map(TcpStream::from)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    #[test]
    fn what_would_lead_back_or_to_the_gate_is_refused_with_what_to_do() {
        let check = |text: &str, host_ports: &[u16]| check(text.parse().unwrap(), host_ports).is_err();
        assert!(!check("3000", &[5432]));
        assert!(check("15001", &[]) && check("15053:80", &[]));
        assert!(check("5432", &[5432]), "it is the host's inside");
        assert!(check("3000:5432", &[5432]), "it leads back");
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Published::open([format!("3000:{port}").parse().unwrap()], &[]).unwrap_err();
        assert!(
            format!("{error:?}").contains("is taken on this machine"),
            "{error:?}"
        );
        let free = Published::open(["3000:0".parse().unwrap()], &[]).unwrap();
        assert!(!free.is_empty());
    }
}
