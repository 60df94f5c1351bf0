//! Whether a file is still the one that was read: one `stat`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

/// What changes when a file is replaced, written to, or reached by another link. `ctime` cannot be set by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// As the system says it.
    pub fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Stamp {
    /// The file's size, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Whether a change from now on is bound to have another time. What was read before may be outdated under the same stamp.
pub(crate) fn is_settled(found: &Metadata) -> bool {
    let age = found
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age > COARSE)
}

/// Coarser than any kernel's clock for files.
const COARSE: Duration = Duration::from_millis(50);
