//! What lies between two commits, by git.

use super::disk::Disk;

/// A file that a change touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) path: String,
    pub(super) additions: u64,
    pub(super) deletions: u64,
    /// `ADDED`, `DELETED`, `MODIFIED`, …
    pub(super) change: &'static str,
    pub(super) blob: String,
}

/// The commits that are in `head` and not in `base`, oldest first.
pub(super) fn commits(disk: &Disk, base: &str, head: &str) -> Vec<String> {
    let range = format!("{base}..{head}");
    let listed = disk.git(&["rev-list", "--reverse", &range]).unwrap_or_default();
    listed.lines().map(str::to_owned).collect()
}

/// What `head` changes since it left `base`.
pub(super) fn files(disk: &Disk, base: &str, head: &str) -> Vec<Changed> {
    let range = format!("{base}...{head}");
    let counts = disk
        .git(&["diff", "--numstat", "--no-renames", &range])
        .unwrap_or_default();
    let raw = disk
        .git(&["diff", "--raw", "--no-abbrev", "--no-renames", &range])
        .unwrap_or_default();
    let both = raw.lines().zip(counts.lines());
    let read = |(raw, counts): (&str, &str)| {
        let (kind, path) = raw.split_once('\t')?;
        let mut kind = kind.split(' ').skip(3);
        let (blob, change) = (kind.next()?, kind.next()?);
        let mut counts = counts.split('\t').map(|count| count.parse().unwrap_or(0));
        let change = match change {
            "A" => "ADDED",
            "D" => "DELETED",
            _ => "MODIFIED",
        };
        let (additions, deletions) = (counts.next()?, counts.next()?);
        Some(Changed {
            path: path.to_owned(),
            additions,
            deletions,
            change,
            blob: blob.to_owned(),
        })
    };
    both.filter_map(read).collect()
}

/// The tree that merging `head` into `base` makes, where nothing conflicts.
pub(super) fn merges(disk: &Disk, base: &str, head: &str) -> Option<String> {
    let printed = disk.git(&["merge-tree", "--write-tree", base, head]).ok()?;
    printed.lines().next().map(str::to_owned)
}
