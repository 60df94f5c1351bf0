//! `outwall proxy`: the gate as an explicit proxy, for machines that Outwall did not make.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use outwall_broker::scoped::{Audience, Verifier};
use outwall_control::Role;
use outwall_policy::{AnonymousClients, NameError, Overrides, Policy};
use outwall_proxy::Clients;

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::listening::{Listening, beyond_loopback, listen, place};
use crate::memory;
use crate::policy_in_force::PolicyInForce;

/// Runs the gate as a proxy that programs are pointed to
///
/// For machines that Outwall did not make: containers, virtual machines, CI jobs. Each client shows a
/// credential (`outwall credential issue`), which says what sandbox it is and in what environment; it has
/// the decisions, limits and records of a sandbox. Clients without one are refused unless `--anonymous`,
/// or `[proxy] anonymous_environment` in the policy file, has an environment for them.
///
/// `GET /healthz` answers 200 while it serves. The policy file counts as soon as it is written; SIGHUP
/// reads it again at once. SIGTERM lets requests finish.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall proxy --listen 127.0.0.1:8080                 whoever shows a credential
  outwall credential issue --environment web --format docker --proxy host.docker.internal:8080

  outwall proxy --listen 127.0.0.1:8080 --anonymous &   whoever can connect
  outwall ca export > outwall-ca.pem
  curl --proxy http://127.0.0.1:8080 --cacert outwall-ca.pem https://pypi.org/simple/six/")]
pub(crate) struct Arguments {
    /// Where to listen (repeatable); port 0 takes a free one. `listening on ADDR` is printed when ready
    #[arg(long, value_name = "ADDR", required = true)]
    listen: Vec<SocketAddr>,

    /// Serve clients without a credential, in this environment [no name: the default one]
    #[arg(long, value_name = "ENVIRONMENT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", value_parser = anonymous)]
    anonymous: Option<AnonymousClients>,

    /// Do so on addresses that other machines can reach, too
    #[arg(long)]
    anonymous_from_anywhere: bool,
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        memory::keep_to_ourselves();
        let mut overrides = Overrides {
            anonymous: self.anonymous.clone().unwrap_or_default(),
            ..Overrides::default()
        };
        let in_force = PolicyInForce::load(session, None, &overrides)?;
        in_force.warn();
        self.exposure().check(&in_force.policy)?;
        if let (Some(_), Some(name)) = (&self.anonymous, in_force.policy.anonymous_environment()) {
            overrides.anonymous = AnonymousClients::In(name.clone()); // whatever a later file makes the default
        }
        let listeners = self.listen.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        let verifier = verifier(session)?;
        let exposure = self.exposure();
        let objection = Box::new(move |next: &PolicyInForce| exposure.check(&next.policy));
        say_who_is_served(&in_force.policy);
        say_what_is_not_done(&in_force.policy);
        let listening = Listening::prepare(session, in_force, (overrides, objection), Role::Proxy)?;
        let clients = Clients {
            verifier,
            anonymous: Some(listening.nameless.id),
        };
        let places = listeners.iter().map(place).collect::<Result<_, _>>()?;
        listening.serve(("as a proxy", places), |gate| {
            let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std);
            gate.serve_clients(listeners.collect::<Result<_, _>>()?, clients)
        })
    }

    fn exposure(&self) -> Exposure {
        Exposure {
            beyond_loopback: beyond_loopback(&self.listen),
            is_meant: self.anonymous_from_anywhere,
        }
    }
}

/// Whether whoever can reach this machine can reach the proxy.
struct Exposure {
    beyond_loopback: Option<SocketAddr>,
    is_meant: bool,
}

impl Exposure {
    /// A policy that would let out whoever can connect must not be in force where anybody can, unless that is said twice.
    fn check(&self, policy: &Policy) -> Result<(), Failure> {
        match (self.beyond_loopback, policy.anonymous_environment()) {
            (Some(address), Some(environment)) if !self.is_meant => Err(Failure::new(format!(
                "clients without a credential would be served at {address}, which other machines may reach, in environment `{environment}`"
            ))
            .hint("issue credentials (`outwall credential issue`) and leave out `--anonymous` and `anonymous_environment`")
            .hint("or listen on 127.0.0.1; or, where only sandboxes can connect, add `--anonymous-from-anywhere`")),
            _ => Ok(()),
        }
    }
}

fn verifier(session: &Session) -> Result<Arc<Verifier>, Failure> {
    let verifier = Verifier::open(&session.state.credentials(), Audience::Proxy, Timestamp::now());
    verifier
        .map(Arc::new)
        .explain("credentials cannot be verified, so nobody could be served")
}

/// For clap.
fn anonymous(text: &str) -> Result<AnonymousClients, NameError> {
    if text.is_empty() {
        return Ok(AnonymousClients::InDefault);
    }
    text.parse().map(AnonymousClients::In)
}

/// Told once, since a proxy that refuses everybody looks like one that is broken.
fn say_who_is_served(policy: &Policy) {
    let text = match policy.anonymous_environment() {
        Some(environment) => {
            format!("clients without a credential are served, in environment `{environment}`")
        }
        None => "clients have to show a credential: `outwall credential issue` prints one".to_owned(),
    };
    let _ = writeln!(std::io::stderr(), "outwall: {text}");
}

/// A proxy makes no sandboxes: what the policy says about them is for `outwall run`.
fn say_what_is_not_done(policy: &Policy) {
    for environment in policy.environments().filter(|one| !one.publish().is_empty()) {
        let _ = writeln!(
            std::io::stderr(),
            "outwall: `publish` of environment `{}` has no effect here: `outwall run` publishes ports of the sandbox that it makes",
            environment.name()
        );
    }
}
