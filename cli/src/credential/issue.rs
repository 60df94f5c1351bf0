//! `outwall credential issue`: one sandbox, and all that it needs to be known by.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use outwall_audit::{AuditLog, CredentialChange};
use outwall_broker::placeholder::Placeholders;
use outwall_broker::scoped::{Audience, Fresh, LONGEST_LIFE, Request, Scope, Subject};
use outwall_policy::github::{BranchName, SessionRepository};
use outwall_policy::{EnvironmentName, Overrides, Policy, Sandbox};
use serde_json::json;

use super::handout::{AtGithub, Handout, Way};
use super::{issuer, subject};
use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::gate::{audit_log, placeholder_key};
use crate::github::DoorUrl;
use crate::policy_in_force::PolicyInForce;
use crate::repository_url::RepositoryUrl;
use crate::since::span;
use crate::terminal::write_out;

/// Prints a new credential for one sandbox
///
/// Whoever has it is that sandbox for `outwall proxy`: hand it to one machine, and to nobody else. It is
/// kept nowhere; `outwall credential list` knows its name. It is good for nothing but this gate.
///
/// With `--repository` it is for git and gh at `outwall github`; with `--proxy` besides, the sandbox gets one
/// for the proxy, too, and works at GitHub through that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall credential issue --environment web --ttl 2h
  eval \"$(outwall credential issue --format env --proxy 127.0.0.1:8080)\"

For git and gh, beside `outwall github --listen 127.0.0.1:3000 --socket gh.sock`:
  eval \"$(outwall credential issue --repository acme/app --session-branch fix-login --format env)\"
  gh config set http_unix_socket \"$PWD/gh.sock\"
  git clone https://github.com/acme/app && cd app && git switch -c fix-login && gh pr list

With Docker (the container must have no other way out: a network made with `--internal`):
  outwall ca export --format bundle > ca-bundle.pem
  outwall credential issue --environment web --sandbox builder \\
    --proxy gate:8080 --format docker > builder.env
  docker run --network sandboxes --env-file builder.env \\
    -v \"$PWD/ca-bundle.pem:/etc/outwall/ca-bundle.pem:ro\" IMAGE

The same for a container that works at a repository, and may push one branch of it:
  outwall credential issue --environment web --sandbox builder --proxy gate:8080 \\
    --repository acme/app --session-branch fix-login --format docker > builder.env")]
pub(crate) struct Issue {
    /// The environment of the policy that the sandbox is in [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// How long it is valid: `90m`, `2h`, `1d`; a week at most
    #[arg(long, value_name = "SPAN", default_value = "2h", value_parser = span)]
    ttl: SignedDuration,

    /// Whose it is: a name of yours (the same name is the same sandbox), or a sandbox id [else: a new sandbox]
    #[arg(long, value_name = "NAME|ID", value_parser = subject)]
    sandbox: Option<Subject>,

    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Token)]
    format: Format,

    /// Where the sandbox reaches the proxy, for `env` and `docker` [default: 127.0.0.1:8080; with `--repository`: no proxy]
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,

    /// Where the sandbox has `outwall ca export --format bundle`, for `env` and `docker`
    #[arg(long, value_name = "PATH", default_value = "/etc/outwall/ca-bundle.pem")]
    ca_bundle: String,

    /// The repository of GitHub that it works at: `https://github.com/acme/app`, or `acme/app`
    #[arg(long, value_name = "URL", requires = "session_branch")]
    #[arg(help_heading = "Working at a repository of GitHub")]
    repository: Option<RepositoryUrl>,

    /// The one branch of it that it may write
    #[arg(long, value_name = "BRANCH", requires = "repository")]
    #[arg(help_heading = "Working at a repository of GitHub")]
    session_branch: Option<BranchName>,

    /// Where it reaches `outwall github`, for `env`, `docker` and `git` [default: `http://127.0.0.1:3000`; with `--proxy`:
    /// through the proxy]
    #[arg(long, value_name = "URL", requires = "repository")]
    #[arg(help_heading = "Working at a repository of GitHub")]
    github: Option<DoorUrl>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The credential alone
    Token,
    /// Lines for a shell: proxy and certificate variables; those of git and gh
    Env,
    /// The same for `docker run --env-file`
    Docker,
    /// A git configuration, for `--repository`: what `git config --file` and `include.path` take
    Git,
    /// With its id, sandbox and expiry
    Json,
}

/// What was issued to one sandbox.
struct Issued {
    /// For the proxy.
    proxy: Option<Fresh>,
    /// For git and gh.
    github: Option<(SessionRepository, Fresh)>,
}

impl Issue {
    pub(super) fn obey(&self, session: &Session) -> Result<ExitCode, Failure> {
        let name = self.environment.as_ref().map(EnvironmentName::as_str);
        let in_force = PolicyInForce::load(session, name, &Overrides::default())?;
        let at = self.works_at(&in_force.policy)?;
        self.check_format(at.is_some())?;
        let environment = in_force.policy.environment(name)?.name().clone();
        session.state.make()?;
        let audit = audit_log(session, &in_force)?; // first: what cannot be recorded is not issued
        let issued = self.issue(session, &audit, &environment, at)?;
        audit.flush()?;
        let sandbox = Sandbox::new(issued.first().claims.sandbox, environment);
        let key = placeholder_key(session)?;
        let placeholders = match &issued.proxy {
            Some(_) => Placeholders::new(&key, &sandbox, in_force.policy.credentials()),
            None => Placeholders::default(), // nothing puts a secret in their place
        };
        write_out(&self.written(&issued, &placeholders))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Where it works at GitHub.
    fn works_at(&self, policy: &Policy) -> Result<Option<SessionRepository>, Failure> {
        let (Some(url), Some(branch)) = (&self.repository, &self.session_branch) else {
            return Ok(None);
        };
        Ok(Some(SessionRepository {
            host: url.host(policy)?,
            repository: url.name.clone(),
            branch: branch.clone(),
        }))
    }

    fn check_format(&self, works_at_github: bool) -> Result<(), Failure> {
        match self.format {
            Format::Git if !works_at_github => {
                Err(Failure::new("`--format git` is for `--repository`").hint("`--format env` prints what a proxy's client needs"))
            }
            Format::Token if works_at_github && self.proxy.is_some() => Err(Failure::new(
                "a sandbox that works at GitHub through the proxy needs two credentials, one for the proxy and one for git and gh",
            )
            .hint("`--format env`, `docker` and `json` print both; without `--proxy` there is one")),
            _ => Ok(()),
        }
    }

    /// Both for one sandbox, the second for whoever the first turned out to be.
    fn issue(
        &self,
        session: &Session,
        audit: &AuditLog,
        environment: &EnvironmentName,
        at: Option<SessionRepository>,
    ) -> Result<Issued, Failure> {
        let scope = at.as_ref().map(|at| Scope::at(at, None)).unwrap_or_default();
        let mut request = Request {
            audience: Audience::Proxy,
            subject: self.sandbox.clone().unwrap_or(Subject::New),
            environment: environment.clone(),
            scope,
            life: self.ttl,
        };
        let needs_proxy = at.is_none() || self.proxy.is_some();
        let proxy = needs_proxy.then(|| issue(session, audit, &request)).transpose()?;
        let Some(at) = at else {
            return Ok(Issued { proxy, github: None });
        };
        if let Some(first) = &proxy {
            request.subject = Subject::Sandbox(first.claims.sandbox);
        }
        request.audience = Audience::Git;
        let fresh = issue(session, audit, &request)?;
        let github = Some((at, fresh));
        Ok(Issued { proxy, github })
    }

    fn written(&self, issued: &Issued, placeholders: &Placeholders) -> String {
        let handout = self.handout(issued, placeholders);
        match self.format {
            Format::Token => format!("{}\n", issued.first().token.expose()),
            Format::Env => handout.as_shell(),
            Format::Docker => handout.as_env_file(),
            Format::Git => handout.as_git_configuration(),
            Format::Json => format!("{}\n", as_json(issued, &handout)),
        }
    }

    fn handout<'a>(&'a self, issued: &'a Issued, placeholders: &'a Placeholders) -> Handout<'a> {
        let proxy = self.proxy.as_deref().unwrap_or(PROXY);
        let through_proxy = issued.proxy.is_some() && self.github.is_none();
        Handout {
            proxy: issued.proxy.as_ref().map(|fresh| (&fresh.token, proxy)),
            ca_bundle: &self.ca_bundle,
            placeholders,
            github: issued.github.as_ref().map(|(at, fresh)| AtGithub {
                at,
                token: &fresh.token,
                way: if through_proxy {
                    Way::Proxy
                } else {
                    Way::Door(self.github.clone().unwrap_or_default())
                },
            }),
        }
    }
}

impl Issued {
    /// The one that was asked for: of two, that of GitHub.
    fn first(&self) -> &Fresh {
        let github = self.github.as_ref().map(|(_, fresh)| fresh);
        github.or(self.proxy.as_ref()).expect("one was issued")
    }
}

fn issue(session: &Session, audit: &AuditLog, request: &Request) -> Result<Fresh, Failure> {
    let issued = issuer(session).issue(request, Timestamp::now());
    let fresh = issued.explain("no credential was issued").hint(format!(
        "one lives for {} hours at most; `outwall credential list` shows what there is",
        LONGEST_LIFE.as_hours()
    ))?;
    let claims = &fresh.claims;
    let at = match claims.scope.works_at() {
        Some(at) => format!(
            ", for {} at {}/{} on {}",
            claims.audience.as_str(),
            at.host,
            at.repository,
            at.branch
        ),
        None => String::new(),
    };
    let message = format!(
        "for environment {}, until {}{at}",
        claims.environment, claims.expires_at
    );
    audit.credential(
        CredentialChange::Issued,
        Some(&claims.id.to_string()),
        Some(claims.sandbox),
        &message,
    )?;
    Ok(fresh)
}

fn as_json(issued: &Issued, handout: &Handout<'_>) -> serde_json::Value {
    let Fresh { token, claims } = issued.first();
    let mut told = json!({
        "token": token.expose(),
        "id": claims.id,
        "sandbox": claims.sandbox,
        "environment": claims.environment,
        "expires_at": claims.expires_at,
        "variables": handout.beside_proxy().collect::<BTreeMap<_, _>>(),
    });
    if let Some((at, _)) = &issued.github {
        told["github"] = json!({ "host": at.host.as_str(), "repository": at.repository.to_string(), "branch": at.branch.as_str() });
        if let Some(proxy) = &issued.proxy {
            told["proxy"] = json!({ "token": proxy.token.expose(), "id": proxy.claims.id });
        }
    }
    told
}

const PROXY: &str = "127.0.0.1:8080";
