//! `{ file = "PATH" }`: all of a file, without the line break at its end. Whoever replaces it does so in one step (`rename(2)`, as
//! Kubernetes, systemd and the agents of Vault do): the next request has the new one.
//!
//! One that others may read is read all the same, for `/run/secrets` of containers is made so; `doctor` and the start of a gate
//! warn.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Fetched, Seen, Source, SourceError};
use crate::secret::{LONGEST_SECRET, Secret};
use crate::stamp::{Stamp, is_settled};

pub(super) struct SecretFile(PathBuf);

/// What a file holds, and how to see that it has changed.
type Reading = (Zeroizing<Vec<u8>>, Seen);

/// Why a file with a secret cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system says so.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        why: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("`{}` is no regular file", path.display())]
    Irregular {
        /// Which.
        path: PathBuf,
    },
    /// It is longer than any secret.
    #[error("`{}` is longer than {LONGEST_SECRET} bytes", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// Somebody writes to it all the time.
    #[error("`{}` changes while it is read", path.display())]
    Unsteady {
        /// Which.
        path: PathBuf,
    },
}

impl SecretFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn secret(&self) -> Result<Fetched, SourceError> {
        let (text, seen) = read(&self.0)?;
        let place = format!("`{}`", self.0.display());
        Ok(Fetched {
            secret: Secret::from_text(&text).map_err(SourceError::unfit(place))?,
            expires_at: None,
            ask_again: None,
            seen: Some(seen),
        })
    }
}

impl Source for SecretFile {
    fn fetch(&self, _now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(ready(self.secret()))
    }

    fn has_changed(&self, read: Option<&Seen>) -> bool {
        let same = |seen: &Seen| {
            seen.settled && fs::metadata(&self.0).is_ok_and(|found| Stamp::of(&found) == seen.stamp)
        };
        !read.is_some_and(same)
    }

    /// Who replaces a file in two steps needs a moment between them. One that is gone for longer was taken away.
    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

impl FileError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Io { path, why } if why.kind() == io::ErrorKind::PermissionDenied => {
                format!("let the user that runs the gate read `{}`", path.display())
            }
            Self::Io { .. } => "a relative path is relative to the policy file".to_owned(),
            Self::Irregular { .. } | Self::TooLong { .. } => {
                "name a file that holds the secret alone".to_owned()
            }
            Self::Unsteady { .. } => "replace it in one step: write beside it, then `mv`".to_owned(),
        }
    }
}

/// The bytes of a file that did not change meanwhile, and how to see that it has.
pub(super) fn read(path: &Path) -> Result<Reading, FileError> {
    for _ in 0..ATTEMPTS {
        if let Some(read) = read_once(path)? {
            return Ok(read);
        }
    }
    Err(FileError::Unsteady {
        path: path.to_owned(),
    })
}

fn read_once(path: &Path) -> Result<Option<Reading>, FileError> {
    let io = |why| FileError::Io {
        path: path.to_owned(),
        why,
    };
    // Not to wait for whoever writes to a pipe.
    let opened = rustix::fs::open(path, OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let file = File::from(opened.map_err(|why| io(why.into()))?);
    let before = file.metadata().map_err(io)?;
    if !before.is_file() {
        return Err(FileError::Irregular {
            path: path.to_owned(),
        });
    }
    // With room for all of it, so that no half of a secret is left where it was moved from.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    (&file)
        .take(LONGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() > LONGEST {
        return Err(FileError::TooLong {
            path: path.to_owned(),
        });
    }
    let after = file.metadata().map_err(io)?;
    let stamp = Stamp::of(&after);
    let steady = stamp == Stamp::of(&before);
    Ok(steady.then(|| {
        (
            bytes,
            Seen {
                stamp,
                settled: is_settled(&after),
            },
        )
    }))
}

/// And a line break.
const LONGEST: usize = LONGEST_SECRET + 2;
const ATTEMPTS: usize = 20;
