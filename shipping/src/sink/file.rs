//! A file that lines are appended to, and standard output.
//!
//! The file is opened for each batch: whoever moves it away, or copies it and cuts it to nothing, loses nothing. It is synced before
//! the batch counts. A line that was torn (a full disk, our death) is followed by a newline, so that the next one is whole; its event
//! comes again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Failure, Suspicion, told};

pub(crate) struct FileSink {
    pub(super) path: PathBuf,
    /// With so many bytes it is moved away.
    pub(super) rotate_at: Option<u64>,
    /// So many that were moved away stay.
    pub(super) keep: u64,
}

impl FileSink {
    pub(super) async fn append(&self, lines: String) -> Result<(), Failure> {
        let (path, rotate_at, keep) = (self.path.clone(), self.rotate_at, self.keep);
        let shown = path.display().to_string();
        let appended = blocking(move || append(&path, (rotate_at, keep), lines.as_bytes())).await;
        appended.map_err(|error| Failure::later(format!("cannot append to `{shown}`: {}", told(&error))))
    }
}

pub(super) async fn print(lines: String) -> Result<(), Failure> {
    let print = move || {
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()
    };
    let printed = blocking(print).await;
    printed.map_err(|error| Failure::Later {
        why: format!("cannot write to standard output: {}", told(&error)),
        after: None,
        suspicion: Suspicion::None,
    })
}

/// Away from the other sinks: what a pipe or a file system makes wait is this one alone.
async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the work was given up")))
}

fn append(path: &Path, (rotate_at, keep): (Option<u64>, u64), lines: &[u8]) -> io::Result<()> {
    if rotate_at.is_some_and(|most| fs::metadata(path).is_ok_and(|found| found.len() >= most)) {
        rotate(path, keep)?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    if ends_torn(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_data()
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false); // a pipe or a device has no end
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// `PATH` to `PATH.1`, that to `PATH.2`; the last of `keep` is gone.
fn rotate(path: &Path, keep: u64) -> io::Result<()> {
    let numbered = |number: u64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(path, numbered(1))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn what_was_torn_spoils_no_other_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.jsonl");
        append(&path, (None, 1), b"1\n").unwrap();
        fs::write(&path, "1\n{\"to").unwrap();
        append(&path, (None, 1), b"2\n").unwrap();
        assert_eq!(text(&path), "1\n{\"to\n2\n");
    }

    #[test]
    fn a_file_that_is_moved_or_cut_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.jsonl");
        append(&path, (None, 1), b"1\n").unwrap();
        fs::rename(&path, directory.path().join("moved")).unwrap();
        append(&path, (None, 1), b"2\n").unwrap();
        File::create(&path).unwrap(); // copytruncate
        append(&path, (None, 1), b"3\n").unwrap();
        assert_eq!(text(&path), "3\n");
    }

    #[test]
    fn it_is_moved_away_at_its_size_and_so_many_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.jsonl");
        for number in 0..5 {
            append(&path, (Some(2), 2), format!("{number}\n").as_bytes()).unwrap();
        }
        assert_eq!(text(&path), "4\n");
        assert_eq!(text(&directory.path().join("out.jsonl.1")), "3\n");
        assert_eq!(text(&directory.path().join("out.jsonl.2")), "2\n");
        assert!(!directory.path().join("out.jsonl.3").exists());
    }
}
