//! [`Cursor`]: up to where everything of the log was acknowledged by one sink.
//!
//! `{"v":1,"positions":{"STEM":OFFSET,…},"tips":{"STEM":"HASH",…},"delivered":N,"rejected":N}`: of the file of the log with this stem
//! so many uncompressed bytes, and the hash of the last line of these. A stem that is missing: nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::configured;
use crate::files::{Lasting, SinkFiles, replace};

/// Up to where, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    v: u32,
    pub(crate) positions: BTreeMap<String, u64>,
    /// With it it is seen when a file was cut back and written anew below a position.
    #[serde(default)]
    pub(crate) tips: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) delivered: u64,
    #[serde(default)]
    pub(crate) rejected: u64,
}

/// Why a cursor cannot be used. Nothing is shipped then: to begin at the start would repeat everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CursorError {
    /// It cannot be read or written.
    #[error("cannot use `{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// It is not what we write.
    #[error("`{}` says not how far the sink is; without it, it is sent everything again", path.display())]
    Unreadable { path: PathBuf },
}

impl Cursor {
    /// Of a sink, which is configured from now on if it was not before: nothing that it has not got is removed. One that was set
    /// aside goes on where it was.
    pub(crate) fn open(files: &SinkFiles) -> Result<Self, CursorError> {
        let path = files.cursor();
        let in_file = |source| CursorError::Io {
            path: path.clone(),
            source,
        };
        files.make_directory().map_err(in_file)?;
        if !path.exists() {
            configured::take_back(files)?;
        }
        if let Some(cursor) = Self::read(&path)? {
            return Ok(cursor);
        }
        let cursor = Self {
            v: VERSION,
            ..Self::default()
        };
        cursor.save(files)?;
        Ok(cursor)
    }

    /// None: there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, CursorError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CursorError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(cursor) if cursor.v == VERSION => Ok(Some(cursor)),
            Ok(_) | Err(_) => Err(CursorError::Unreadable {
                path: path.to_owned(),
            }),
        }
    }

    /// On the disk when it returns.
    pub(crate) fn save(&self, files: &SinkFiles) -> Result<(), CursorError> {
        let text = serde_json::to_vec(self).expect("maps of text are JSON");
        replace(&files.cursor(), &text, Lasting::Yes).map_err(|source| CursorError::Io {
            path: files.cursor(),
            source,
        })
    }

    /// Forgets files that the log does not have any more.
    pub(crate) fn keep_only(&mut self, stems: &BTreeSet<String>) {
        self.positions.retain(|stem, _| stems.contains(stem));
        self.tips.retain(|stem, _| stems.contains(stem));
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_there_from_the_moment_that_a_sink_is_configured_and_reads_back() {
        let audit = tempfile::tempdir().unwrap();
        let files = SinkFiles::new(audit.path(), "siem");
        let mut cursor = Cursor::open(&files).unwrap();
        let text = std::fs::read_to_string(audit.path().join("sinks/siem.json")).unwrap();
        assert!(text.starts_with(r#"{"v":1,"positions":{}"#), "{text}");
        cursor.positions.insert("a".into(), 7);
        cursor.save(&files).unwrap();
        assert_eq!(Cursor::open(&files).unwrap(), cursor);
    }

    #[test]
    fn a_cursor_that_cannot_be_read_is_not_taken_for_none() {
        let audit = tempfile::tempdir().unwrap();
        let files = SinkFiles::new(audit.path(), "siem");
        files.make_directory().unwrap();
        for text in ["", "{}", r#"{"v":2,"positions":{}}"#] {
            std::fs::write(files.cursor(), text).unwrap();
            assert!(
                matches!(Cursor::open(&files), Err(CursorError::Unreadable { .. })),
                "{text}"
            );
        }
    }
}
