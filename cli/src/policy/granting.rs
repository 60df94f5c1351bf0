//! `outwall policy allow` and `policy deny`: let sandboxes that run reach a host, from another terminal.

use std::process::ExitCode;
use std::time::Duration;

use jiff::{SpanRelativeTo, Timestamp};
use outwall_control::{Allow as Asked, Answer, Deny as Unasked, Grant, Request, Status};
use outwall_policy::{EnvironmentName, HostPattern, SandboxId};

use crate::arguments::Session;
use crate::control::running;
use crate::failure::{Explain, Failure};
use crate::table::Table;
use crate::terminal::{Paint, printable, say, write_out};

/// Lets sandboxes that run reach one more host, from their next request on
///
/// Until it is taken back (`outwall policy deny HOST`), the time is over, or the gate ends; the policy file stays as it is.
/// Rules and refused addresses go on to refuse. Recorded in the audit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall policy allow api.example.com --for 1h
  outwall policy allow '*.example.com' --environment api
  outwall policy allow --list")]
pub(crate) struct Allow {
    /// `api.example.com`, `*.example.com`, `host:8443`
    #[arg(value_name = "HOST", required_unless_present = "list", value_parser = hosts)]
    host: Option<HostPattern>,

    #[command(flatten)]
    to: Whom,

    /// For so long: `90s`, `30m`, `1h`, `2d` [else: until the gate ends]
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    span: Option<Duration>,

    /// Also in an environment at network level `none`
    #[arg(long)]
    although_none: bool,

    /// Show what is granted, and grant nothing
    #[arg(long, conflicts_with_all = ["host", "span", "although_none", "environment", "sandbox"])]
    list: bool,
}

/// Takes back what `outwall policy allow` granted
///
/// What runs over it ends at once. What the policy file allows stays allowed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall policy deny api.example.com")]
pub(crate) struct Deny {
    /// The host as it was granted
    #[arg(value_name = "HOST", value_parser = hosts)]
    host: HostPattern,

    #[command(flatten)]
    from: Whom,
}

#[derive(Clone, Debug, clap::Args)]
struct Whom {
    /// Sandboxes of this environment [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// This sandbox alone; `--list` shows which run
    #[arg(long, value_name = "ID")]
    sandbox: Option<SandboxId>,
}

fn hosts(text: &str) -> Result<HostPattern, String> {
    HostPattern::parse(text).map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::Span>().ok();
    let signed = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let span = signed.and_then(|span| Duration::try_from(span).ok());
    let span = span.map(|span| Duration::from_secs(span.as_secs()));
    span.filter(|span| !span.is_zero() && *span <= Request::LONGEST_SPAN)
        .ok_or_else(|| "write a span from `1s` to `30d`, like `30m` or `1h`".to_owned())
}

impl Allow {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let Some(hosts) = self.host.as_ref().filter(|_| !self.list) else {
            return list(session);
        };
        let request = Request::Allow(Asked {
            hosts: hosts.clone(),
            environment: self.to.environment.clone(),
            sandbox: self.to.sandbox,
            span: self.span,
            although_none: self.although_none,
        });
        let (grants, notes) = ask_all(session, &request, &self.to)?;
        for grant in &grants {
            say!("granted {}", in_words(grant))?;
        }
        let paint = Paint::for_stdout();
        for note in notes {
            say!("{} {}", paint.yellow("note:"), printable(&note))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Deny {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let request = Request::Deny(Unasked {
            hosts: self.host.clone(),
            environment: self.from.environment.clone(),
            sandbox: self.from.sandbox,
        });
        let (ended, _) = ask_all(session, &request, &self.from)?;
        if ended.is_empty() {
            return Err(Failure::new(format!("nobody granted `{}`", self.host))
                .hint("`outwall policy allow --list` shows what is granted; what the policy file allows is changed there"));
        }
        for grant in &ended {
            say!("took back {}", in_words(grant))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks every gate that runs; one at least must find itself meant.
fn ask_all(session: &Session, request: &Request, whom: &Whom) -> Result<(Vec<Grant>, Vec<String>), Failure> {
    let (mut meant, mut grants, mut notes) = (false, Vec::new(), Vec::new());
    for peer in running(&session.state).explain("cannot look for gates that run")? {
        match peer.ask(request)? {
            Answer::Done {
                grants: done,
                notes: known,
            } => {
                meant = true;
                grants.extend(done);
                notes.extend(
                    known
                        .into_iter()
                        .filter(|note| !notes.contains(note))
                        .collect::<Vec<_>>(),
                );
            }
            Answer::Refused { error, hints } => {
                let failure = Failure::new(error);
                return Err(hints.into_iter().fold(failure, Failure::hint));
            }
            Answer::NotMine => {}
            Answer::Status(_) | Answer::Metrics { .. } => {
                return Err(Failure::new("a gate answered something else"));
            }
        }
    }
    if meant {
        Ok((grants, notes))
    } else {
        Err(nobody(session, whom))
    }
}

/// Nobody was meant: says who there is.
fn nobody(session: &Session, whom: &Whom) -> Failure {
    let gates = statuses(session).unwrap_or_default();
    let asked = match (&whom.sandbox, &whom.environment) {
        (Some(id), _) => format!("no sandbox `{id}` runs"),
        (None, Some(environment)) => format!("no sandbox of environment `{environment}` runs"),
        (None, None) => "no sandbox of the default environment runs".to_owned(),
    };
    let sandboxes = gates.iter().flat_map(|gate| &gate.sandboxes);
    let known: Vec<String> = sandboxes
        .map(|one| format!("{} ({})", one.id, one.environment))
        .collect();
    if known.is_empty() {
        return Failure::new("no gate runs, so there is nobody to grant it to")
            .hint("`outwall run --allow HOST` allows it from the start; the policy file for good");
    }
    Failure::new(asked).hint(format!(
        "these run: {}; name one with `--sandbox ID`, or its environment with `--environment NAME`",
        known.join(", ")
    ))
}

/// How every gate is that runs and answers.
pub(crate) fn statuses(session: &Session) -> Result<Vec<Status>, Failure> {
    let peers = running(&session.state).explain("cannot look for gates that run")?;
    let answers = peers
        .into_iter()
        .filter_map(|peer| peer.ask(&Request::Status).ok());
    let statuses = answers.filter_map(|answer| match answer {
        Answer::Status(status) => Some(*status),
        _ => None,
    });
    Ok(statuses.collect())
}

fn list(session: &Session) -> Result<ExitCode, Failure> {
    let gates = statuses(session)?;
    if gates.is_empty() {
        say!("no gate runs")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["HOST", "FOR", "GRANTED", "UNTIL"]);
    for grant in gates.iter().flat_map(|gate| &gate.grants) {
        table.row([
            printable(&grant.hosts).into_owned(),
            grant
                .sandbox
                .map_or(format!("environment {}", grant.environment), |id| id.to_string()),
            printable(&grant.by).into_owned(),
            grant.until.clone().unwrap_or_else(|| "the gate ends".to_owned()),
        ]);
    }
    if table.is_empty() {
        say!("nothing is granted")?;
    } else {
        write_out(&table.render(Paint::for_stdout()))?;
    }
    let sandboxes: Vec<String> = gates
        .iter()
        .flat_map(|gate| {
            gate.sandboxes
                .iter()
                .map(|one| format!("{} ({})", one.id, one.environment))
        })
        .collect();
    say!("\nsandboxes that run: {}", sandboxes.join(", "))?;
    Ok(ExitCode::SUCCESS)
}

fn in_words(grant: &Grant) -> String {
    let whom = match grant.sandbox {
        Some(id) => format!("sandbox {id}"),
        None => format!("sandboxes of environment `{}`", grant.environment),
    };
    let until = grant
        .until
        .as_deref()
        .and_then(|until| until.parse::<Timestamp>().ok());
    let until = until.map_or("until the gate ends".to_owned(), |until| {
        format!("until {until:.0}")
    });
    format!("{} to {whom}, {until}", printable(&grant.hosts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_between_a_second_and_thirty_days() {
        assert_eq!(span("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(span("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(span("2d"), Ok(Duration::from_hours(48)));
        for wrong in ["0s", "-1h", "31d", "1 year", "soon", ""] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
