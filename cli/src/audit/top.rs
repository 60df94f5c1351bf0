//! `outwall audit top`: who and what is at the top.

use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use outwall_audit::index::{Denial, Index, Top as Which, TopRow};
use outwall_audit::query::Filter;
use outwall_control::amount;

use super::indexed;
use super::list::Narrowed;
use crate::audit_row::time_of;
use crate::failure::Failure;
use crate::table::Table;
use crate::terminal::{Paint, write_out};

/// Shows who and what is at the top: of how often, or of bytes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall audit top hosts --since 24h             where requests went, and what was refused
  outwall audit top denied --environment build    what to allow, or to look at
  outwall audit top uploads                       where the most bytes went")]
pub(crate) struct Top {
    /// What is counted
    #[arg(value_enum, value_name = "WHAT")]
    what: What,

    /// How many lines
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,

    #[command(flatten)]
    narrowed: Narrowed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Hosts, by requests and connections
    Hosts,
    /// Targets that were refused, with what would allow them
    Denied,
    /// Hosts, by bytes sent to them
    Uploads,
    /// Programs in sandboxes, by requests and connections
    Programs,
    /// Credentials, by requests that they were put into
    Credentials,
}

impl Top {
    pub(super) fn obey(&self, directory: &Path) -> Result<ExitCode, Failure> {
        let index = indexed::open(directory)?;
        let filter = self.narrowed.filter();
        let paint = Paint::for_stdout();
        let table = match self.what {
            What::Denied => denied(&index.denials(&filter, self.most)?, paint),
            What::Hosts => self.top(&index, Which::Hosts, "HOST", &filter, paint)?,
            What::Uploads => self.top(&index, Which::Uploads, "HOST", &filter, paint)?,
            What::Programs => self.top(&index, Which::Programs, "PROGRAM", &filter, paint)?,
            What::Credentials => self.top(&index, Which::Credentials, "CREDENTIAL", &filter, paint)?,
        };
        match table {
            Some(table) => write_out(&table)?,
            None => indexed::nothing(&index, &filter, "nothing of that")?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn top(
        &self,
        index: &Index,
        what: Which,
        heading: &'static str,
        filter: &Filter,
        paint: Paint,
    ) -> Result<Option<String>, Failure> {
        let rows = index.top(what, filter, self.most)?;
        let weight = |row: &TopRow| {
            if what == Which::Uploads {
                row.bytes_up
            } else {
                row.allowed + row.denied
            }
        };
        let most = rows.first().map_or(1, weight);
        let mut table = Table::new([heading, "ALLOWED", "DENIED", "UP", "DOWN", "LAST (UTC)", ""]);
        for row in &rows {
            table.row([
                row.name.clone(),
                row.allowed.to_string(),
                row.denied.to_string(),
                amount(row.bytes_up),
                amount(row.bytes_down),
                time_of(row.last),
                bar(weight(row), most),
            ]);
        }
        Ok((!table.is_empty()).then(|| table.render(paint)))
    }
}

fn denied(denials: &[Denial], paint: Paint) -> Option<String> {
    let mut table = Table::new(["TARGET", "TIMES", "REASON", "LAST (UTC)", "EVENT", "TO ALLOW IT"]);
    for denial in denials {
        let latest = denial.latest.as_ref().map(|latest| &latest.event);
        table.row([
            denial.target.clone().unwrap_or_else(|| "-".to_owned()),
            denial.times.to_string(),
            denial.reason.clone(),
            time_of(denial.last),
            latest.map_or_else(|| "-".to_owned(), |event| event.id.clone()),
            latest
                .and_then(|event| event.remedy.clone())
                .unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    (!table.is_empty()).then(|| table.render(paint))
}

/// Up to twenty characters, of which every row has one at least.
fn bar(weight: u64, most: u64) -> String {
    let length = (u128::from(weight) * LONGEST_BAR).div_ceil(u128::from(most.max(1)));
    "#".repeat(usize::try_from(length).unwrap_or(0))
}

const LONGEST_BAR: u128 = 20;
