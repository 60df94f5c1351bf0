//! `outwall doctor`: what this machine offers, what is missing, and how to get it.

mod attack;
mod credentials;
mod github;

use std::error::Error;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::ExitCode;

use outwall_certs::{Ca, TrustBundle};
use outwall_control::{Answer, Request, Status};
use outwall_policy::{EnvironmentName, Overrides};
use outwall_sandbox_runtime::{self as sandbox_runtime, Capability, State};

use crate::arguments::Session;
use crate::control::running;
use crate::discovery::Discovery;
use crate::failure::Failure;
use crate::policy_in_force::PolicyInForce;
use crate::state_directory::Trouble;
use crate::summary::count;
use crate::terminal::{Paint, printable, say, write_out};
use crate::trust_store;

/// Checks whether this machine can run sandboxes, and says what is missing
///
/// Ends with 1 when `outwall run` cannot work; with `--attack`, when an attack got through.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall doctor
  outwall doctor --attack
  outwall doctor --attack --environment api --format json")]
pub(crate) struct Arguments {
    /// Attack a sandbox and a gate of this machine, and say what held. Takes some seconds; nothing leaves
    #[arg(long)]
    attack: bool,

    /// Attack this environment of the policy [else: the default one]
    #[arg(long, value_name = "NAME", requires = "attack")]
    environment: Option<EnvironmentName>,

    /// How to print the attacks
    #[arg(long, value_name = "table|json", default_value = "table", requires = "attack")]
    format: attack::Format,
}

impl Arguments {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        if self.attack {
            return attack::obey(session, self.environment.as_ref(), self.format);
        }
        let checks = checks(session);
        let paint = Paint::for_stdout();
        write_out(&render(&checks, paint))?;
        let broken = checks.iter().any(|check| check.standing == Standing::Broken);
        say!(
            "\n{}",
            if broken {
                "`outwall run` cannot work here yet"
            } else {
                "`outwall run` can work here"
            }
        )?;
        Ok(if broken {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// Something is less than it could be; `run` works.
    Lesser,
    /// `run` cannot work.
    Broken,
}

/// One line of the table.
#[derive(Debug)]
struct Check {
    name: String,
    standing: Standing,
    what: String,
    remedy: Option<String>,
}

impl Check {
    fn good(name: &str, what: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            standing: Standing::Good,
            what: what.into(),
            remedy: None,
        }
    }

    fn lesser(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            standing: Standing::Lesser,
            what: what.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn broken(name: &str, what: impl Into<String>, remedy: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            standing: Standing::Broken,
            what: what.into(),
            remedy,
        }
    }
}

fn checks(session: &Session) -> Vec<Check> {
    let mut checks = capabilities();
    checks.push(roots());
    checks.push(state_directory(session));
    checks.extend(ca(session));
    checks.push(policy(session));
    checks.extend(credentials::checks(session));
    checks.extend(github::checks(session));
    checks.extend(proxy_variables(session));
    checks.extend(session.search().into_iter().flat_map(|found| ignored(&found)));
    checks.push(audit(session));
    checks.extend(gates(session));
    checks
}

/// What sandboxes need of the machine, found by trying.
fn capabilities() -> Vec<Check> {
    match sandbox_runtime::probe() {
        Ok(found) => found.into_iter().map(capability).collect(),
        Err(error) => vec![Check::broken("sandboxes", chain(&error), None)],
    }
}

fn capability(found: Capability) -> Check {
    let standing = match found.state {
        State::Works => Standing::Good,
        State::Limited => Standing::Lesser,
        State::Missing => Standing::Broken,
    };
    Check {
        name: found.subject.to_string(),
        standing,
        what: found.detail,
        remedy: found.remedy,
    }
}

fn roots() -> Check {
    match outwall_certs::system_roots() {
        Ok(roots) => Check::good("system roots", format!("{} certificates", roots.len())),
        Err(error) => {
            let remedy = "install the package `ca-certificates`".to_owned();
            Check::broken("system roots", chain(&error), Some(remedy))
        }
    }
}

fn state_directory(session: &Session) -> Check {
    const NAME: &str = "state directory";
    let shown = session.state.path().display();
    let Ok(found) = session.state.path().metadata() else {
        return Check::good(NAME, format!("`{shown}`, made at first use"));
    };
    let remedy = Some(format!(
        "`chmod 700 {shown}`, or name another with `--state-dir DIR`"
    ));
    match Trouble::of(&found) {
        Some(Trouble::Foreign { owner, us }) => Check::broken(
            NAME,
            format!("`{shown}` belongs to user {owner}, and this is user {us}"),
            remedy,
        ),
        Some(Trouble::WritableByOthers) => {
            Check::broken(NAME, format!("others may write to `{shown}`"), remedy)
        }
        None if found.mode() & 0o077 != 0 => Check::lesser(
            NAME,
            format!("others may look into `{shown}`"),
            format!("`chmod 700 {shown}`"),
        ),
        None => Check::good(NAME, format!("`{shown}`")),
    }
}

/// Looks without making one.
fn ca(session: &Session) -> Vec<Check> {
    let directory = session.state.ca();
    if !directory.join("ca.pem").exists() {
        return vec![Check::good("CA", "made at first use")];
    }
    match Ca::load_or_create(&directory) {
        Ok(ca) => vec![
            Check::good("CA", format!("SHA-256 {}", ca.fingerprint())),
            chromium(&ca),
        ],
        Err(error) => vec![Check::broken(
            "CA",
            chain(&error),
            Some("`outwall ca rotate` makes a new one".to_owned()),
        )],
    }
}

/// Chromium keeps its own store, and only a program that may be missing can write it.
fn chromium(ca: &Ca) -> Check {
    const NAME: &str = "Chromium's trust";
    let bundle = TrustBundle::assemble(ca, &[]);
    match bundle.as_ref().map(TrustBundle::nss_database) {
        Ok(Ok(())) => Check::good(NAME, "its NSS database is made"),
        Ok(Err(error)) => Check::lesser(
            NAME,
            chain(error),
            "without it Chromium refuses intercepted sites",
        ),
        Err(error) => Check::broken(NAME, chain(error), None),
    }
}

fn policy(session: &Session) -> Check {
    let in_force = session
        .search()
        .and_then(|discovery| PolicyInForce::compile(discovery, None, &Overrides::default()));
    match in_force {
        Ok(in_force) => Check::good("policy file", in_force.provenance()),
        Err(failure) => {
            let mut text = Vec::new();
            failure.report(&mut text, Paint::plain());
            Check::broken(
                "policy file",
                String::from_utf8_lossy(&text).trim().replace("error: ", ""),
                None,
            )
        }
    }
}

/// The variables that tell other programs of a proxy. The gate does not obey them: whoever sets a variable would decide whom all
/// traffic is handed to.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

fn proxy_variables(session: &Session) -> Option<Check> {
    let set = PROXY_VARIABLES
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))?;
    let in_force = session
        .search()
        .and_then(|discovery| PolicyInForce::compile(discovery, None, &Overrides::default()));
    let has_parent = in_force.is_ok_and(|in_force| in_force.policy.origins().parent_proxy().is_some());
    (!has_parent).then(|| {
        Check::lesser(
            "parent proxy",
            format!("`{set}` is set, and the gate does not use it"),
            "if there is no other way out, name the proxy in the policy: [origins] parent_proxy = \"http://HOST:PORT\"",
        )
    })
}

fn ignored(discovery: &Discovery) -> Vec<Check> {
    let ignored = discovery.ignored.iter().map(|(path, standing)| {
        let why = if *standing == trust_store::Standing::Changed {
            "changed since it was trusted"
        } else {
            "not trusted"
        };
        let shown = path.display();
        Check::lesser(
            "project file",
            format!("`{shown}` is ignored: {why}"),
            format!("read it, then `outwall trust {shown}`"),
        )
    });
    ignored.collect()
}

fn audit(session: &Session) -> Check {
    let directory = session.state.audit();
    if !directory.exists() {
        return Check::good("audit log", "made at first use");
    }
    let verified = outwall_audit::Evidence::beside(&directory)
        .map_err(|error| chain(&error))
        .and_then(|evidence| outwall_audit::verify(&[directory], &evidence).map_err(|error| chain(&error)));
    match verified {
        Ok(report) if report.is_whole() => Check::good(
            "audit log",
            format!("{}, every one fits", count(report.records(), "record")),
        ),
        Ok(_) => Check::lesser(
            "audit log",
            "records were changed or removed",
            "`outwall audit verify` says where",
        ),
        Err(error) => Check::broken("audit log", error, None),
    }
}

/// Gates that run, what they refused to obey, and what they counted.
fn gates(session: &Session) -> Vec<Check> {
    const NAME: &str = "running gate";
    let peers = match running(&session.state) {
        Ok(peers) => peers,
        Err(error) => {
            return vec![Check::lesser(
                NAME,
                chain(&error),
                "look into the state directory's `control`",
            )];
        }
    };
    let statuses = peers.into_iter().map(|peer| peer.ask(&Request::Status));
    statuses
        .map(|answer| match answer {
            Ok(Answer::Status(status)) => gate(session, &status),
            Ok(_) => Check::lesser(NAME, "one answers something else", "is it of another version?"),
            Err(error) => Check::lesser(NAME, chain(&error), "`outwall policy allow` cannot reach it"),
        })
        .collect()
}

fn gate(session: &Session, status: &Status) -> Check {
    let sandboxes = status
        .sandboxes
        .iter()
        .map(|one| format!("{} ({})", one.id, one.environment));
    let file = status.policy_file.as_deref().unwrap_or("the built-in policy");
    let mut what = format!(
        "process {}, {}\n{file}, in force since {}",
        status.pid,
        sandboxes.collect::<Vec<_>>().join(", "),
        status.since
    );
    for line in counters(session, status.pid) {
        let _ = write!(what, "\n{line}");
    }
    if !status.grants.is_empty() {
        let _ = write!(
            what,
            "\n{} beside the policy",
            count(status.grants.len() as u64, "grant")
        );
    }
    match &status.refused {
        None => Check::good("running gate", what),
        Some(refused) => Check::lesser(
            "running gate",
            format!(
                "{what}\nA CHANGE OF THE POLICY DOES NOT COUNT since {}:\n{}",
                refused.at, refused.error
            ),
            "mend the file: `outwall policy check` names every mistake; until then the policy before it is in force",
        ),
    }
}

/// The counters that say something, a few words each.
fn counters(session: &Session, pid: u32) -> Vec<String> {
    let of_this = |peer: &outwall_control::Peer| peer.name().ends_with(&format!("-{pid}"));
    let peer = running(&session.state)
        .ok()
        .and_then(|peers| peers.into_iter().find(of_this));
    let Some(Ok(Answer::Metrics { text })) = peer.map(|peer| peer.ask(&Request::Metrics)) else {
        return Vec::new();
    };
    let sum = |name: &str| -> u64 {
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum()
    };
    let mut lines = vec![format!(
        "{} on {}, {} refused, {}",
        count(sum("outwall_requests_total"), "request"),
        count(sum("outwall_connections_total"), "connection"),
        sum("outwall_denials_total"),
        count(sum("outwall_findings_total"), "finding"),
    )];
    let panics = sum("outwall_panics_total");
    if panics > 0 {
        lines.push(format!(
            "{} of the gate itself: please report them",
            count(panics, "failure")
        ));
    }
    lines
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn render(checks: &[Check], paint: Paint) -> String {
    let widest = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Check {
        name,
        standing,
        what,
        remedy,
    } in checks
    {
        let word = match standing {
            Standing::Good => paint.green("ok     "),
            Standing::Lesser => paint.yellow("lesser "),
            Standing::Broken => paint.red("BROKEN "),
        };
        let indent = " ".repeat(widest + 9);
        let what = indented(what, &indent);
        let _ = writeln!(text, "{word} {name:widest$} {what}");
        if let Some(remedy) = remedy {
            let _ = writeln!(
                text,
                "{indent}{} {}",
                paint.cyan("hint:"),
                indented(remedy, &indent)
            );
        }
    }
    text
}

fn indented(text: &str, indent: &str) -> String {
    text.lines()
        .map(|line| printable(line).into_owned())
        .collect::<Vec<_>>()
        .join(&format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_its_standing_in_words_and_its_remedy_below() {
        let checks = [
            Check::good("CA", "made at first use"),
            Check::lesser("cgroups", "none", "run under systemd"),
        ];
        assert_eq!(
            render(&checks, Paint::plain()),
            "ok      CA      made at first use\nlesser  cgroups none\n                hint: run under systemd\n"
        );
    }
}
