//! Bodies that are signed chunk by chunk, each signature over the one before.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
//!
//! Chunks keep their sizes, and signatures have one length, so the body keeps its length.

use std::fmt;

use http::{HeaderName, HeaderValue};
use thiserror::Error;

use super::authorization::{ALGORITHM, check_signature};
use super::moment::Moment;
use super::payload::{PayloadHash, hash};
use super::scope::Scope;
use super::sign::SigningKey;

/// Signs the chunks of a body again as they pass. A chunk is held until it is whole, for its signature stands before it.
pub struct Chunks {
    key: SigningKey,
    moment: Moment,
    scope: Scope,
    /// Of what came before: at first of the head.
    previous: String,
    trailer: Trailer,
    state: State,
    /// What is held: a line, or a chunk.
    held: Vec<u8>,
}

/// A body that is not of the form that its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// Not `SIZE;chunk-signature=…`, or no end of the line where one is due.
    #[error("the body is not signed in chunks, as its head says")]
    Form,
    /// More than is held.
    #[error("a chunk of the body is larger than {} KiB", LARGEST_CHUNK >> 10)]
    TooLarge,
    /// It ends before its last chunk, or goes on after it.
    #[error("the body does not end with its last chunk")]
    End,
}

/// So much of a body is held at once, in bytes. Clients send 8 to 128 KiB; storage takes no less than 8.
pub const LARGEST_CHUNK: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trailer {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    None,
    /// `…-TRAILER`: checksums after the last chunk, and a signature of them.
    Signed,
}

enum State {
    /// The line before a chunk.
    Line,
    /// A chunk of that size (in its own digits), and the end of the line after it.
    Data {
        digits: String,
        size: usize,
    },
    /// Lines of the trailer, whose text so far is to be signed.
    Trailer {
        text: String,
    },
    /// The empty line at the end.
    LastLine,
    Done,
}

impl Chunks {
    pub(super) fn new(
        key: SigningKey,
        moment: Moment,
        scope: Scope,
        seed: String,
        hash: &PayloadHash,
    ) -> Self {
        let trailer = if hash.as_str().ends_with("-TRAILER") {
            Trailer::Signed
        } else {
            Trailer::None
        };
        Self {
            key,
            moment,
            scope,
            previous: seed,
            trailer,
            state: State::Line,
            held: Vec::new(),
        }
    }

    /// Takes what came, in whatever pieces, and appends to `out` what may leave by now.
    pub fn push(&mut self, mut came: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        while !came.is_empty() {
            let wanted = match &self.state {
                State::Data { size, .. } => size + CRLF.len() - self.held.len(),
                State::Line | State::Trailer { .. } | State::LastLine => {
                    let line = came.iter().position(|byte| *byte == b'\n');
                    line.map_or(came.len(), |at| at + 1)
                }
                State::Done => return Err(ChunkError::End),
            };
            let (taken, rest) = came.split_at(wanted.min(came.len()));
            self.held.extend_from_slice(taken);
            came = rest;
            self.step(out)?;
        }
        Ok(())
    }

    /// Whether all of it came.
    pub fn finish(&self) -> Result<(), ChunkError> {
        if let State::Done = self.state {
            Ok(())
        } else {
            Err(ChunkError::End)
        }
    }

    /// Goes on where what is held is whole.
    fn step(&mut self, out: &mut Vec<u8>) -> Result<(), ChunkError> {
        if let State::Data { digits, size } = &self.state {
            let (digits, size) = (digits.clone(), *size);
            return if self.held.len() == size + CRLF.len() {
                self.end_chunk(&digits, size, out)
            } else {
                Ok(())
            };
        }
        if !self.held.ends_with(b"\n") {
            return if self.held.len() <= LONGEST_LINE {
                Ok(())
            } else {
                Err(ChunkError::Form)
            };
        }
        let line = std::mem::take(&mut self.held);
        let line = line.strip_suffix(CRLF).ok_or(ChunkError::Form)?;
        let line = std::str::from_utf8(line).map_err(|_| ChunkError::Form)?;
        match std::mem::replace(&mut self.state, State::Line) {
            State::Line => self.begin_chunk(line, out),
            State::Trailer { text } => self.trailer_line(line, text, out),
            State::LastLine if line.is_empty() => {
                out.extend_from_slice(CRLF);
                self.state = State::Done;
                Ok(())
            }
            State::LastLine | State::Data { .. } | State::Done => Err(ChunkError::Form),
        }
    }

    fn begin_chunk(&mut self, line: &str, out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let (digits, signature) = line.split_once(";chunk-signature=").ok_or(ChunkError::Form)?;
        check_signature(signature).map_err(|_| ChunkError::Form)?;
        let is_size = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_size
            .then(|| usize::from_str_radix(digits, 16).ok())
            .flatten()
            .ok_or(ChunkError::Form)?;
        if size > LARGEST_CHUNK {
            return Err(ChunkError::TooLarge);
        }
        if size > 0 {
            self.state = State::Data {
                digits: digits.to_owned(),
                size,
            };
            return Ok(());
        }
        self.write_signed(digits, b"", out);
        self.state = match self.trailer {
            Trailer::None => State::LastLine,
            Trailer::Signed => State::Trailer { text: String::new() },
        };
        Ok(())
    }

    fn end_chunk(&mut self, digits: &str, size: usize, out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let held = std::mem::take(&mut self.held);
        let (data, end) = held.split_at(size);
        if end != CRLF {
            return Err(ChunkError::Form);
        }
        self.write_signed(digits, data, out);
        out.extend_from_slice(&held);
        self.state = State::Line;
        Ok(())
    }

    /// The line before a chunk, signed again.
    fn write_signed(&mut self, digits: &str, data: &[u8], out: &mut Vec<u8>) {
        self.sign("PAYLOAD", &format!("{}\n{}", hash(b""), hash(data)));
        out.extend_from_slice(format!("{digits};chunk-signature={}\r\n", self.previous).as_bytes());
    }

    fn trailer_line(&mut self, line: &str, mut text: String, out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let (name, value) = line.split_once(':').ok_or(ChunkError::Form)?;
        if name.eq_ignore_ascii_case(TRAILER_SIGNATURE) {
            check_signature(value).map_err(|_| ChunkError::Form)?; // of another length it would move the end of the body
            self.sign("TRAILER", &hash(text.as_bytes()));
            out.extend_from_slice(format!("{TRAILER_SIGNATURE}:{}\r\n", self.previous).as_bytes());
            self.state = State::LastLine;
            return Ok(());
        }
        let is_field =
            HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
        if !is_field {
            return Err(ChunkError::Form);
        }
        let name = name.to_ascii_lowercase();
        text.extend([name.as_str(), ":", value.trim(), "\n"]);
        if text.len() > LONGEST_LINE {
            return Err(ChunkError::Form);
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(CRLF);
        self.state = State::Trailer { text };
        Ok(())
    }

    fn sign(&mut self, kind: &str, hashes: &str) {
        let (moment, scope, previous) = (self.moment.as_str(), &self.scope, &self.previous);
        self.previous = self.key.sign(&format!(
            "{ALGORITHM}-{kind}\n{moment}\n{scope}\n{previous}\n{hashes}"
        ));
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunks([redacted])")
    }
}

const CRLF: &[u8] = b"\r\n";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";
/// Of a line, or of a trailer, in bytes.
const LONGEST_LINE: usize = 1024;
