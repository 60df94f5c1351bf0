//! What a credential says. Claims are the payload of a token, in one spelling only.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use outwall_policy::github::SessionRepository;
use outwall_policy::{EnvironmentName, Sandbox, SandboxId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::CredentialId;

/// The door that a credential is for. At another one it is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// `Proxy-Authorization` at an explicit proxy.
    #[serde(rename = "outwall-proxy")]
    Proxy,
    /// git and gh at the GitHub proxy.
    #[serde(rename = "outwall-git")]
    Git,
}

/// What a credential says: who, where, for what, for how long. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Its name (`jti`).
    pub id: CredentialId,
    /// The door (`aud`).
    pub audience: Audience,
    /// Who shows it (`sub`).
    pub sandbox: SandboxId,
    /// The environment of that sandbox (`env`).
    pub environment: EnvironmentName,
    /// What it is narrowed to beyond that.
    pub scope: Scope,
    /// `iat`
    pub issued_at: Timestamp,
    /// `nbf`
    pub not_before: Timestamp,
    /// `exp`: at this moment it is over.
    pub expires_at: Timestamp,
}

/// What a credential is narrowed to beyond its sandbox. Empty for a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// An agent's piece of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The repositories that it may use: `github.com/acme/app`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// The branch that it may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// What people call a sandbox that they made: the name of a container, as a rule. `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Not `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a name for a sandbox, which is 1 to 63 of A-Z, a-z, 0-9, `_`, `.` and `-`, a letter or digit first"
)]
pub struct LabelError(String);

/// A part of a scope that is empty, too long, too many, or has characters that no name of it has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the {0} of a credential is 1 to 255 visible ASCII characters, and there are 64 repositories at most"
)]
pub struct ScopeError(&'static str);

/// The payload. The order of its members is that of their only spelling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload<'a> {
    iss: &'a str,
    aud: Audience,
    sub: SandboxId,
    jti: CredentialId,
    env: EnvironmentName,
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "is_empty")]
    scope: Scope,
}

fn is_empty(scope: &Scope) -> bool {
    *scope == Scope::default()
}

impl Claims {
    /// The sandbox that shows it, which by that has an identity of its own.
    pub fn as_sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new(self.sandbox, self.environment.clone());
        match self.scope.works_at() {
            Some(repository) => sandbox.working_at(repository),
            None => sandbox,
        }
    }

    /// Their one spelling.
    pub(crate) fn write(&self, installation: &str) -> Vec<u8> {
        let payload = Payload {
            iss: installation,
            aud: self.audience,
            sub: self.sandbox,
            jti: self.id,
            env: self.environment.clone(),
            iat: self.issued_at.as_second(),
            nbf: self.not_before.as_second(),
            exp: self.expires_at.as_second(),
            scope: self.scope.clone(),
        };
        serde_json::to_vec(&payload).expect("texts and numbers are JSON")
    }

    /// Reads what [`write`](Self::write) wrote for this installation, and nothing else: every other spelling of the same claims
    /// is none of ours.
    pub(crate) fn read(payload: &[u8], installation: &str) -> Option<Self> {
        let read: Payload<'_> = serde_json::from_slice(payload).ok()?;
        let claims = Self {
            id: read.jti,
            audience: read.aud,
            sandbox: read.sub,
            environment: read.env,
            issued_at: Timestamp::from_second(read.iat).ok()?,
            not_before: Timestamp::from_second(read.nbf).ok()?,
            expires_at: Timestamp::from_second(read.exp).ok()?,
            scope: read.scope,
        };
        claims.scope.check().ok()?;
        (read.iss == installation && claims.write(installation) == payload).then_some(claims)
    }
}

impl Scope {
    /// Of a session at a repository of a GitHub.
    pub fn at(repository: &SessionRepository, session: Option<String>) -> Self {
        Self {
            session,
            repositories: vec![format!("{}/{}", repository.host, repository.repository)],
            branch: Some(repository.branch.to_string()),
        }
    }

    /// The repository that its session works at, if it is of one.
    pub fn works_at(&self) -> Option<SessionRepository> {
        let ([repository], Some(branch)) = (self.repositories.as_slice(), &self.branch) else {
            return None;
        };
        let (host, repository) = repository.split_once('/')?;
        Some(SessionRepository {
            host: host.parse().ok()?,
            repository: repository.parse().ok()?,
            branch: branch.parse().ok()?,
        })
    }

    /// Whether every part of it is a name of what it stands for.
    pub(crate) fn check(&self) -> Result<(), ScopeError> {
        let named = |text: &String| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !self.session.iter().all(named) {
            return Err(ScopeError("session"));
        }
        if self.repositories.len() > 64 || !self.repositories.iter().all(named) {
            return Err(ScopeError("repositories"));
        }
        if !self.branch.iter().all(named) {
            return Err(ScopeError("branch"));
        }
        Ok(())
    }
}

impl Audience {
    /// As people say it: `proxy`, `git`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Git => "git",
        }
    }
}

impl Label {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let first = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if first && text.len() <= 63 && text.bytes().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LabelError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}
