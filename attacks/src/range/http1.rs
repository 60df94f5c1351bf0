//! An origin of http/1.1 that keeps every head as it came. Its reading of bodies is the strict one of RFC 9112 section 6; what
//! does not fit becomes a request of its own, as it would with a lenient server behind a gate that framed it otherwise.

use std::io::{self, Read, Write};

use super::Arrived;
use crate::attack::Arrival;

/// Serves until the peer is gone. Without a host, that of each request says whose it is.
pub(super) fn serve<S: Read + Write>(
    stream: S,
    place: &'static str,
    host: Option<&str>,
    arrived: &Arrived,
) -> io::Result<()> {
    let mut reader = Reader {
        stream,
        bytes: Vec::new(),
    };
    while let Some(head) = reader.head()? {
        let arrival = Arrival {
            place,
            head: String::from_utf8_lossy(&head).into_owned(),
            ..Arrival::default()
        };
        let key = host.map_or_else(|| arrival.host().to_owned(), str::to_owned);
        let framing = Framing::of(&arrival);
        let upgrade = arrival
            .fields("upgrade")
            .first()
            .is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let continues = arrival
            .fields("expect")
            .iter()
            .any(|value| value.eq_ignore_ascii_case("100-continue"));
        let head_only = arrival.method() == "HEAD";
        let last = leads_elsewhere(arrival.host());
        let number = arrived.note(&key, arrival);
        if continues {
            reader.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let (body, trailers) = reader.body(framing)?;
        arrived.amend(&key, number, |arrival| {
            arrival.body = body[..body.len().min(KEPT)].to_vec();
            arrival.trailers = trailers;
        });
        let answer: &[u8] = match (upgrade, head_only) {
            _ if last => b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nok\n",
            (true, _) => {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            }
            (false, true) => b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
            (false, false) => b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n",
        };
        reader.stream.write_all(answer)?;
        reader.stream.flush()?;
        if last {
            break;
        }
    }
    Ok(())
}

/// A name that leads elsewhere the next time: a connection that is kept would be used again, and nothing dialled.
fn leads_elsewhere(host: &str) -> bool {
    host.contains("_then_")
}

struct Reader<S> {
    stream: S,
    bytes: Vec<u8>,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Nothing,
    Length(usize),
    Chunks,
}

impl Framing {
    fn of(arrival: &Arrival) -> Self {
        if arrival
            .fields("transfer-encoding")
            .iter()
            .any(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            return Self::Chunks;
        }
        let length = arrival
            .fields("content-length")
            .first()
            .and_then(|length| length.parse().ok());
        length.map_or(Self::Nothing, Self::Length)
    }
}

impl<S: Read> Reader<S> {
    /// The next head with its empty line; `None` when the peer is gone.
    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.until(b"\r\n\r\n")
    }

    fn body(&mut self, framing: Framing) -> io::Result<(Vec<u8>, String)> {
        match framing {
            Framing::Nothing => Ok(Default::default()),
            Framing::Length(length) => Ok((self.take(length)?, String::new())),
            Framing::Chunks => self.chunks(),
        }
    }

    fn chunks(&mut self) -> io::Result<(Vec<u8>, String)> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let digits = line
                .split([';', '\r'])
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
            let length = usize::from_str_radix(&digits, 16).map_err(io::Error::other)?;
            if length == 0 {
                break;
            }
            body.extend(self.take(length)?);
            self.take(2)?;
        }
        let mut trailers = String::new();
        loop {
            let line = self.until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line == b"\r\n" {
                return Ok((body, trailers));
            }
            trailers.push_str(&String::from_utf8_lossy(&line));
        }
    }

    fn until(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.bytes.windows(end.len()).position(|window| window == end) {
                return Ok(Some(self.bytes.drain(..at + end.len()).collect()));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.bytes.len() < length {
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.bytes.drain(..length).collect())
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 8192];
        let length = self.stream.read(&mut buffer)?;
        self.bytes.extend_from_slice(&buffer[..length]);
        Ok(length > 0)
    }
}

/// Bytes of a body that are kept.
const KEPT: usize = 512;
