//! Which project files a person on this machine has read and let count.
//!
//! A file in a repository is written by whoever wrote the repository, or by the agent itself. So it
//! counts only while its content is, byte for byte, what somebody recorded with `outwall trust`, and
//! so is every certificate file it names: an agent that may write to the project could otherwise
//! swap those. One record per path: an older content that was trusted once does not count again.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::{fs, process};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::state_directory::private_directory;

/// The records below the state directory.
#[derive(Clone, Debug)]
pub(crate) struct TrustStore {
    directory: PathBuf,
}

/// What the records say of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Recorded once; it, or a file that it names, is different from then.
    Changed,
    /// Nobody has recorded it.
    Unknown,
}

/// A record that fits: which files the recorded one names, and what they held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trusted {
    named: BTreeMap<PathBuf, String>,
}

impl Trusted {
    /// Whether the file at this path was trusted with this content.
    pub(crate) fn covers(&self, path: &Path, sha256: &str) -> bool {
        self.named.get(path).is_some_and(|trusted| trusted == sha256)
    }
}

/// One file's record, as written.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// For people who look into the folder; the file's name is what counts.
    path: String,
    sha256: String,
    #[serde(default)]
    also: Vec<Companion>,
}

/// A file that the recorded one names.
#[derive(Debug, Serialize, Deserialize)]
struct Companion {
    path: PathBuf,
    sha256: String,
}

impl TrustStore {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Whether the file at `path` (real path), with this content, may count. Anything that is wrong
    /// with the record means that it may not.
    pub(crate) fn trusted(&self, path: &Path, content: &[u8]) -> Result<Trusted, Standing> {
        let record = fs::read(self.place(path))
            .ok()
            .and_then(|record| serde_json::from_slice::<Record>(&record).ok());
        match record {
            None => Err(Standing::Unknown),
            Some(record)
                if record.sha256 == fingerprint(content) && record.also.iter().all(Companion::unchanged) =>
            {
                let named = record.also.into_iter();
                Ok(Trusted {
                    named: named
                        .map(|companion| (companion.path, companion.sha256))
                        .collect(),
                })
            }
            Some(_) => Err(Standing::Changed),
        }
    }

    /// Records the content that was read from `path`, and the files it names as they are at this moment.
    pub(crate) fn record(&self, path: &Path, content: &[u8], companions: &[PathBuf]) -> io::Result<()> {
        let also = companions
            .iter()
            .map(|companion| Companion::of(companion))
            .collect::<io::Result<_>>()?;
        let record = Record {
            path: path.display().to_string(),
            sha256: fingerprint(content),
            also,
        };
        private_directory(&self.directory)?;
        self.replace(path, &serde_json::to_vec_pretty(&record)?)
    }

    /// Forgets the file. False when there was nothing to forget.
    pub(crate) fn forget(&self, path: &Path) -> io::Result<bool> {
        match fs::remove_file(self.place(path)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes beside and renames, so that nobody reads half a record.
    fn replace(&self, path: &Path, record: &[u8]) -> io::Result<()> {
        let place = self.place(path);
        let beside = place.with_extension(format!("new-{}", process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(record)?;
        fs::rename(&beside, &place)
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.directory
            .join(fingerprint(path.as_os_str().as_bytes()))
            .with_extension("json")
    }
}

impl Companion {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            sha256: fingerprint(&fs::read(path)?),
        })
    }

    fn unchanged(&self) -> bool {
        fs::read(&self.path).is_ok_and(|content| fingerprint(&content) == self.sha256)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn fingerprint(content: &[u8]) -> String {
    hexadecimal(digest(&SHA256, content).as_ref())
}

/// Two digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;

    fn store() -> (tempfile::TempDir, TrustStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = TrustStore::new(directory.path().join("trusted"));
        (directory, store)
    }

    #[test]
    fn a_recorded_content_counts_and_another_does_not() {
        let (_directory, store) = store();
        let path = Path::new("/repo/outwall.toml");
        assert_eq!(store.trusted(path, b"a").map(drop), Err(Standing::Unknown));
        store.record(path, b"a", &[]).unwrap();
        assert_eq!(store.trusted(path, b"a").map(drop), Ok(()));
        assert_eq!(store.trusted(path, b"b").map(drop), Err(Standing::Changed));
        assert_eq!(
            store.trusted(Path::new("/other/outwall.toml"), b"a").map(drop),
            Err(Standing::Unknown)
        );
    }

    #[test]
    fn a_content_trusted_earlier_does_not_count_after_a_newer_one() {
        let (_directory, store) = store();
        let path = Path::new("/repo/outwall.toml");
        store.record(path, b"wide", &[]).unwrap();
        store.record(path, b"narrow", &[]).unwrap();
        assert_eq!(store.trusted(path, b"wide").map(drop), Err(Standing::Changed));
        assert_eq!(store.trusted(path, b"narrow").map(drop), Ok(()));
    }

    #[test]
    fn a_certificate_that_the_file_names_is_part_of_what_is_trusted() {
        let (directory, store) = store();
        let path = directory.path().join("outwall.toml");
        let root = directory.path().join("corporate-ca.pem");
        fs::write(&root, "one").unwrap();
        store.record(&path, b"a", std::slice::from_ref(&root)).unwrap();
        assert_eq!(store.trusted(&path, b"a").map(drop), Ok(()));
        fs::write(&root, "another").unwrap();
        assert_eq!(store.trusted(&path, b"a").map(drop), Err(Standing::Changed));
    }

    #[test]
    fn a_forgotten_file_is_unknown_again() {
        let (_directory, store) = store();
        let path = Path::new("/repo/outwall.toml");
        store.record(path, b"a", &[]).unwrap();
        assert!(store.forget(path).unwrap());
        assert!(!store.forget(path).unwrap());
        assert_eq!(store.trusted(path, b"a").map(drop), Err(Standing::Unknown));
    }

    #[test]
    fn a_damaged_record_lets_nothing_count() {
        let (_directory, store) = store();
        let path = Path::new("/repo/outwall.toml");
        store.record(path, b"a", &[]).unwrap();
        fs::write(store.place(path), "{").unwrap();
        assert_eq!(store.trusted(path, b"a").map(drop), Err(Standing::Unknown));
    }
}
