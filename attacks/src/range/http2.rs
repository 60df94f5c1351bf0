//! An origin of h2 that reads frame by frame and keeps every block of fields as it came.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use super::Arrived;
use crate::attack::Arrival;
use crate::h2::{
    self, ACK, Blocks, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, PREFACE, SETTINGS, WINDOW_UPDATE,
    frame,
};
use crate::hpack::{self, Field};

/// Serves until the peer is gone.
pub(super) fn serve<S: Read + Write>(mut stream: S, host: &str, arrived: &Arrived) -> io::Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let mut connection = Connection {
        host,
        arrived,
        blocks: Blocks::default(),
        streams: HashMap::new(),
    };
    let mut greeted = false;
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..length]);
        if !greeted {
            if bytes.len() < PREFACE.len() {
                continue;
            }
            bytes.drain(..PREFACE.len());
            greeted = true;
        }
        let mut unread = &bytes[..];
        while let Some(frame) = h2::take_frame(&mut unread) {
            let answer = connection.answer(&frame);
            stream.write_all(&answer)?;
        }
        stream.flush()?;
        let read = bytes.len() - unread.len();
        bytes.drain(..read);
    }
}

struct Connection<'a> {
    host: &'a str,
    arrived: &'a Arrived,
    blocks: Blocks,
    /// The number of the request that each open stream carries.
    streams: HashMap<u32, usize>,
}

impl Connection<'_> {
    /// Takes note of a frame and gives what is sent in return.
    fn answer(&mut self, received: &Frame) -> Vec<u8> {
        let mut answer = match received.kind {
            SETTINGS if received.flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if received.flags & ACK == 0 => frame(PING, ACK, 0, &received.payload),
            DATA => self.body(received),
            _ => Vec::new(),
        };
        if let Some(fields) = self.blocks.add(received) {
            self.fields(received.stream, &fields);
        }
        if received.ends_stream() && self.streams.remove(&received.stream).is_some() {
            let fields = [
                hpack::literal(b":status", b"200"),
                hpack::literal(b"content-length", b"3"),
            ]
            .concat();
            answer.extend(frame(HEADERS, END_HEADERS, received.stream, &fields));
            answer.extend(frame(DATA, END_STREAM, received.stream, b"ok\n"));
        }
        answer
    }

    fn body(&mut self, received: &Frame) -> Vec<u8> {
        if let Some(number) = self.streams.get(&received.stream) {
            let content = received.content();
            self.arrived.amend(self.host, *number, |arrival| {
                let room = KEPT.saturating_sub(arrival.body.len()).min(content.len());
                arrival.body.extend_from_slice(&content[..room]);
            });
        }
        let length = u32::try_from(received.payload.len()).unwrap_or(0);
        if length == 0 {
            return Vec::new();
        }
        let room = length.to_be_bytes();
        [
            frame(WINDOW_UPDATE, 0, 0, &room),
            frame(WINDOW_UPDATE, 0, received.stream, &room),
        ]
        .concat()
    }

    fn fields(&mut self, stream: u32, fields: &[Field]) {
        let lines: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}: {}\r\n",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value)
                )
            })
            .collect();
        if let Some(number) = self.streams.get(&stream) {
            self.arrived
                .amend(self.host, *number, |arrival| arrival.trailers = lines.concat());
            return;
        }
        let arrival = Arrival {
            place: "origin",
            head: lines.concat(),
            ..Arrival::default()
        };
        let number = self.arrived.note(self.host, arrival);
        self.streams.insert(stream, number);
    }
}

/// Bytes of a body that are kept.
const KEPT: usize = 512;
