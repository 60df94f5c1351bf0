//! The options of `run` that are more than a word: what they mean, and which are refused.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use outwall_sandbox_runtime::{Home, Mount};

use crate::failure::Failure;
use crate::state_directory::StateDirectory;
use crate::surroundings::Surroundings;

/// `--mount PATH[:rw|:ro]`. The shell has expanded `~` only when it stood at the start of a word,
/// which in `--mount=~/x` it does not.
pub(super) fn mount(text: &OsStr, surroundings: &Surroundings) -> Result<Mount, Failure> {
    let bytes = text.as_bytes();
    let writable = bytes.ends_with(b":rw");
    let path = bytes
        .strip_suffix(b":rw")
        .or(bytes.strip_suffix(b":ro"))
        .unwrap_or(bytes);
    if path.is_empty() {
        return Err(Failure::new("`--mount` has no path").hint("write `--mount PATH` or `--mount PATH:rw`"));
    }
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    let path = match (path.strip_prefix("~"), &surroundings.home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => surroundings.absolute(&path),
    };
    Ok(Mount { path, writable })
}

/// `--home NAME`: one folder's name below the state directory.
pub(super) fn home(name: Option<&str>, state: &StateDirectory) -> Result<Home, Failure> {
    let Some(name) = name else { return Ok(Home::Fresh) };
    let fit = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if name.is_empty() || name.starts_with('.') || name.len() > 64 || !name.chars().all(fit) {
        return Err(Failure::new(format!("`--home {name}` is not a name for a home"))
            .hint("use letters, digits, `-`, `_` and `.`, such as `--home work`"));
    }
    Ok(Home::Kept(state.homes().join(name)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;
    use std::path::Path;

    fn mounted(text: &str) -> (String, bool) {
        let surroundings = Surroundings::told(&[], Path::new("/work"), Path::new("/home/ada"));
        let mount = mount(OsStr::new(text), &surroundings).unwrap();
        (mount.path.display().to_string(), mount.writable)
    }

    #[test]
    fn a_mount_is_read_only_unless_it_says_otherwise() {
        assert_eq!(mounted("/data"), ("/data".to_owned(), false));
        assert_eq!(mounted("/data:ro"), ("/data".to_owned(), false));
        assert_eq!(mounted("/data:rw"), ("/data".to_owned(), true));
    }

    #[test]
    fn a_mount_is_seen_from_the_working_directory_or_the_home() {
        assert_eq!(mounted("data:rw"), ("/work/data".to_owned(), true));
        assert_eq!(mounted("~/data"), ("/home/ada/data".to_owned(), false));
        assert_eq!(mounted("/odd:name"), ("/odd:name".to_owned(), false));
    }

    #[test]
    fn a_home_is_a_name_and_cannot_lead_elsewhere() {
        let state = StateDirectory::resolve(Some(Path::new("/state")), &Surroundings::default()).unwrap();
        assert_eq!(home(None, &state).unwrap(), Home::Fresh);
        assert_eq!(
            home(Some("work"), &state).unwrap(),
            Home::Kept("/state/homes/work".into())
        );
        for name in ["", "..", ".ssh", "a/b", "a\0"] {
            assert!(home(Some(name), &state).is_err(), "{name:?}");
        }
    }
}
