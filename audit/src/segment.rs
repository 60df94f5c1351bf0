//! The files of a log: one per writer, `<start>-<pid>-<writer>.jsonl`, so that their names sort by the time they begin at.
//!
//! A living writer holds the lock (`flock`) on its file from before the file has its name until its process ends. A file that
//! is read-only was ended in good order, or repaired: nobody looks for a torn line in it again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

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
    let name = format!("{start}-{}-{writer}.{EXTENSION}", std::process::id());
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

/// Every file of the log in `directory`, by name and so by start.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if is_segment(&path) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Marks a file that nobody will write to again.
pub(crate) fn finish(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o400))
}

pub(crate) fn is_finished(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o200 == 0)
}

/// The earliest `at` that can be in a file of this name, as text to compare with. Of a foreign name: before all.
pub(crate) fn earliest(path: &Path) -> String {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let Some((date, time)) = name.split_once('T') else {
        return String::new();
    };
    let Some((time, _)) = time.split_once('Z') else {
        return String::new();
    };
    format!("{date}T{}", time.replace('-', ":"))
}

fn is_segment(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn random_writer() -> io::Result<WriterId> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes[2..]).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(WriterId(u64::from_be_bytes(bytes)))
}

const EXTENSION: &str = "jsonl";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_time_that_is_not_after_its_first_event() {
        let name = Path::new("/x/2026-11-21T03-35-29Z-17-00000000002a.jsonl");
        assert_eq!(earliest(name), "2026-11-21T03:35:29");
        assert!(earliest(name).as_str() < "2026-11-21T03:35:29.000000000Z");
        assert_eq!(earliest(Path::new("copy.jsonl")), "");
    }
}
