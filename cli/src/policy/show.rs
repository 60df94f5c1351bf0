//! `outwall policy show`: everything an environment reaches, and what is done with it.

mod origins;
mod reach;

use std::fmt::Write as _;
use std::process::ExitCode;

use outwall_policy::credential::{LeakAction, LeakScan, list};
use outwall_policy::{AuditSettings, Environment, EnvironmentName, MessageRecording, Overrides, Policy};

use super::github;
use crate::arguments::Session;
use crate::failure::Failure;
use crate::policy_in_force::PolicyInForce;
use crate::terminal::{Paint, printable, write_out};

/// Lists everything an environment reaches, and where each entry comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall policy show --environment api")]
pub(crate) struct Show {
    /// Show this environment [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
}

impl Show {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let name = self.environment.as_ref().map(EnvironmentName::as_str);
        let in_force = PolicyInForce::load(session, name, &Overrides::default())?;
        in_force.warn();
        let environment = in_force.policy.environment(name)?;
        write_out(&page(&in_force, environment, Paint::for_stdout()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// All of it. A section that has nothing to say is empty.
fn page(in_force: &PolicyInForce, environment: &Environment, paint: Paint) -> String {
    let policy = &in_force.policy;
    [
        heading(in_force, environment),
        reach::entries(environment, paint),
        reach::rules(environment, paint),
        reach::writes(environment.trusted_list(), paint),
        reach::limits(environment, paint),
        reach::sizes(environment, paint),
        leaks(environment.leak_scan()),
        recorded(environment.recording()),
        published_ports(environment),
        private_addresses(environment),
        origins::client_certificates(in_force, environment, paint),
        origins::credentials(in_force, environment, paint),
        origins::foreign_credentials(environment),
        github::shown(policy),
        origins::parent_proxy(in_force),
        anonymous_clients(policy, environment),
        gate(policy),
        audit(policy.audit()),
        blocklists(environment),
        other_environments(policy, environment),
    ]
    .concat()
}

fn heading(in_force: &PolicyInForce, environment: &Environment) -> String {
    format!(
        "environment `{}`: network = \"{}\"\npolicy file: {}\n\n",
        environment.name(),
        environment.network(),
        in_force.provenance()
    )
}

/// What is recorded of messages besides what always is.
fn recorded(recording: &MessageRecording) -> String {
    if recording.is_nothing() {
        return String::new();
    }
    format!(
        "\nrecorded of each request besides what always is: {}\nrecorded of each response: {}\n",
        recording.request(),
        recording.response()
    )
}

/// What is done about credentials that leave.
fn leaks(scan: &LeakScan) -> String {
    let done = match scan.action() {
        LeakAction::Off => {
            return "\ncredentials that leave: not looked for (dlp.action = \"off\")\n".to_owned();
        }
        LeakAction::Report => "sent and reported",
        LeakAction::Block => "refused and reported",
    };
    let mut text = format!(
        "\ncredentials that leave for hosts that did not issue them: {done} ({} known shapes)\n",
        list().len()
    );
    for pattern in scan.patterns() {
        let _ = writeln!(
            text,
            "  and {}: {}",
            pattern.name(),
            printable(pattern.expression().as_str())
        );
    }
    for (shape, hosts) in scan.exceptions() {
        let hosts = if hosts.is_empty() {
            "any host".to_owned()
        } else {
            hosts.join(", ")
        };
        let _ = writeln!(text, "  but {shape} may go to {hosts}");
    }
    text
}

fn published_ports(environment: &Environment) -> String {
    let ports = environment.publish().iter().map(ToString::to_string);
    listed("ports of the sandbox that are published on this machine", ports)
}

fn private_addresses(environment: &Environment) -> String {
    listed(
        "private addresses that are reached by exception",
        environment.allowed_addresses(),
    )
}

fn anonymous_clients(policy: &Policy, environment: &Environment) -> String {
    if policy.anonymous_environment() != Some(environment.name()) {
        return String::new();
    }
    "\nclients of `outwall proxy` without a credential are served, in this environment\n".to_owned()
}

fn gate(policy: &Policy) -> String {
    if policy.gate().is_empty() {
        return String::new();
    }
    format!("\nthe gate:\n{}", policy.gate())
}

fn audit(settings: &AuditSettings) -> String {
    if *settings == AuditSettings::default() {
        return String::new();
    }
    let mut text = format!("\nthe audit log:\n{settings}");
    for sink in &settings.sinks {
        let _ = writeln!(
            text,
            "delivered to {}: {} at {}",
            sink.name,
            sink.kind(),
            sink.place()
        );
    }
    text
}

fn blocklists(environment: &Environment) -> String {
    let lists = environment.blocklists();
    let lines = lists.map(|list| {
        format!(
            "\nrefused whatever allows it: {} names of `{}`\n",
            list.len(),
            list.origin()
        )
    });
    lines.collect()
}

fn other_environments(policy: &Policy, environment: &Environment) -> String {
    let others = policy.environments().map(Environment::name);
    let others = others.filter(|other| *other != environment.name());
    listed("other environments", others.map(ToString::to_string))
}

/// One line, where there is anything to list.
fn listed(what: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return String::new();
    }
    format!("\n{what}: {}\n", items.join(", "))
}
