//! The torn last line of a file whose writer died: cut off, so that every file is whole lines again.
//!
//! A torn line was never complete in the kernel, so what it would have recorded was never sent. The file of a living writer is
//! locked and is not touched.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::event::Event;
use crate::segment::{self, Segment};

/// What was cut off where.
#[derive(Debug, PartialEq)]
pub(crate) struct Repaired {
    pub(crate) path: PathBuf,
    pub(crate) bytes_removed: u64,
}

/// Repairs every file in `directory` whose writer is dead, but `own`. A file that we may not touch (another user's) is left: `verify` tells.
pub(crate) fn sweep(directory: &Path, own: &Path) -> io::Result<Vec<Repaired>> {
    let mut repaired = Vec::new();
    for segment in segment::list(directory)? {
        if segment.path() == own || segment.is_finished().unwrap_or(true) {
            continue;
        }
        if let Ok(Some(bytes_removed)) = repair(&segment) {
            let path = segment.path().to_owned();
            repaired.push(Repaired { path, bytes_removed });
        }
    }
    Ok(repaired)
}

fn repair(segment: &Segment) -> io::Result<Option<u64>> {
    let file = segment.open_to_repair()?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(None);
    }
    let length = file.metadata()?.len();
    let whole = end_of_whole_lines(&file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    segment::finish(&file, latest(segment)?)?;
    Ok((whole < length).then_some(length - whole))
}

/// The latest time that a record of it says.
fn latest(segment: &Segment) -> io::Result<Timestamp> {
    let mut latest = Timestamp::MIN;
    for line in BufReader::with_capacity(64 << 10, segment.read_from(0)?).split(b'\n') {
        let line = line?;
        let event = str::from_utf8(&line).ok().and_then(Event::parse);
        let at = event.and_then(|event| event.at.parse().ok());
        latest = latest.max(at.unwrap_or(Timestamp::MIN)); // damage is for `verify`
    }
    Ok(latest)
}

/// Where the last newline ends, read from the back.
pub(crate) fn end_of_whole_lines(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).expect("at most a block")];
        file.read_exact_at(part, start)?;
        if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    fn named(directory: &Path, contents: &str) -> PathBuf {
        let path = directory.join("2026-11-21T03-35-29Z-17-00000000002a.jsonl");
        fs::write(&path, contents).unwrap();
        path
    }

    #[test]
    fn a_torn_tail_of_any_length_is_cut_off_once() {
        for torn in [1, 4095, 4096, 4097, 9000] {
            let directory = tempfile::tempdir().unwrap();
            let path = named(directory.path(), &format!("one\ntwo\n{}", "x".repeat(torn)));
            let done = sweep(directory.path(), Path::new("")).unwrap();
            assert_eq!(
                done,
                [Repaired {
                    path: path.clone(),
                    bytes_removed: torn as u64
                }]
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
            assert_eq!(sweep(directory.path(), Path::new("")).unwrap(), []);
        }
    }

    #[test]
    fn the_file_of_a_living_writer_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = named(directory.path(), "one\ntw");
        let writer = File::open(&path).unwrap();
        writer.lock().unwrap();
        assert_eq!(sweep(directory.path(), Path::new("")).unwrap(), []);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntw");
        drop(writer);
        assert_eq!(
            sweep(directory.path(), Path::new("")).unwrap().len(),
            1,
            "and after its death it is"
        );
    }

    #[test]
    fn a_whole_file_of_a_dead_writer_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = named(directory.path(), "one\ntwo\n");
        assert_eq!(sweep(directory.path(), Path::new("")).unwrap(), []);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
