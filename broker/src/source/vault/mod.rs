//! `{ vault = "PATH", key = "KEY" }`: a value of a secret of `HashiCorp` Vault's key-value engine, version 2, by its HTTP interface
//! (and that of `OpenBao`). Such a secret has no lease: it is read again each minute. What has one is our own login, which is renewed
//! before it ends, or made anew.

mod login;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use outwall_policy::brokered::{ServiceUrl, ServiceUrlError, VaultAuth};
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;
use zeroize::Zeroizing;

use self::login::Login;
use self::server::{Server, encoded};
use super::{Answer, Fetched, Means, NotAnswered, Says, Shown, Source, SourceError};
use crate::secret::Secret;

/// Where a value is in Vault.
pub(super) struct Vault {
    pub(super) address: Option<ServiceUrl>,
    pub(super) namespace: Option<String>,
    pub(super) mount: String,
    pub(super) path: String,
    pub(super) key: String,
    pub(super) auth: VaultAuth,
    pub(super) means: Means,
    /// What we are known by; none before the first question.
    pub(super) login: tokio::sync::Mutex<Option<Login>>,
}

/// Why Vault gave no secret.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Neither the policy nor the environment says where it is.
    #[error("nothing says where Vault is: the source has no `address`, and `VAULT_ADDR` is not set")]
    NoAddress,
    /// The environment says it wrongly.
    #[error("`VAULT_ADDR` is no URL of a service")]
    Address(#[source] ServiceUrlError),
    /// It cannot be asked.
    #[error(transparent)]
    NotAnswered(#[from] NotAnswered),
    /// Our token has ended, or is no token.
    #[error("the token for Vault cannot be used: {said}")]
    Token {
        /// What was wrong with it.
        said: Shown,
    },
    /// The login was refused.
    #[error("Vault refuses the login by role ({status}): {said}")]
    Login {
        /// The status code.
        status: u16,
        /// What it said.
        said: Shown,
    },
    /// We may not read it.
    #[error("Vault does not let us read `{path}`: {said}")]
    Denied {
        /// The path of its interface.
        path: String,
        /// What it said.
        said: Shown,
    },
    /// There is none.
    #[error("Vault has no secret at `{path}`")]
    NotThere {
        /// The path of its interface.
        path: String,
    },
    /// There was one.
    #[error("the last version of the secret at `{path}` was deleted")]
    Deleted {
        /// The path of its interface.
        path: String,
    },
    /// It has other values.
    #[error("the secret at `{path}` has no value `{key}`; it has {has}")]
    NoValue {
        /// The path of its interface.
        path: String,
        /// What was looked for.
        key: String,
        /// The names of its values.
        has: Shown,
    },
    /// It is a list, or the like.
    #[error("the value `{key}` of the secret at `{path}` is no text")]
    NotText {
        /// The path of its interface.
        path: String,
        /// Which.
        key: String,
    },
    /// It is sealed, or starts.
    #[error("Vault is sealed, or not ready ({status})")]
    Sealed {
        /// The status code.
        status: u16,
    },
    /// Somebody else is to be asked.
    #[error("this server of Vault sends us to another one, and redirects are not followed: {to}")]
    Redirected {
        /// Where.
        to: Shown,
    },
    /// It answered something else.
    #[error("Vault answered {status}: {said}")]
    Status {
        /// The status code.
        status: u16,
        /// What it said.
        said: Shown,
    },
    /// It answered what it never does.
    #[error("what Vault answered about `{path}` is not what it documents")]
    Malformed {
        /// The path of its interface.
        path: String,
    },
}

/// "Read secret version", KV v2's HTTP interface.
#[derive(Deserialize)]
struct ReadAnswer<'a> {
    #[serde(borrow)]
    data: VersionAnswer<'a>,
}

#[derive(Deserialize)]
struct VersionAnswer<'a> {
    /// None: this version was deleted.
    #[serde(borrow)]
    data: Option<BTreeMap<String, &'a RawValue>>,
    metadata: VersionMetadata,
}

#[derive(Deserialize)]
struct VersionMetadata {
    /// Empty: never. It may lie ahead (`delete_version_after`).
    #[serde(default)]
    deletion_time: String,
}

impl Vault {
    async fn secret(&self, now: Timestamp) -> Result<Fetched, SourceError> {
        let server = self.server()?;
        let mut login = self.login.lock().await;
        let last = login.take();
        let used = login.insert(self.fresh(&server, last, now).await?);
        let mut answer = server
            .ask("GET", &self.data_path(), Some(&used.token), None)
            .await?;
        if answer.status == 403 {
            *used = self.log_in(&server, now).await?; // it may have been taken back: once
            answer = server
                .ask("GET", &self.data_path(), Some(&used.token), None)
                .await?;
        }
        let ask_again = used.left_alone(now).map_or(BETWEEN, |left| left.min(BETWEEN));
        let (value, expires_at) = self.value(&answer, &used.token)?;
        let place = format!("the value `{}` of `{}` in Vault", self.key, self.data_path());
        Ok(Fetched {
            secret: Secret::from_text(&value).map_err(SourceError::unfit(place))?,
            expires_at,
            ask_again: Some(ask_again),
            seen: None,
        })
    }

    fn server(&self) -> Result<Server<'_>, VaultError> {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let url = match &self.address {
            Some(address) => address.clone(),
            None => variable("VAULT_ADDR")
                .ok_or(VaultError::NoAddress)?
                .parse()
                .map_err(VaultError::Address)?,
        };
        let namespace = self.namespace.clone().or_else(|| variable("VAULT_NAMESPACE"));
        Ok(Server {
            services: &*self.means.services,
            url,
            namespace,
        })
    }

    fn data_path(&self) -> String {
        format!("/v1/{}/data/{}", encoded(&self.mount), encoded(&self.path))
    }

    /// The value, and when it ends.
    fn value(
        &self,
        answer: &Answer,
        token: &str,
    ) -> Result<(Zeroizing<Vec<u8>>, Option<Timestamp>), VaultError> {
        let path = self.data_path();
        let read = serde_json::from_slice::<ReadAnswer<'_>>(&answer.body).ok();
        match (answer.status, read) {
            (200, Some(read)) => {
                let until = read.data.metadata.deletion_time.parse().ok();
                let data = read
                    .data
                    .data
                    .ok_or_else(|| VaultError::Deleted { path: path.clone() })?;
                Ok((self.text(&data, path, token)?, until))
            }
            (200, None) => Err(VaultError::Malformed { path }),
            (404, Some(_)) => Err(VaultError::Deleted { path }),
            (404, None) => Err(VaultError::NotThere { path }),
            (403, _) => Err(VaultError::Denied {
                path,
                said: server::errors(answer, &[token.as_bytes()]),
            }),
            (_, _) => Err(server::unexpected(answer, &[token.as_bytes()])),
        }
    }

    fn text(
        &self,
        data: &BTreeMap<String, &RawValue>,
        path: String,
        token: &str,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = self.key.clone();
        let Some(value) = data.get(&key) else {
            let names: Vec<String> = data
                .keys()
                .map(|name| format!("`{}`", name.escape_debug()))
                .collect();
            let has = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            let has = Shown::of(has.as_bytes(), &[token.as_bytes()]);
            return Err(VaultError::NoValue { path, key, has });
        };
        match value.get().as_bytes() {
            [b'"', ..] => serde_json::from_str::<String>(value.get())
                .map(|text| Zeroizing::new(text.into_bytes()))
                .map_err(|_| VaultError::Malformed { path }),
            number @ [b'0'..=b'9' | b'-', ..] => Ok(Zeroizing::new(number.to_vec())),
            _ => Err(VaultError::NotText { path, key }),
        }
    }
}

impl Source for Vault {
    fn fetch(&self, now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(self.secret(now))
    }
}

impl VaultError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoAddress => "write address = \"https://vault.corp.test:8200\" into the source".into(),
            Self::Address(_) => "set it to `https://HOST:8200`".into(),
            Self::NotAnswered(_) => "see that the server runs, and that its certificate leads to a root that the gate knows: `extra_roots` of [origins]".into(),
            Self::Token { .. } => "give a token that is valid and can be renewed, or log in by role".into(),
            Self::Login { .. } => "see that `role_id` and `secret_id` belong together and that the secret id has not ended".into(),
            Self::Denied { path, .. } => format!(
                "give its token a policy with: path \"{}\" {{ capabilities = [\"read\"] }}",
                path.trim_start_matches("/v1/")
            ),
            Self::NotThere { .. } => "write the path without `data/`, and `mount` if the engine is not at `secret`; it has to be version 2".into(),
            Self::Deleted { .. } => "put a new version there, or undelete it: `vault kv undelete`".into(),
            Self::NoValue { .. } => "write one of these as `key`".into(),
            Self::NotText { .. } => "put the secret there as text".into(),
            Self::Sealed { .. } => "unseal it: `vault operator unseal`".into(),
            Self::Redirected { .. } => "name the active server, or a load balancer, as `address`".into(),
            Self::Status { .. } | Self::Malformed { .. } => "ask it yourself: `vault kv get`".into(),
        }
    }

    pub(super) fn says(&self) -> Says {
        match self {
            Self::Denied { .. } | Self::NotThere { .. } | Self::Deleted { .. } | Self::NoValue { .. } => {
                Says::Withdrawn
            }
            Self::NoAddress
            | Self::Address(_)
            | Self::NotAnswered(_)
            | Self::Token { .. }
            | Self::Login { .. }
            | Self::NotText { .. }
            | Self::Sealed { .. }
            | Self::Redirected { .. }
            | Self::Status { .. }
            | Self::Malformed { .. } => Says::Nothing,
        }
    }
}

/// Between two looks at a secret.
const BETWEEN: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
