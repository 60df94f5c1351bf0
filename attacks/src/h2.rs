//! Frames of HTTP/2 (RFC 9113): written by hand for attacks, and read back from the gate and by the origin.

use crate::hpack::{self, Decoder, Field};

/// What a client says first (section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 0x20;

/// One frame as it is sent.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("an attack's frame is small")
        .to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A preface, empty settings, and these frames.
pub(crate) fn opening(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frames.concat()].concat()
}

/// Fields as a block of literals.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter();
    fields
        .flat_map(|(name, value)| hpack::literal(name.as_bytes(), value.as_bytes()))
        .collect()
}

/// A whole request without a body.
pub(crate) fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields))
}

/// A frame as it came.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// Takes the next whole frame off the front of `bytes`.
pub(crate) fn take_frame(bytes: &mut &[u8]) -> Option<Frame> {
    let (&[a, b, c, kind, flags, s0, s1, s2, s3], rest) = bytes.split_first_chunk::<9>()?;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        payload: payload.to_vec(),
    })
}

impl Frame {
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    pub(crate) fn ends_headers(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// The payload without padding and priority.
    pub(crate) fn content(&self) -> &[u8] {
        let padded = matches!(self.kind, DATA | HEADERS) && self.flags & PADDED != 0;
        let (padding, content) = match (padded, self.payload.split_first()) {
            (true, Some((length, rest))) => (usize::from(*length), rest),
            _ => (0, &self.payload[..]),
        };
        let content = &content[..content.len().saturating_sub(padding)];
        if self.kind == HEADERS && self.flags & WITH_PRIORITY != 0 {
            return content.get(5..).unwrap_or_default();
        }
        content
    }

    /// The error code of a reset or a farewell.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        let code = self.payload.get(at..at + 4).and_then(|code| code.try_into().ok());
        code.map_or(0, u32::from_be_bytes)
    }
}

/// Puts blocks of fields together out of frames.
#[derive(Default)]
pub(crate) struct Blocks {
    decoder: Decoder,
    unfinished: Vec<u8>,
}

impl Blocks {
    /// The fields that this frame completes.
    pub(crate) fn add(&mut self, frame: &Frame) -> Option<Vec<Field>> {
        if !matches!(frame.kind, HEADERS | CONTINUATION) {
            return None;
        }
        self.unfinished.extend_from_slice(frame.content());
        if !frame.ends_headers() {
            return None;
        }
        let block = std::mem::take(&mut self.unfinished);
        Some(
            self.decoder
                .decode(&block)
                .unwrap_or_else(|| vec![(b"broken".to_vec(), block)]),
        )
    }
}

/// RFC 9113 section 7, as far as gates use it.
pub(crate) fn error_name(code: u32) -> String {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code).ok().and_then(|code| names.get(code));
    known.map_or_else(|| format!("error {code}"), |name| (*name).to_owned())
}
