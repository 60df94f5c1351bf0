//! zstd (RFC 8878), block by block: a block is decoded when all of it is there, and no two at once.

use std::collections::VecDeque;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Give, LARGEST_WINDOW, Step, Unreadable};

/// Undoes zstd.
pub(super) struct Zstd {
    decoder: FrameDecoder,
    stage: Stage,
    /// What came of something that is not whole yet. At most a block.
    waiting: Vec<u8>,
    began: bool,
    window: u64,
    given: u64,
    /// Coded bytes of whole blocks.
    taken: u64,
    /// The decoder keeps a window of text back: coded bytes up to here are given out when so many decoded ones are.
    kept: VecDeque<(u64, u64)>,
    kept_from: u64,
}

#[derive(Clone, Copy)]
enum Stage {
    Frame,
    Blocks {
        checksum: bool,
    },
    /// So many bytes of a frame that is to be skipped.
    Skip(u64),
}

impl Zstd {
    pub(super) fn new() -> Self {
        Self {
            decoder: FrameDecoder::new(),
            stage: Stage::Frame,
            waiting: Vec::new(),
            began: false,
            window: 0,
            given: 0,
            taken: 0,
            kept: VecDeque::new(),
            kept_from: 0,
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.began && self.waiting.is_empty() && matches!(self.stage, Stage::Frame)
    }

    /// Returns how many bytes wait for the rest of their block, or to be given out.
    pub(super) fn decode(&mut self, bytes: &[u8], give: Give<'_>) -> Result<u64, Unreadable> {
        self.waiting.extend_from_slice(bytes);
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut at = 0;
        while let Some(used) = self.take_one(&waiting[at..], give)? {
            at += used;
            self.taken += used as u64;
            self.kept.push_back((self.taken, self.given + self.window));
        }
        waiting.drain(..at);
        self.waiting = waiting;
        Ok(self.waiting.len() as u64 + self.taken - self.released())
    }

    /// Decodes one block at most.
    pub(super) fn step(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Step, Unreadable> {
        self.waiting.extend_from_slice(bytes);
        let mut waiting = std::mem::take(&mut self.waiting);
        let taken = self.take_one(&waiting, give)?;
        waiting.drain(..taken.unwrap_or(0));
        self.waiting = waiting;
        Ok(Step {
            used: bytes.len(),
            goes_on: taken.is_some(),
        })
    }

    /// How many coded bytes are given out, decoded.
    fn released(&mut self) -> u64 {
        if matches!(self.stage, Stage::Frame) {
            self.kept.clear(); // all of a frame is given out at its end
            self.kept_from = self.taken;
            return self.taken;
        }
        while let Some(&(end, due)) = self.kept.front()
            && due <= self.given
        {
            self.kept.pop_front();
            self.kept_from = end;
        }
        self.kept_from
    }

    /// Takes one frame header or block, if all of it is there.
    fn take_one(&mut self, bytes: &[u8], give: Give<'_>) -> Result<Option<usize>, Unreadable> {
        match self.stage {
            _ if bytes.is_empty() => Ok(None),
            Stage::Frame => self.frame(bytes),
            Stage::Skip(left) => {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - now as u64;
                self.stage = if left == 0 {
                    Stage::Frame
                } else {
                    Stage::Skip(left)
                };
                Ok(Some(now))
            }
            Stage::Blocks { checksum } => self.block(bytes, checksum, give),
        }
    }

    fn frame(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
        let Some((magic, rest)) = bytes.split_first_chunk::<4>() else {
            return Ok(None);
        };
        self.began = true;
        let magic = u32::from_le_bytes(*magic);
        if magic & 0xffff_fff0 == SKIPPABLE {
            let Some(size) = rest.first_chunk::<4>() else {
                return Ok(None);
            };
            self.stage = Stage::Skip(u32::from_le_bytes(*size).into());
            return Ok(Some(8));
        }
        let Some(&descriptor) = rest.first() else {
            return Ok(None);
        };
        let single = descriptor & 0x20 != 0;
        let size_of_size = match (descriptor >> 6, single) {
            (0, false) => 0,
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            (_, _) => 8,
        };
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let length = 5 + usize::from(!single) + dictionary + size_of_size;
        let Some(header) = bytes.get(..length) else {
            return Ok(None);
        };
        let window = if single {
            let size = &header[length - size_of_size..];
            let size = size
                .iter()
                .rev()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            size + if size_of_size == 2 { 256 } else { 0 }
        } else {
            let base = 1_u64 << (10 + (header[5] >> 3));
            base + base / 8 * u64::from(header[5] & 7)
        };
        if window > LARGEST_WINDOW {
            return Err(Unreadable::Window);
        }
        self.window = window;
        self.decoder.reset(header).map_err(broken)?;
        self.stage = Stage::Blocks {
            checksum: descriptor & 4 != 0,
        };
        Ok(Some(length))
    }

    fn block(&mut self, bytes: &[u8], checksum: bool, give: Give<'_>) -> Result<Option<usize>, Unreadable> {
        let Some(&[a, b, c]) = bytes.first_chunk::<3>() else {
            return Ok(None);
        };
        let header = u32::from_le_bytes([a, b, c, 0]);
        let (last, kind, size) = (header & 1 == 1, (header >> 1) & 3, (header >> 3) as usize);
        if size > LARGEST_BLOCK {
            return Err(broken(()));
        }
        let content = if kind == 1 { 1 } else { size };
        let length = 3 + content + if last && checksum { 4 } else { 0 };
        let Some(block) = bytes.get(..length) else {
            return Ok(None);
        };
        let strategy = BlockDecodingStrategy::UptoBlocks(1);
        self.decoder.decode_blocks(block, strategy).map_err(broken)?;
        if let Some(decoded) = self.decoder.collect() {
            self.given += decoded.len() as u64;
            give(&decoded)?;
        }
        if last {
            self.stage = Stage::Frame;
        }
        Ok(Some(length))
    }
}

fn broken<E>(_: E) -> Unreadable {
    Unreadable::Broken { coding: "zstd" }
}

const SKIPPABLE: u32 = 0x184d_2a50;
/// RFC 8878 section 3.1.1.2.
const LARGEST_BLOCK: usize = 128 << 10;
