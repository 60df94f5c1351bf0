//! A compressed segment: zstd in frames of equal uncompressed length, and at its end a table of them, so that a place in the middle
//! is reached without decompressing what is before it.
//!
//! The table is that of zstd's "seekable format" (0.1.0): a skippable frame, which every decompressor passes over (RFC 8878, section
//! 3.1.2). So `zstd -dc FILE` prints the segment.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

/// Writes all of `from` to `to`.
pub(crate) fn compress(from: &mut impl Read, to: &mut impl Write, frame: u64) -> io::Result<()> {
    let mut table = Vec::new();
    let mut count = 0_u32;
    loop {
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        let uncompressed = io::copy(&mut from.by_ref().take(frame), &mut encoder)?;
        if uncompressed == 0 {
            break;
        }
        let compressed = encoder.finish()?;
        to.write_all(&compressed)?;
        table.extend_from_slice(&length(compressed.len() as u64)?);
        table.extend_from_slice(&length(uncompressed)?);
        count += 1;
    }
    to.write_all(&SKIPPABLE)?;
    to.write_all(&length(table.len() as u64 + FOOTER)?)?;
    to.write_all(&table)?;
    to.write_all(&count.to_le_bytes())?;
    to.write_all(&[0])?; // no checksums in the table: the frames have theirs
    to.write_all(&SEEKABLE)
}

fn length(bytes: u64) -> io::Result<[u8; 4]> {
    let bytes = u32::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    Ok(bytes.to_le_bytes())
}

/// Where each frame begins, and where the last ends: (compressed, uncompressed).
pub(crate) struct Frames(Vec<(u64, u64)>);

impl Frames {
    /// From the end of a file. None: it has no table that could be one of ours.
    pub(crate) fn of(file: &mut File) -> io::Result<Option<Self>> {
        let length = file.metadata()?.len();
        let Some(footer_at) = length.checked_sub(FOOTER) else {
            return Ok(None);
        };
        let mut footer = [0; 9];
        file.seek(SeekFrom::Start(footer_at))?;
        file.read_exact(&mut footer)?;
        let [count @ .., descriptor, _, _, _, _] = footer;
        let entries = u64::from(u32::from_le_bytes(count)) * ENTRY;
        let at = footer_at.checked_sub(entries);
        let (Some(at), true) = (at, descriptor == 0 && footer.ends_with(&SEEKABLE)) else {
            file.rewind()?;
            return Ok(None);
        };
        let mut table = vec![0; usize::try_from(entries).expect("less than the file")];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut table)?;
        file.rewind()?;
        Ok(Self::read(&table).filter(|frames| frames.end().0 + HEADER == at))
    }

    fn read(table: &[u8]) -> Option<Self> {
        let mut starts = vec![(0, 0)];
        let mut end = (0_u64, 0_u64);
        for entry in table.chunks_exact(8) {
            let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
            end = (end.0 + u64::from(number(0)?), end.1 + u64::from(number(4)?));
            starts.push(end);
        }
        Some(Self(starts))
    }

    fn end(&self) -> (u64, u64) {
        self.0.last().copied().unwrap_or_default()
    }

    /// Of all, uncompressed.
    pub(crate) fn length(&self) -> u64 {
        self.end().1
    }

    /// The last start that is not after an uncompressed offset.
    pub(crate) fn start_before(&self, offset: u64) -> (u64, u64) {
        let after = self.0.partition_point(|(_, start)| *start <= offset);
        self.0[after.saturating_sub(1)]
    }
}

/// Uncompressed bytes of a frame: what the reader of one event decompresses.
pub(crate) const FRAME: u64 = 1 << 20;
/// zstd's default.
const LEVEL: i32 = 3;
const SKIPPABLE: [u8; 4] = 0x184D_2A5E_u32.to_le_bytes();
const SEEKABLE: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();
const HEADER: u64 = 8;
const ENTRY: u64 = 8;
const FOOTER: u64 = 9;
