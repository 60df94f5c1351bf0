//! `outwall audit`: reads the audit log.

use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::arguments::Session;
use crate::failure::Failure;
use crate::since::since_now;

/// Shows what left, who sent it, and what was refused
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  outwall audit --since 1h                 the last hour
  outwall audit --denied --sandbox s-7f3a  what one sandbox was refused; the start of its name will do
  outwall audit --follow --format json     every event as it is written, for a program to read
  outwall audit verify                     has somebody edited the log?")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only what was refused
    #[arg(long)]
    denied: bool,

    /// Only this sandbox; the start of its name will do
    #[arg(long, value_name = "ID")]
    sandbox: Option<String>,

    /// Only from then on: a span like 90m, 1h or 2d, or a time like 2026-05-01T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since_now)]
    since: Option<Timestamp>,

    /// Go on as events are written, until interrupted
    #[arg(long)]
    follow: bool,

    /// For people, or every event as it was written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each request, aligned
    Table,
    /// One JSON object a line
    Json,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Verify(Verify),
}

/// Checks that no record was changed, removed or inserted
///
/// Ends with 1 and names the first record that does not fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall audit verify")]
struct Verify {}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let _ = session;
        Err(Failure::new("not there yet"))
    }
}
