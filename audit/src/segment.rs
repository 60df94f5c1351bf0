//! The files of a log, and the one door to them.
//!
//! A writer's first file is `<start>-<pid>-<writer>.jsonl`, its next ones `<start>-<pid>-<writer>-0002.jsonl` and so on, so that
//! names sort by the time they begin at. A file that is finished may become `….jsonl.zst` (`seekable`).
//!
//! Every reader of the log lists them with [`list`] and opens them with [`Segment::read_from`]: a place in the log is a segment's stem
//! (its name without extensions) and a number of uncompressed bytes, whatever the file behind it has become.
//!
//! A living writer holds the lock (`flock`) on its file from before the file has its name until its process ends. A file that
//! is read-only was ended in good order, or repaired: nobody looks for a torn line in it again.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{Timestamp, tz::TimeZone};

use crate::event::WriterId;

mod name;
pub(crate) mod seekable;

pub(crate) use name::SegmentOf;

/// A file just made, locked by us.
pub(crate) struct NewSegment {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) of: SegmentOf,
}

/// Makes the empty, locked first file of a new writer.
pub(crate) fn create(directory: &Path, now: Timestamp) -> io::Result<NewSegment> {
    let writer = random_writer()?;
    create_next(directory, SegmentOf { writer, number: 1 }, now)
}

/// Makes an empty, locked file. It gets its name when it is locked, so nobody can take it for that of a dead writer.
pub(crate) fn create_next(directory: &Path, of: SegmentOf, now: Timestamp) -> io::Result<NewSegment> {
    let start = now
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H-%M-%SZ")
        .to_string();
    let name = format!("{}{PLAIN}", of.stem(&start, std::process::id()));
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
    Ok(NewSegment { file, path, of })
}

/// One file of a log, by its name. They compare by their stem, and so by their start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    stem: String,
    form: Form, // plain comes before compressed
    path: PathBuf,
}

/// How a segment is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    Plain,
    Compressed,
}

/// Every file of the log in `directory`, by start. A directory that is not there has none.
pub fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = list_forms(directory)?;
    segments.dedup_by(|second, first| second.stem == first.stem); // being compressed: it is there in both forms
    Ok(segments)
}

/// The same, where a segment that is being compressed may be there in both forms, plain first.
pub(crate) fn list_forms(directory: &Path) -> io::Result<Vec<Segment>> {
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

/// How many files of the log there are in `directory`, and their bytes on disk. Of what cannot be looked at, none.
pub fn on_disk(directory: &Path) -> (u64, u64) {
    let segments = list(directory).unwrap_or_default();
    let lengths = segments
        .iter()
        .filter_map(|segment| Some(segment.path().metadata().ok()?.len()));
    lengths.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length))
}

impl Segment {
    /// Of a file that somebody names, whatever its name is.
    pub fn named(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (stem, form) = name::stem_and_form(&name).unwrap_or((&name, Form::Plain));
        Self {
            stem: stem.to_owned(),
            path: path.to_owned(),
            form,
        }
    }

    /// Of a file in the directory of a log, if it is one of the log's.
    fn in_log(path: PathBuf) -> Option<Self> {
        let (stem, form) = name::stem_and_form(path.file_name()?.to_str()?)?;
        let stem = (!stem.starts_with('.')).then(|| stem.to_owned())?;
        Some(Self { stem, form, path })
    }

    /// What names it in positions, whatever the file becomes: its name without extensions.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, for people.
    pub fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whose it is and the how manieth, if its name says so.
    pub(crate) fn of(&self) -> Option<SegmentOf> {
        SegmentOf::of_stem(&self.stem)
    }

    /// Its contents from so many uncompressed bytes on. It may have been compressed since it was listed.
    pub fn read_from(&self, offset: u64) -> io::Result<Contents> {
        match (File::open(&self.path), self.compressed_since()) {
            (Ok(file), _) => Contents::of(file, self.form, offset),
            (Err(error), Some(compressed)) if error.kind() == io::ErrorKind::NotFound => {
                Contents::of(File::open(compressed)?, Form::Compressed, offset)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// How many bytes it has, uncompressed.
    pub fn length(&self) -> io::Result<u64> {
        let path = match (self.path.try_exists(), self.compressed_since()) {
            (Ok(false), Some(compressed)) => compressed,
            (_, _) if self.form == Form::Compressed => self.path.clone(),
            _ => return Ok(fs::metadata(&self.path)?.len()),
        };
        let mut file = File::open(path)?;
        match seekable::Frames::of(&mut file)? {
            Some(frames) => Ok(frames.length()),
            None => io::copy(&mut Contents::of(file, Form::Compressed, 0)?, &mut io::sink()),
        }
    }

    /// When its last record was written; once it is finished, the latest time that a record of it says.
    pub fn modified(&self) -> io::Result<SystemTime> {
        fs::metadata(&self.path)?.modified()
    }

    /// How much room it takes on the disk, in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.path)?.len())
    }

    /// The earliest `at` that can be in a file of this name, as text to compare with. Of a foreign name: before all.
    pub fn earliest(&self) -> String {
        name::earliest(&self.stem)
    }

    /// Whether its writer is alive.
    pub fn is_being_written(&self) -> io::Result<bool> {
        Ok(self.form == Form::Plain && is_being_written(&File::open(&self.path)?))
    }

    /// Whether nobody will write to it again.
    pub(crate) fn is_finished(&self) -> io::Result<bool> {
        Ok(self.form == Form::Compressed || fs::metadata(&self.path)?.permissions().mode() & 0o200 == 0)
    }

    /// To be repaired.
    pub(crate) fn open_to_repair(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(&self.path)
    }

    /// Where it is, or will be, once it is compressed.
    pub(crate) fn compressed_path(&self) -> PathBuf {
        self.path.with_file_name(format!("{}{COMPRESSED}", self.stem))
    }

    fn compressed_since(&self) -> Option<PathBuf> {
        (self.form == Form::Plain).then(|| self.compressed_path())
    }
}

/// Uncompressed bytes of a segment, as they are read.
#[derive(Debug)]
pub struct Contents(Source);

enum Source {
    Plain(File),
    Compressed(Box<zstd::Decoder<'static, BufReader<File>>>),
}

impl Contents {
    fn of(mut file: File, form: Form, offset: u64) -> io::Result<Self> {
        if form == Form::Plain {
            if offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
            return Ok(Self(Source::Plain(file)));
        }
        let mut skipped = 0;
        if let (true, Some(frames)) = (offset > 0, seekable::Frames::of(&mut file)?) {
            let (compressed, uncompressed) = frames.start_before(offset);
            file.seek(SeekFrom::Start(compressed))?;
            skipped = uncompressed;
        }
        let mut contents = Self(Source::Compressed(Box::new(zstd::Decoder::new(file)?)));
        io::copy(&mut (&mut contents).take(offset - skipped), &mut io::sink())?;
        Ok(contents)
    }
}

impl Read for Contents {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Plain(file) => file.read(into),
            Source::Compressed(decoder) => decoder.read(into),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(file) => file.fmt(f),
            Self::Compressed(_) => f.write_str("Compressed(..)"),
        }
    }
}

/// Whether somebody lives who writes to it.
pub(crate) fn is_being_written(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Marks a file that nobody will write to again. It is as old as the latest time that a record of it says: the clock may have gone back
/// since, and who looks for what is new must not pass it over.
pub(crate) fn finish(file: &File, latest: Timestamp) -> io::Result<()> {
    let latest = SystemTime::from(latest);
    if file.metadata()?.modified()? < latest {
        file.set_modified(latest)?;
    }
    file.set_permissions(Permissions::from_mode(0o400))
}

/// Names in it survive a power failure.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn random_writer() -> io::Result<WriterId> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes[2..]).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(WriterId(u64::from_be_bytes(bytes)))
}

const PLAIN: &str = ".jsonl";
const COMPRESSED: &str = ".jsonl.zst";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_or_has_another_name_is_no_part_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let names = [
            "b.jsonl",
            "b.jsonl.zst",
            "a.jsonl.zst",
            ".c.jsonl.new",
            ".d.jsonl",
            "checkpoints.jsonl",
            "e.json",
        ];
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let found: Vec<_> = list(directory.path())
            .unwrap()
            .iter()
            .map(Segment::file_name)
            .collect();
        assert_eq!(found, ["a.jsonl.zst", "b.jsonl"], "and each once");
        assert_eq!(list(&directory.path().join("absent")).unwrap(), []);
    }

    #[test]
    fn a_place_stays_the_same_when_the_file_is_compressed_even_after_it_was_listed() {
        let directory = tempfile::tempdir().unwrap();
        let lines: Vec<String> = (0..50_000).map(|n| format!("line {n} {}\n", n * 7919)).collect();
        let text = lines.concat();
        let plain = directory.path().join("x.jsonl");
        fs::write(&plain, &text).unwrap();
        let listed = list(directory.path()).unwrap().remove(0);
        let read = |segment: &Segment, offset: usize| {
            let mut rest = String::new();
            let mut contents = segment.read_from(offset as u64).unwrap();
            contents.read_to_string(&mut rest).unwrap();
            rest
        };
        let mut compressed = Vec::new();
        seekable::compress(&mut text.as_bytes(), &mut compressed, 64 << 10).unwrap();
        fs::write(listed.compressed_path(), &compressed).unwrap();
        fs::remove_file(&plain).unwrap();
        let again = list(directory.path()).unwrap().remove(0);
        assert!(compressed.len() * 3 < text.len());
        for segment in [&listed, &again] {
            assert_eq!(segment.length().unwrap(), text.len() as u64);
            for offset in [
                0,
                1,
                (64 << 10) - 1,
                64 << 10,
                700_001,
                text.len() - 1,
                text.len(),
            ] {
                assert!(read(segment, offset) == text[offset..], "from {offset}");
            }
        }
        let by_hand = zstd::encode_all(text.as_bytes(), 3).unwrap(); // without a table of its frames
        fs::write(listed.compressed_path(), by_hand).unwrap();
        assert_eq!(again.length().unwrap(), text.len() as u64);
        assert!(read(&again, 700_001) == text[700_001..]);
    }
}
