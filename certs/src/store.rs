//! The CA's two files on disk: locked, owner-only, replaced whole.
//!
//! Knows nothing of what is in them. The order of writing makes a crash at any instant harmless: without a `ca.pem` there is
//! no CA, so the certificate is always the last to appear and the first to be moved away.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};

use crate::ca::CaError;

/// The directory of a CA; nothing may be read or written in it but under [`CaFiles::lock`].
pub(crate) struct CaFiles {
    directory: PathBuf,
}

/// The same, with the lock held until this is dropped.
pub(crate) struct Locked {
    directory: PathBuf,
    _lock: File,
}

/// A private key in PEM. Does not print itself.
pub(crate) struct KeyText(String);

impl KeyText {
    pub(crate) fn new(pem: String) -> Self {
        Self(pem)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl CaFiles {
    /// Makes the directory (0700) when it is not there.
    pub(crate) fn in_directory(directory: &Path) -> Result<Self, CaError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed("make the directory", directory))?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Waits for whoever holds the lock. It is gone with its process, however that ends.
    pub(crate) fn lock(self) -> Result<Locked, CaError> {
        let path = self.directory.join("ca.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open the lock file", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        Ok(Locked {
            directory: self.directory,
            _lock: lock,
        })
    }
}

impl Locked {
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("ca.key")
    }

    /// Certificate and key, or `None` when there is no CA here yet.
    pub(crate) fn read(&self) -> Result<Option<(String, KeyText)>, CaError> {
        let path = self.certificate();
        let certificate = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        Ok(Some((certificate, self.read_key()?)))
    }

    /// The mode is asked of the open file, so it is that of what is read.
    fn read_key(&self) -> Result<KeyText, CaError> {
        let path = self.key();
        let mut file = File::open(&path).map_err(failed("read the CA's key", &path))?;
        let mode = file
            .metadata()
            .map_err(failed("look at", &path))?
            .permissions()
            .mode()
            & 0o7777;
        if mode & 0o077 != 0 {
            return Err(CaError::KeyReadableByOthers { path, mode });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed("read", &path))?;
        Ok(KeyText(text))
    }

    /// Writes both, the key first.
    pub(crate) fn write(&self, certificate: &str, key: &KeyText) -> Result<(), CaError> {
        replace(&self.key(), key.as_str().as_bytes(), 0o600)?;
        replace(&self.certificate(), certificate.as_bytes(), 0o644)?;
        let directory = File::open(&self.directory).map_err(failed("open", &self.directory))?;
        directory.sync_all().map_err(failed("sync", &self.directory))
    }

    /// Moves the certificate to `ca-<now>.pem`, with which there is no CA any more.
    pub(crate) fn set_certificate_aside(&self, now: Timestamp) -> Result<Option<PathBuf>, CaError> {
        let from = self.certificate();
        let to = self.free_name(now);
        match fs::rename(&from, &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("move away", &from)(error)),
        }
    }

    fn free_name(&self, now: Timestamp) -> PathBuf {
        let date = now
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%dT%H-%M-%SZ")
            .to_string();
        let first = self.directory.join(format!("ca-{date}.pem"));
        let others = (2..).map(|n| self.directory.join(format!("ca-{date}-{n}.pem")));
        std::iter::once(first)
            .chain(others)
            .find(|path| !path.exists())
            .expect("numbers do not run out before a disk does")
    }
}

/// Writes `contents` beside `path`, syncs, renames over it: a reader sees the old file or the new one, whole.
fn replace(path: &Path, contents: &[u8], mode: u32) -> Result<(), CaError> {
    let new = path.with_added_extension("new"); // one name is enough under the lock; a left-over is from a writer that died
    let write = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(failed("write", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CaError {
    move |source| CaError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}
