//! [`Tail`]: the lines of the log, all files of it in their order, from a position on and as they grow.
//!
//! A line counts when its newline is there. A writer whose disk is full cuts its file back to the last record that was written, and
//! goes on from there: what was read in between is then followed by a line whose `prev` is not its hash, or the file is shorter than
//! was read. Then the file is read again from its start, for a repeat costs nothing and a gap everything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use outwall_audit::segment::{self, Segment};

use crate::cursor::Cursor;

/// One line, and up to where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) stem: Arc<str>,
    /// After its newline, in uncompressed bytes.
    pub(crate) end: u64,
    pub(crate) text: Vec<u8>,
}

/// The log as one sink reads it.
#[derive(Debug)]
pub(crate) struct Tail {
    directory: PathBuf,
    places: BTreeMap<Arc<str>, Place>,
    /// Read to the end, and nobody writes to them.
    done: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    position: u64,
    tip: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) lines: Vec<Line>,
    /// Files that had changed below what was read: from their start.
    pub(crate) read_again: Vec<Arc<str>>,
}

impl Tail {
    pub(crate) fn from(cursor: &Cursor, directory: &Path) -> Self {
        let place = |(stem, position): (&String, &u64)| {
            let place = Place {
                position: *position,
                tip: cursor.tips.get(stem).cloned(),
            };
            (stem.as_str().into(), place)
        };
        Self {
            directory: directory.to_owned(),
            places: cursor.positions.iter().map(place).collect(),
            done: BTreeSet::new(),
        }
    }

    /// The stems that the log has.
    pub(crate) fn stems(&self) -> io::Result<BTreeSet<String>> {
        let segments = segment::list(&self.directory)?;
        Ok(segments.iter().map(|segment| segment.stem().to_owned()).collect())
    }

    /// The next lines, so many and about so many bytes at most. None: there are none at the moment.
    pub(crate) fn read(&mut self, most: usize, most_bytes: usize) -> io::Result<Reading> {
        let mut reading = Reading::default();
        let mut room = most_bytes;
        for segment in segment::list(&self.directory)? {
            if reading.lines.len() >= most || room == 0 {
                break;
            }
            if !self.done.contains(segment.stem()) {
                self.read_segment(&segment, (most, &mut room), &mut reading)?;
            }
        }
        Ok(reading)
    }

    fn read_segment(
        &mut self,
        segment: &Segment,
        (most, room): (usize, &mut usize),
        reading: &mut Reading,
    ) -> io::Result<()> {
        let living = match segment.is_being_written() {
            Ok(living) => living, // asked before it is read: what nobody writes to does not grow
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // compressed meanwhile
            Err(error) => return Err(error),
        };
        let stem: Arc<str> = segment.stem().into();
        let mut place = self.places.get(&stem).cloned().unwrap_or_default();
        if segment.length().unwrap_or(u64::MAX) < place.position {
            place = Place::default();
            reading.read_again.push(Arc::clone(&stem));
        }
        let contents = match segment.read_from(place.position) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut contents = BufReader::with_capacity(64 << 10, contents);
        loop {
            if reading.lines.len() >= most || *room == 0 {
                break;
            }
            let mut text = Vec::new();
            let count = contents.read_until(b'\n', &mut text)?;
            if text.pop() != Some(b'\n') {
                if !living {
                    self.done.insert(Arc::clone(&stem));
                }
                break;
            }
            if place.tip.is_some()
                && claimed(&text, PREV) != place.tip.as_deref()
                && claimed(&text, PREV).is_some()
            {
                place = Place::default();
                reading.lines.retain(|line| line.stem != stem);
                reading.read_again.push(Arc::clone(&stem));
                break;
            }
            place.position += count as u64;
            place.tip = claimed(&text, HASH).map(str::to_owned);
            *room = room.saturating_sub(count);
            reading.lines.push(Line {
                stem: Arc::clone(&stem),
                end: place.position,
                text,
            });
        }
        self.places.insert(stem, place);
        Ok(())
    }
}

/// The hash of a line, for the cursor.
pub(crate) fn tip(line: &Line) -> Option<&str> {
    claimed(&line.text, HASH)
}

/// The hash that stands at the end of a line as `name`. What a line says of itself: whether it is true is for `verify`.
fn claimed<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let tail = &line[line.len().saturating_sub(TAIL)..];
    let at = tail.windows(name.len()).rposition(|window| window == name)? + name.len();
    str::from_utf8(tail.get(at..at + 64)?).ok()
}

const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b",\"hash\":\"";
/// Both hashes with their names.
const TAIL: usize = 2 * (64 + 10) + 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::fs;

    use super::*;

    const STEM: &str = "2026-11-21T03-00-01Z-1-00000000002a";

    fn line(seq: u64, prev: u64, hash: u64) -> String {
        format!("{{\"seq\":{seq},\"prev\":\"{prev:064x}\",\"hash\":\"{hash:064x}\"}}\n")
    }

    fn seqs(reading: &Reading) -> Vec<String> {
        let text = |line: &Line| String::from_utf8(line.text.clone()).unwrap();
        reading
            .lines
            .iter()
            .map(|line| text(line)[7..8].to_owned())
            .collect()
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(format!("{STEM}.jsonl"));
        (directory, path)
    }

    #[test]
    fn lines_come_once_in_order_and_whole() {
        let (directory, path) = log();
        let whole = line(1, 0, 1) + &line(2, 1, 2);
        fs::write(&path, format!("{whole}{{\"seq\":3")).unwrap();
        let mut tail = Tail::from(&Cursor::default(), directory.path());
        assert_eq!(seqs(&tail.read(1, 1 << 20).unwrap()), ["1"]);
        assert_eq!(seqs(&tail.read(9, 1 << 20).unwrap()), ["2"]);
        let lock = fs::File::open(&path).unwrap();
        lock.lock().unwrap();
        tail.done.clear();
        assert!(tail.read(9, 1 << 20).unwrap().lines.is_empty());
        fs::write(&path, whole + &line(3, 2, 3)).unwrap();
        let last = tail.read(9, 1 << 20).unwrap();
        assert_eq!(seqs(&last), ["3"]);
        assert_eq!(last.lines[0].end, fs::metadata(&path).unwrap().len());
        assert_eq!(tip(&last.lines[0]), Some(format!("{:064x}", 3).as_str()));
    }

    #[test]
    fn what_was_cut_back_and_written_anew_is_read_again() {
        let (directory, path) = log();
        let lock = fs::File::create(&path).unwrap();
        lock.lock().unwrap();
        fs::write(&path, line(1, 0, 1) + &line(2, 1, 2)).unwrap();
        let mut tail = Tail::from(&Cursor::default(), directory.path());
        assert_eq!(seqs(&tail.read(9, 1 << 20).unwrap()), ["1", "2"]);
        fs::write(&path, line(1, 0, 1) + &line(2, 1, 9) + &line(3, 9, 3)).unwrap();
        let reading = tail.read(9, 1 << 20).unwrap();
        assert!(reading.lines.is_empty());
        assert_eq!(reading.read_again.len(), 1);
        assert_eq!(seqs(&tail.read(9, 1 << 20).unwrap()), ["1", "2", "3"]);
        fs::write(&path, line(1, 0, 1)).unwrap();
        assert_eq!(seqs(&tail.read(9, 1 << 20).unwrap()), ["1"], "it became shorter");
    }

    #[test]
    fn a_cursor_is_where_to_go_on_and_its_tip_is_compared_too() {
        let (directory, path) = log();
        let (first, second) = (line(1, 0, 1), line(2, 1, 2));
        fs::write(&path, first.clone() + &second).unwrap();
        let mut cursor = Cursor::default();
        cursor.positions.insert(STEM.into(), first.len() as u64);
        cursor.tips.insert(STEM.into(), format!("{:064x}", 1));
        let read = |cursor: &Cursor| {
            let mut tail = Tail::from(cursor, directory.path());
            let (mut all, one) = (tail.read(9, 1 << 20).unwrap(), tail.read(9, 1 << 20).unwrap());
            all.lines.extend(one.lines);
            seqs(&all)
        };
        assert_eq!(read(&cursor), ["2"]);
        cursor.tips.insert(STEM.into(), format!("{:064x}", 8));
        assert_eq!(read(&cursor), ["1", "2"]);
    }
}
