//! What we are known by at Vault: a token, given to us or got by a role, for as long as it lasts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use outwall_policy::brokered::VaultAuth;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::{Answer, Shown, SourceError};
use super::server::{self, Server, encoded};
use super::{Vault, VaultError};

/// A token, and how long it is good for.
pub(in crate::source) struct Login {
    pub(super) token: Zeroizing<String>,
    /// None: it does not end, or Vault does not tell us.
    ends: Option<Ends>,
}

#[derive(Clone, Copy)]
struct Ends {
    at: Timestamp,
    /// Later is too near to the end.
    renew_at: Timestamp,
    renewable: bool,
}

#[derive(Serialize)]
struct RoleLogin<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

/// What a login and a renewal are answered with.
#[derive(Deserialize)]
struct AuthAnswer {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    client_token: String,
    /// In seconds; 0: without end.
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

/// What a token says about itself.
#[derive(Deserialize)]
struct LookupAnswer {
    data: Lookup,
}

#[derive(Deserialize)]
struct Lookup {
    /// In seconds; 0: without end.
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

impl Vault {
    /// What we are known by, good for the next question: the last one, renewed where it is time, else a new one.
    pub(super) async fn fresh(
        &self,
        server: &Server<'_>,
        last: Option<Login>,
        now: Timestamp,
    ) -> Result<Login, SourceError> {
        let Some(last) = last.filter(|last| self.is_ours(last)) else {
            return self.log_in(server, now).await;
        };
        match last.ends {
            Some(ends) if ends.at <= now || (ends.renew_at <= now && !ends.renewable) => {
                self.log_in(server, now).await
            }
            Some(ends) if ends.renew_at <= now => match renew(server, &last, now).await {
                Ok(Some(renewed)) => Ok(renewed),
                Ok(None) => self.log_in(server, now).await,
                Err(_) => Ok(last), // it has not ended, and Vault may answer the next question
            },
            Some(_) | None => Ok(last),
        }
    }

    /// A token that was given to us may have been replaced there.
    fn is_ours(&self, last: &Login) -> bool {
        match &self.auth {
            VaultAuth::Token(_) => self.given_secret().is_ok_and(|given| *given == *last.token),
            VaultAuth::AppRole { .. } => true,
        }
    }

    fn given_secret(&self) -> Result<Zeroizing<String>, SourceError> {
        let bytes = self.means.read(self.auth.secret())?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        if text.is_empty() || text.contains(|c: char| !c.is_ascii_graphic()) {
            let said = Shown::of(b"it is empty, or no word", &[]);
            return Err(VaultError::Token { said }.into());
        }
        Ok(Zeroizing::new(text.to_owned()))
    }

    pub(super) async fn log_in(&self, server: &Server<'_>, now: Timestamp) -> Result<Login, SourceError> {
        let given = self.given_secret()?;
        match &self.auth {
            VaultAuth::Token(_) => Ok(look_up(server, given, now).await?),
            VaultAuth::AppRole { role_id, mount, .. } => {
                let role = RoleLogin {
                    role_id,
                    secret_id: &given,
                };
                let body = serde_json::to_vec(&role).expect("texts are JSON");
                let path = format!("/v1/auth/{}/login", encoded(mount));
                let answer = server
                    .ask("POST", &path, None, Some(Zeroizing::new(body)))
                    .await?;
                Ok(by_role(&answer, &path, &given, now)?)
            }
        }
    }
}

/// A login by role, answered.
fn by_role(answer: &Answer, path: &str, secret_id: &str, now: Timestamp) -> Result<Login, VaultError> {
    let hidden: &[&[u8]] = &[secret_id.as_bytes()];
    match answer.status {
        200 => Login::read(answer, now).ok_or_else(|| VaultError::Malformed {
            path: path.to_owned(),
        }),
        status @ (400 | 401 | 403 | 404) => Err(VaultError::Login {
            status,
            said: server::errors(answer, hidden),
        }),
        _ => Err(server::unexpected(answer, hidden)),
    }
}

/// How long a token lasts that was given to us. It may be one that cannot ask.
async fn look_up(server: &Server<'_>, token: Zeroizing<String>, now: Timestamp) -> Result<Login, VaultError> {
    let answer = server
        .ask("GET", "/v1/auth/token/lookup-self", Some(&token), None)
        .await?;
    let read = serde_json::from_slice::<LookupAnswer>(&answer.body).ok();
    let ends = read
        .filter(|_| answer.status == 200)
        .and_then(|read| Ends::of(read.data.ttl, read.data.renewable, now));
    Ok(Login { token, ends })
}

/// The same token for longer. None: Vault does not renew it.
async fn renew(server: &Server<'_>, last: &Login, now: Timestamp) -> Result<Option<Login>, VaultError> {
    let body = Some(Zeroizing::new(b"{}".to_vec()));
    let answer = server
        .ask("POST", "/v1/auth/token/renew-self", Some(&last.token), body)
        .await?;
    match answer.status {
        200 => Ok(Login::read(&answer, now)),
        400..500 => Ok(None),
        _ => Err(server::unexpected(&answer, &[last.token.as_bytes()])),
    }
}

impl Login {
    fn read(answer: &Answer, now: Timestamp) -> Option<Self> {
        let auth = serde_json::from_slice::<AuthAnswer>(&answer.body).ok()?.auth;
        let token = Zeroizing::new(auth.client_token);
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self {
            token,
            ends: Ends::of(auth.lease_duration, auth.renewable, now),
        })
    }

    /// Until it has to be renewed.
    pub(super) fn left_alone(&self, now: Timestamp) -> Option<Duration> {
        let left = self.ends?.renew_at.duration_since(now);
        Some(
            Duration::try_from(left)
                .unwrap_or_default()
                .max(Duration::from_secs(1)),
        )
    }
}

impl Ends {
    fn of(seconds: u64, renewable: bool, now: Timestamp) -> Option<Self> {
        let after = |seconds: u64| {
            let seconds = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
            now.checked_add(seconds).ok()
        };
        (seconds > 0).then_some(())?;
        Some(Self {
            at: after(seconds)?,
            renew_at: after(seconds - seconds / 3)?,
            renewable,
        })
    }
}
