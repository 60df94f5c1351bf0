//! Composes a gate: the policy with the files that it names, the CA and the audit log.

use std::sync::Arc;

use jiff::Timestamp;
use outwall_audit::AuditLog;
use outwall_broker::Keeper;
use outwall_broker::placeholder::PlaceholderKey;
use outwall_broker::scoped::{Audience, Verifier};
use outwall_certs::Ca;
use outwall_policy::{
    AuditSettings, EnvironmentName, Overrides, Policy, Sandbox, SandboxId, UnknownEnvironment,
};
use outwall_proxy::{Gate, GateParts, InForce, Limits, Secrets};
use rustix::rand::GetRandomFlags;

use crate::arguments::Session;
use crate::descriptors;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;

/// The gate. Its own resources are made as it is used.
pub(crate) fn gate(
    in_force: InForce,
    ca: Ca,
    audit: AuditLog,
    (placeholders, sessions): (PlaceholderKey, Arc<Verifier>),
) -> Result<Gate, Failure> {
    let limits = limits(in_force.policy());
    let parts = GateParts {
        in_force,
        ca,
        audit,
        secrets: Secrets {
            keeper: Arc::new(Keeper::new(Arc::new(Timestamp::now))),
            placeholders,
            sessions: Some(sessions),
        },
        limits,
    };
    Gate::new(parts).explain("cannot make the gate")
}

/// Verifies what git and gh show for a session.
pub(crate) fn verifier(session: &Session) -> Result<Arc<Verifier>, Failure> {
    let verifier = Verifier::open(&session.state.credentials(), Audience::Git, Timestamp::now());
    verifier.map(Arc::new).explain("credentials cannot be verified")
}

/// What makes placeholders here.
pub(crate) fn placeholder_key(session: &Session) -> Result<PlaceholderKey, Failure> {
    PlaceholderKey::open(&session.state.credentials())
        .explain("cannot make what sandboxes see instead of secrets")
}

/// The bounds of a gate: what the policy file sets, within what this process may have.
fn limits(policy: &Policy) -> Limits {
    let limits = Limits::default().with(policy.gate());
    let wanted = limits.connections;
    let limits = limits.within_descriptors(descriptors::raise());
    if limits.connections_in_all < wanted {
        tracing::info!(
            connections = limits.connections_in_all,
            "the limit of open files (`ulimit -Hn`) leaves room for fewer connections than are allowed"
        );
    }
    limits
}

/// The audit log of the state directory, with a file of our own in it, kept as the policy says.
pub(crate) fn audit_log(session: &Session, in_force: &PolicyInForce) -> Result<AuditLog, Failure> {
    AuditLog::open(&session.state.audit(), audit_settings(in_force))
        .explain("cannot write the audit log, so nothing may leave")
}

/// The same for what must be possible with a policy file that is broken, too: the log is kept then as without one.
pub(crate) fn audit_log_in_any_case(session: &Session) -> Result<AuditLog, Failure> {
    let settings = PolicyInForce::load(session, None, &Overrides::default())
        .map_or_else(|_| AuditSettings::default(), |in_force| audit_settings(&in_force));
    AuditLog::open(&session.state.audit(), settings)
        .explain("cannot write the audit log, so nothing was done")
}

/// How the policy says that the log is kept; a path in it is relative to the policy file.
pub(crate) fn audit_settings(in_force: &PolicyInForce) -> AuditSettings {
    let mut settings = in_force.policy.audit().clone();
    settings.export_checkpoints = settings.export_checkpoints.map(|path| in_force.place(&path));
    settings
}

/// A new sandbox of the environment (none: the default one).
pub(crate) fn new_sandbox(
    policy: &Policy,
    environment: Option<&EnvironmentName>,
) -> Result<Sandbox, Failure> {
    let environment = environment_name(policy, environment)?;
    Ok(Sandbox::new(new_sandbox_id()?, environment))
}

/// The id of a sandbox that there was not before.
pub(crate) fn new_sandbox_id() -> Result<SandboxId, Failure> {
    let mut random = [0; 4];
    // A name, not a secret: asked of the kernel, for a cryptographic library may take 20 ms over its first random number.
    rustix::rand::getrandom(&mut random, GetRandomFlags::empty())
        .explain("the system gives no random numbers")?;
    Ok(SandboxId::from_random(random))
}

fn environment_name(
    policy: &Policy,
    asked: Option<&EnvironmentName>,
) -> Result<EnvironmentName, UnknownEnvironment> {
    Ok(policy
        .environment(asked.map(EnvironmentName::as_str))?
        .name()
        .clone())
}
