//! The files that say what is in force: where they are, and whether anything about them changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use outwall_broker::Stamp;
use outwall_sandbox_runtime::way_to;

/// A set of paths, with what the system said of each at the last look. A path that is not there is watched too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Watched {
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

impl Watched {
    /// Looks at these paths now.
    pub(super) fn look_at(paths: &[PathBuf]) -> Self {
        let paths: BTreeSet<&PathBuf> = paths.iter().collect();
        let seen = paths.into_iter().map(|path| (path.clone(), stamp(path)));
        Self { seen: seen.collect() }
    }

    /// The directories in which something happens when one of the files changes, links on the way included. No more than
    /// [`DIRECTORIES`]: the look from time to time sees the rest.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        let stations = self.seen.iter().flat_map(|(path, _)| way_to(path));
        let directories = stations.filter_map(|station| Some(station.parent()?.to_path_buf()));
        let below_root = directories.filter(|directory| directory != Path::new("/") && directory.is_dir());
        let all: BTreeSet<PathBuf> = below_root.collect();
        let deepest_first = |directory: &PathBuf| std::cmp::Reverse(directory.components().count());
        let mut sorted: Vec<PathBuf> = all.into_iter().collect();
        sorted.sort_by_key(deepest_first);
        sorted.into_iter().take(DIRECTORIES).collect()
    }
}

/// More than any policy needs.
const DIRECTORIES: usize = 64;

fn stamp(path: &Path) -> Option<Stamp> {
    path.metadata().ok().map(|found| Stamp::of(&found))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;
    use std::fs;

    #[test]
    fn writing_replacing_removing_and_other_links_are_seen_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("policy.toml"), version).unwrap();
        }
        std::os::unix::fs::symlink("one", at("data")).unwrap();
        let paths = [at("data").join("policy.toml"), at("missing/too.toml")];
        let changed = |act: &dyn Fn()| {
            let before = Watched::look_at(&paths);
            act();
            Watched::look_at(&paths) != before
        };
        assert!(!changed(&|| fs::write(at("beside"), "").unwrap()));
        assert!(changed(&|| fs::write(at("one/policy.toml"), "longer").unwrap()));
        assert!(changed(&|| {
            // As Kubernetes swaps a ConfigMap.
            std::os::unix::fs::symlink("two", at("next")).unwrap();
            fs::rename(at("next"), at("data")).unwrap();
        }));
        assert!(changed(&|| {
            fs::write(at("two/new"), "two").unwrap();
            fs::rename(at("two/new"), at("two/policy.toml")).unwrap();
        }));
        assert!(changed(&|| fs::remove_file(at("two/policy.toml")).unwrap()));
        assert!(changed(&|| {
            fs::create_dir(at("missing")).unwrap();
            fs::write(at("missing/too.toml"), "").unwrap();
        }));
        let directories = Watched::look_at(&paths).directories();
        for name in ["two", "missing", "."] {
            assert!(
                directories.contains(&at(name).canonicalize().unwrap()),
                "{directories:?}"
            );
        }
    }
}
