//! The name server of the range. Names say themselves where they lead: the first label of `127-0-0-1.CLASS.dns.…` is an
//! address with `-` for `.` or `:`; several, with `_and_` between, are one answer; with `_then_` between, one answer after the
//! other. All answers have a lifetime of zero.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::attack::DOMAIN;

pub(crate) struct Resolver {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver {
    pub(super) fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        thread::spawn(move || serve(&socket, &noted));
        Ok(Self { address, asked })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(socket: &UdpSocket, asked: &Mutex<Vec<String>>) {
    let mut times = HashMap::<(String, u16), usize>::new();
    let mut buffer = [0; 1500];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let Some((name, kind, question)) = question(&buffer[..length]) else {
            continue;
        };
        asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        let before = times.entry((name.clone(), kind)).or_default();
        let addresses = led_to(&name, *before);
        *before += 1;
        let _ = socket.send_to(&reply(&buffer[..2], question, kind, addresses.as_deref()), client);
    }
}

/// Where a name leads when it was asked for so often before; `None` for names that are not.
fn led_to(name: &str, before: usize) -> Option<Vec<IpAddr>> {
    let label = name.strip_suffix(&format!(".dns.{DOMAIN}"))?.split('.').next()?;
    let answers: Vec<&str> = label.split("_then_").collect();
    let answer = answers.get(before.min(answers.len() - 1))?;
    Some(answer.split("_and_").filter_map(address).collect())
}

fn address(text: &str) -> Option<IpAddr> {
    let v4 = text.replace('-', ".").parse::<Ipv4Addr>().map(IpAddr::V4);
    v4.or_else(|_| text.replace('-', ":").parse()).ok()
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

fn reply(id: &[u8], question: &[u8], kind: u16, addresses: Option<&[IpAddr]>) -> Vec<u8> {
    let code = if addresses.is_some() { 0 } else { NXDOMAIN };
    let fitting = |address: &&IpAddr| kind == if address.is_ipv4() { A } else { AAAA };
    let addresses: Vec<_> = addresses.unwrap_or_default().iter().filter(fitting).collect();
    let count = u8::try_from(addresses.len()).unwrap_or(0);
    let mut reply = [id, &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        reply.extend_from_slice(&[0xc0, 12]);
        reply.extend_from_slice(&kind.to_be_bytes());
        reply.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).unwrap_or(0)]);
        reply.extend_from_slice(&bytes);
    }
    reply
}

const A: u16 = 1;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_where_they_lead() {
        let led = |label: &str, before| led_to(&format!("{label}.class.dns.{DOMAIN}"), before);
        assert_eq!(led("127-0-0-1", 0), Some(vec!["127.0.0.1".parse().expect("v4")]));
        assert_eq!(
            led("64-ff9b--7f00-1", 0),
            Some(vec!["64:ff9b::7f00:1".parse().expect("v6")])
        );
        assert_eq!(led("10-0-0-1_and_127-0-0-1", 0).map(|all| all.len()), Some(2));
        assert_eq!(led("10-0-0-1_then_127-0-0-1", 9), led("127-0-0-1", 0));
        assert_eq!(led_to("example.test", 0), None);
    }
}
