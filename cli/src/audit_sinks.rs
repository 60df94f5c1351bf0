//! `outwall audit sinks` and `outwall audit ship`: how far the audit's events are on their way to other systems, and sending them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{Timestamp, Unit};
use outwall_policy::Overrides;
use outwall_policy::audit_sinks::AuditSink;
use outwall_shipping::{
    Left, Plan, Shipping, SinkState, Standing, Unconfigured, ship_once, states, unconfigured,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::memory;
use crate::policy_in_force::PolicyInForce;
use crate::shipping::{LAST_TRY, plan, to_stderr};
use crate::summary::count;
use crate::table::Table;
use crate::terminal::{Paint, printable, say, write_out};

/// Shows how far each sink of the policy is
///
/// A sink is another system that gets the audit's events (`[[audit.sinks]]`). While it is away, what it has not got is kept.
/// One that was taken out of the policy is shown too, with what it means for the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall audit sinks
  outwall audit sinks --format json    for monitoring")]
pub(crate) struct Sinks {
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each, aligned
    Table,
    /// One JSON object a line
    Json,
}

/// Sends the audit's events to the sinks of the policy
///
/// A running gate does so by itself. This is for machines where only short runs happen, as a service or from time to time with
/// `--once`. One process ships to a sink at a time; another one takes over when it ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall audit ship                   until SIGTERM or Ctrl-C
  outwall audit ship --once            what there is; ends with 1 and says why where something is left
  outwall audit ship --once --sink siem")]
pub(crate) struct Ship {
    /// Send what there is, and end
    #[arg(long)]
    once: bool,

    /// Only to this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
}

impl Sinks {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        let sinks = &in_force.policy.audit().sinks;
        let directory = session.state.audit();
        let states = states(&directory, sinks);
        let path = in_force.path();
        let others = unconfigured(&directory, path.as_deref().map(Path::new), sinks)
            .explain("it is not known which sinks the log is kept for")?;
        match self.format {
            Format::Json => {
                for state in states.iter().map(for_programs) {
                    write_out(&format!("{state}\n"))?;
                }
                for other in others.iter().map(other_for_programs) {
                    write_out(&format!("{other}\n"))?;
                }
            }
            Format::Table => {
                if sinks.is_empty() {
                    say!("{NO_SINKS}; {HOW_TO_HAVE_ONE}")?;
                } else {
                    write_out(&for_people(&states))?;
                }
                for other in &others {
                    say!("{}", other_for_people(other))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Ship {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        memory::keep_to_ourselves();
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        let mut plan = plan(session, &in_force, to_stderr());
        plan.sinks = self.chosen(plan.sinks)?;
        session.state.make()?;
        if self.once {
            return once(plan);
        }
        until_told(plan)
    }

    fn chosen(&self, sinks: Vec<AuditSink>) -> Result<Vec<AuditSink>, Failure> {
        if sinks.is_empty() {
            return Err(Failure::new(NO_SINKS).hint(HOW_TO_HAVE_ONE));
        }
        let Some(name) = &self.sink else {
            return Ok(sinks);
        };
        let known: Vec<String> = sinks.iter().map(|sink| sink.name.to_string()).collect();
        let chosen: Vec<_> = sinks
            .into_iter()
            .filter(|sink| sink.name.as_str() == name)
            .collect();
        if chosen.is_empty() {
            return Err(Failure::new(format!("the policy has no sink `{name}`"))
                .hint(format!("its sinks are {}", known.join(", "))));
        }
        Ok(chosen)
    }
}

fn once(plan: Plan) -> Result<ExitCode, Failure> {
    let left = ship_once(plan).explain("nothing could be sent")?;
    for Left { sink, events, why } in &left {
        let events = events.map_or_else(|| "some events".to_owned(), |events| count(events, "event"));
        say!("sink {sink} has not got {events}: {why}")?;
    }
    Ok(if left.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn until_told(plan: Plan) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.explain("cannot listen for signals")?;
    let listen = |kind| signal(kind).explain("cannot listen for signals");
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let shipping = Shipping::start(plan).explain("nothing can be sent")?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shipping.finish(LAST_TRY);
        Ok(ExitCode::SUCCESS)
    })
}

fn for_people(states: &[SinkState]) -> String {
    let mut table = Table::new([
        "SINK",
        "KIND",
        "BEHIND",
        "DELIVERED",
        "REJECTED",
        "LAST SUCCESS",
        "SHIPPED BY",
        "PLACE",
    ]);
    for state in states {
        table.row([
            state.name.clone(),
            state.kind.to_owned(),
            behind(state),
            state.delivered.to_string(),
            state.rejected.to_string(),
            state
                .last_success
                .map_or_else(|| "never".to_owned(), |at| format!("{at:.0}")),
            state
                .shipped_by
                .map_or_else(|| "nobody".to_owned(), |pid| format!("process {pid}")),
            state.place.clone(),
        ]);
    }
    let paint = Paint::for_stdout();
    let mut text = table.render(paint);
    for state in states
        .iter()
        .filter(|state| state.failures > 0 || state.last_success.is_none())
    {
        if let Some(trouble) = &state.last_error {
            let _ = writeln!(text, "{}: {} ({:.0})", state.name, trouble.why, trouble.at); // a string takes all
        }
    }
    text
}

/// A sink that the policy does not name, and whether the log is kept for it.
fn other_for_people(other: &Unconfigured) -> String {
    let behind = other.lag_events.map_or_else(
        || "an unknown number of events".to_owned(),
        |events| count(events, "event"),
    );
    let how = match &other.standing {
        Standing::OfOthers(policies) => {
            let policies = policies.join("`, `");
            format!("the log is kept for it, since `{policies}` names it")
        }
        Standing::LeftBehind => {
            "no policy names it any more, and the log is kept for it until a gate starts".to_owned()
        }
        Standing::SetAside => {
            "nothing is kept for it; a sink of this name in the policy goes on where it was".to_owned()
        }
    };
    printable(&format!(
        "{} (not in this policy) has not got {behind}: {how}",
        other.name
    ))
    .to_string()
}

fn other_for_programs(other: &Unconfigured) -> serde_json::Value {
    let (standing, policies): (_, &[String]) = match &other.standing {
        Standing::OfOthers(policies) => ("of-other-policies", policies),
        Standing::LeftBehind => ("left-behind", &[]),
        Standing::SetAside => ("set-aside", &[]),
    };
    json!({
        "name": other.name,
        "configured": false,
        "standing": standing,
        "policies": policies,
        "lag_events": other.lag_events,
    })
}

fn behind(state: &SinkState) -> String {
    match (state.lag_events, state.lag) {
        (None, _) => "unknown".to_owned(),
        (Some(0), _) => "nothing".to_owned(),
        (Some(events), None) => count(events, "event"),
        (Some(events), Some(lag)) => format!("{}, {}", count(events, "event"), span(lag)),
    }
}

fn span(time: Duration) -> String {
    let span = jiff::Span::new()
        .try_seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
        .unwrap_or_default();
    let rounded = span
        .round(jiff::SpanRound::new().largest(Unit::Hour))
        .unwrap_or_default();
    format!("{rounded:#}")
}

fn for_programs(state: &SinkState) -> serde_json::Value {
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "name": state.name,
        "configured": true,
        "kind": state.kind,
        "place": state.place,
        "lag_events": state.lag_events,
        "lag_seconds": state.lag.map(|lag| lag.as_secs_f64()),
        "delivered": state.delivered,
        "rejected": state.rejected,
        "failures": state.failures,
        "last_success": at(state.last_success),
        "last_error": state.last_error.as_ref().map(|trouble| json!({ "at": trouble.at.to_string(), "why": trouble.why })),
        "shipped_by": state.shipped_by,
    })
}

const NO_SINKS: &str = "the policy has no sinks for the audit";
const HOW_TO_HAVE_ONE: &str =
    "`[[audit.sinks]]` with name, kind and url or path adds one; `outwall init` shows the keys";
