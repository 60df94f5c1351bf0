//! Delivers the audit's events to the sinks of the policy, beside a gate.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outwall_audit::AuditLog;
use outwall_policy::audit_sinks::{AuditSink, Receiver};
use outwall_shipping::{Pace, Plan, Shipping, Voice, left_behind};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::origin_files;
use crate::policy_in_force::PolicyInForce;
use crate::summary::count;
use crate::terminal::printable;

/// Shipping beside a command that somebody looks at: what is said waits until the command has ended.
pub(crate) struct Beside {
    shipping: Shipping,
    said: Arc<Mutex<Vec<String>>>,
}

/// What the end of a process may wait for receivers. What is left is for the next one.
pub(crate) const LAST_TRY: Duration = Duration::from_secs(2);

/// What is delivered to whom, by this policy.
pub(crate) fn plan(session: &Session, in_force: &PolicyInForce, voice: Voice) -> Plan {
    let roots = in_force.policy.origins().extra_roots();
    let host = rustix::system::uname();
    Plan {
        directory: session.state.audit(),
        policy: in_force.path().map(PathBuf::from),
        sinks: in_force.policy.audit().sinks.clone(),
        surroundings: origin_files::surroundings(in_force),
        roots: roots.map(|root| in_force.place(root)).collect::<Vec<PathBuf>>(),
        host: host.nodename().to_string_lossy().into_owned(),
        voice,
        pace: Pace::default(),
    }
}

/// Says it on stderr at once.
pub(crate) fn to_stderr() -> Voice {
    Arc::new(say)
}

/// Beside a gate that serves others. None: the policy names no sinks.
pub(crate) fn beside_a_gate(
    session: &Session,
    in_force: &PolicyInForce,
    audit: &AuditLog,
) -> Result<Option<Shipping>, Failure> {
    let plan = plan(session, in_force, to_stderr());
    set_aside_what_is_left_behind(&plan, audit)?;
    start(plan)
}

/// Sinks that no policy names keep nothing of the log from here on, which is on record first.
fn set_aside_what_is_left_behind(plan: &Plan, audit: &AuditLog) -> Result<(), Failure> {
    let left = match left_behind(&plan.directory, plan.policy.as_deref(), &plan.sinks) {
        Ok(left) => left,
        Err(error) => {
            say(&format!(
                "the log is kept for all audit sinks that there ever were: {error}"
            ));
            return Ok(());
        }
    };
    for sink in left {
        let name = sink.name.clone();
        let missed = sink.lag_events.map_or_else(
            || "an unknown number of events".to_owned(),
            |events| count(events, "event"),
        );
        let what = format!(
            "no policy names the audit sink `{name}` any more: {missed} that it has not got may be removed by `keep_for` and `keep_at_most`"
        );
        audit.finding(None, "sink-set-aside", &what)?;
        sink.set_aside()
            .explain(format!("the audit sink `{name}` cannot be set aside"))?;
        say(&format!(
            "{what}\n  hint: a sink of this name in a policy goes on where this one was"
        ));
    }
    Ok(())
}

impl Beside {
    /// None: the policy names no sinks that can be shipped to here.
    pub(crate) fn a_command(
        session: &Session,
        in_force: &PolicyInForce,
        audit: &AuditLog,
    ) -> Result<Option<Self>, Failure> {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&said);
        let voice: Voice = Arc::new(move |text| {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() < MOST_SAID {
                heard.push(text.to_owned());
            }
        });
        let mut plan = plan(session, in_force, voice);
        set_aside_what_is_left_behind(&plan, audit)?;
        plan.sinks.retain(is_not_stdout); // that is the command's own
        Ok(start(plan)?.map(|shipping| Self { shipping, said }))
    }

    /// Sends what there is, and says what went wrong meanwhile.
    pub(crate) fn finish(self) {
        self.shipping.finish(LAST_TRY);
        for text in self.said.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            say(text);
        }
    }
}

fn start(plan: Plan) -> Result<Option<Shipping>, Failure> {
    if plan.sinks.is_empty() {
        return Ok(None);
    }
    let shipping = Shipping::start(plan).explain("the audit's events cannot be delivered")?;
    Ok(Some(shipping))
}

fn is_not_stdout(sink: &AuditSink) -> bool {
    sink.receiver != Receiver::Stdout
}

fn say(text: &str) {
    for line in text.lines() {
        let _ = writeln!(std::io::stderr(), "outwall: {}", printable(line));
    }
}

const MOST_SAID: usize = 20;
