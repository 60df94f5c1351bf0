//! Finished files, compressed. A crash at any instant leaves the plain file, the compressed one, or both: each is whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::segment::{self, Form, Segment, seekable};
use crate::shared::Core;

/// Every finished plain file that is worth it, until the log ends.
pub(crate) fn all(core: &Core) -> io::Result<()> {
    sweep(&core.directory)?;
    for segment in segment::list_forms(&core.directory)? {
        if core.lock().ending {
            return Ok(());
        }
        let is_due =
            segment.form() == Form::Plain && segment.is_finished()? && segment.size()? >= LEAST_COMPRESSED;
        if is_due {
            compress(&segment, || core.lock().ending)?;
        }
    }
    Ok(())
}

/// Removes what a crash left unfinished. Only whoever holds the lock writes such files.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with(UNFINISHED)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Beside it, synced, compared, renamed; then the plain one goes.
pub(crate) fn compress(segment: &Segment, stop: impl Fn() -> bool) -> io::Result<()> {
    let compressed = segment.compressed_path();
    let name = compressed.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = compressed.with_file_name(format!(".{name}{UNFINISHED}"));
    let _ = fs::remove_file(&unfinished);
    match write(segment, &unfinished, stop) {
        Ok(()) => {}
        Err(error) => {
            let _ = fs::remove_file(&unfinished);
            return match error.get_ref() {
                Some(stopped) if stopped.is::<Stopped>() => Ok(()),
                _ => Err(error),
            };
        }
    }
    fs::rename(&unfinished, &compressed)?;
    let directory = compressed.parent().unwrap_or(Path::new("."));
    segment::sync_directory(directory)?;
    fs::remove_file(segment.path())
}

fn write(segment: &Segment, to: &Path, stop: impl Fn() -> bool) -> io::Result<()> {
    let file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(to)?;
    let mut from = Stoppable(File::open(segment.path())?, stop);
    let mut out = BufWriter::new(&file);
    seekable::compress(&mut from, &mut out, seekable::FRAME)?;
    out.flush()?;
    drop(out);
    file.set_modified(segment.modified()?)?;
    file.set_permissions(Permissions::from_mode(0o400))?;
    file.sync_all()?;
    is_the_same(
        &mut Stoppable(File::open(segment.path())?, from.1),
        &mut zstd::Decoder::new(File::open(to)?)?,
    )
}

/// What is to be removed is read back from what takes its place.
fn is_the_same(one: &mut impl Read, other: &mut impl Read) -> io::Result<()> {
    let (mut expected, mut found) = (vec![0; 128 << 10], vec![0; 128 << 10]);
    loop {
        let count = one.read(&mut expected)?;
        if count == 0 {
            break;
        }
        other.read_exact(&mut found[..count])?;
        if expected[..count] != found[..count] {
            return Err(io::Error::other("what was compressed reads back differently"));
        }
    }
    match other.read(&mut found)? {
        0 => Ok(()),
        _ => Err(io::Error::other("what was compressed reads back longer")),
    }
}

/// The log ends, and what is unfinished can wait for another.
#[derive(Debug, thiserror::Error)]
#[error("the log ends")]
struct Stopped;

/// A file that cannot be read any more once the log ends.
struct Stoppable<S>(File, S);

impl<S: Fn() -> bool> Read for Stoppable<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.1)() {
            return Err(io::Error::other(Stopped));
        }
        self.0.read(into)
    }
}

/// A smaller file takes a few blocks of the disk either way.
const LEAST_COMPRESSED: u64 = 16 << 10;
const UNFINISHED: &str = ".unfinished";
