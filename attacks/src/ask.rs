//! A question to a name server, written by hand (RFC 1035 section 4).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::attack::{Answer, Question, Seen};

pub(crate) fn ask(question: &Question) -> io::Result<Seen> {
    let message = message(question);
    let server: SocketAddr = format!("{}:53", question.server)
        .parse()
        .map_err(io::Error::other)?;
    let reply = if question.over_tcp {
        over_tcp(server, &message)?
    } else {
        over_udp(server, &message)?
    };
    let code = reply.get(3).map_or(0, |flags| u16::from(flags & 0x0f));
    let answers = reply
        .get(6..8)
        .map_or(0, |count| u16::from_be_bytes([count[0], count[1]]));
    Ok(Seen {
        answers: vec![Answer {
            status: code,
            reason: format!("{answers} records"),
        }],
        text: last_address(&reply),
        ..Seen::default()
    })
}

fn over_udp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = if server.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(server)?;
    socket.send(message)?;
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn over_tcp(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = std::net::TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let length = u16::try_from(message.len())
        .map_err(io::Error::other)?
        .to_be_bytes();
    stream.write_all(&[&length[..], message].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

fn message(question: &Question) -> Vec<u8> {
    let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in question.name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(63));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&question.kind.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

/// The address that a reply ends with, if its last record is one.
fn last_address(reply: &[u8]) -> String {
    let length_before = |size: usize| {
        let at = reply.len().checked_sub(size + 2)?;
        (reply[at..at + 2] == [0, u8::try_from(size).ok()?]).then_some(&reply[at + 2..])
    };
    if let Some(v6) = length_before(16).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) {
        return Ipv6Addr::from(v6).to_string();
    }
    let v4 = length_before(4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    v4.map(|v4| Ipv4Addr::from(v4).to_string()).unwrap_or_default()
}

/// An answer must come; see `make` for why it may take so long.
const LIMIT: Duration = Duration::from_mins(1);
