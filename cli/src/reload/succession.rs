//! Which file may follow the one in force, when the search for policy files comes to something else than at the start.
//!
//! An operator's act counts: a file that is written where it comes before the one in force, a project file that is trusted. An
//! absence does not: a policy is never replaced because its file is gone or no longer trusted, for what the search falls back on
//! may allow more, and the sandbox may be who took the file away.

use std::path::{Path, PathBuf};

use crate::discovery::{Discovery, Place};
use crate::failure::Failure;
use crate::trust_store::Standing;

/// An error when what was found does not follow `before` (none: the built-in policy); the one before then stays in force.
pub(super) fn check(before: Option<&(Place, PathBuf)>, found: &Discovery) -> Result<(), Failure> {
    let Some((place, path)) = before else {
        return Ok(());
    };
    if let Some((_, standing)) = found.ignored.iter().find(|(ignored, _)| ignored == path) {
        return Err(untrusted(path, *standing));
    }
    match &found.counts {
        Some(file) if file.path == *path || comes_before((file.place, &file.path), (*place, path)) => Ok(()),
        Some(file) => Err(gone(path).hint(format!(
            "`{}` would count at the next start, and does not follow by itself",
            file.path.display()
        ))),
        None => Err(gone(path).hint("put it back, or start again to run without it")),
    }
}

fn untrusted(path: &Path, standing: Standing) -> Failure {
    let shown = path.display();
    let why = match standing {
        Standing::Changed => "is different from what was trusted",
        Standing::Unknown => "is not trusted any more",
    };
    Failure::new(format!("`{shown}` {why}")).hint(format!("read it, then `outwall trust {shown}`"))
}

fn gone(path: &Path) -> Failure {
    Failure::new(format!("`{}` is gone", path.display()))
}

/// As the search has it: by place, and in a project the nearest.
fn comes_before(one: (Place, &Path), other: (Place, &Path)) -> bool {
    match (one.0, other.0) {
        (Place::Project, Place::Project) => one.1.components().count() > other.1.components().count(),
        (Place::System, Place::System) => false, // which of them came first is not worth a surprise
        (one, other) => rank(one) < rank(other),
    }
}

fn rank(place: Place) -> u8 {
    match place {
        Place::Option => 0,
        Place::Variable => 1,
        Place::Project => 2,
        Place::User => 3,
        Place::System => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::PolicyFile;

    fn found(counts: Option<(Place, &str)>, ignored: &[(&str, Standing)]) -> Discovery {
        Discovery {
            counts: counts.map(|(place, path)| PolicyFile {
                place,
                path: path.into(),
                text: String::new(),
                trusted: None,
            }),
            ignored: ignored
                .iter()
                .map(|(path, standing)| (path.into(), *standing))
                .collect(),
        }
    }

    fn follows(before: Option<(Place, &str)>, found: &Discovery) -> bool {
        let before = before.map(|(place, path)| (place, PathBuf::from(path)));
        check(before.as_ref(), found).is_ok()
    }

    const USER: (Place, &str) = (Place::User, "/home/ada/.config/outwall/outwall.toml");
    const SYSTEM: (Place, &str) = (Place::System, "/etc/outwall/outwall.toml");
    const PROJECT: (Place, &str) = (Place::Project, "/work/outwall.toml");

    #[test]
    fn the_same_file_follows_itself() {
        for place in [USER, SYSTEM, PROJECT] {
            assert!(follows(Some(place), &found(Some(place), &[])));
        }
    }

    #[test]
    fn a_file_that_appears_before_the_one_in_force_follows_it() {
        assert!(follows(None, &found(Some(USER), &[])));
        assert!(follows(Some(SYSTEM), &found(Some(USER), &[])));
        assert!(follows(Some(USER), &found(Some(PROJECT), &[])));
        let below = (Place::Project, "/work/sub/outwall.toml");
        assert!(follows(Some(PROJECT), &found(Some(below), &[])));
    }

    #[test]
    fn an_absence_changes_nothing() {
        assert!(!follows(Some(USER), &found(None, &[])));
        assert!(!follows(Some(USER), &found(Some(SYSTEM), &[])));
        assert!(!follows(Some(PROJECT), &found(Some(USER), &[])));
        let below = (Place::Project, "/work/sub/outwall.toml");
        assert!(!follows(Some(below), &found(Some(PROJECT), &[])));
    }

    #[test]
    fn a_project_file_that_changed_changes_nothing_until_it_is_trusted() {
        for standing in [Standing::Changed, Standing::Unknown] {
            let ignored = [(PROJECT.1, standing)];
            assert!(!follows(Some(PROJECT), &found(Some(USER), &ignored)));
            assert!(!follows(Some(PROJECT), &found(None, &ignored)));
            assert!(
                follows(Some(USER), &found(Some(USER), &ignored)),
                "it did not count before"
            );
        }
    }
}
