//! Reads the frames that one side of a WebSocket sends (RFC 6455 section 5), as their bytes pass and however these are split.
//!
//! Nothing is kept but a frame's head. What an extension may give a meaning to (the reserved bits) is told and not judged.

use thiserror::Error;

/// The frames of one direction.
#[derive(Clone, Debug)]
pub struct Frames {
    sender: Sender,
    state: State,
    /// A message has begun and its last frame has not.
    within_message: bool,
}

/// Who sends frames: a client masks them, and a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Client,
    Origin,
}

#[derive(Clone, Debug)]
enum State {
    Head {
        bytes: [u8; LONGEST_HEAD],
        length: usize,
    },
    Payload {
        head: Head,
        left: u64,
        phase: usize,
    },
}

/// What a frame's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    first: u8,
    payload: u64,
    mask: [u8; 4],
}

/// Bytes of one frame. All parts together are all bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Its head, whole.
    Head(&'a [u8]),
    /// Of its payload.
    Payload(Piece<'a>),
}

/// A piece of a frame's payload, still masked; empty where the frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// 0: goes on with the message before; 1: text; 2: binary; 8: close; 9: ping; 10: pong.
    pub opcode: u8,
    /// The frame is its message's last.
    pub last_frame: bool,
    /// The piece is its frame's last.
    pub ends_frame: bool,
    reserved: u8,
    masked: &'a [u8],
    mask: [u8; 4],
}

/// Why bytes are no frames of who sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// An opcode that means nothing.
    #[error("a frame of unknown kind {0}")]
    Opcode(u8),
    /// A client's frames must be masked.
    #[error("a frame without a mask from a client")]
    Unmasked,
    /// And a server's must not be.
    #[error("a frame with a mask from a server")]
    Masked,
    /// A control frame is whole and has at most 125 bytes.
    #[error("a control frame in parts, or of more than 125 bytes")]
    Control,
    /// A length of more bytes than it needs, or beyond 63 bits.
    #[error("a frame whose length is not written as it must be")]
    Length,
    /// A message within a message, or a continuation of none.
    #[error("a frame that fits no message")]
    Order,
}

impl Frames {
    /// At the beginning of what a client sends.
    pub fn of_client() -> Self {
        Self::of(Sender::Client)
    }

    /// At the beginning of what an origin sends.
    pub fn of_origin() -> Self {
        Self::of(Sender::Origin)
    }

    fn of(sender: Sender) -> Self {
        Self {
            sender,
            state: State::fresh(),
            within_message: false,
        }
    }

    /// Reads on. `see` is given every piece of payload, in order.
    pub fn read(&mut self, bytes: &[u8], mut see: impl FnMut(Piece<'_>)) -> Result<(), FrameError> {
        self.read_parts(bytes, |part| match part {
            Part::Head(_) => {}
            Part::Payload(piece) => see(piece),
        })
    }

    /// The same, and `see` is given the heads too.
    pub fn read_parts(&mut self, mut bytes: &[u8], mut see: impl FnMut(Part<'_>)) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Head { bytes: head, length } => {
                    head[*length] = bytes[0];
                    *length += 1;
                    bytes = &bytes[1..];
                    if let Some(read) = Head::read(&head[..*length], self.sender)? {
                        see(Part::Head(&head[..*length]));
                        self.begin(read, &mut see)?;
                    }
                }
                State::Payload { head, left, phase } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, later) = bytes.split_at(length);
                    *left -= length as u64;
                    see(Part::Payload(head.piece(now, *phase, *left == 0)));
                    *phase = (*phase + length) % 4;
                    if *left == 0 {
                        self.state = State::fresh();
                    }
                    bytes = later;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, head: Head, see: &mut impl FnMut(Part<'_>)) -> Result<(), FrameError> {
        if !head.is_control() {
            if (head.opcode() == 0) != self.within_message {
                return Err(FrameError::Order);
            }
            self.within_message = !head.is_last();
        }
        self.state = if head.payload == 0 {
            see(Part::Payload(head.piece(&[], 0, true)));
            State::fresh()
        } else {
            State::Payload {
                head,
                left: head.payload,
                phase: 0,
            }
        };
        Ok(())
    }
}

impl State {
    fn fresh() -> Self {
        Self::Head {
            bytes: [0; LONGEST_HEAD],
            length: 0,
        }
    }
}

impl Head {
    /// None: it goes on. What cannot be right is said as soon as it is there.
    fn read(bytes: &[u8], sender: Sender) -> Result<Option<Self>, FrameError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = first & 0x0f;
        let (masked, short) = (second & 0x80 != 0, second & 0x7f);
        match opcode {
            8..=10 if first & 0x80 == 0 || short > 125 => return Err(FrameError::Control),
            0..=2 | 8..=10 => {}
            other => return Err(FrameError::Opcode(other)),
        }
        match (sender, masked) {
            (Sender::Client, false) => return Err(FrameError::Unmasked),
            (Sender::Origin, true) => return Err(FrameError::Masked),
            (Sender::Client, true) | (Sender::Origin, false) => {}
        }
        let width = match short {
            127 => 8,
            126 => 2,
            _ => 0,
        };
        if rest.len() < width + if masked { 4 } else { 0 } {
            return Ok(None);
        }
        let (extended, mask) = rest.split_at(width);
        let extended = extended
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let payload = match short {
            127 if extended > 0xffff && extended >> 63 == 0 => extended,
            126 if extended > 125 => extended,
            126 | 127 => return Err(FrameError::Length),
            short => u64::from(short),
        };
        Ok(Some(Self {
            first,
            payload,
            mask: mask.first_chunk().copied().unwrap_or_default(),
        }))
    }

    fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    fn is_control(&self) -> bool {
        self.opcode() >= 8
    }

    fn is_last(&self) -> bool {
        self.first & 0x80 != 0
    }

    fn piece<'a>(&self, masked: &'a [u8], phase: usize, ends_frame: bool) -> Piece<'a> {
        let mut mask = self.mask;
        mask.rotate_left(phase);
        Piece {
            opcode: self.opcode(),
            last_frame: self.is_last(),
            ends_frame,
            reserved: self.first & 0x70,
            masked,
            mask,
        }
    }
}

impl Piece<'_> {
    /// The first reserved bit: with `permessage-deflate`, the message that begins here is compressed.
    pub fn is_compressed(&self) -> bool {
        self.reserved & 0x40 != 0
    }

    /// Any of the reserved bits: an extension gives the payload a meaning of its own.
    pub fn is_extended(&self) -> bool {
        self.reserved != 0
    }

    /// What its sender said.
    pub fn unmasked(&self) -> impl Iterator<Item = u8> {
        self.masked
            .iter()
            .zip(self.mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
    }
}

/// Two bytes, a length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).expect("short")),
            long @ 126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend(u16::try_from(long).expect("of two bytes").to_be_bytes());
            }
            long => {
                bytes.push(0xff);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        bytes
    }

    fn read(bytes: &[u8], at_once: usize) -> Result<Vec<(u8, Vec<u8>)>, FrameError> {
        let mut frames = Frames::of_client();
        let (mut seen, mut current) = (Vec::new(), Vec::new());
        for chunk in bytes.chunks(at_once) {
            frames.read(chunk, |piece| {
                current.extend(piece.unmasked());
                if piece.ends_frame {
                    seen.push((piece.opcode, std::mem::take(&mut current)));
                }
            })?;
        }
        Ok(seen)
    }

    #[test]
    fn frames_are_read_however_they_are_split() {
        let long = vec![b'x'; 70_000];
        let bytes = [
            frame(0x01, b"Hel"),
            frame(0x89, b"ping"),
            frame(0x80, b"lo"),
            frame(0xc2, &long[..300]),
            frame(0x82, &long),
            frame(0x88, b""),
        ]
        .concat();
        let whole = read(&bytes, bytes.len()).expect("they are right");
        let opcodes: Vec<u8> = whole.iter().map(|(opcode, _)| *opcode).collect();
        assert_eq!(opcodes, [1, 9, 0, 2, 2, 8]);
        assert_eq!(whole[0].1, b"Hel");
        assert_eq!(whole[4].1, long);
        for at_once in [1, 2, 3, 5, 7, 1000] {
            assert_eq!(read(&bytes, at_once).as_ref(), Ok(&whole), "{at_once}");
        }
    }

    #[test]
    fn what_is_no_frame_of_a_client_is_told() {
        let cases: [(&[u8], FrameError); 9] = [
            (b"GET / HTTP/1.1\r\n", FrameError::Opcode(7)),
            (&[0x81, 0x05], FrameError::Unmasked),
            (&[0x83, 0x80], FrameError::Opcode(3)),
            (&[0x09, 0x80], FrameError::Control),
            (&[0x88, 0xfe], FrameError::Control),
            (&[0x80, 0x80, 0, 0, 0, 0], FrameError::Order),
            (&[0x81, 0xfe, 0, 125, 0, 0, 0, 0], FrameError::Length),
            (
                &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0],
                FrameError::Length,
            ),
            (
                &[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                FrameError::Length,
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(read(bytes, 1), Err(error), "{bytes:?}");
        }
        let nested = [frame(0x01, b"a"), frame(0x01, b"b")].concat();
        assert_eq!(read(&nested, 4), Err(FrameError::Order));
    }
}
