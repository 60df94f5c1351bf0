//! The way that a path takes through the host's directories: who may write to one of its stations can lead it elsewhere.
//!
//! It knows nothing of who may write where. Start with [`way_to`].

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// More symbolic links than the kernel follows.
const LINKS: usize = 40;

/// Every directory entry that is looked up on the way to `path`, which is absolute, in order, each by its real place: names in real directories,
/// links before what they lead to. The last one is the file itself, or what it would be.
#[must_use]
pub fn way_to(path: &Path) -> Vec<PathBuf> {
    let mut stations = Vec::new();
    let mut at = PathBuf::from("/");
    let mut ahead = names(path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        let entry = at.join(&name);
        stations.push(entry.clone());
        match fs::read_link(&entry) {
            Ok(target) if links < LINKS => {
                links += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                ahead.extend(names(&target));
            }
            _ => at = entry,
        }
    }
    stations
}

/// The names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.rev().collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_and_every_directory_on_the_way_is_named() {
        let top = tempfile::tempdir().expect("a directory");
        let top = top.path().canonicalize().expect("a real path");
        fs::create_dir_all(top.join("real/deep")).expect("a directory");
        symlink("real", top.join("link")).expect("a link");
        symlink("../../outside", top.join("real/deep/out")).expect("a link");
        let way = way_to(&top.join("link/deep/../deep/out"));
        let above = way_to(&top).len();
        let wanted = [
            "link",
            "real",
            "real/deep",
            "real/deep",
            "real/deep/out",
            "outside",
        ];
        assert_eq!(way[above..], wanted.map(|name| top.join(name)));
    }

    #[test]
    fn a_circle_ends() {
        let top = tempfile::tempdir().expect("a directory");
        symlink("b", top.path().join("a")).expect("a link");
        symlink("a", top.path().join("b")).expect("a link");
        assert!(way_to(&top.path().join("a")).len() < 100);
    }
}
