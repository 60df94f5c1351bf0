//! `outwall audit`: reads the audit log.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use jiff::Timestamp;
use outwall_audit::query::{self, Events, Filter, Follow};

use crate::arguments::Session;
use crate::audit_row::{Endings, Followed, heading};
use crate::audit_sinks;
use crate::audit_verify::{Key, Verify};
use crate::failure::Failure;
use crate::since::since_now;
use crate::terminal::{Paint, write_out};

/// Shows what left, who sent it, and what was refused
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  outwall audit --since 1h                 the last hour
  outwall audit --denied --sandbox s-7f3a  what one sandbox was refused
  outwall audit --follow --format json     every event as it is written, for a program to read
  outwall audit verify                     has somebody edited the log?
  outwall audit key > audit-key.pem        what its checkpoints are signed with, to be kept elsewhere")]
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
    Sinks(audit_sinks::Sinks),
    Ship(audit_sinks::Ship),
    Key(Key),
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        let directory = session.state.audit();
        match self.command {
            Some(Command::Sinks(sinks)) => sinks.obey(session),
            Some(Command::Ship(ship)) => ship.obey(session),
            Some(Command::Verify(verify)) => verify.obey(session),
            Some(Command::Key(key)) => key.obey(session),
            None if self.list.follow => self.list.follow(&directory),
            None => self.list.show(&directory),
        }
    }
}

impl List {
    fn filter(&self) -> Filter {
        Filter {
            denied: self.denied,
            sandbox: self.sandbox.clone(),
            since: self.since,
            ..Filter::default()
        }
    }

    fn show(&self, directory: &Path) -> Result<ExitCode, Failure> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.format {
            Format::Json => write_json(&mut out, query::read(directory, self.filter())?)?,
            Format::Table => write_table(&mut out, directory, &self.filter())?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    /// What there is, when a beginning was asked for; then every event as it comes. Ends only by a
    /// signal or when nobody reads any more.
    fn follow(&self, directory: &Path) -> Result<ExitCode, Failure> {
        let paint = Paint::for_stdout();
        let mut log = match self.since {
            Some(_) => Follow::from_start(directory, self.filter()),
            None => Follow::from_now(directory, self.filter())?,
        };
        let mut followed = Followed::default();
        if self.format == Format::Table {
            write_out(&heading(paint))?;
        }
        loop {
            for event in log.poll()? {
                match self.format {
                    Format::Json => write_out(&format!("{}\n", event.line))?,
                    Format::Table => write_out(&followed.row(event, paint).unwrap_or_default())?,
                }
            }
            std::thread::sleep(POLL_EVERY);
        }
    }
}

/// How late an event may be shown.
const POLL_EVERY: Duration = Duration::from_millis(100);

fn write_json(out: &mut impl Write, mut events: Events) -> Result<(), Failure> {
    for event in &mut events {
        writeln!(out, "{}", event?.line)?;
    }
    complain_of(events.unreadable_lines());
    Ok(())
}

/// Reads twice, so that a log of any size needs memory for its endings only.
fn write_table(out: &mut impl Write, directory: &Path, filter: &Filter) -> Result<(), Failure> {
    let paint = Paint::for_stdout();
    let mut endings = Endings::default();
    if !filter.denied {
        for event in query::read(directory, filter.clone())? {
            endings.remember(&event?);
        }
    }
    out.write_all(heading(paint).as_bytes())?;
    let mut events = query::read(directory, filter.clone())?;
    for event in &mut events {
        out.write_all(endings.row(&event?, paint).unwrap_or_default().as_bytes())?;
    }
    complain_of(events.unreadable_lines());
    Ok(())
}

fn complain_of(unreadable_lines: u64) {
    if unreadable_lines > 0 {
        let paint = Paint::for_stderr();
        let warning = paint.yellow("warning:");
        let hint = paint.cyan("hint:");
        let _ = writeln!(
            std::io::stderr(),
            "{warning} {unreadable_lines} lines of the audit log are not events\n{hint} `outwall audit verify` says where"
        );
    }
}
