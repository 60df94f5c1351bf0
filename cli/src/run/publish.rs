//! `--publish`: ports of the sandbox that clients of this machine reach.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;

use outwall_proxy::{Publication, WayIn};
use outwall_sandbox_runtime::{ADDRESS_V4, ADDRESS_V6, DNS_PORT, InnerSockets, TCP_PORT};

use crate::failure::Failure;
use crate::terminal::Paint;

/// `--publish PORT[:[ADDRESS:]HOSTPORT]`, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Publish {
    /// The port inside.
    port: u16,
    /// None: both addresses of the loopback.
    address: Option<IpAddr>,
    /// 0: whichever is free.
    host_port: u16,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not PORT, PORT:HOSTPORT or PORT:ADDRESS:HOSTPORT, such as 3000, 3000:8080, 3000:0.0.0.0:8080"
            )
        };
        let (port, place) = text
            .split_once(':')
            .map_or((text, None), |(port, place)| (port, Some(place)));
        let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let (address, host_port) = match place {
            None => (None, port),
            Some(place) => match place.rsplit_once(':') {
                None => (None, place.parse().map_err(|_| wrong())?),
                Some((address, host_port)) => {
                    let address = address.trim_start_matches('[').trim_end_matches(']');
                    let address = address.parse().map_err(|_| wrong())?;
                    (Some(address), host_port.parse().map_err(|_| wrong())?)
                }
            },
        };
        Ok(Self {
            port,
            address,
            host_port,
        })
    }
}

/// Ports that are published, with their listeners open.
#[derive(Debug, Default)]
pub(super) struct Published(Vec<Publication>);

impl Published {
    /// Opens the listeners, before there is a sandbox: a port that is taken is a reason not to make one.
    pub(super) fn open(asked: &[Publish], host_ports: &[u16]) -> Result<Self, Failure> {
        let mut open = Vec::new();
        for publish in asked {
            publish.check(host_ports)?;
            for listener in publish.listen()? {
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

impl Publish {
    fn check(self, host_ports: &[u16]) -> Result<(), Failure> {
        let Self { port, host_port, .. } = self;
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
    fn listen(self) -> Result<Vec<TcpListener>, Failure> {
        if let Some(address) = self.address {
            return Ok(vec![self.listen_at(SocketAddr::new(address, self.host_port))?]);
        }
        let first = self.listen_at(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.host_port))?;
        let port = first.local_addr().map_or(self.host_port, |at| at.port());
        match TcpListener::bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)) {
            Ok(second) => Ok(vec![first, second]),
            Err(error) if is_no_ipv6(&error) => Ok(vec![first]),
            Err(error) => Err(self.not_open(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port), &error)),
        }
    }

    fn listen_at(self, at: SocketAddr) -> Result<TcpListener, Failure> {
        TcpListener::bind(at).map_err(|error| self.not_open(at, &error))
    }

    fn not_open(self, at: SocketAddr, error: &io::Error) -> Failure {
        let port = self.port;
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
    fn a_port_is_published_on_loopback_unless_an_address_is_named() {
        let read = |text: &str| {
            let publish: Publish = text.parse().unwrap();
            (
                publish.port,
                publish.address.map(|ip| ip.to_string()),
                publish.host_port,
            )
        };
        assert_eq!(read("3000"), (3000, None, 3000));
        assert_eq!(read("3000:8080"), (3000, None, 8080));
        assert_eq!(read("3000:0"), (3000, None, 0));
        assert_eq!(read("3000:0.0.0.0:80"), (3000, Some("0.0.0.0".into()), 80));
        assert_eq!(read("3000:[::1]:80"), (3000, Some("::1".into()), 80));
        for wrong in [
            "",
            "0",
            "x",
            "70000",
            "3000:",
            "3000:x",
            "3000:host:80",
            "3000:1.2.3.4:",
            ":80",
            "3000:80:90",
        ] {
            assert!(wrong.parse::<Publish>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_would_lead_back_or_to_the_gate_is_refused_with_what_to_do() {
        let check =
            |text: &str, host_ports: &[u16]| text.parse::<Publish>().unwrap().check(host_ports).is_err();
        assert!(!check("3000", &[5432]));
        assert!(check("15001", &[]) && check("15053:80", &[]));
        assert!(check("5432", &[5432]), "it is the host's inside");
        assert!(check("3000:5432", &[5432]), "it leads back");
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Published::open(&[format!("3000:{port}").parse().unwrap()], &[]).unwrap_err();
        assert!(
            format!("{error:?}").contains("is taken on this machine"),
            "{error:?}"
        );
        let free = Published::open(&["3000:0".parse().unwrap()], &[]).unwrap();
        assert!(!free.is_empty());
    }
}
