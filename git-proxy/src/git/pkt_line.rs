//! pkt-lines: how git frames what it says (gitprotocol-common(5), "pkt-line Format"). One reader, one writer.
//!
//! The reader takes less than git does. Some servers read upper-case lengths, and `0003` means nothing to some and something to others:
//! what two readers can understand differently is refused, so that what was decided on is what is executed.

use std::fmt;

use bytes::{Buf, BytesMut};
use thiserror::Error;

/// The longest pkt-line, its four digits included (git's `LARGE_PACKET_MAX`).
pub(super) const LONGEST: usize = 65_520;

/// The longest payload of a pkt-line.
pub(super) const LONGEST_PAYLOAD: usize = LONGEST - PREFIX;

/// `0000`
pub(super) const FLUSH: &[u8] = b"0000";

/// `0001`
pub(super) const DELIMITER: &[u8] = b"0001";

/// One pkt-line.
#[derive(Clone, PartialEq, Eq)]
pub enum Packet {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section of a message, in version 2.
    Delimiter,
    /// `0002`: the end of an answer, in version 2 over a connection without state.
    ResponseEnd,
    /// A line, without its length.
    Line(BytesMut),
}

/// Why bytes are no pkt-line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PktLineError {
    /// Its first four bytes are not lower-case hexadecimal digits.
    #[error("a pkt-line begins with `{}` instead of four lower-case hexadecimal digits", .0.escape_ascii())]
    Length([u8; 4]),
    /// It says that it is longer than any may be, or `0003`.
    #[error("a pkt-line is {0} bytes long, which none is")]
    NoSuchLength(usize),
    /// What follows the last of them is too short for one.
    #[error("the last pkt-line is cut off")]
    CutOff,
}

/// Reads pkt-lines out of a stream that comes in pieces. It holds no more than it was fed and not yet asked for.
#[derive(Debug, Default)]
pub struct PktLines {
    held: BytesMut,
}

impl PktLines {
    /// Takes the next piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next pkt-line; none before more was fed.
    pub fn take_next(&mut self) -> Result<Option<Packet>, PktLineError> {
        let Some((prefix, _)) = self.held.split_first_chunk::<PREFIX>() else {
            let may_be_one = self.held.iter().all(|byte| is_digit(*byte));
            return if may_be_one {
                Ok(None)
            } else {
                Err(PktLineError::Length(padded(&self.held)))
            };
        };
        let whole = length(*prefix)?;
        match whole {
            0 => Ok(Some(self.special(Packet::Flush))),
            1 => Ok(Some(self.special(Packet::Delimiter))),
            2 => Ok(Some(self.special(Packet::ResponseEnd))),
            3 => Err(PktLineError::NoSuchLength(whole)),
            LONGEST.. if whole > LONGEST => Err(PktLineError::NoSuchLength(whole)),
            _ if self.held.len() < whole => Ok(None),
            _ => {
                self.held.advance(PREFIX);
                Ok(Some(Packet::Line(self.held.split_to(whole - PREFIX))))
            }
        }
    }

    /// What was fed and belongs to no pkt-line that was taken.
    pub fn rest(self) -> BytesMut {
        self.held
    }

    /// Whether everything that was fed was taken.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether the stream may end here.
    pub fn end(&self) -> Result<(), PktLineError> {
        self.is_empty().then_some(()).ok_or(PktLineError::CutOff)
    }

    fn special(&mut self, packet: Packet) -> Packet {
        self.held.advance(PREFIX);
        packet
    }
}

impl Packet {
    /// The line without the LF that may end it, which "a receiver must not require" (gitprotocol-common(5)).
    pub fn line(&self) -> Option<&[u8]> {
        match self {
            Self::Line(line) => Some(line.strip_suffix(b"\n").unwrap_or(line)),
            Self::Flush | Self::Delimiter | Self::ResponseEnd => None,
        }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flush => f.write_str("0000"),
            Self::Delimiter => f.write_str("0001"),
            Self::ResponseEnd => f.write_str("0002"),
            Self::Line(line) => write!(f, "\"{}\"", line.escape_ascii()),
        }
    }
}

/// Writes a line. A payload that is longer than `LONGEST_PAYLOAD` is written as several: who has a line that may be so long cuts it
/// before, and a stream may be cut anywhere.
pub fn write_line(to: &mut Vec<u8>, payload: &[u8]) {
    for piece in payload.chunks(LONGEST_PAYLOAD) {
        to.extend_from_slice(format!("{:04x}", piece.len() + PREFIX).as_bytes());
        to.extend_from_slice(piece);
    }
}

fn length(prefix: [u8; PREFIX]) -> Result<usize, PktLineError> {
    prefix.iter().try_fold(0, |length, digit| match digit {
        b'0'..=b'9' => Ok(length * 16 + usize::from(digit - b'0')),
        b'a'..=b'f' => Ok(length * 16 + usize::from(digit - b'a') + 10),
        _ => Err(PktLineError::Length(prefix)),
    })
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn padded(begin: &[u8]) -> [u8; PREFIX] {
    let mut shown = *b"    ";
    shown.iter_mut().zip(begin).for_each(|(to, from)| *to = *from);
    shown
}

const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Packet>, PktLineError> {
        let mut lines = PktLines::default();
        let mut all = Vec::new();
        for byte in bytes {
            lines.feed(&[*byte]);
            while let Some(packet) = lines.take_next()? {
                all.push(packet);
            }
        }
        lines.end().map(|()| all)
    }

    fn line(text: &[u8]) -> Packet {
        Packet::Line(BytesMut::from(text))
    }

    #[test]
    fn the_examples_of_the_documentation_are_read() {
        assert_eq!(
            read(b"0006a\n0005a000bfoobar\n00040000").unwrap(),
            [
                line(b"a\n"),
                line(b"a"),
                line(b"foobar\n"),
                line(b""),
                Packet::Flush
            ]
        );
        assert_eq!(
            read(b"00010002").unwrap(),
            [Packet::Delimiter, Packet::ResponseEnd]
        );
        assert_eq!(line(b"a\n\n").line(), Some(&b"a\n"[..]), "one LF and no more");
    }

    #[test]
    fn what_others_may_read_otherwise_is_refused() {
        for wrong in [
            &b"000Aabcdef"[..],
            b"00 6a\n",
            b"+006a\n",
            b"0x06a\n",
            b"\r\n",
            b"-001",
        ] {
            assert!(
                matches!(read(wrong), Err(PktLineError::Length(_))),
                "{}",
                wrong.escape_ascii()
            );
        }
        assert_eq!(read(b"0003"), Err(PktLineError::NoSuchLength(3)));
        assert_eq!(read(b"fff1"), Err(PktLineError::NoSuchLength(65_521)));
        assert_eq!(read(b"0006a"), Err(PktLineError::CutOff));
        assert_eq!(read(b"000"), Err(PktLineError::CutOff));
    }

    #[test]
    fn the_longest_line_is_read_and_written() {
        let mut written = Vec::new();
        write_line(&mut written, &vec![b'x'; LONGEST_PAYLOAD + 1]);
        let read = read(&written).unwrap();
        assert_eq!(read, [line(&vec![b'x'; LONGEST_PAYLOAD]), line(b"x")]);
        assert_eq!(&written[..4], b"fff0");
    }
}
