//! What git and gh in a sandbox need to work at the repository of their session: a scoped credential, and where it is found.

use std::path::PathBuf;

use jiff::Timestamp;
use outwall_audit::{AuditLog, CredentialChange};
use outwall_broker::scoped::{Audience, Fresh, Issuer, LONGEST_LIFE, Request, Revoke, Scope, Subject};
use outwall_policy::Sandbox;
use outwall_policy::github::SessionRepository;

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::git_settings::GitSettings;

/// The scoped credential of a session in a sandbox of ours: it is taken back when the sandbox ends.
pub(crate) struct GithubSession {
    at: SessionRepository,
    sandbox: Sandbox,
    issuer: Issuer,
    fresh: Fresh,
}

/// Where git's helper reads what it answers.
const CREDENTIAL: &str = "/etc/outwall/github-credential";

impl GithubSession {
    /// Issues the credential of a sandbox whose session works at a repository; none for another one.
    pub(crate) fn begin(
        session: &Session,
        sandbox: &Sandbox,
        audit: &AuditLog,
    ) -> Result<Option<Self>, Failure> {
        let Some(at) = sandbox.repository.as_deref() else {
            return Ok(None);
        };
        let issuer = Issuer::new(&session.state.credentials());
        let request = Request {
            audience: Audience::Git,
            subject: Subject::Sandbox(sandbox.id),
            environment: sandbox.environment.clone(),
            scope: Scope::at(at, None),
            life: LONGEST_LIFE, // or as long as the sandbox, which is shorter as a rule
        };
        let fresh = issuer
            .issue(&request, Timestamp::now())
            .explain("no credential for git could be issued")?;
        let said = format!(
            "for git and gh, at {}/{} on {}",
            at.host, at.repository, at.branch
        );
        let id = fresh.claims.id.to_string();
        audit.credential(CredentialChange::Issued, Some(&id), Some(sandbox.id), &said)?;
        Ok(Some(Self {
            at: at.clone(),
            sandbox: sandbox.clone(),
            issuer,
            fresh,
        }))
    }

    /// Git's configuration: the helper that has the credential, and the URLs of SSH taken for those of HTTPS.
    pub(crate) fn git_configuration(&self) -> String {
        GitSettings::at_github(&self.at.host, &format!("cat {CREDENTIAL}")).as_file()
    }

    /// The file that the helper reads.
    pub(crate) fn file(&self) -> (PathBuf, Vec<u8>) {
        let text = format!(
            "username=x-access-token\npassword={}\n",
            self.fresh.token.expose()
        );
        (PathBuf::from(CREDENTIAL), text.into_bytes())
    }

    /// gh's variables ("gh environment"): for `github.com` one token, for a server its host and another.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        variables(&self.at, self.fresh.token.expose())
    }

    /// Nobody shows it any more.
    pub(crate) fn end(self, audit: &AuditLog) -> Result<(), Failure> {
        let revoked = self
            .issuer
            .revoke(&Revoke::Sandbox(self.sandbox.id), Timestamp::now())
            .explain("the credential of the session could not be revoked");
        revoked?;
        audit.credential(
            CredentialChange::Revoked,
            None,
            Some(self.sandbox.id),
            "the sandbox of the session has ended",
        )?;
        Ok(())
    }
}

/// What gh and libraries look at.
pub(crate) fn variables(at: &SessionRepository, token: &str) -> Vec<(&'static str, String)> {
    let token = token.to_owned();
    if at.host.is_github_com() {
        return vec![("GH_TOKEN", token.clone()), ("GITHUB_TOKEN", token)];
    }
    vec![
        ("GH_HOST", at.host.to_string()),
        ("GH_ENTERPRISE_TOKEN", token.clone()),
        ("GITHUB_ENTERPRISE_TOKEN", token),
    ]
}
