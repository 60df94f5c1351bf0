//! How the sinks of the policy file are, for the pages.

use outwall_control::pages::SinkState;
use outwall_policy::Overrides;

use crate::arguments::Session;
use crate::failure::Failure;
use crate::policy_in_force::PolicyInForce;

/// Asks anew each time: the policy file may name others by then.
pub(super) fn told(session: Session) -> Box<dyn Fn() -> Result<Vec<SinkState>, String> + Send + Sync> {
    Box::new(move || states(&session).map_err(|failure| failure.in_lines().0))
}

fn states(session: &Session) -> Result<Vec<SinkState>, Failure> {
    let in_force = PolicyInForce::compile(session.search()?, None, &Overrides::default())?;
    let sinks = &in_force.policy.audit().sinks;
    let states = outwall_shipping::states(&session.state.audit(), sinks);
    Ok(states.into_iter().map(shown).collect())
}

fn shown(state: outwall_shipping::SinkState) -> SinkState {
    let trouble = state.last_error.filter(|_| state.failures > 0);
    SinkState {
        name: state.name,
        kind: state.kind.to_owned(),
        place: state.place,
        behind: state.lag_events,
        lag: state.lag,
        delivered: state.delivered,
        rejected: state.rejected,
        last_success: state.last_success,
        trouble: trouble.map(|trouble| trouble.why),
        shipped_by: state.shipped_by,
    }
}
