//! What a person should know about the credentials of the policy.

use outwall_broker::{Residence, Secret};
use outwall_policy::brokered::ForeignCredentials;
use outwall_policy::{Environment, Overrides, Policy};

use super::Check;
use crate::arguments::Session;
use crate::policy_in_force::PolicyInForce;

/// Nothing where the policy has none and lets none pass. What is wrong with the policy itself is said elsewhere.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    let in_force = session
        .search()
        .and_then(|discovery| PolicyInForce::compile(discovery, None, &Overrides::default()));
    let Ok(in_force) = in_force else { return Vec::new() };
    let foreign = in_force.policy.environments().filter_map(of_their_own);
    brokered(&in_force.policy).into_iter().chain(foreign).collect()
}

fn brokered(policy: &Policy) -> Option<Check> {
    const NAME: &str = "credentials";
    let names: Vec<&str> = policy
        .credentials()
        .iter()
        .map(|known| known.name().as_str())
        .collect();
    if names.is_empty() {
        return None;
    }
    let probe = Secret::from_text(b"a text as long as secrets are");
    if probe.is_ok_and(|probe| probe.residence() == Residence::Swappable) {
        return Some(Check::lesser(
            NAME,
            format!(
                "{}; their memory cannot be locked, and may be swapped out",
                names.join(", ")
            ),
            "raise `ulimit -l` (RLIMIT_MEMLOCK), or encrypt the swap",
        ));
    }
    let what = format!(
        "{}; `outwall credential check` asks their sources",
        names.join(", ")
    );
    Some(Check::good(NAME, what))
}

/// Who may bring credentials of its own to a known host can carry out with them what it likes.
fn of_their_own(environment: &Environment) -> Option<Check> {
    let allowed = environment
        .foreign_credentials()
        .filter(|(_, action)| *action == ForeignCredentials::Allow);
    let hosts: Vec<String> = allowed.map(|(hosts, _)| hosts.to_string()).collect();
    (!hosts.is_empty()).then(|| {
        Check::lesser(
            "foreign credentials",
            format!(
                "sandboxes of `{}` may send credentials of their own to {}",
                environment.name(),
                hosts.join(", ")
            ),
            "with a key of an attacker's, such a host is a way out for data: leave `allow` only where somebody logs in from a kept home",
        )
    })
}
