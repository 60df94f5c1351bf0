//! `outwall policy`: asks the policy without sending anything, and grants beside it.

mod check;
mod github;
pub(crate) mod granting;
mod replay;
mod show;
pub(crate) mod suggest;

use std::process::ExitCode;

use crate::arguments::Session;
use crate::failure::Failure;

/// Asks the policy: what is allowed, by which rule, and where that is written
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Show(show::Show),
    Allow(granting::Allow),
    Deny(granting::Deny),
    Suggest(suggest::Suggest),
    Replay(replay::Replay),
}

impl Command {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        match self {
            Self::Check(check) => check.obey(session),
            Self::Show(show) => show.obey(session),
            Self::Allow(allow) => allow.obey(session),
            Self::Deny(deny) => deny.obey(session),
            Self::Suggest(suggest) => suggest.obey(session),
            Self::Replay(replay) => replay.obey(session),
        }
    }
}
