//! `aws-chunked`: uploads to S3 in chunks of their own, inside of the body.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use super::{Give, Step, Unreadable};

/// Takes the lines between chunks out.
pub(super) struct AwsChunked {
    state: State,
    /// A line that is not whole.
    line: Vec<u8>,
}

enum State {
    /// The line before a chunk.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The end of the line behind a chunk.
    End,
    /// Lines behind the last chunk, up to an empty one.
    Trailer,
    Whole,
}

impl AwsChunked {
    pub(super) fn new() -> Self {
        Self {
            state: State::Size,
            line: Vec::new(),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    pub(super) fn step(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if let State::Data(left) = &mut self.state {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                give(&rest[..taken])?;
                *left -= taken as u64;
                rest = &rest[taken..];
                if *left == 0 {
                    self.state = State::End;
                }
                continue;
            }
            rest = &rest[1..];
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.end_line(line.strip_suffix(b"\r\n").ok_or(BROKEN)?, give)?;
            } else if self.line.len() > LONGEST_LINE {
                return Err(BROKEN);
            }
        }
        Ok(Step {
            used: bytes.len(),
            goes_on: false,
        })
    }

    fn end_line(&mut self, line: &[u8], give: Give<'_>) -> Result<(), Unreadable> {
        self.state = match &self.state {
            State::Size => match size(line)? {
                0 => State::Trailer,
                size => State::Data(size),
            },
            State::End if line.is_empty() => State::Size,
            State::Trailer if line.is_empty() => State::Whole,
            State::Trailer => {
                give(b"\n")?;
                give(line)?;
                State::Trailer
            }
            State::End | State::Data(_) | State::Whole => return Err(BROKEN),
        };
        Ok(())
    }
}

/// `10000` or `10000;chunk-signature=…`, and nothing that would hide something.
fn size(line: &[u8]) -> Result<u64, Unreadable> {
    let line = std::str::from_utf8(line).map_err(|_| BROKEN)?;
    let (digits, signature) = line.split_once(";chunk-signature=").unwrap_or((line, ""));
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits.is_empty() || !is_hex(digits) || !is_hex(signature) || !matches!(signature.len(), 0 | 64) {
        return Err(BROKEN);
    }
    u64::from_str_radix(digits, 16).map_err(|_| BROKEN)
}

const BROKEN: Unreadable = Unreadable::Broken {
    coding: "aws-chunked",
};
/// Of a size with its signature, or of a checksum behind the body.
const LONGEST_LINE: usize = 1024;
