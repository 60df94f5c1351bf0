//! What the process was given: its variables, its working directory, whose home it works for.
//!
//! Read once at the edge, so that everything that depends on it can be told another story in tests.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The variables, the directory and the home a command started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<OsString, OsString>,
    pub(crate) working_directory: PathBuf,
    pub(crate) home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process. The working directory is the real path, without symbolic links.
    pub(crate) fn of_process() -> std::io::Result<Self> {
        Ok(Self {
            variables: std::env::vars_os().collect(),
            working_directory: std::env::current_dir()?,
            home: std::env::home_dir().filter(|home| home.is_absolute()),
        })
    }

    /// The variable's value, when it is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// An XDG base directory: the variable when it holds an absolute path (the specification has
    /// relative ones ignored), else the place below the home.
    pub(crate) fn base_directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let given = self
            .variable(variable)
            .map(Path::new)
            .filter(|path| path.is_absolute());
        given
            .map(Path::to_path_buf)
            .or_else(|| self.home.as_ref().map(|home| home.join(below_home)))
    }

    /// The path as seen from the working directory.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.working_directory.join(path)
    }
}

#[cfg(test)]
impl Surroundings {
    /// A story for a test: the variables, with a working directory and a home.
    pub(crate) fn told(variables: &[(&str, &str)], working_directory: &Path, home: &Path) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            working_directory: working_directory.to_path_buf(),
            home: Some(home.to_path_buf()),
        }
    }
}
