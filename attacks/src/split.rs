//! A stream whose first TLS message leaves in records of a few bytes (RFC 8446 section 5.1 allows it): a gate that looks for
//! the server name in the first packet sees a part of it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::make::Timed;

pub(crate) struct Split {
    stream: TcpStream,
    first: bool,
}

impl Split {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, first: true }
    }
}

impl Read for Split {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Split {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::take(&mut self.first) {
            return self.stream.write(bytes);
        }
        for record in records(bytes) {
            self.stream.write_all(&record)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Timed for Split {
    fn wait_up_to(&mut self, limit: Duration) -> io::Result<()> {
        self.stream.wait_up_to(limit)
    }
}

/// The message of one record in records of [`PART`] bytes.
pub(crate) fn records(record: &[u8]) -> Vec<Vec<u8>> {
    let (head, message) = record.split_at(5);
    let parts = message.chunks(PART);
    parts
        .map(|part| {
            let length = u16::try_from(part.len()).expect("a part is small").to_be_bytes();
            [&head[..3], &length, part].concat()
        })
        .collect()
}

const PART: usize = 17;
