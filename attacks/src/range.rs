//! The firing range: origins of both kinds, a victim, its stand-in and a name server, all on the host's loopback. Nothing
//! leaves the machine.
//!
//! Every class has hosts of its own, so an origin knows by the name what a request belongs to: in TLS by SNI, which the gate
//! writes; in the clear by the listener, of which every class has one.

mod certificate;
mod http1;
mod http2;
mod resolver;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::ServerConfig;

use crate::attack::{Act, Arrival, Attack, Attempt, DOMAIN, Inside, Opening, TWIN, host1, host2, twin_of};
use crate::kernel::abstract_name;
use certificate::Authority;
pub(crate) use resolver::Resolver;

/// Where names may lead that stand for public ones: on loopback, and by exception.
pub const STAND_IN: Ipv4Addr = Ipv4Addr::new(127, 66, 77, 88);

/// Everything that listens while the list is run.
pub struct Range {
    authority_pem: String,
    tls_http1: SocketAddr,
    tls_h2: SocketAddr,
    /// One per class that speaks in the clear, by host.
    clear: HashMap<String, SocketAddr>,
    victim: u16,
    resolver: Resolver,
    arrived: Arrived,
    _abstract: UnixListener,
}

/// What arrived, by host.
#[derive(Clone, Default)]
pub(crate) struct Arrived(Arc<Mutex<HashMap<String, Vec<Arrival>>>>);

impl Arrived {
    /// Notes a request that came for `host`, and gives its number.
    pub(crate) fn note(&self, host: &str, arrival: Arrival) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_host = all.entry(host.to_ascii_lowercase()).or_default();
        of_host.push(arrival);
        of_host.len() - 1
    }

    /// Adds to a request that was noted: its body came after its head.
    pub(crate) fn amend(&self, host: &str, number: usize, change: impl FnOnce(&mut Arrival)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = all
            .get_mut(&host.to_ascii_lowercase())
            .and_then(|of_host| of_host.get_mut(number))
        {
            change(arrival);
        }
    }

    fn everywhere(&self) -> Vec<(String, Vec<Arrival>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(host, arrivals)| (host.clone(), arrivals.clone()))
            .collect()
    }
}

impl Range {
    /// Begins to listen for what this list needs.
    pub fn start(list: &[Attack]) -> io::Result<Self> {
        let authority = Authority::new()?;
        let arrived = Arrived::default();
        let hosts: Vec<_> = list.iter().flat_map(|attack| attack.hosts.clone()).collect();
        let tls_http1 = serve_tls(authority.config(&["http/1.1"], &hosts)?, arrived.clone())?;
        let tls_h2 = serve_tls(authority.config(&["h2"], &hosts)?, arrived.clone())?;
        let mut clear = HashMap::new();
        for host in list.iter().flat_map(hosts_in_the_clear) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            clear.insert(host.clone(), listener.local_addr()?);
            serve_clear(listener, "origin", Some(host), arrived.clone());
        }
        let victim = serve_victims(&arrived)?;
        let socket = UnixListener::bind_addr(&UnixAddress::from_abstract_name(abstract_name(victim))?)?;
        Ok(Self {
            authority_pem: authority.pem(),
            tls_http1,
            tls_h2,
            clear,
            victim,
            resolver: Resolver::start()?,
            arrived,
            _abstract: socket,
        })
    }

    /// The certificate of the CA that the origins' are signed by, in PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// Where the victim and its stand-in listen.
    pub fn victim(&self) -> u16 {
        self.victim
    }

    /// The name server.
    pub fn resolver(&self) -> SocketAddr {
        self.resolver.address()
    }

    /// What it was asked, as often as it was.
    pub fn asked(&self) -> Vec<String> {
        self.resolver.asked()
    }

    /// Where each host of the list is: `host:port` and an address, as `[origins] hosts` has them.
    pub fn places(&self, list: &[Attack]) -> Vec<(String, SocketAddr)> {
        let tls = list.iter().flat_map(|attack| {
            let (one, two) = (host1(attack.class), host2(attack.class));
            let hosts = [
                (twin_of(&one), self.tls_http1),
                (twin_of(&two), self.tls_h2),
                (one, self.tls_http1),
                (two, self.tls_h2),
            ];
            hosts.map(|(host, address)| (format!("{host}:443"), address))
        });
        let clear = self
            .clear
            .iter()
            .map(|(host, address)| (format!("{host}:80"), *address));
        let of_the_world = list.iter().flat_map(|attack| &attack.hosts);
        let of_the_world = of_the_world.map(|host| (format!("{host}:443"), self.tls_http1));
        tls.chain(clear).chain(of_the_world).collect()
    }

    /// What arrived for a class, or for its twin. At a host of the world, a twin says by a field that it is one.
    pub(crate) fn arrivals(&self, attack: &Attack, twin: bool) -> Vec<Arrival> {
        let class = attack.class;
        let own = [host1(class), host2(class)].map(|own| if twin { twin_of(&own) } else { own });
        let below = if twin { "--twin" } else { "" };
        let resolved = format!(".{class}{below}.dns.{DOMAIN}");
        let is_its = |host: &str, arrival: &Arrival| {
            let host = host.split(':').next().unwrap_or_default();
            own.iter().any(|own| own == host)
                || host.ends_with(&resolved)
                || attack.hosts.contains(&host) && arrival.fields(TWIN).is_empty() != twin
        };
        let all = self.arrived.everywhere().into_iter();
        all.flat_map(|(host, arrivals)| {
            let its = arrivals.into_iter().filter(|arrival| is_its(&host, arrival));
            its.collect::<Vec<_>>()
        })
        .collect()
    }

    #[cfg(test)]
    fn arrived_at(&self, host: &str) -> Vec<Arrival> {
        self.arrived
            .everywhere()
            .into_iter()
            .filter(|(at, _)| at == host)
            .flat_map(|(_, arrivals)| arrivals)
            .collect()
    }
}

/// Hosts that are spoken to in the clear at port 80.
fn hosts_in_the_clear(attack: &Attack) -> Vec<String> {
    let host = host1(attack.class);
    let in_the_clear = |attempt: &&Attempt| matches!(&attempt.act, Act::Talk(talk) if matches!(talk.opening, Opening::Proxy { .. }) || matches!(talk.inside, Inside::Clear));
    let any = attack
        .attempts
        .iter()
        .chain(&attack.twins)
        .any(|attempt| in_the_clear(&attempt));
    if any {
        vec![twin_of(&host), host]
    } else {
        Vec::new()
    }
}

fn serve_tls(config: ServerConfig, arrived: Arrived) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, arrived) = (Arc::clone(&config), arrived.clone());
            thread::spawn(move || {
                let _ = serve_one_tls(stream, config, &arrived);
            });
        }
    });
    Ok(address)
}

fn serve_one_tls(
    mut stream: std::net::TcpStream,
    config: Arc<ServerConfig>,
    arrived: &Arrived,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let host = session.server_name().unwrap_or("nobody").to_owned();
    let h2 = session.alpn_protocol() == Some(b"h2");
    let stream = rustls::StreamOwned::new(session, stream);
    if h2 {
        http2::serve(stream, &host, arrived)
    } else {
        http1::serve(stream, "origin", Some(&host), arrived)
    }
}

fn serve_clear(listener: TcpListener, place: &'static str, host: Option<String>, arrived: Arrived) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (host, arrived) = (host.clone(), arrived.clone());
            thread::spawn(move || {
                let _ = http1::serve(stream, place, host.as_deref(), &arrived);
            });
        }
    });
}

/// The victim on 127.0.0.1 and `::1`, and the stand-in at the same port.
fn serve_victims(arrived: &Arrived) -> io::Result<u16> {
    let victim = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = victim.local_addr()?.port();
    let stand_in = TcpListener::bind((IpAddr::V4(STAND_IN), port))?;
    serve_clear(victim, "victim", None, arrived.clone());
    serve_clear(stand_in, "stand-in", None, arrived.clone());
    if let Ok(victim) = TcpListener::bind(("::1", port)) {
        serve_clear(victim, "victim", None, arrived.clone());
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{Section, Side};
    use crate::build::attack;
    use crate::make::Surroundings;

    /// Against the origin itself, with no gate between: what it answers and records.
    #[test]
    fn an_origin_records_what_arrives_byte_by_byte() {
        let list = vec![attack(Section::Http1, "recorded", "").clear("POST /echo/a HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nx-t: 1\r\n\r\n").nothing()];
        let range = Range::start(&list).expect("loopback has ports");
        let host = host1("recorded");
        let proxy = range
            .places(&list)
            .into_iter()
            .find(|(place, _)| *place == format!("{host}:80"))
            .expect("listed")
            .1;
        let around = Surroundings {
            victim: range.victim(),
            proxy: Some(proxy),
            ..Surroundings::default()
        };
        let mut attempt = list[0].attempts[0].clone();
        attempt.from = Side::Proxy;
        if let Act::Talk(talk) = &mut attempt.act {
            talk.opening = Opening::Proxy {
                connect: None,
                fields: String::new(),
            };
        }
        let seen = attempt.make(&around);
        assert_eq!(seen.answers[0].status, 200, "{seen:?}");
        let arrived = range.arrived_at(&host);
        assert_eq!(arrived[0].path(), "/echo/a");
        assert_eq!(arrived[0].body, b"hello");
        assert_eq!(arrived[0].trailers, "x-t: 1\r\n");
    }
}
