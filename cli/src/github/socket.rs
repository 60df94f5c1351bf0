//! A socket in the file system: its owner's alone, and gone when it is not served any more.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use crate::failure::{Explain, Failure};

/// A socket in the file system. Its file is removed when it is dropped, if it is still this one's.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    file: (u64, u64),
}

impl Socket {
    /// Opens one. What a killed process left there is taken away; what is served, or is no socket, stays.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        clear(path)?;
        let mask = rustix::process::umask(Mode::from_raw_mode(0o177)); // from its first moment on
        let bound = UnixListener::bind(path);
        rustix::process::umask(mask);
        let listener = bound.explain(format!("cannot listen at {shown}"))?;
        let opened = || {
            listener.set_nonblocking(true)?;
            identity(path)
        };
        Ok(Self {
            file: opened().explain(format!("cannot listen at {shown}"))?,
            path: path.to_owned(),
            listener,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// To be served by somebody who has a runtime of their own.
    pub(crate) fn unserved(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// To be served, within a Tokio runtime.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.unserved()?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn clear(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).explain(format!("cannot listen at {shown}")),
        Ok(found) if !found.file_type().is_socket() => Err(Failure::new(format!(
            "{shown} is there and no socket, and is left as it is"
        ))
        .hint("name another path with `--socket PATH`")),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                fs::remove_file(path).explain(format!("cannot remove {shown}, which nobody serves any more"))
            }
            _ => Err(Failure::new(format!("{shown} is served by another process"))
                .hint("stop that one, or name another path with `--socket PATH`")),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_its_owners_alone_and_goes_with_its_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gh.sock");
        let socket = Socket::open(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Socket::open(&path).is_err(), "it is served");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_taken_away_and_a_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join("left.sock");
        drop(UnixListener::bind(&left).unwrap()); // its file stays
        assert!(Socket::open(&left).is_ok());
        let file = directory.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(Socket::open(&file).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
