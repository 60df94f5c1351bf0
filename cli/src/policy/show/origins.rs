//! How origins are reached, and what they are shown on behalf of an environment.

use std::fmt::Write as _;

use outwall_policy::{Environment, SecretSource};

use crate::policy_in_force::PolicyInForce;
use crate::table::Table;
use crate::terminal::Paint;

/// By whom origins are reached.
pub(super) fn parent_proxy(in_force: &PolicyInForce) -> String {
    let Some(parent) = in_force.policy.origins().parent_proxy() else {
        return String::new();
    };
    let mut text = format!(
        "\norigins are reached through {}://{}",
        parent.scheme().as_str(),
        parent.target()
    );
    if let Some(credentials) = parent.credentials() {
        let from = match credentials.password() {
            SecretSource::Environment(name) => format!("${name}"),
            SecretSource::File(file) => format!("`{file}`"),
        };
        let _ = write!(
            text,
            ", as `{}` with the password from {from}",
            credentials.username()
        );
    }
    let _ = write!(text, "; names are resolved by the {}", parent.resolve().as_str());
    let bypass: Vec<String> = parent.bypass().collect();
    if !bypass.is_empty() {
        let _ = write!(text, "; reached directly: {}", bypass.join(", "));
    }
    text.push('\n');
    text
}

/// What is shown to origins on behalf of this environment.
pub(super) fn client_certificates(
    in_force: &PolicyInForce,
    environment: &Environment,
    paint: Paint,
) -> String {
    let mut table = Table::new(["CLIENT CERTIFICATE", "SHOWN TO", "LINE"]);
    let all = in_force.policy.origins().client_certificates().iter();
    for shown in all.filter(|shown| shown.environments().contains(environment.name())) {
        let hosts: Vec<String> = shown.hosts().iter().map(ToString::to_string).collect();
        table.row([
            shown.name().to_owned(),
            hosts.join(", "),
            shown.line().map_or("-".to_owned(), |line| line.to_string()),
        ]);
    }
    if table.is_empty() {
        String::new()
    } else {
        format!("\n{}", table.render(paint))
    }
}

/// What is put into requests on behalf of this environment.
pub(super) fn credentials(in_force: &PolicyInForce, environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["CREDENTIAL", "PUT INTO REQUESTS TO", "THE SANDBOX HAS", "LINE"]);
    let all = in_force.policy.credentials().iter();
    for used in all.filter(|used| used.environments().contains(environment.name())) {
        let hosts: Vec<String> = used.hosts().iter().map(ToString::to_string).collect();
        let shown = used
            .placeholder()
            .map(|shown| format!("${}", shown.variables.join(", $")));
        table.row([
            used.name().to_string(),
            hosts.join(", "),
            shown.unwrap_or_else(|| "nothing".to_owned()),
            used.line().map_or("-".to_owned(), |line| line.to_string()),
        ]);
    }
    if table.is_empty() {
        String::new()
    } else {
        format!("\n{}", table.render(paint))
    }
}

/// What is done with credentials that the sandbox brings, where that is not the default.
pub(super) fn foreign_credentials(environment: &Environment) -> String {
    let lines = environment.foreign_credentials();
    let lines: Vec<String> = lines
        .map(|(hosts, action)| format!("{hosts}: {}", action.as_str()))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "\ncredentials that the sandbox brings itself (elsewhere: deny): {}\n",
        lines.join(", ")
    )
}
