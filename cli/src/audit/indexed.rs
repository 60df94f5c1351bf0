//! The index that questions are asked of: opened, brought up to date with a word to who waits, made anew.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use outwall_audit::index::{Extent, Index, IndexError};
use outwall_audit::query::Filter;

use crate::failure::{Explain as _, Failure};
use crate::summary::count;
use crate::terminal::{Paint, say};

/// Makes the index of the log anew
///
/// The index only says where in the log an event is. It is kept up to date by whoever asks, and made anew by itself when it is damaged,
/// so this is for when you doubt that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall audit reindex")]
pub(crate) struct Reindex {}

/// The index of the log in `directory`, up to date.
pub(crate) fn open(directory: &Path) -> Result<Index, Failure> {
    let mut index = Index::open_as_it_is(directory)?;
    refresh(&mut index)?;
    Ok(index)
}

/// What is indexed is read from the log alone.
pub(crate) fn reindex(directory: &Path) -> Result<ExitCode, Failure> {
    let mut index = Index::open_as_it_is(directory)?;
    index.clear().explain("cannot make the index anew")?;
    refresh(&mut index)?;
    let extent = index.extent(&Filter::default())?;
    say!(
        "{} in {} indexed; what went out and how it came back is one",
        count(extent.events, "event"),
        count(extent.segments, "file")
    )?;
    complain_of(&extent);
    Ok(ExitCode::SUCCESS)
}

/// Says on a terminal how far it is, where that takes more than a moment.
fn refresh(index: &mut Index) -> Result<(), IndexError> {
    let began = Instant::now();
    let mut told = false;
    let refreshed = index.refresh_telling(&mut |events| {
        if began.elapsed() > A_MOMENT && std::io::stderr().is_terminal() {
            told = true;
            let _ = write!(std::io::stderr(), "\rindexing the audit log: {events} events ");
        }
    });
    if told {
        let _ = write!(std::io::stderr(), "\r{:60}\r", "");
    }
    refreshed
}

/// Damage is nobody's secret.
pub(crate) fn complain_of(extent: &Extent) {
    if extent.unreadable > 0 {
        let paint = Paint::for_stderr();
        let (warning, hint) = (paint.yellow("warning:"), paint.cyan("hint:"));
        let _ = writeln!(
            std::io::stderr(),
            "{warning} {} of the audit log are not events\n{hint} `outwall audit verify` says where",
            count(extent.unreadable, "line")
        );
    }
}

/// Says what was looked at, where nothing was found in it.
pub(crate) fn nothing(index: &Index, filter: &Filter, what: &str) -> Result<(), Failure> {
    let span = Filter {
        since: filter.since,
        until: filter.until,
        ..Filter::default()
    };
    let (there, all) = (index.extent(&span)?, index.extent(&Filter::default())?);
    let paint = Paint::for_stderr();
    let span = match (filter.since, filter.until) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {since:.0}"),
        (None, Some(until)) => format!(" before {until:.0}"),
        (Some(since), Some(until)) => format!(" from {since:.0} until {until:.0}"),
    };
    let place = index.directory().display();
    writeln!(
        std::io::stderr(),
        "{} {what} among the {}{span} in `{place}`",
        paint.cyan("note:"),
        count(there.events, "event")
    )?;
    if there.events == 0
        && let (Some(first), Some(last)) = (all.first, all.last)
    {
        writeln!(
            std::io::stderr(),
            "{} its events are from {first:.0} until {last:.0}",
            paint.cyan("hint:")
        )?;
    }
    complain_of(&all);
    Ok(())
}

const A_MOMENT: Duration = Duration::from_secs(1);
