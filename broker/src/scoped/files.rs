//! The directory that commands write and gates watch: whole files, replaced in one step, one writer at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::stamp::{Stamp, is_settled};

/// Why a file of the directory cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what we write.
    #[error("`{}` is damaged: it is not what Outwall writes there", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write it, or it is somebody else's.
    #[error("`{}` can be read by others, or is somebody else's", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path) -> Self {
        Self::Damaged {
            path: path.to_owned(),
        }
    }
}

/// The right to write in a directory, until dropped.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Waits for whoever writes. Makes the directory (0700) if it is not there.
    pub(crate) fn take(directory: &Path) -> Result<Self, FileError> {
        let path = directory.join("lock");
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.map_err(FileError::io(directory))?;
        let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        locked.map(Self).map_err(FileError::io(&path))
    }
}

/// Reads a file of which we are the only reader, or nothing where there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io(path)(error)),
    };
    let found = file.metadata().map_err(FileError::io(path))?;
    let directory = fs::metadata(path.parent().unwrap_or(path)).map_err(FileError::io(path))?;
    if found.mode() & 0o077 != 0 || found.uid() != directory.uid() {
        return Err(FileError::Exposed {
            path: path.to_owned(),
        });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1));
    file.read_to_end(&mut bytes).map_err(FileError::io(path))?;
    Ok(Some(bytes))
}

/// Puts `bytes` in the place of a file (0600): whoever reads gets the old or the new, whole, and a power failure changes nothing of that.
pub(crate) fn replace(_held: &Lock, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let beside = path.with_extension("new"); // ours alone: the lock is held
    let written = || {
        let options = &mut OpenOptions::new();
        let mut file = private(options.write(true).create(true).truncate(true)).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(path))?.sync_all()
    };
    written().map_err(FileError::io(path))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// A file that somebody else replaces, read again whenever it was.
pub(crate) struct Watched<T> {
    path: PathBuf,
    read: fn(&[u8]) -> Option<T>,
    last: Mutex<Option<Reading<T>>>,
}

struct Reading<T> {
    stamp: Stamp,
    /// The file was so new that a change since might have left the same stamp.
    settled: bool,
    meaning: Arc<T>,
}

impl<T> Watched<T> {
    pub(crate) fn new(path: PathBuf, read: fn(&[u8]) -> Option<T>) -> Self {
        Self {
            path,
            read,
            last: Mutex::default(),
        }
    }

    /// What the file says at this moment. One `stat` when it has not changed.
    pub(crate) fn current(&self) -> Result<Arc<T>, FileError> {
        let found = fs::metadata(&self.path).map_err(FileError::io(&self.path))?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = &*last
            && reading.settled
            && reading.stamp == Stamp::of(&found)
        {
            return Ok(Arc::clone(&reading.meaning));
        }
        let reading = self.read_again()?;
        let meaning = Arc::clone(&reading.meaning);
        *last = Some(reading);
        Ok(meaning)
    }

    fn read_again(&self) -> Result<Reading<T>, FileError> {
        let mut file = File::open(&self.path).map_err(FileError::io(&self.path))?;
        let found = file.metadata().map_err(FileError::io(&self.path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(FileError::io(&self.path))?;
        let meaning = (self.read)(&bytes).ok_or_else(|| FileError::damaged(&self.path))?;
        Ok(Reading {
            stamp: Stamp::of(&found),
            settled: is_settled(&found),
            meaning: Arc::new(meaning),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    #[test]
    fn a_replaced_file_is_seen_at_once_however_fast_it_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.json");
        let lock = Lock::take(directory.path()).unwrap();
        let watched = Watched::new(path.clone(), text);
        assert!(watched.current().is_err());
        for number in 0..200 {
            let said = format!("{:03}", number % 7); // of one length
            replace(&lock, &path, said.as_bytes()).unwrap();
            assert_eq!(*watched.current().unwrap(), said);
        }
    }

    #[test]
    fn a_file_that_became_unreadable_is_an_error_and_not_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.json");
        let lock = Lock::take(directory.path()).unwrap();
        let watched = Watched::new(path.clone(), text);
        replace(&lock, &path, b"good").unwrap();
        watched.current().unwrap();
        replace(&lock, &path, &[0xff]).unwrap();
        assert!(matches!(watched.current(), Err(FileError::Damaged { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(watched.current(), Err(FileError::Io { .. })));
        replace(&lock, &path, b"again").unwrap();
        assert_eq!(*watched.current().unwrap(), "again");
    }

    #[test]
    fn a_private_file_that_others_can_read_is_not_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.pk8");
        let lock = Lock::take(directory.path()).unwrap();
        assert!(read_private(&path).unwrap().is_none());
        replace(&lock, &path, b"key").unwrap();
        assert_eq!(read_private(&path).unwrap().unwrap().as_slice(), b"key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_private(&path), Err(FileError::Exposed { .. })));
    }
}
