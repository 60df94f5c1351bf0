//! `outwall policy replay`: what a proposed policy would do to the traffic that the audit has.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;
use outwall_audit::query::Filter;
use outwall_audit::replay::{Changes, Replay as Replayed};
use outwall_policy::{EnvironmentName, Overrides};
use serde_json::{Value, json};

use super::suggest::each_passage;
use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;
use crate::since::since_now;
use crate::table::Table;
use crate::terminal::{Paint, printable, say, write_out};

/// Says what the policy file `--config` would have done to the traffic in the audit: nothing is sent
///
/// Every decision is made by the code that decides in a gate: connection, address, request, and what a session does at its GitHub.
/// Not asked again, because no log has what it takes: limits of rate and number, names below one wildcard, what bodies hold, sizes
/// of heads, whether a session's token is fit for its rules. Ends with 0 when nothing that passed would be refused, with 1 when
/// something would, with 2 when it cannot be said.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall policy replay --config new.toml                        the last seven days
  outwall policy replay --config new.toml --since 1h --format json
  outwall policy replay --config new.toml --environment api --as strict")]
pub(crate) struct Replay {
    /// Only what sandboxes of this environment did
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// Decide by this environment of the file [else: the one of the same name]
    #[arg(long = "as", value_name = "NAME")]
    decide_as: Option<EnvironmentName>,

    /// Only what this sandbox did; the start of its name will do
    #[arg(long, value_name = "ID")]
    sandbox: Option<String>,

    /// Only from then on: a span like 90m, 1h or 2d, or a time like 2026-05-01T12:00:00Z
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = since_now)]
    since: Timestamp,

    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables of what would change
    Table,
    /// One JSON object
    Json,
}

/// The exit code when something that passed would be refused.
const WOULD_REFUSE: u8 = 1;
/// And when that cannot be said.
const NOT_REPLAYED: u8 = 2;

impl Replay {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        self.replay(session)
            .map_err(|failure| failure.exit_with(NOT_REPLAYED))
    }

    fn replay(&self, session: &Session) -> Result<ExitCode, Failure> {
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        in_force.warn();
        let asked = self.decide_as.as_ref().map(EnvironmentName::as_str);
        in_force
            .policy
            .environment(asked)
            .hint("`--as NAME` decides by another environment of the file")?;
        let filter = Filter {
            environment: self.environment.as_ref().map(ToString::to_string),
            sandbox: self.sandbox.clone(),
            since: Some(self.since),
            ..Filter::default()
        };
        let mut replayed = Replayed::default();
        let (unreadable, uncounted) = each_passage(session, filter, |passage| {
            let by = self
                .decide_as
                .clone()
                .or_else(|| passage.environment.parse().ok());
            if let Some(by) = by {
                replayed.add(&in_force.policy, &by, &passage);
            }
        })?;
        match self.format {
            Format::Json => say!("{}", as_json(&replayed, unreadable, uncounted))?,
            Format::Table => write_out(&as_tables(&replayed, unreadable, uncounted, Paint::for_stdout()))?,
        }
        Ok(if replayed.newly_refused.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(WOULD_REFUSE)
        })
    }
}

fn as_tables(replayed: &Replayed, unreadable: u64, uncounted: u64, paint: Paint) -> String {
    let mut text = String::new();
    for (title, changes) in [
        (
            paint.red("would be refused, and passed:"),
            &replayed.newly_refused,
        ),
        (
            paint.green("would pass, and was refused:"),
            &replayed.newly_allowed,
        ),
        (paint.yellow("cannot be said:"), &replayed.undecidable),
    ] {
        if !changes.is_empty() {
            let shown = table(changes).render(paint);
            let _ = writeln!(text, "{title}\n{shown}{}", remedies(changes, paint));
        }
    }
    let _ = writeln!(
        text,
        "{} would be refused, {} would pass anew, {} cannot be said; as before: {} pass, {} are refused",
        times(&replayed.newly_refused),
        times(&replayed.newly_allowed),
        times(&replayed.undecidable),
        replayed.still_allowed,
        replayed.still_refused
    );
    if replayed.not_asked > 0 {
        let _ = writeln!(
            text,
            "{} would not be asked for: GitHub led there for a request that would be refused",
            replayed.not_asked
        );
    }
    if unreadable + uncounted > 0 {
        let _ = writeln!(
            text,
            "left out: {unreadable} events that cannot be read, {uncounted} refusals that the log only counts"
        );
    }
    text
}

fn table(changes: &Changes) -> Table<6> {
    let mut table = Table::new(["TIMES", "METHOD", "TARGET", "PATH", "REASON", "SANDBOXES"]);
    for (about, seen) in changes {
        let (method, mut path) = about.request.clone().unwrap_or(("-".into(), "-".into()));
        if !about.does.is_empty() {
            let _ = write!(path, " ({})", about.does.join(", "));
        }
        let sandboxes: Vec<String> = seen.sandboxes.iter().map(ToString::to_string).collect();
        table.row([
            seen.times.to_string(),
            method,
            about.target.to_string(),
            path,
            about.reason.clone(),
            sandboxes.join(" "),
        ]);
    }
    table
}

/// What an operator would change, each once.
fn remedies(changes: &Changes, paint: Paint) -> String {
    let mut said: Vec<&str> = changes
        .values()
        .filter_map(|seen| seen.remedy.as_deref())
        .collect();
    said.sort_unstable();
    said.dedup();
    let hint = paint.cyan("hint:").into_owned();
    let lines = said
        .iter()
        .take(MOST_REMEDIES)
        .map(|remedy| format!("{hint} {}\n", printable(remedy)));
    let mut text: String = lines.collect();
    if said.len() > MOST_REMEDIES {
        let more = said.len() - MOST_REMEDIES;
        let _ = writeln!(text, "{hint} and {more} more: `--format json` has all");
    }
    text
}

const MOST_REMEDIES: usize = 10;

fn times(changes: &Changes) -> u64 {
    changes.values().map(|seen| seen.times).sum()
}

fn as_json(replayed: &Replayed, unreadable: u64, uncounted: u64) -> Value {
    json!({
        "v": 1,
        "newly_refused": changes_as_json(&replayed.newly_refused),
        "newly_allowed": changes_as_json(&replayed.newly_allowed),
        "undecidable": changes_as_json(&replayed.undecidable),
        "still_allowed": replayed.still_allowed,
        "still_refused": replayed.still_refused,
        "not_asked": replayed.not_asked,
        "unreadable": unreadable,
        "uncounted": uncounted,
    })
}

fn changes_as_json(changes: &Changes) -> Vec<Value> {
    let each = changes.iter().map(|(about, seen)| {
        let (method, path) = about.request.clone().unzip();
        json!({
            "target": about.target.to_string(),
            "method": method,
            "path": path,
            "does": about.does,
            "reason": about.reason,
            "message": seen.message,
            "remedy": seen.remedy,
            "rule": seen.rule,
            "times": seen.times,
            "environments": seen.environments.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "sandboxes": seen.sandboxes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    each.collect()
}
