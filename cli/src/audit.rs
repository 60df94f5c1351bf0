//! `outwall audit`: asks the audit log.

mod follow;
mod indexed;
mod list;
mod show;
mod top;

use std::process::ExitCode;

use crate::arguments::Session;
use crate::audit_sinks;
use crate::audit_verify::{Key, Verify};
use crate::failure::Failure;

/// Shows what left, who sent it, and what was refused
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  outwall audit --since 1h                     the last hour
  outwall audit --denied --sandbox s-7f3a      what one sandbox was refused
  outwall audit --host '*.example.com' --method POST --format csv
  outwall audit --follow --format json         every event as it is written, for a program to read
  outwall audit show 3f9ac0ffee00-17           everything known of one event
  outwall audit top uploads --since 24h        where the most bytes went
  outwall audit verify                         has somebody edited the log?
  outwall audit key > audit-key.pem            what its checkpoints are signed with, to be kept elsewhere")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(show::Show),
    Top(top::Top),
    Verify(Verify),
    Sinks(audit_sinks::Sinks),
    Ship(audit_sinks::Ship),
    Key(Key),
    Reindex(indexed::Reindex),
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        let directory = session.state.audit();
        match self.command {
            Some(Command::Show(show)) => show.obey(&directory),
            Some(Command::Top(top)) => top.obey(&directory),
            Some(Command::Sinks(sinks)) => sinks.obey(session),
            Some(Command::Ship(ship)) => ship.obey(session),
            Some(Command::Verify(verify)) => verify.obey(session),
            Some(Command::Key(key)) => key.obey(session),
            Some(Command::Reindex(_)) => indexed::reindex(&directory),
            None => self.list.obey(&directory),
        }
    }
}
