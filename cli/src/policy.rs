//! `outwall policy`: asks the policy without sending anything, and grants beside it.

mod github;
pub(crate) mod granting;
mod replay;
pub(crate) mod suggest;

use std::fmt::Write as _;
use std::process::ExitCode;

use outwall_policy::credential::{LeakAction, LeakScan, list};
use outwall_policy::{
    Allowances, AuditSettings, Checked, Denial, Entry, Environment, EnvironmentName, LimitEntry,
    MessageRecording, Overrides, RuleEntry, RuleName, SecretSource, SizeListing, Treatment, TrustedList,
    trusted_writes, trusted_writes::WriteAction,
};

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;
use crate::table::Table;
use crate::terminal::{Paint, printable, say, write_out};

/// Asks the policy: what is allowed, by which rule, and where that is written
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(Check),
    Show(Show),
    Allow(granting::Allow),
    Deny(granting::Deny),
    Suggest(suggest::Suggest),
    Replay(replay::Replay),
}

/// Says whether a request would be allowed, by which rule, and why; without URL, checks the policy file
///
/// Ends with 0 when all are allowed, with 3 when one is denied, with 1 when the policy file is wrong: every mistake is named
/// with its line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall policy check https://pypi.org/simple/
  outwall policy check --config outwall.toml       is this file good?
  outwall policy check --method PUT https://registry.npmjs.org/my-package   may I publish?
  outwall policy check --environment api --method POST https://api.example.com/v1/items")]
pub(crate) struct Check {
    /// Ask this environment [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// The method of the request
    #[arg(long, value_name = "M", default_value = "GET")]
    method: String,

    /// Where the request would go; `https://` is assumed
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

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

impl Command {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        match self {
            Self::Check(check) => check.obey(session),
            Self::Show(show) => show.obey(session),
            Self::Allow(allow) => allow.obey(session),
            Self::Deny(deny) => deny.obey(session),
            Self::Suggest(suggest) => suggest.obey(session),
            Self::Replay(replay) => replay.obey(session),
        }
    }
}

/// The exit code of `policy check` when a URL is denied.
const DENIED: u8 = 3;

impl Check {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let environment = self.environment.as_ref().map(EnvironmentName::as_str);
        let in_force = PolicyInForce::load(session, environment, &Overrides::default())?;
        if self.urls.is_empty() {
            return check_file(&in_force);
        }
        let mut all_allowed = true;
        for url in &self.urls {
            let url = with_scheme(url);
            let checked = in_force
                .policy
                .check(environment, &self.method, &url)
                .explain(format!("cannot ask about `{}`", printable(&url)))?;
            all_allowed &= matches!(checked, Checked::Allow { .. });
            write_out(&answer(&self.method, &url, &checked, Paint::for_stdout()))?;
            if let Some(note) = github::note(&in_force.policy, &url) {
                say!("       {} {note}", Paint::for_stdout().cyan("note:"))?;
            }
        }
        Ok(if all_allowed {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(DENIED)
        })
    }
}

/// The file was read and compiled, and passed the self-check; the files that it names are there too.
fn check_file(in_force: &PolicyInForce) -> Result<ExitCode, Failure> {
    in_force.read_files()?;
    in_force.warn();
    let environments = in_force.policy.environments().map(|one| one.name().as_str());
    say!(
        "the policy is good: {}, environments {}",
        in_force.provenance(),
        environments.collect::<Vec<_>>().join(", ")
    )?;
    Ok(ExitCode::SUCCESS)
}

fn with_scheme(url: &str) -> String {
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("https://{url}")
    }
}

/// The decision, the rule or reason, and the remedy.
fn answer(method: &str, url: &str, checked: &Checked, paint: Paint) -> String {
    let asked = format!("{} {}", printable(method), printable(url));
    match checked {
        Checked::Allow { rule, treatment } => {
            let how = treatment_in_words(*treatment);
            format!("{}  {asked}\n       by {rule}, {how}\n", paint.green("allow"))
        }
        Checked::Deny(denial) => format!("{}   {asked}\n{}", paint.red("deny"), why(denial, paint)),
    }
}

fn why(denial: &Denial, paint: Paint) -> String {
    let mut text = format!(
        "       {}: {}\n",
        denial.reason().code(),
        printable(&denial.to_string())
    );
    if let Some(remedy) = denial.remedy() {
        let _ = writeln!(
            text,
            "       {} {}",
            paint.cyan("hint:"),
            remedy.replace('\n', "\n             ")
        );
    }
    text
}

fn treatment_in_words(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Intercept | Treatment::Forward => "its requests are read and recorded",
        Treatment::Tunnel => "relayed unread (tunnelled)",
        Treatment::Stream => "relayed unread (plain TCP)",
    }
}

impl Show {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let name = self.environment.as_ref().map(EnvironmentName::as_str);
        let in_force = PolicyInForce::load(session, name, &Overrides::default())?;
        in_force.warn();
        let environment = in_force.policy.environment(name)?;
        say!(
            "environment `{}`: network = \"{}\"",
            environment.name(),
            environment.network()
        )?;
        say!("policy file: {}\n", in_force.provenance())?;
        write_out(&entries(environment, Paint::for_stdout()))?;
        write_out(&rules(environment, Paint::for_stdout()))?;
        write_out(&writes(environment.trusted_list(), Paint::for_stdout()))?;
        write_out(&limits(environment, Paint::for_stdout()))?;
        write_out(&sizes(environment, Paint::for_stdout()))?;
        write_out(&leaks(environment.leak_scan()))?;
        write_out(&recorded(environment.recording()))?;
        let publish: Vec<_> = environment.publish().iter().map(ToString::to_string).collect();
        if !publish.is_empty() {
            say!(
                "\nports of the sandbox that are published on this machine: {}",
                publish.join(", ")
            )?;
        }
        let exceptions: Vec<_> = environment.allowed_addresses().collect();
        if !exceptions.is_empty() {
            say!(
                "\nprivate addresses that are reached by exception: {}",
                exceptions.join(", ")
            )?;
        }
        write_out(&client_certificates(&in_force, environment, Paint::for_stdout()))?;
        write_out(&credentials(&in_force, environment, Paint::for_stdout()))?;
        write_out(&foreign_credentials(environment))?;
        write_out(&github::shown(&in_force.policy))?;
        write_out(&parent_proxy(&in_force))?;
        let anonymous = in_force.policy.anonymous_environment();
        if anonymous == Some(environment.name()) {
            say!("\nclients of `outwall proxy` without a credential are served, in this environment")?;
        }
        if !in_force.policy.gate().is_empty() {
            say!("\nthe gate:")?;
            write_out(&in_force.policy.gate().to_string())?;
        }
        if *in_force.policy.audit() != AuditSettings::default() {
            say!("\nthe audit log:")?;
            write_out(&in_force.policy.audit().to_string())?;
            for sink in &in_force.policy.audit().sinks {
                say!("delivered to {}: {} at {}", sink.name, sink.kind(), sink.place())?;
            }
        }
        for list in environment.blocklists() {
            say!(
                "\nrefused whatever allows it: {} names of `{}`",
                list.len(),
                list.origin()
            )?;
        }
        let others = in_force.policy.environments().map(Environment::name);
        let others: Vec<_> = others
            .filter(|other| *other != environment.name())
            .map(EnvironmentName::as_str)
            .collect();
        if !others.is_empty() {
            say!("\nother environments: {}", others.join(", "))?;
        }
        Ok(ExitCode::SUCCESS)
    }
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

fn entries(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["HOSTS", "TREATMENT", "LINE", "FROM"]);
    for entry in environment.entries() {
        let Entry {
            hosts,
            rule,
            treatment,
            line,
        } = entry;
        table.row([
            hosts,
            treatment_in_a_word(treatment).to_owned(),
            line.map_or("-".to_owned(), |line| line.to_string()),
            source(&rule),
        ]);
    }
    if table.is_empty() {
        "nothing is reachable\n".to_owned()
    } else {
        table.render(paint)
    }
}

/// A host that a rule names accepts only what a rule allows, so they belong to the whole picture.
fn rules(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["RULE", "ACTION", "REQUESTS"]);
    for RuleEntry {
        rule,
        allows,
        requests,
    } in environment.rules()
    {
        table.row([
            rule.to_string(),
            if allows { "allow" } else { "deny" }.to_owned(),
            requests,
        ]);
    }
    below(&table, paint)
}

/// How much its sandboxes may use.
fn limits(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["LIMIT", "LINE", "OF"]);
    let entries = environment.allowances().map(Allowances::entries);
    for LimitEntry { whose, limit, line } in entries.into_iter().flatten() {
        table.row([limit, line.map_or("-".to_owned(), |line| line.to_string()), whose]);
    }
    below(&table, paint)
}

/// How large requests may be.
fn sizes(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["AT MOST", "METHODS", "HOSTS"]);
    for SizeListing { hosts, methods, most } in environment.sizes() {
        table.row([most, methods, hosts]);
    }
    below(&table, paint)
}

/// A table with a line before it, where there is one.
fn below(table: &Table<3>, paint: Paint) -> String {
    if table.is_empty() {
        String::new()
    } else {
        format!("\n{}", table.render(paint))
    }
}

/// What may be written to hosts of the Trusted list, which is more than a table of hosts can say.
fn writes(list: TrustedList, paint: Paint) -> String {
    match list {
        TrustedList::Absent => return String::new(),
        TrustedList::ReadAndWrite => {
            return "\ntrusted_writes = true: hosts of the Trusted list take every request\n".to_owned();
        }
        TrustedList::Read => {}
    }
    let mut table = Table::new(["WRITES TO THE TRUSTED LIST", "ACTION", "HOSTS", "REQUESTS"]);
    for entry in trusted_writes::categories()
        .iter()
        .flat_map(|category| &category.entries)
    {
        let action = match entry.action {
            WriteAction::Allow => "allow",
            WriteAction::Deny => "deny",
        };
        table.row([
            entry.name.clone(),
            action.to_owned(),
            entry.hosts.join(", "),
            requests(&entry.methods, &entry.paths),
        ]);
    }
    format!(
        "\nThe Trusted list is for reading: its hosts take GET, HEAD and OPTIONS without a body, and else what is allowed\n\
         here. `trusted_writes = true` lifts it; an entry or a rule of your own for a host replaces it.\n\n{}",
        table.render(paint)
    )
}

fn requests(methods: &[String], paths: &[String]) -> String {
    let all = |items: &[String], every: &str| match items {
        [] => every.to_owned(),
        some => some.join(", "),
    };
    format!("{} of {}", all(methods, "every method"), all(paths, "every path"))
}

/// By whom origins are reached.
fn parent_proxy(in_force: &PolicyInForce) -> String {
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
fn client_certificates(in_force: &PolicyInForce, environment: &Environment, paint: Paint) -> String {
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
fn credentials(in_force: &PolicyInForce, environment: &Environment, paint: Paint) -> String {
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
fn foreign_credentials(environment: &Environment) -> String {
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

fn treatment_in_a_word(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Intercept | Treatment::Forward => "intercept",
        Treatment::Tunnel => "tunnel",
        Treatment::Stream => "stream",
    }
}

/// The key it is written under; the host stands beside it already.
fn source(rule: &RuleName) -> String {
    match rule {
        RuleName::AlwaysReachable(_) => "always_reachable".to_owned(),
        RuleName::Tunnelled(_) => "tunnelled_domains".to_owned(),
        RuleName::Tcp(_) => "tcp".to_owned(),
        RuleName::Allowed(_) => "allowed_domains".to_owned(),
        RuleName::Trusted { .. }
        | RuleName::TrustedWrite { .. }
        | RuleName::HostPort(_)
        | RuleName::Full
        | RuleName::Learn
        | RuleName::Granted { .. }
        | RuleName::Rule { .. }
        | RuleName::Limit(_)
        | RuleName::Size(_)
        | RuleName::Github(_)
        | RuleName::GithubStorage(_) => rule.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_is_asked_about_with_https() {
        assert_eq!(with_scheme("pypi.org"), "https://pypi.org");
        assert_eq!(with_scheme("http://pypi.org"), "http://pypi.org");
    }
}
