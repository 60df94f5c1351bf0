//! A session of TLS 1.2 whose records are written by hand, so that a second hello can be sent within it (RFC 5246 section 7.4.1.2):
//! no library asks for that any more.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::{ClientConnection, ConnectionTrafficSecrets};

use crate::answers;
use crate::attack::{Seen, Speaks};
use crate::tls;

/// A session whose handshake is done.
pub(crate) struct Renegotiating {
    stream: TcpStream,
    sends: Half,
    receives: Half,
}

/// One direction: RFC 7905 section 2 has the nonce, RFC 5246 section 6.2.3.3 what is authenticated besides.
struct Half {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

impl Renegotiating {
    /// Finishes the handshake, and takes the keys out of it.
    pub(crate) fn start(
        mut session: ClientConnection,
        mut stream: TcpStream,
        limit: Duration,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(limit))?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let secrets = session.dangerous_extract_secrets().map_err(io::Error::other)?;
        Ok(Self {
            stream,
            sends: Half::new(secrets.tx)?,
            receives: Half::new(secrets.rx)?,
        })
    }

    /// Asks to begin anew with this name, then sends the pieces. How it ended is what the peer said to the second hello.
    pub(crate) fn converse(
        mut self,
        second: Option<&str>,
        pieces: &[Vec<u8>],
        answers: usize,
    ) -> io::Result<Seen> {
        if let Some(name) = second {
            let hello = tls::hello(name);
            self.send(HANDSHAKE, &hello[5..])?; // behind the head of its record
        }
        for piece in pieces {
            self.send(DATA, piece)?;
        }
        let (mut data, mut said, mut closed) = (Vec::new(), None, false);
        while answers::count(&data, Speaks::Http1) < answers {
            match self.receive() {
                Ok((DATA, bytes)) => data.extend_from_slice(&bytes),
                Ok((ALERT, alert)) if alert.ends_with(&[NO_RENEGOTIATION]) => said = Some(NO.to_owned()),
                Ok((ALERT, alert)) => said = Some(format!("alert {}", alert.last().unwrap_or(&0))),
                Ok((HANDSHAKE, _)) => said = Some("the handshake began anew".to_owned()),
                Ok(_) => {}
                Err(_over) => {
                    closed = true;
                    break;
                }
            }
        }
        let seen = answers::read(&data, closed, Speaks::Http1);
        Ok(Seen {
            ended: said.or(seen.ended),
            ..seen
        })
    }

    fn send(&mut self, kind: u8, plain: &[u8]) -> io::Result<()> {
        let sealed = self.sends.seal(kind, plain)?;
        let length = u16::try_from(sealed.len())
            .map_err(io::Error::other)?
            .to_be_bytes();
        self.stream
            .write_all(&[&[kind, 3, 3][..], &length, &sealed].concat())
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let mut sealed = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        self.stream.read_exact(&mut sealed)?;
        Ok((head[0], self.receives.open(head[0], sealed)?))
    }
}

impl Half {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> io::Result<Self> {
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else {
            return Err(io::Error::other("another cipher than the one that was offered"));
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).map_err(io::Error::other)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().map_err(io::Error::other)?,
            sequence,
        })
    }

    fn seal(&mut self, kind: u8, plain: &[u8]) -> io::Result<Vec<u8>> {
        let (nonce, besides) = self.next(kind, plain.len());
        let mut bytes = plain.to_vec();
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::from(besides), &mut bytes);
        sealed.map_err(io::Error::other)?;
        Ok(bytes)
    }

    fn open(&mut self, kind: u8, mut sealed: Vec<u8>) -> io::Result<Vec<u8>> {
        let length = sealed.len().checked_sub(TAG).ok_or(io::ErrorKind::InvalidData)?;
        let (nonce, besides) = self.next(kind, length);
        let opened = self.key.open_in_place(nonce, Aad::from(besides), &mut sealed);
        let plain = opened.map_err(io::Error::other)?.to_vec();
        Ok(plain)
    }

    fn next(&mut self, kind: u8, length: usize) -> (Nonce, [u8; 13]) {
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        let mut nonce = self.iv;
        for (byte, of) in nonce[4..].iter_mut().zip(sequence) {
            *byte ^= of;
        }
        let mut besides = [0; 13];
        besides[..8].copy_from_slice(&sequence);
        besides[8..11].copy_from_slice(&[kind, 3, 3]);
        besides[11..].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        (Nonce::assume_unique_for_key(nonce), besides)
    }
}

/// What a peer says that does not begin anew.
pub(crate) const NO: &str = "no renegotiation";
const NO_RENEGOTIATION: u8 = 100;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const TAG: usize = 16;
