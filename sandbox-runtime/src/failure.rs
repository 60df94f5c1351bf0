//! What can go wrong while a sandbox is made, in a form that crosses from the stages to the process that asked for them.
//!
//! It knows nothing of how anything is made. Start with [`Failure`].

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The part of a sandbox that could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// The user namespaces and who is who in them.
    Identity,
    /// The other namespaces.
    Namespaces,
    /// Addresses, routes, redirection and listeners.
    Network,
    /// What the sandbox sees of files.
    Mounts,
    /// The filter of system calls, capabilities and limits.
    Confinement,
    /// The terminal of the sandbox.
    Terminal,
    /// The command itself.
    Command,
    /// The conversation between the stages.
    Conversation,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "user namespace",
            Self::Namespaces => "namespaces",
            Self::Network => "network",
            Self::Mounts => "files",
            Self::Confinement => "confinement",
            Self::Terminal => "terminal",
            Self::Command => "command",
            Self::Conversation => "stages",
        })
    }
}

/// One step of making a sandbox that failed: where, doing what, to which path, with which error of the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The part of the sandbox.
    pub part: Part,
    /// What was being done, as an infinitive: "mount the overlay".
    pub doing: Cow<'static, str>,
    /// The file concerned, when there is one.
    pub path: Option<PathBuf>,
    /// The kernel's error number; none when the failure is not the kernel's.
    pub errno: Option<i32>,
    /// What the operator can do about it, when that is known.
    pub remedy: Option<Cow<'static, str>>,
}

/// The result of a step of making a sandbox.
pub(crate) type Step<T> = Result<T, Failure>;

impl Failure {
    /// A failure that is not the kernel's.
    pub(crate) fn new(part: Part, doing: impl Into<Cow<'static, str>>) -> Self {
        Self {
            part,
            doing: doing.into(),
            path: None,
            errno: None,
            remedy: None,
        }
    }

    /// Adds what can be done about it.
    pub(crate) fn remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}", self.part, self.doing)?;
        if let Some(path) = &self.path {
            write!(f, " `{}`", path.display())?;
        }
        if let Some(errno) = self.errno {
            write!(f, ": {}", io::Error::from_raw_os_error(errno))?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  hint: {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when something failed.
pub(crate) trait Doing<T> {
    /// Without a file.
    fn doing(self, part: Part, doing: &'static str) -> Step<T>;
    /// To the file `path`.
    fn doing_at(self, part: Part, doing: &'static str, path: &Path) -> Step<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, part: Part, doing: &'static str) -> Step<T> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            match error.raw_os_error() {
                Some(errno) => Failure {
                    errno: Some(errno),
                    ..Failure::new(part, doing)
                },
                None => Failure::new(part, format!("{doing}: {error}")),
            }
        })
    }

    fn doing_at(self, part: Part, doing: &'static str, path: &Path) -> Step<T> {
        self.doing(part, doing).map_err(|failure| Failure {
            path: Some(path.to_owned()),
            ..failure
        })
    }
}
