//! The host name in SNI, by offsets alone (RFC 6066 section 3), of a `ClientHello` that rustls has accepted.
//!
//! rustls leaves out an address that stands where only a name may: to it such a hello names nothing. Origins read it otherwise, so
//! what is written there counts here.

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Nothing,
    These(Vec<u8>),
}

/// What a hello names. None: this is no hello, or none that is whole.
pub(crate) fn named(records: &[u8]) -> Option<Named> {
    let message = first_message(records)?;
    let mut body = Bytes(&message);
    body.take(2 + 32)?; // version and random
    body.short_vector()?; // session
    body.vector()?; // cipher suites
    body.short_vector()?; // compression
    if body.0.is_empty() {
        return Some(Named::Nothing); // extensions are left out altogether
    }
    let mut extensions = Bytes(body.vector()?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.vector()?;
        if kind == SERVER_NAME {
            return host_name(content).map(|name| Named::These(name.to_vec()));
        }
    }
    Some(Named::Nothing)
}

/// The first entry of the list. There is one kind of name, and no more than one name of it.
fn host_name(extension: &[u8]) -> Option<&[u8]> {
    let mut list = Bytes(Bytes(extension).vector()?);
    (list.take(1)? == [HOST_NAME]).then(|| list.vector())?
}

/// The body of the first handshake message, whose records may cut it anywhere (RFC 8446 section 5.1).
fn first_message(records: &[u8]) -> Option<Vec<u8>> {
    let mut records = Bytes(records);
    let mut joined = Vec::new();
    loop {
        if records.take(1)? != [HANDSHAKE] {
            return None;
        }
        records.take(2)?; // a version that says nothing
        joined.extend_from_slice(records.vector()?);
        if let Some(body) = message_body(&joined) {
            return Some(body.to_vec());
        }
    }
}

fn message_body(joined: &[u8]) -> Option<&[u8]> {
    let mut message = Bytes(joined);
    let &[CLIENT_HELLO, high, middle, low] = message.take(4)? else {
        return None;
    };
    message.take(usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?)
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// With a length of one byte before it.
    fn short_vector(&mut self) -> Option<&'a [u8]> {
        let length = *self.take(1)?.first()?;
        self.take(length.into())
    }

    /// With a length of two bytes before it.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
