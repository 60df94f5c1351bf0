//! Netlink messages, built by hand and sent with their acknowledgements awaited.
//!
//! It knows the framing (headers, attributes, padding) and no meaning. The meaning is in `network`.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
/// Set on attributes that hold attributes.
const NESTED: u16 = 0x8000;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(crate) const ACKNOWLEDGE: u16 = 0x4;
/// `NLM_F_CREATE`.
pub(crate) const CREATE: u16 = 0x400;
/// `NLM_F_EXCL`.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_APPEND`.
pub(crate) const APPEND: u16 = 0x800;

/// Messages being written, one after the other in one buffer.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    acknowledged: usize,
    sequence: u32,
}

impl Messages {
    /// Appends a message of type `kind`: the fixed part `body`, then whatever `attributes` writes.
    pub(crate) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.sequence += 1;
        self.acknowledged += usize::from(flags & ACKNOWLEDGE != 0);
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(body);
        pad(&mut self.bytes);
        attributes(&mut Attributes(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).expect("messages are small");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// As they are sent.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Sends them all at once over netlink protocol `protocol` and awaits every acknowledgement. The error is the first one refused.
    pub(crate) fn send(self, protocol: Option<rustix::net::Protocol>) -> io::Result<()> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        send(&socket, &self.bytes, SendFlags::empty())?;
        let mut missing = self.acknowledged;
        while missing > 0 {
            missing = missing.saturating_sub(acknowledgements(&socket)?);
        }
        Ok(())
    }
}

/// Reads one datagram and counts the acknowledgements in it.
fn acknowledgements(socket: &OwnedFd) -> io::Result<usize> {
    let mut buffer = [0u8; 8192];
    let (length, _) = recv(socket, &mut buffer[..], RecvFlags::empty())?;
    let mut rest = &buffer[..length];
    let mut count = 0;
    while rest.len() >= HEADER + 4 {
        let length = u32::from_ne_bytes(rest[..4].try_into().expect("four bytes")) as usize;
        if u16::from_ne_bytes(rest[4..6].try_into().expect("two bytes")) == NLMSG_ERROR {
            let error = i32::from_ne_bytes(rest[HEADER..HEADER + 4].try_into().expect("four bytes"));
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            count += 1;
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(count)
}

/// The attributes of a message, or of an attribute.
pub(crate) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// An attribute of raw bytes.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.0.extend_from_slice(value);
        self.close(start);
    }

    /// A zero-terminated text.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let start = self.open(kind);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self.close(start);
    }

    /// A number in network byte order, as nftables wants all of its numbers.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute that holds attributes.
    pub(crate) fn nested(&mut self, kind: u16, inner: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.open(kind | NESTED);
        inner(&mut Attributes(self.0));
        self.close(start);
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = u16::try_from(self.0.len() - start).expect("attributes are small");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        pad(self.0);
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// The routing protocol of netlink.
pub(crate) const ROUTE: Option<rustix::net::Protocol> = None;
/// The netfilter protocol of netlink.
pub(crate) const NETFILTER: Option<rustix::net::Protocol> = Some(netlink::NETFILTER);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_header_its_body_and_padded_attributes() {
        let mut messages = Messages::default();
        messages.message(7, REQUEST, &[1, 2], |a| a.nested(3, |a| a.bytes(4, &[9])));
        let expected = [
            &32u32.to_ne_bytes()[..],
            &7u16.to_ne_bytes(),
            &1u16.to_ne_bytes(),
            &1u32.to_ne_bytes(),
            &[0; 4],
            &[1, 2, 0, 0],
            &12u16.to_ne_bytes(),
            &0x8003u16.to_ne_bytes(),
            &5u16.to_ne_bytes(),
            &4u16.to_ne_bytes(),
            &[9, 0, 0, 0],
        ]
        .concat();
        assert_eq!(messages.bytes, expected);
    }
}
