//! The files of a log: `<start>-<pid>-<writer>.jsonl`, so that their names sort by the time they begin at.
//!
//! Every reader of the log lists them with [`list`] and opens them with [`Segment::read_from`]: a place in the log is a segment's stem and
//! a number of uncompressed bytes, whatever the file behind it has become.
//!
//! A living writer holds the lock (`flock`) on its file from before the file has its name until its process ends. A file that
//! is read-only was ended in good order, or repaired: nobody looks for a torn line in it again.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{Timestamp, tz::TimeZone};

use crate::event::WriterId;

/// A file just made, locked by us.
pub(crate) struct NewSegment {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) writer: WriterId,
}

/// Makes an empty, locked file. It gets its name when it is locked, so nobody can take it for that of a dead writer.
pub(crate) fn create(directory: &Path) -> io::Result<NewSegment> {
    let writer = random_writer()?;
    let start = Timestamp::now()
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H-%M-%SZ")
        .to_string();
    let name = format!("{start}-{}-{writer}{PLAIN}", std::process::id());
    let unnamed = directory.join(format!(".{name}.new"));
    let file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&unnamed)?;
    file.lock()?;
    let path = directory.join(name);
    fs::rename(&unnamed, &path)?;
    Ok(NewSegment { file, path, writer })
}

/// One file of a log, by its name. They compare by their stem, and so by their start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    stem: String,
    path: PathBuf,
}

/// Every file of the log in `directory`, by start. A directory that is not there has none.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        segments.extend(Segment::in_log(entry?.path()));
    }
    segments.sort_unstable();
    Ok(segments)
}

impl Segment {
    /// Of a file that somebody names, whatever its name is.
    pub fn named(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(PLAIN).unwrap_or(&name).to_owned();
        let path = path.to_owned();
        Self { stem, path }
    }

    /// Of a file in the directory of a log, if it is one of the log's.
    fn in_log(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let stem = name.strip_suffix(PLAIN)?.to_owned();
        (!stem.starts_with('.')).then_some(Self { stem, path })
    }

    /// What names it in positions, whatever the file becomes: its name without extensions.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its contents from so many uncompressed bytes on.
    pub fn read_from(&self, offset: u64) -> io::Result<Contents> {
        let mut file = File::open(&self.path)?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Contents(file))
    }

    /// How many bytes it has, uncompressed.
    pub fn length(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }

    /// When it was last written to.
    pub fn modified(&self) -> io::Result<SystemTime> {
        fs::metadata(&self.path)?.modified()
    }

    /// The earliest `at` that can be in a file of this name, as text to compare with. Of a foreign name: before all.
    pub fn earliest(&self) -> String {
        let Some((date, time)) = self.stem.split_once('T') else {
            return String::new();
        };
        let Some((time, _)) = time.split_once('Z') else {
            return String::new();
        };
        format!("{date}T{}", time.replace('-', ":"))
    }

    /// Whether its writer is alive.
    pub fn is_being_written(&self) -> io::Result<bool> {
        Ok(is_being_written(&File::open(&self.path)?))
    }

    /// Whether nobody will write to it again.
    pub(crate) fn is_finished(&self) -> io::Result<bool> {
        Ok(fs::metadata(&self.path)?.permissions().mode() & 0o200 == 0)
    }

    /// To be repaired.
    pub(crate) fn open_to_repair(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(&self.path)
    }
}

/// Uncompressed bytes of a segment, as they are read.
#[derive(Debug)]
pub struct Contents(File);

impl Read for Contents {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

/// Whether somebody lives who writes to it.
pub(crate) fn is_being_written(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Marks a file that nobody will write to again.
pub(crate) fn finish(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o400))
}

fn random_writer() -> io::Result<WriterId> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes[2..]).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(WriterId(u64::from_be_bytes(bytes)))
}

const PLAIN: &str = ".jsonl";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_time_that_is_not_after_its_first_event() {
        let segment = Segment::named(Path::new("/x/2026-11-21T03-35-29Z-17-00000000002a.jsonl"));
        assert_eq!(segment.stem(), "2026-11-21T03-35-29Z-17-00000000002a");
        assert_eq!(segment.earliest(), "2026-11-21T03:35:29");
        assert!(segment.earliest().as_str() < "2026-11-21T03:35:29.000000000Z");
        assert_eq!(Segment::named(Path::new("copy.jsonl")).earliest(), "");
    }

    #[test]
    fn what_is_hidden_or_has_another_name_is_no_part_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.jsonl", "a.jsonl", ".c.jsonl.new", ".d.jsonl", "e.json"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let stems: Vec<_> = list(directory.path())
            .unwrap()
            .iter()
            .map(|segment| segment.stem().to_owned())
            .collect();
        assert_eq!(stems, ["a", "b"]);
        assert_eq!(list(&directory.path().join("absent")).unwrap(), []);
    }
}
