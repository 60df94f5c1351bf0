//! Why a sandbox could not be prepared, started, or waited for.

use std::io;

use thiserror::Error;

use crate::cleanup::RunDirectoryError;
use crate::failure::{Failure, Part};
use crate::spec::SpecError;

/// Why a sandbox could not be prepared. Nothing is left of it.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// What is asked for is refused.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The run's own files cannot be made.
    #[error(transparent)]
    RunDirectory(#[from] RunDirectoryError),
    /// A directory for a kept home cannot be made.
    #[error("cannot make the home `{}`", path.display())]
    Home {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process that makes the sandbox cannot be started.
    #[error("cannot start the process that makes the sandbox")]
    Spawn(#[source] io::Error),
    /// A step failed.
    #[error("cannot make the sandbox")]
    Step(#[from] Failure),
}

/// Why the command of a prepared sandbox did not start. Nothing is left of it.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no such program inside; 127 is the exit code that shells give it.
    #[error("there is no program `{program}` in the sandbox")]
    NotFound {
        /// The program as it was asked for.
        program: String,
    },
    /// The program is there and cannot be executed; 126 is the exit code that shells give it.
    #[error("`{program}` cannot be executed in the sandbox")]
    NotExecutable {
        /// The program as it was asked for.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A step failed.
    #[error("cannot start the command in the sandbox")]
    Step(#[from] Failure),
}

/// Why it is not known how a command ended. Nothing of its sandbox runs any more.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The processes that watch over the sandbox were killed.
    #[error("the sandbox was killed from outside")]
    Lost,
    /// The relay between the host's terminal and the sandbox's failed.
    #[error("the terminal of the sandbox failed")]
    Terminal(#[source] io::Error),
    /// What the sandbox's processes said could not be understood.
    #[error("lost touch with the sandbox")]
    Step(#[from] Failure),
}

/// Tells a missing program from one that cannot be executed and from our own failures.
pub(super) fn not_started(failure: Failure, program: String) -> StartError {
    match (failure.part, failure.errno) {
        (Part::Command, Some(libc::ENOENT)) if failure.doing == "run" => StartError::NotFound { program },
        (Part::Command, Some(errno)) if failure.doing == "run" => StartError::NotExecutable {
            program,
            source: io::Error::from_raw_os_error(errno),
        },
        _ => failure.into(),
    }
}
