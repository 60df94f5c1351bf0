//! `outwall doctor`: what this machine offers, what is missing, and how to get it.

use std::process::ExitCode;

use crate::arguments::Session;
use crate::failure::Failure;

/// Checks whether this machine can run sandboxes, and says what is missing
///
/// Ends with 1 when `outwall run` cannot work.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall doctor")]
pub(crate) struct Arguments {}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let _ = session;
        Err(Failure::new("not there yet"))
    }
}
