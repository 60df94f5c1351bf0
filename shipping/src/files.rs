//! The files that tell how far a sink is, in `sinks` below the audit's directory, and how they are written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The names of one sink's files.
#[derive(Clone, Debug)]
pub(crate) struct SinkFiles {
    directory: PathBuf,
    name: String,
}

impl SinkFiles {
    /// Those of the sink `name` of the audit in `audit`.
    pub(crate) fn new(audit: &Path, name: &str) -> Self {
        Self {
            directory: audit.join("sinks"),
            name: name.to_owned(),
        }
    }

    /// Makes the directory, for its owner only.
    pub(crate) fn make_directory(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
    }

    /// How far it is. Whoever removes files of the log reads it.
    pub(crate) fn cursor(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    /// The same of a sink that no policy names: nobody keeps anything for it.
    pub(crate) fn aside(&self) -> PathBuf {
        self.directory.join(format!("{}.json.aside", self.name))
    }

    /// How it goes, for people and metrics. Nothing depends on it.
    pub(crate) fn state(&self) -> PathBuf {
        self.directory.join(format!(".{}.state", self.name))
    }

    /// What its receiver would not take.
    pub(crate) fn rejected(&self) -> PathBuf {
        self.directory.join(format!("{}.rejected.jsonl", self.name))
    }

    /// Held by the process that ships.
    pub(crate) fn lock(&self) -> PathBuf {
        self.directory.join(format!(".{}.lock", self.name))
    }
}

/// Whether what is written outlives a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    Yes,
    No,
}

/// Replaces a file in one step: whoever reads it sees all of the old or all of the new.
pub(crate) fn replace(path: &Path, text: &[u8], lasting: Lasting) -> io::Result<()> {
    let directory = path.parent().expect("a file is in a directory");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{}.new", name.trim_start_matches('.')));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text)?;
    if lasting == Lasting::Yes {
        file.sync_data()?;
    }
    fs::rename(&beside, path)?;
    if lasting == Lasting::Yes {
        sync_directory_of(path)?;
    }
    Ok(())
}

/// Has the names in a file's directory outlive a power failure.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().expect("a file is in a directory"))?.sync_all()
}
