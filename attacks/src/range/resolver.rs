//! The name server of the range. Names say themselves where they lead: the first label of `127-0-0-1.CLASS.dns.…` is an
//! address with `-` for `.` or `:`; several, with `_and_` between, are one answer; with `_then_` between, one answer after the
//! other. `alias_` before it has the name be an alias (CNAME) of one that leads there; `alias_localhost` is one of that name,
//! about which the answer says no more. All answers have a lifetime of zero.

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
        let answer = led_to(&name, *before);
        *before += 1;
        let _ = socket.send_to(&reply(&buffer[..2], question, kind, answer), client);
    }
}

/// Where a name leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answer {
    alias_of: Option<&'static str>,
    addresses: Vec<IpAddr>,
}

/// Where a name leads when it was asked for so often before; `None` for names that are not.
fn led_to(name: &str, before: usize) -> Option<Answer> {
    let label = name.strip_suffix(&format!(".dns.{DOMAIN}"))?.split('.').next()?;
    let answers: Vec<&str> = label.split("_then_").collect();
    let answer = answers.get(before.min(answers.len() - 1))?;
    let (alias_of, addresses) = match answer.strip_prefix("alias_") {
        Some("localhost") => (Some("localhost"), ""),
        Some(addresses) => (Some(ELSEWHERE), addresses),
        None => (None, *answer),
    };
    Some(Answer {
        alias_of,
        addresses: addresses.split("_and_").filter_map(address).collect(),
    })
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

fn reply(id: &[u8], question: &[u8], kind: u16, answer: Option<Answer>) -> Vec<u8> {
    let code = if answer.is_some() { 0 } else { NXDOMAIN };
    let answer = answer.unwrap_or_default();
    let name_asked_for = [0xc0, 12]; // RFC 1035 section 4.1.4: the name at byte 12
    let mut records = Vec::new();
    let mut owner = name_asked_for.to_vec();
    if let Some(alias_of) = answer.alias_of {
        let name = in_labels(alias_of);
        records.push(record(&owner, CNAME, &name));
        owner = name;
    }
    let fitting = |address: &&IpAddr| kind == if address.is_ipv4() { A } else { AAAA };
    records.extend(
        answer
            .addresses
            .iter()
            .filter(fitting)
            .map(|address| match address {
                IpAddr::V4(v4) => record(&owner, kind, &v4.octets()),
                IpAddr::V6(v6) => record(&owner, kind, &v6.octets()),
            }),
    );
    let count = u8::try_from(records.len()).unwrap_or(0);
    let head = [id, &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    [head, records.concat()].concat()
}

/// With a lifetime of zero.
fn record(owner: &[u8], kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(0).to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 0], &length, content].concat()
}

fn in_labels(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).unwrap_or(0);
        [&[length], label.as_bytes()].concat()
    });
    labels.chain([0]).collect()
}

/// What aliases are of. No list names it.
const ELSEWHERE: &str = "alias.evil.outwall.test";
const CNAME: u16 = 5;
const A: u16 = 1;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_where_they_lead() {
        let led = |label: &str, before| led_to(&format!("{label}.class.dns.{DOMAIN}"), before);
        let to = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().expect("an address"));
            Some(Answer {
                alias_of: None,
                addresses: addresses.collect(),
            })
        };
        assert_eq!(led("127-0-0-1", 0), to(&["127.0.0.1"]));
        assert_eq!(led("64-ff9b--7f00-1", 0), to(&["64:ff9b::7f00:1"]));
        assert_eq!(led("10-0-0-1_and_127-0-0-1", 0), to(&["10.0.0.1", "127.0.0.1"]));
        assert_eq!(led("10-0-0-1_then_127-0-0-1", 9), led("127-0-0-1", 0));
        assert_eq!(led_to("example.test", 0), None);
        let alias = led("alias_127-0-0-1", 0).expect("it leads somewhere");
        assert_eq!((alias.alias_of, alias.addresses.len()), (Some(ELSEWHERE), 1));
    }

    #[test]
    fn an_alias_is_answered_with_where_it_leads() {
        let question = [
            in_labels("alias_127-0-0-1.class.dns.attack.outwall.test"),
            vec![0, 1, 0, 1],
        ]
        .concat();
        let reply = reply(
            &[0, 7],
            &question,
            A,
            led_to(&format!("alias_127-0-0-1.class.dns.{DOMAIN}"), 0),
        );
        assert_eq!(reply[7], 2, "two records");
        assert!(reply.ends_with(&[0, 4, 127, 0, 0, 1]));
    }
}
