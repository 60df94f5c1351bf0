//! The objects of a pack, as they pass by (gitformat-pack(5)). Each is inflated, and what nobody keeps is forgotten as it comes: memory is
//! one object that is kept.

use miniz_oxide::inflate::stream::{InflateState, ZeroReset, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use thiserror::Error;

use super::object_format::ObjectFormat;

/// What is said of an object before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A commit.
    Commit,
    /// A tree, a blob or a tag.
    Other,
    /// Changes to the object that begins so many bytes before this one.
    OffsetDelta(u64),
    /// Changes to the object of this id, in bytes.
    IdDelta(Vec<u8>),
}

/// What becomes of an object's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is kept, and given when it is whole.
    Whole,
    /// It is forgotten.
    Nothing,
}

/// Who looks at the objects.
pub(super) trait Beholder {
    /// Whether the content of an object is wanted, which begins at this place of the pack and is so long.
    fn begins(&mut self, at: u64, kind: &Kind, size: u64) -> Wanted;

    /// The content of an object that was wanted.
    fn whole(&mut self, at: u64, kind: Kind, content: Vec<u8>);
}

/// The bytes are no pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what follows the commands is no pack that can be read: {0}")]
pub(super) struct PackObjectsError(&'static str);

/// Reads the objects of a pack that comes in pieces.
pub(super) struct PackObjects {
    id_bytes: usize,
    state: State,
    /// The bytes of a header that is not whole yet: some tens at the most.
    header: Vec<u8>,
    /// Where in the pack the next byte is.
    at: u64,
    left: u32,
    trailer: usize,
    stream: Box<InflateState>,
    /// How many bytes may still come out of it.
    room: u64,
}

enum State {
    Begin,
    Header,
    Content(Content),
    Trailer,
}

struct Content {
    began: u64,
    kind: Kind,
    size: u64,
    inflated: u64,
    wanted: Wanted,
    kept: Vec<u8>,
}

impl PackObjects {
    /// Of a pack whose ids are made so, and of which no more than `room` bytes are inflated: the little that comes can be made of
    /// a thousand times as much.
    pub(super) fn new(format: ObjectFormat, room: u64) -> Self {
        Self {
            room,
            id_bytes: format.digits() / 2,
            state: State::Begin,
            header: Vec::new(),
            at: 0,
            left: 0,
            trailer: 0,
            stream: InflateState::new_boxed(DataFormat::Zlib),
        }
    }

    /// Takes the next piece.
    pub(super) fn feed(
        &mut self,
        mut piece: &[u8],
        beholder: &mut impl Beholder,
    ) -> Result<(), PackObjectsError> {
        while !piece.is_empty() {
            let taken = match &mut self.state {
                State::Begin => self.begin(piece)?,
                State::Header => self.header(piece, beholder)?,
                State::Content(_) => self.content(piece, beholder)?,
                State::Trailer => {
                    self.trailer += piece.len();
                    piece.len()
                }
            };
            self.at += taken as u64;
            piece = &piece[taken..];
        }
        Ok(())
    }

    /// Whether all of its objects were seen, and its checksum follows and nothing else.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Trailer) && self.trailer == self.id_bytes
    }

    /// `PACK`, version, number of objects: each four bytes. What they say was checked by [`PackReader`](super::PackReader).
    fn begin(&mut self, piece: &[u8]) -> Result<usize, PackObjectsError> {
        let taken = piece.len().min(12 - self.header.len());
        self.header.extend_from_slice(&piece[..taken]);
        if let Some((_, count)) = self.header.split_first_chunk::<8>()
            && let Some(count) = count.first_chunk::<4>()
        {
            self.left = u32::from_be_bytes(*count);
            self.header.clear();
            self.state = if self.left == 0 {
                State::Trailer
            } else {
                State::Header
            };
        } else if !b"PACK".starts_with(&self.header[..self.header.len().min(4)]) {
            return Err(PackObjectsError("it does not begin as one"));
        }
        Ok(taken)
    }

    /// Byte by byte, as its length is told by itself.
    fn header(&mut self, piece: &[u8], beholder: &mut impl Beholder) -> Result<usize, PackObjectsError> {
        self.header.push(piece[0]);
        if let Some((kind, size)) = read_header(&self.header, self.id_bytes)? {
            let began = self.at + 1 - self.header.len() as u64;
            let wanted = beholder.begins(began, &kind, size);
            self.header.clear();
            let (inflated, kept) = (0, Vec::new());
            self.state = State::Content(Content {
                began,
                kind,
                size,
                inflated,
                wanted,
                kept,
            });
            self.stream.reset_as(ZeroReset);
        }
        Ok(1)
    }

    fn content(&mut self, piece: &[u8], beholder: &mut impl Beholder) -> Result<usize, PackObjectsError> {
        let State::Content(content) = &mut self.state else {
            return Ok(0);
        };
        let before = content.inflated;
        let (taken, ended) = content.inflate(&mut self.stream, piece)?;
        let made = content.inflated - before;
        self.room = self
            .room
            .checked_sub(made)
            .ok_or(PackObjectsError("it is more than anyone reads"))?;
        if !ended {
            return Ok(taken);
        }
        self.left -= 1;
        let next = if self.left == 0 {
            State::Trailer
        } else {
            State::Header
        };
        if let State::Content(content) = std::mem::replace(&mut self.state, next) {
            let Content {
                began,
                kind,
                wanted,
                kept,
                ..
            } = content;
            if wanted == Wanted::Whole {
                beholder.whole(began, kind, kept);
            }
        }
        Ok(taken)
    }
}

impl Content {
    /// How many bytes were taken, and whether the object ends with them.
    fn inflate(
        &mut self,
        stream: &mut InflateState,
        piece: &[u8],
    ) -> Result<(usize, bool), PackObjectsError> {
        let (mut taken, mut out) = (0, [0; 16 << 10]);
        loop {
            let result = inflate(stream, &piece[taken..], &mut out, MZFlush::None);
            taken += result.bytes_consumed;
            self.inflated += result.bytes_written as u64;
            if self.inflated > self.size {
                return Err(PackObjectsError("an object is longer than it says"));
            }
            if self.wanted == Wanted::Whole {
                self.kept.extend_from_slice(&out[..result.bytes_written]);
            }
            match result.status {
                Ok(MZStatus::StreamEnd) if self.inflated == self.size => return Ok((taken, true)),
                Ok(MZStatus::StreamEnd) => return Err(PackObjectsError("an object is shorter than it says")),
                Ok(_) if taken < piece.len() || result.bytes_written == out.len() => {}
                Ok(_) | Err(MZError::Buf) if taken > 0 => return Ok((taken, false)),
                Ok(_) | Err(_) => return Err(PackObjectsError("an object is not deflated")),
            }
        }
    }
}

/// Kind and size, once all of the header is there.
fn read_header(header: &[u8], id_bytes: usize) -> Result<Option<(Kind, u64)>, PackObjectsError> {
    if header.len() > LONGEST_HEADER {
        return Err(PackObjectsError("an object is longer than any may be"));
    }
    let Some(last) = header.iter().position(|byte| byte & 0x80 == 0) else {
        return Ok(None);
    };
    let (first, more) = (header[0], &header[1..=last]);
    if more.len() > LONGEST_SIZE {
        return Err(PackObjectsError("an object is longer than any may be"));
    }
    let size = more
        .iter()
        .rev()
        .fold(0, |size: u64, byte| size << 7 | u64::from(byte & 0x7f));
    let size = size << 4 | u64::from(first & 0x0f);
    let rest = &header[last + 1..];
    let kind = match first >> 4 & 7 {
        1 => Some(Kind::Commit),
        2..=4 => Some(Kind::Other),
        6 => offset(rest)?.map(Kind::OffsetDelta),
        7 => (rest.len() == id_bytes).then(|| Kind::IdDelta(rest.to_vec())),
        _ => return Err(PackObjectsError("an object is of no kind")),
    };
    Ok(kind.map(|kind| (kind, size)))
}

/// "offset encoding": seven bits a byte, the most significant first, with one added for each byte but the last.
fn offset(bytes: &[u8]) -> Result<Option<u64>, PackObjectsError> {
    if bytes.last().is_none_or(|last| last & 0x80 != 0) {
        return Ok(None);
    }
    let mut offset = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        let before = if at == 0 {
            Some(0)
        } else {
            offset.checked_add(1).and_then(|next| next.checked_mul(128))
        };
        let before = before.ok_or(PackObjectsError("an object is based on what is before the pack"))?;
        offset = before + u64::from(byte & 0x7f);
    }
    Ok(Some(offset))
}

/// Ten bytes of size, and an offset of ten or an id of 32.
const LONGEST_HEADER: usize = 48;

/// Further bytes of a size that stays below 2^60.
const LONGEST_SIZE: usize = 8;
