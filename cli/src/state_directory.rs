//! Where Outwall keeps what must outlive a command: the CA, the audit log, kept homes, which project files are trusted.
//!
//! The order: `--state-dir`, `$OUTWALL_STATE_DIR`, `$XDG_STATE_HOME/outwall`, `~/.local/state/outwall`.
//! Whoever can write there can forge the CA and the audit, so a directory that others may write to,
//! or that belongs to somebody else, is refused instead of used.

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::failure::{Explain, Failure};
use crate::surroundings::Surroundings;

/// The state directory: named, and made only when something is to be written there.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// Finds the place without touching it.
    pub(crate) fn resolve(given: Option<&Path>, surroundings: &Surroundings) -> Result<Self, Failure> {
        let chosen = given
            .or_else(|| surroundings.variable("OUTWALL_STATE_DIR").map(Path::new))
            .map(|path| surroundings.absolute(path))
            .or_else(|| {
                Some(
                    surroundings
                        .base_directory("XDG_STATE_HOME", ".local/state")?
                        .join("outwall"),
                )
            });
        let path = chosen.ok_or_else(|| {
            Failure::new("there is no home directory to keep the CA and the audit log in")
                .hint("name a place with `--state-dir DIR` or `$OUTWALL_STATE_DIR`")
        })?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The CA's folder; made by whoever makes the CA.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path.join("ca")
    }

    /// The folder of scoped credentials: keys, and what was issued and revoked.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.path.join("credentials")
    }

    /// The folder of the audit log's segments.
    pub(crate) fn audit(&self) -> PathBuf {
        self.path.join("audit")
    }

    /// The folder of the homes kept with `--home NAME`.
    pub(crate) fn homes(&self) -> PathBuf {
        self.path.join("homes")
    }

    /// The folder of the records that `outwall trust` writes.
    pub(crate) fn trusted(&self) -> PathBuf {
        self.path.join("trusted")
    }

    /// The folder of the sockets on which running gates are asked.
    pub(crate) fn control(&self) -> PathBuf {
        self.path.join("control")
    }

    /// Makes the directory (0700) if it is missing, and refuses one that others could have tampered with.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let shown = self.path.display();
        private_directory(&self.path)
            .explain(format!("cannot make the state directory `{shown}`"))
            .hint("name another place with `--state-dir DIR` or `$OUTWALL_STATE_DIR`")?;
        let found = self
            .path
            .metadata()
            .explain(format!("cannot look at the state directory `{shown}`"))?;
        match Trouble::of(&found) {
            None => Ok(()),
            Some(Trouble::Foreign { owner, us }) => Err(Failure::new(format!(
                "the state directory `{shown}` belongs to user {owner}, and this is user {us}"
            ))
            .hint("with sudo, use `sudo -H`; or name another place with `--state-dir DIR`")),
            Some(Trouble::WritableByOthers) => Err(Failure::new(format!(
                "others may write to the state directory `{shown}`"
            ))
            .hint(format!(
                "`chmod 700 {shown}`, once you know that nobody else has written there"
            ))),
        }
    }
}

/// Makes one directory (0700), and those above it that are missing.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Why a directory cannot hold a CA.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Foreign { owner: u32, us: u32 },
    WritableByOthers,
}

impl Trouble {
    pub(crate) fn of(found: &Metadata) -> Option<Self> {
        let us = rustix::process::geteuid().as_raw();
        if found.uid() != us {
            Some(Self::Foreign {
                owner: found.uid(),
                us,
            })
        } else if found.mode() & 0o022 != 0 {
            Some(Self::WritableByOthers)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    fn resolved(given: Option<&str>, variables: &[(&str, &str)]) -> PathBuf {
        let surroundings = Surroundings::told(variables, Path::new("/work"), Path::new("/home/ada"));
        StateDirectory::resolve(given.map(Path::new), &surroundings)
            .unwrap()
            .path
    }

    #[test]
    fn the_option_comes_before_the_variable_and_both_before_xdg() {
        let variables = [("OUTWALL_STATE_DIR", "/var/ow"), ("XDG_STATE_HOME", "/xdg")];
        assert_eq!(resolved(Some("here"), &variables), Path::new("/work/here"));
        assert_eq!(resolved(None, &variables), Path::new("/var/ow"));
        assert_eq!(resolved(None, &variables[1..]), Path::new("/xdg/outwall"));
        assert_eq!(resolved(None, &[]), Path::new("/home/ada/.local/state/outwall"));
    }

    #[test]
    fn an_empty_or_relative_base_directory_does_not_count() {
        assert_eq!(
            resolved(None, &[("XDG_STATE_HOME", "state")]),
            Path::new("/home/ada/.local/state/outwall")
        );
        assert_eq!(
            resolved(None, &[("OUTWALL_STATE_DIR", "")]),
            Path::new("/home/ada/.local/state/outwall")
        );
    }

    #[test]
    fn the_directory_is_made_for_its_owner_alone() {
        let above = tempfile::tempdir().unwrap();
        let state = StateDirectory {
            path: above.path().join("a/b"),
        };
        state.make().unwrap();
        state.make().unwrap();
        assert_eq!(state.path.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory {
            path: directory.path().to_path_buf(),
        };
        set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(state.make().is_err());
        set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        state.make().unwrap();
    }
}
