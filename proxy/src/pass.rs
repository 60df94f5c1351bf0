//! On what ground a connection is its sandbox's, and how long it stays so.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderValue, PROXY_AUTHORIZATION};
use jiff::Timestamp;
use outwall_broker::scoped::{Credential, Presented, Verifier, presented};
use outwall_policy::CredentialFault;
use tokio::sync::watch;

/// On what ground a connection is its sandbox's.
#[derive(Clone)]
pub(crate) enum Pass {
    /// It arrived where that sandbox alone can. What it may show besides says nothing.
    Place,
    /// It shows nothing, where the policy has an environment for those.
    Nothing,
    /// It showed a credential.
    Credential(Arc<Shown>),
}

/// A credential that was shown and verified, shared by all connections that show it.
pub(crate) struct Shown {
    credential: Credential,
    verifier: Arc<Verifier>,
    ended: watch::Sender<Option<CredentialFault>>,
}

impl Shown {
    pub(crate) fn new(credential: Credential, verifier: Arc<Verifier>) -> Self {
        Self {
            credential,
            verifier,
            ended: watch::channel(None).0,
        }
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether it counts at this moment.
    pub(crate) fn check(&self) -> Result<(), CredentialFault> {
        if let Some(fault) = *self.ended.borrow() {
            return Err(fault);
        }
        self.verifier
            .standing(&self.credential, Timestamp::now())
            .map_err(|refused| refused.fault())
    }

    /// Ends everything that runs on the ground of it.
    pub(crate) fn end(&self, fault: CredentialFault) {
        self.ended.send_replace(Some(fault));
    }

    async fn ended(&self) -> CredentialFault {
        let mut ended = self.ended.subscribe();
        let fault = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|fault| *fault);
        match fault {
            Some(fault) => fault,
            None => std::future::pending().await, // nobody is left who could end it
        }
    }
}

impl Pass {
    /// Whether the connection is still its sandbox's: asked before each request.
    pub(crate) fn check(&self) -> Result<(), CredentialFault> {
        match self {
            Self::Place | Self::Nothing => Ok(()), // the policy decides whether those without identity are served
            Self::Credential(shown) => shown.check(),
        }
    }

    /// The same for a request in absolute form, which shows by itself who asks: it must be who the connection began with. So what
    /// somebody sends over a connection that an intermediary shares out is not taken for another's.
    pub(crate) fn check_request(&self, headers: &HeaderMap) -> Result<(), CredentialFault> {
        if let Self::Place = self {
            return Ok(());
        }
        let values = headers
            .get_all(PROXY_AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes);
        let now = presented(values).map_err(|_unreadable| CredentialFault::NotOurs)?;
        match (self, now) {
            (Self::Place, _) | (Self::Nothing, Presented::Nothing) => Ok(()),
            (Self::Credential(_), Presented::Nothing) => Err(CredentialFault::Missing),
            (Self::Credential(shown), Presented::Token(token)) if shown.credential.is(&token) => {
                shown.check()
            }
            (Self::Nothing | Self::Credential(_), Presented::Token(_)) => Err(CredentialFault::Changed),
        }
    }

    /// Whether it is the very same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Place, Self::Place) | (Self::Nothing, Self::Nothing) => true,
            (Self::Credential(one), Self::Credential(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Resolves when it is over.
    pub(crate) async fn ended(&self) -> CredentialFault {
        match self {
            Self::Place | Self::Nothing => std::future::pending().await,
            Self::Credential(shown) => shown.ended().await,
        }
    }
}
