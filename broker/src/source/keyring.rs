//! `{ keyring = "SERVICE", account = "ACCOUNT" }`: the Secret Service of the desktop session (freedesktop.org, "Secret Service API Draft",
//! 0.2), which GNOME Keyring, `KWallet` and `KeePassXC` offer.
//!
//! The secret crosses the session bus as it is (`plain`). Whoever reads that bus is the same user, and could ask the keyring as we do;
//! to have it encrypted would take a second cryptographic library for nothing.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use thiserror::Error;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Proxy, Variant};
use zeroize::Zeroizing;

use super::{Fetched, Says, Source, SourceError};
use crate::secret::Secret;

pub(super) struct Keyring {
    pub(super) service: String,
    pub(super) account: String,
}

/// Why the keyring gave no secret.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// There is no session bus, or no keyring on it.
    #[error("the keyring cannot be asked")]
    NotAnswered(#[source] zbus::Error),
    /// It takes too long.
    #[error("the keyring did not answer within {} seconds", LONGEST_WAIT.as_secs())]
    TooSlow,
    /// There is none.
    #[error("the keyring has no secret for the service `{service}` and the account `{account}`")]
    NotThere {
        /// The attribute `service`.
        service: String,
        /// The attribute `username`.
        account: String,
    },
    /// There are several.
    #[error("the keyring has {count} secrets for the service `{service}` and the account `{account}`")]
    Several {
        /// The attribute `service`.
        service: String,
        /// The attribute `username`.
        account: String,
        /// How many.
        count: usize,
    },
    /// It can only be read once somebody gave the password of the keyring.
    #[error("the keyring with the secret for the service `{service}` is locked")]
    Locked {
        /// The attribute `service`.
        service: String,
    },
}

/// Session, parameters of the encryption, value, content type: `(oayays)`.
type Carried = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

impl Keyring {
    async fn secret(&self) -> Result<Fetched, SourceError> {
        let asked = tokio::time::timeout(LONGEST_WAIT, self.value()).await;
        let value = asked.map_err(|_| KeyringError::TooSlow)??;
        let place = format!("the keyring for the service `{}`", self.service);
        Ok(Fetched {
            secret: Secret::from_text(&value).map_err(SourceError::unfit(place))?,
            expires_at: None,
            ask_again: Some(BETWEEN),
            seen: None,
        })
    }

    async fn value(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let bus = Connection::session().await?;
        let keyring = Proxy::new(&bus, NAME, ROOT, "org.freedesktop.Secret.Service").await?;
        let (_, session): (OwnedVariant, OwnedObjectPath) =
            keyring.call("OpenSession", &("plain", Variant::from(""))).await?;
        let item = self.item(&keyring).await?;
        let item = Proxy::new(&bus, NAME, item, "org.freedesktop.Secret.Item").await?;
        let (carried,): (Carried,) = item
            .call_method("GetSecret", &(session,))
            .await?
            .body()
            .deserialize()?;
        Ok(Zeroizing::new(carried.2))
    }

    /// The only one that has these attributes, unlocked.
    async fn item(&self, keyring: &Proxy<'_>) -> Result<OwnedObjectPath, KeyringError> {
        let wanted = HashMap::from([
            ("service", self.service.as_str()),
            ("username", self.account.as_str()),
        ]);
        let (mut open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
            keyring.call("SearchItems", &(wanted,)).await?;
        let (service, account) = (self.service.clone(), self.account.clone());
        match (open.len() + locked.len(), open.pop()) {
            (0, _) => Err(KeyringError::NotThere { service, account }),
            (1, Some(item)) => Ok(item),
            (1, None) => {
                // It unlocks by itself what needs no password; what asks the user we do not begin.
                let (mut unlocked, _): (Vec<OwnedObjectPath>, OwnedObjectPath) =
                    keyring.call("Unlock", &(locked,)).await?;
                unlocked.pop().ok_or(KeyringError::Locked { service })
            }
            (count, _) => Err(KeyringError::Several {
                service,
                account,
                count,
            }),
        }
    }
}

impl Source for Keyring {
    fn fetch(&self, _now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(self.secret())
    }
}

impl From<zbus::Error> for KeyringError {
    fn from(error: zbus::Error) -> Self {
        Self::NotAnswered(error)
    }
}

impl KeyringError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotAnswered(_) => {
                "start the gate in a desktop session with a keyring, or take the secret from a file"
                    .to_owned()
            }
            Self::NotThere { service, account } => {
                format!(
                    "put it there: `secret-tool store --label={service} service {service} username {account}`"
                )
            }
            Self::Several { service, account, .. } => {
                format!("leave one of them: `secret-tool search --all service {service} username {account}`")
            }
            Self::TooSlow | Self::Locked { .. } => "unlock the keyring, and ask again".to_owned(),
        }
    }

    pub(super) fn says(&self) -> Says {
        match self {
            Self::NotThere { .. } | Self::Several { .. } => Says::Withdrawn,
            Self::NotAnswered(_) | Self::TooSlow | Self::Locked { .. } => Says::Nothing,
        }
    }
}

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
/// A keyring may have to be started first.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Between two looks.
const BETWEEN: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
