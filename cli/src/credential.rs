//! `outwall credential`: what the gate uses on behalf of sandboxes (`secrets`), and the scoped credentials by which a proxy knows
//! machines that others run.

mod handout;
mod issue;
mod secrets;

use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use jiff::Timestamp;
use outwall_audit::CredentialChange;
use outwall_broker::scoped::{
    CredentialId, Issuer, Label, Listed, Overlap, Revoke, Revoked, Scope, Standing, Subject,
};
use outwall_policy::brokered::BrokeredCredential;
use outwall_policy::{Overrides, SandboxId};
use serde_json::json;

use self::issue::Issue;
use self::secrets::Check;
use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::gate::audit_log_in_any_case;
use crate::policy_in_force::PolicyInForce;
use crate::table::Table;
use crate::terminal::{Paint, say, write_out};

/// Credentials that the gate puts into requests, and those by which `outwall proxy` knows its clients
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(List),
    Check(Check),
    Issue(Box<Issue>),
    Revoke(RevokeArguments),
    RotateKey(RotateKey),
}

/// Lists the credentials of the policy, then what was issued: for whom, until when. Never a secret
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  outwall credential list")]
pub(crate) struct List {
    /// What to print
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
}

/// Takes credentials back: what runs with them ends, and nothing begins any more
///
/// Running gates know at once. Takes the id that `list` shows, a sandbox (all that it has), the name it was
/// given, or the credential itself; `-` reads that from standard input, so that no list of processes has it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall credential revoke c-5f0c2a9be1d34c7788a1b2c3
  outwall credential revoke builder
  printenv TOKEN | outwall credential revoke -")]
pub(crate) struct RevokeArguments {
    /// What to revoke
    #[arg(value_name = "ID|SANDBOX|NAME|CREDENTIAL|-")]
    what: String,
}

/// Signs with a new key from now on
///
/// What the old key signed stays valid until it expires; the old private key is deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall credential rotate-key                 the usual change
  outwall credential rotate-key --revoke-all    the key, or a backup of it, was stolen")]
pub(crate) struct RotateKey {
    /// Revoke everything that was issued so far
    #[arg(long)]
    revoke_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    Table,
    /// One object a line
    Json,
}

impl Command {
    pub(crate) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        match self {
            Self::List(list) => list.obey(session),
            Self::Check(check) => check.obey(session),
            Self::Issue(issue) => issue.obey(session),
            Self::Revoke(revoke) => revoke.obey(session),
            Self::RotateKey(rotate) => rotate.obey(session),
        }
    }
}

impl List {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let listed = issuer(session)
            .list(Timestamp::now())
            .explain("cannot read what was issued")?;
        let brokered = brokered(session);
        match self.format {
            ListFormat::Json => {
                let secrets = brokered.iter().map(|known| secrets::as_json(known));
                let lines = secrets
                    .chain(listed.iter().map(as_json))
                    .map(|line| format!("{line}\n"));
                write_out(&lines.collect::<String>())?;
            }
            ListFormat::Table => {
                if !brokered.is_empty() {
                    let table = secrets::table(&brokered).render(Paint::for_stdout());
                    write_out(&format!("{table}\n"))?;
                }
                if listed.is_empty() {
                    say!("no credential was issued lately")?;
                } else {
                    write_out(&as_table(&listed).render(Paint::for_stdout()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Those of the policy. A broken policy is no reason not to show what was issued.
fn brokered(session: &Session) -> Vec<Arc<BrokeredCredential>> {
    match PolicyInForce::load(session, None, &Overrides::default()) {
        Ok(in_force) => in_force.policy.credentials().to_vec(),
        Err(failure) => {
            failure.report(&mut std::io::stderr(), Paint::for_stderr());
            Vec::new()
        }
    }
}

fn as_table(listed: &[Listed]) -> Table<8> {
    let mut table = Table::new([
        "ID",
        "SANDBOX",
        "NAME",
        "ENVIRONMENT",
        "FOR",
        "WORKS AT",
        "STATE",
        "EXPIRES (UTC)",
    ]);
    for Listed {
        claims,
        label,
        standing,
    } in listed
    {
        table.row([
            claims.id.to_string(),
            claims.sandbox.to_string(),
            label.as_ref().map_or("-", Label::as_str).to_owned(),
            claims.environment.to_string(),
            claims.audience.as_str().to_owned(),
            works_at(&claims.scope),
            in_a_word(*standing).to_owned(),
            claims.expires_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        ]);
    }
    table
}

/// `acme/app fix-login`: repository and branch, with the host where it is not the usual one.
fn works_at(scope: &Scope) -> String {
    match scope.works_at() {
        Some(at) if at.host.is_github_com() => format!("{} {}", at.repository, at.branch),
        Some(at) => format!("{}/{} {}", at.host, at.repository, at.branch),
        None => "-".to_owned(),
    }
}

fn as_json(
    Listed {
        claims,
        label,
        standing,
    }: &Listed,
) -> serde_json::Value {
    json!({
        "id": claims.id,
        "sandbox": claims.sandbox,
        "name": label,
        "environment": claims.environment,
        "for": claims.audience.as_str(),
        "repositories": claims.scope.repositories,
        "branch": claims.scope.branch,
        "state": in_a_word(*standing),
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
    })
}

fn in_a_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Valid => "valid",
        Standing::Revoked => "revoked",
        Standing::Expired => "expired",
    }
}

impl RevokeArguments {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let what = self.read()?;
        session.state.make()?;
        let audit = audit_log_in_any_case(session)?;
        let revoked = issuer(session)
            .revoke(&what, Timestamp::now())
            .explain("nothing was revoked")
            .hint("`outwall credential list` shows what there is")?;
        let (said, id, sandbox) = match revoked {
            Revoked::Credential(id) => (format!("{id} is revoked"), Some(id.to_string()), None),
            Revoked::Sandbox(sandbox) => (
                format!("all that {sandbox} was given is revoked"),
                None,
                Some(sandbox),
            ),
        };
        audit.credential(CredentialChange::Revoked, id.as_deref(), sandbox, &said)?;
        audit.flush()?;
        say!("{said}")?;
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<Revoke, Failure> {
        if self.what != "-" {
            return revocable(&self.what);
        }
        let mut text = String::new();
        std::io::stdin()
            .take(64 * 1024)
            .read_to_string(&mut text)
            .explain("cannot read the credential from standard input")?;
        Ok(Revoke::Token(text.trim().to_owned().into()))
    }
}

/// An id of either kind, a credential, or a name. A credential is much longer than a name can be.
fn revocable(text: &str) -> Result<Revoke, Failure> {
    if let Ok(id) = text.parse::<CredentialId>() {
        return Ok(Revoke::Credential(id));
    }
    if let Ok(sandbox) = text.parse::<SandboxId>() {
        return Ok(Revoke::Sandbox(sandbox));
    }
    if text.len() > LONGEST_NAME {
        return Ok(Revoke::Token(text.to_owned().into()));
    }
    text.parse::<Label>().map(Revoke::Named).explain(format!(
        "`{}` names no credential",
        crate::terminal::printable(text)
    ))
}

impl RotateKey {
    fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        session.state.make()?;
        let audit = audit_log_in_any_case(session)?;
        let (overlap, said) = if self.revoke_all {
            (
                Overlap::None,
                "a new key signs, and everything that was issued before is revoked",
            )
        } else {
            (
                Overlap::UntilExpiry,
                "a new key signs; what was issued before stays valid until it expires",
            )
        };
        issuer(session)
            .rotate_key(overlap, Timestamp::now())
            .explain("the key was not replaced")?;
        audit.credential(CredentialChange::KeyRotated, None, None, said)?;
        audit.flush()?;
        say!("{said}")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn issuer(session: &Session) -> Issuer {
    Issuer::new(&session.state.credentials())
}

/// For clap.
fn subject(text: &str) -> Result<Subject, String> {
    if let Ok(id) = text.parse::<SandboxId>() {
        return Ok(Subject::Sandbox(id));
    }
    text.parse::<Label>()
        .map(Subject::Named)
        .map_err(|error| error.to_string())
}

const LONGEST_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_revoked_is_told_by_its_shape() {
        let kind = |text: &str| match revocable(text) {
            Ok(Revoke::Credential(_)) => "credential",
            Ok(Revoke::Sandbox(_)) => "sandbox",
            Ok(Revoke::Named(_)) => "name",
            Ok(Revoke::Token(_)) => "token",
            Err(_) => "nothing",
        };
        assert_eq!(kind("c-00112233445566778899aabb"), "credential");
        assert_eq!(kind("s-01020304"), "sandbox");
        assert_eq!(kind("builder.1"), "name");
        assert_eq!(kind(&"e30.e30.".repeat(20)), "token");
        assert_eq!(kind("-x"), "nothing");
    }
}
