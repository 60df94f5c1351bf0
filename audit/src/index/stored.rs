//! Lines of the log by their place, read in blocks: those of a page are near each other.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::Path;

use rusqlite::Connection;

use super::IndexError;
use crate::event::Event;
use crate::query::ReadError;
use crate::segment::{self, Contents, Segment};

/// The lines of a log, for the time of one question.
pub(super) struct Lines<'i> {
    directory: &'i Path,
    connection: &'i Connection,
    listed: Option<HashMap<String, Segment>>,
    segments: HashMap<i64, Option<Open>>,
}

/// A segment with the blocks that were read of it last, and where reading goes on.
struct Open {
    segment: Segment,
    contents: Option<(Contents, u64)>,
    blocks: Vec<(u64, Vec<u8>)>,
}

impl<'i> Lines<'i> {
    pub(super) fn new(directory: &'i Path, connection: &'i Connection) -> Self {
        Self {
            directory,
            connection,
            listed: None,
            segments: HashMap::new(),
        }
    }

    /// The event at a place. `None`: its segment is gone, or something else is there (`verify` says what happened to it).
    pub(super) fn event(
        &mut self,
        segment: i64,
        offset: u64,
        length: usize,
    ) -> Result<Option<Event>, IndexError> {
        let Some(open) = self.open(segment)? else {
            return Ok(None);
        };
        let line = match open.read(offset, length) {
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReadError::of(open.segment.path())(error).into()),
        };
        Ok(str::from_utf8(&line).ok().and_then(Event::parse))
    }

    /// The segment itself.
    pub(super) fn segment(&mut self, id: i64) -> Result<Option<&Segment>, IndexError> {
        Ok(self.open(id)?.map(|open| &open.segment))
    }

    /// Whether anybody still writes with this name.
    pub(super) fn is_writing(&mut self, writer: &str) -> Result<bool, IndexError> {
        let is_of = |segment: &Segment| segment.stem().split('-').any(|part| part == writer);
        let mut listed = self.listed()?.values();
        Ok(listed.any(|segment| is_of(segment) && segment.is_being_written().unwrap_or(false)))
    }

    fn open(&mut self, id: i64) -> Result<Option<&mut Open>, IndexError> {
        if !self.segments.contains_key(&id) {
            let sql = "SELECT stem FROM segment WHERE id = ?1";
            let mut stem = self
                .connection
                .prepare_cached(sql)
                .map_err(IndexError::of(self.directory))?;
            let stem: Option<String> = stem.query_row([id], |row| row.get(0)).ok();
            let segment = match stem {
                Some(stem) => self.listed()?.get(&stem).cloned(),
                None => None,
            };
            let open = segment.map(|segment| Open {
                segment,
                contents: None,
                blocks: Vec::new(),
            });
            self.segments.insert(id, open);
        }
        Ok(self.segments.get_mut(&id).and_then(Option::as_mut))
    }

    fn listed(&mut self) -> Result<&HashMap<String, Segment>, IndexError> {
        if self.listed.is_none() {
            let all = segment::list(self.directory).map_err(ReadError::of(self.directory))?;
            self.listed = Some(
                all.into_iter()
                    .map(|segment| (segment.stem().to_owned(), segment))
                    .collect(),
            );
        }
        Ok(self.listed.as_ref().expect("it was just listed"))
    }
}

impl Open {
    fn read(&mut self, mut offset: u64, mut length: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(length);
        while length > 0 {
            let start = offset - offset % BLOCK;
            let block = self.block(start)?;
            let from = usize::try_from(offset - start).expect("within a block");
            let part = block
                .get(from..block.len().min(from + length))
                .unwrap_or_default();
            if part.is_empty() {
                break; // it was cut off: what there is of it is no event
            }
            line.extend_from_slice(part);
            offset += part.len() as u64;
            length -= part.len();
        }
        Ok(line)
    }

    fn block(&mut self, start: u64) -> io::Result<&[u8]> {
        let known = self.blocks.iter().position(|(at, _)| *at == start);
        let place = if let Some(known) = known {
            known
        } else {
            let block = self.read_block(start)?;
            if self.blocks.len() == BLOCKS {
                self.blocks.remove(0);
            }
            self.blocks.push((start, block));
            self.blocks.len() - 1
        };
        Ok(&self.blocks[place].1)
    }

    fn read_block(&mut self, start: u64) -> io::Result<Vec<u8>> {
        let mut contents = match self.contents.take() {
            Some((contents, position)) if position == start => contents,
            _ => self.segment.read_from(start)?,
        };
        let mut block = Vec::new();
        contents.by_ref().take(BLOCK).read_to_end(&mut block)?;
        self.contents = Some((contents, start + block.len() as u64));
        Ok(block)
    }
}

const BLOCK: u64 = 64 << 10;
/// Kept of each segment.
const BLOCKS: usize = 4;
