//! A DNS server of our own: for `[origins] resolver`, and for counting who is asked what.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Answers the names it was told, and remembers every query. Gone when it is dropped.
pub struct TestResolver {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl TestResolver {
    /// A server for these names. Each has several sets of addresses: the first query of a
    /// family gets the first set, the next the second, the last set stays.
    pub fn start(names: &[(&str, &[&[&str]])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout can be set");
        let address = socket.local_addr().expect("a socket has an address");
        let (asked, ended) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let zone = Zone::new(names);
        let (asked_too, ended_too) = (Arc::clone(&asked), Arc::clone(&ended));
        thread::spawn(move || serve(&socket, zone, &asked_too, &ended_too));
        Self {
            address,
            asked,
            ended,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every name that was asked for, with `A` or `AAAA` before it, oldest first.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the server does not panic").clone()
    }
}

impl Drop for TestResolver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// What is answered, and how often each question was asked.
struct Zone {
    names: HashMap<String, Vec<Vec<IpAddr>>>,
    times: HashMap<(String, u16), usize>,
}

impl Zone {
    fn new(names: &[(&str, &[&[&str]])]) -> Self {
        let parse = |text: &&str| text.parse::<IpAddr>().expect("an address");
        let sets = |sets: &[&[&str]]| sets.iter().map(|set| set.iter().map(parse).collect()).collect();
        let names = names
            .iter()
            .map(|(name, addresses)| ((*name).to_owned(), sets(addresses)))
            .collect();
        Self {
            names,
            times: HashMap::new(),
        }
    }

    /// The addresses of the asked family, or `None` when there is no such name.
    fn answer(&mut self, name: &str, kind: u16) -> Option<Vec<IpAddr>> {
        let sets = self.names.get(name)?;
        let times = self.times.entry((name.to_owned(), kind)).or_default();
        let set = &sets[(*times).min(sets.len() - 1)];
        *times += 1;
        Some(
            set.iter()
                .copied()
                .filter(|address| kind == if address.is_ipv4() { A } else { AAAA })
                .collect(),
        )
    }
}

fn serve(socket: &UdpSocket, mut zone: Zone, asked: &Mutex<Vec<String>>, ended: &AtomicBool) {
    let mut buffer = [0; 1024];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some((name, kind, question)) = question(&buffer[..length]) else {
            continue;
        };
        let shown = if kind == AAAA { "AAAA" } else { "A" };
        asked
            .lock()
            .expect("nobody panics with it")
            .push(format!("{shown} {name}"));
        let reply = reply(&buffer[..2], question, zone.answer(&name, kind));
        let _ = socket.send_to(&reply, client);
    }
}

/// The name, the type, and the bytes of the question.
fn question(message: &[u8]) -> Option<(String, u16, &[u8])> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(message.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([*message.get(at + 1)?, *message.get(at + 2)?]);
    Some((labels.join("."), kind, message.get(12..at + 5)?))
}

fn reply(id: &[u8], question: &[u8], addresses: Option<Vec<IpAddr>>) -> Vec<u8> {
    let code = if addresses.is_some() { 0 } else { NXDOMAIN };
    let addresses = addresses.unwrap_or_default();
    let count = u8::try_from(addresses.len()).expect("a story has few addresses");
    let mut reply = [id, &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in addresses {
        let (kind, bytes) = match address {
            IpAddr::V4(v4) => (A, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AAAA, v6.octets().to_vec()),
        };
        reply.extend_from_slice(&[0xc0, 12]);
        reply.extend_from_slice(&kind.to_be_bytes());
        reply.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).expect("4 or 16")]);
        reply.extend_from_slice(&bytes);
    }
    reply
}

const A: u16 = 1;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;
