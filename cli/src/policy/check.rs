//! `outwall policy check`: would this request be allowed, and by which rule? Is this file good?

use std::fmt::Write as _;
use std::process::ExitCode;

use outwall_policy::{Checked, Denial, EnvironmentName, Overrides, Treatment};

use super::github;
use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::policy_in_force::PolicyInForce;
use crate::terminal::{Paint, printable, say, write_out};

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

/// The exit code of `policy check` when a URL is denied.
const DENIED: u8 = 3;

impl Check {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_is_asked_about_with_https() {
        assert_eq!(with_scheme("pypi.org"), "https://pypi.org");
        assert_eq!(with_scheme("http://pypi.org"), "http://pypi.org");
    }
}
