//! `outwall policy suggest`: an environment made of what passed.

use std::io::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;
use outwall_audit::Event;
use outwall_audit::query::{self, Filter};
use outwall_audit::suggest::{DeniedToo, RulesToo, Suggester, Suggestion, TrustedInstead, Wanted};
use outwall_audit::traffic::{Passage, Traffic};
use outwall_policy::{EnvironmentName, Overrides, Policy};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;
use crate::since::since_now;
use crate::terminal::{Paint, write_out};

/// Suggests the smallest environment under which what passed would pass again
///
/// Exact hosts with the ports that were seen; as TOML, with a comment for each entry: how often, which methods, when. It is
/// checked before it is printed: it loads without warning, and all that it was made of passes by it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall policy suggest --from audit --since 1h
  outwall policy suggest --from audit --sandbox s-7f3a --rules     narrowed to methods and paths
  outwall policy suggest --from audit --environment api > api.toml
  outwall policy replay --config api.toml --environment api        would all of it pass?")]
pub(crate) struct Suggest {
    /// What to make it of
    #[arg(long, value_enum, default_value_t = From::Audit)]
    from: From,

    /// Only what sandboxes of this environment did
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// Only what this sandbox did; the start of its name will do
    #[arg(long, value_name = "ID")]
    sandbox: Option<String>,

    /// Only from then on: a span like 90m, 1h or 2d, or a time like 2026-05-01T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since_now)]
    since: Option<Timestamp>,

    /// Also rules for the methods and paths that were seen, so that others are refused
    #[arg(long)]
    rules: bool,

    /// The Trusted list in place of the hosts that it covers, where that is shorter: it reaches more than was seen
    #[arg(long)]
    with_trusted: bool,

    /// Also what was refused because no entry allows it, each marked
    #[arg(long)]
    including_denied: bool,

    /// What to call it [else: the environment that the traffic is of; `suggested` where there are several]
    #[arg(long, value_name = "NAME")]
    name: Option<EnvironmentName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// The audit log
    Audit,
}

impl Suggest {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let From::Audit = self.from;
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        let filter = Filter {
            environment: self.environment.as_ref().map(ToString::to_string),
            sandbox: self.sandbox.clone(),
            since: self.since,
            ..Filter::default()
        };
        let gathered = gather(session, filter)?;
        let wanted = Wanted {
            name: self
                .name
                .clone()
                .or_else(|| self.environment.clone())
                .unwrap_or_else(|| gathered.name()),
            trusted: if self.with_trusted {
                TrustedInstead::WhereShorter
            } else {
                TrustedInstead::Never
            },
            rules: if self.rules { RulesToo::Yes } else { RulesToo::No },
            denied: if self.including_denied {
                DeniedToo::Yes
            } else {
                DeniedToo::No
            },
        };
        gathered.warn();
        let suggestion = gathered.suggest(wanted, &in_force.policy)?;
        write_out(&suggestion.toml)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is in the log, as far as it is wanted.
pub(crate) struct Gathered {
    passages: Vec<Passage>,
    unreadable: u64,
    uncounted: u64,
}

/// Reads the log.
pub(crate) fn gather(session: &Session, filter: Filter) -> Result<Gathered, Failure> {
    let mut passages = Vec::new();
    let (unreadable, uncounted) = each_passage(session, filter, |passage| passages.push(passage))?;
    Ok(Gathered {
        passages,
        unreadable,
        uncounted,
    })
}

/// Reads the log, one passage after the other. Returns how many events could not be read, and how many refusals have none.
pub(crate) fn each_passage(
    session: &Session,
    filter: Filter,
    mut take: impl FnMut(Passage),
) -> Result<(u64, u64), Failure> {
    let mut traffic = Traffic::default();
    let mut events = query::read(&session.state.audit(), filter)?;
    for event in &mut events {
        let event: Event = event?;
        if let Some(passage) = traffic.take(&event) {
            take(passage);
        }
    }
    traffic.rest().for_each(&mut take);
    Ok((
        traffic.unreadable() + events.unreadable_lines(),
        traffic.uncounted(),
    ))
}

impl Gathered {
    /// The environment that all of it is of.
    fn name(&self) -> EnvironmentName {
        let mut names = self.passages.iter().map(|passage| passage.environment.as_str());
        let first = names.next();
        let only = first.filter(|first| names.all(|name| name == *first));
        let suggested = || "suggested".parse().expect("it is a name");
        only.and_then(|name| name.parse().ok()).unwrap_or_else(suggested)
    }

    fn warn(&self) {
        let warning = Paint::for_stderr().yellow("warning:").into_owned();
        let say = |text: String| {
            let _ = writeln!(std::io::stderr(), "{warning} {text}");
        };
        if self.passages.is_empty() {
            say("the log has no such traffic: the suggestion reaches nothing".to_owned());
        }
        if self.unreadable > 0 {
            say(format!(
                "{} events could not be read and are left out; `outwall audit verify` says whether the log is whole",
                self.unreadable
            ));
        }
        if self.uncounted > 0 {
            say(format!(
                "{} refusals are counted in the log and not named: they are left out",
                self.uncounted
            ));
        }
    }

    pub(crate) fn suggest(&self, wanted: Wanted, in_force: &Policy) -> Result<Suggestion, Failure> {
        let mut suggester = Suggester::new(wanted);
        for passage in &self.passages {
            suggester.add(passage, in_force);
        }
        suggester.suggest().explain("nothing can be suggested")
    }
}
