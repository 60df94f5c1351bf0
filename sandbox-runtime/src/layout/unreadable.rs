//! What of the system's files is not for everybody, found before root of a sandbox is given the system's files as its own.
//!
//! Under the host's root, root of a sandbox owns what the system's root owns, in layers that are discarded: packages could not be installed otherwise. The owner
//! of a file may read it, so what only its owner and group may read must not be there at all. A file that is put there later, while the sandbox runs, is seen.
//! It knows nothing of what is done about them. Start with [`unreadable`].

use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Permission bits for everybody.
const READ: u32 = 0o004;
const READ_AND_ENTER: u32 = 0o005;

/// The files and directories below `top`, relative to it, that not everybody may read. Other file systems below it are left out: an overlay does not show them.
pub(super) fn unreadable(top: &Path) -> Vec<PathBuf> {
    let Ok(device) = top.metadata().map(|top| top.dev()) else {
        return Vec::new();
    };
    let walk = Walk {
        device,
        waiting: Mutex::new(vec![top.to_owned()]),
        unfinished: AtomicUsize::new(1),
        found: Mutex::default(),
    };
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| walk.go());
        }
        walk.go();
    });
    let found = walk.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found
        .into_iter()
        .filter_map(|path| path.strip_prefix(top).map(Path::to_owned).ok())
        .collect()
}

struct Walk {
    device: u64,
    waiting: Mutex<Vec<PathBuf>>,
    /// Directories that wait or are being looked into.
    unfinished: AtomicUsize,
    found: Mutex<Vec<PathBuf>>,
}

impl Walk {
    fn go(&self) {
        while self.unfinished.load(Ordering::Acquire) > 0 {
            let next = lock(&self.waiting).pop();
            let Some(directory) = next else {
                thread::yield_now();
                continue;
            };
            self.look_into(&directory);
            self.unfinished.fetch_sub(1, Ordering::Release);
        }
    }

    fn look_into(&self, directory: &Path) {
        let (mut below, mut found) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match self.judge(&entry) {
                Some(Judged::Enter) => below.push(entry.path()),
                Some(Judged::NotForAll) => found.push(entry.path()),
                None => {}
            }
        }
        if !below.is_empty() {
            self.unfinished.fetch_add(below.len(), Ordering::Release);
            lock(&self.waiting).append(&mut below);
        }
        if !found.is_empty() {
            lock(&self.found).append(&mut found);
        }
    }

    fn judge(&self, entry: &DirEntry) -> Option<Judged> {
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if link {
            return None;
        }
        let Ok(metadata) = entry.metadata() else {
            return Some(Judged::NotForAll); // gone, or beyond us: then nobody else's either
        };
        judge(&metadata, self.device)
    }
}

enum Judged {
    Enter,
    NotForAll,
}

fn judge(entry: &Metadata, device: u64) -> Option<Judged> {
    let needed = if entry.is_dir() { READ_AND_ENTER } else { READ };
    if entry.mode() & needed != needed {
        return Some(Judged::NotForAll);
    }
    (entry.is_dir() && entry.dev() == device).then_some(Judged::Enter)
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_not_for_everybody_is_found_at_any_depth_and_the_rest_is_not() {
        let top = tempfile::tempdir().expect("a directory");
        for (path, mode) in [
            ("a/b/secret", 0o640),
            ("a/b/public", 0o644),
            ("a/closed/public", 0o644),
            ("program", 0o4755),
        ] {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, "x").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        let closed = top.path().join("a/closed");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o711)).expect("a mode");
        std::os::unix::fs::symlink("nowhere", top.path().join("link")).expect("a link");
        let mut found = unreadable(top.path());
        found.sort();
        assert_eq!(found, [PathBuf::from("a/b/secret"), PathBuf::from("a/closed")]);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}
