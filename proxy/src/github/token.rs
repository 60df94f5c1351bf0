//! The session's token, ready to be put in.

use std::sync::Arc;

use outwall_broker::{Secret, Unavailable};
use outwall_git_proxy::Door;
use outwall_policy::RequestPermit;
use outwall_policy::brokered::{BrokerRefusal, Injection};
use outwall_policy::github::TokenUse;

use super::shown::Shown;
use super::visit::Visit;
use crate::brokering::Ready;
use crate::error::chain;
use crate::exchange::Stopped;

impl Visit<'_> {
    /// The token for a permitted request, which is none where it is sent without.
    pub(super) async fn token_for(
        &self,
        permit: &RequestPermit,
        shown: &Shown,
    ) -> Result<Option<Ready>, Stopped> {
        let used = permit.github().expect("it was decided on as one");
        if let (TokenUse::Anonymous, _) | (_, Shown::Nothing) = (used.token(), shown) {
            return Ok(None);
        }
        let secret = self.secret().await.map_err(|why| self.unavailable(&why))?;
        let way = self.way();
        let (name, at) = (self.grant.credential(), self.grant.at());
        let keeper = &self.gate().shared.secrets.keeper;
        let mut known = keeper.known_for(name, &at.repository, *self.grant.rules());
        if !known
            .iter()
            .any(|other| other.generation() == secret.generation())
        {
            known.push(Arc::clone(&secret)); // the policy was replaced meanwhile
        }
        let scrubber = self.gate().shared.scrubbers.of(name, &way, &known);
        let scrubber = scrubber.map_err(|why| self.unavailable(&why))?;
        let snapshot = self.gate().shared.policy.load();
        let credential = snapshot
            .policy
            .credentials()
            .iter()
            .find(|known| known.name() == name);
        let Some(credential) = credential else {
            let name = name.clone();
            return Err(self.unavailable(&Unavailable::Unknown { name }));
        };
        Ok(Some(Ready::by_itself(
            Arc::clone(credential),
            way,
            (secret, scrubber),
        )))
    }

    /// The secret as it is now.
    pub(super) async fn secret(&self) -> Result<Arc<Secret>, Unavailable> {
        let (name, at) = (self.grant.credential(), self.grant.at());
        let keeper = &self.gate().shared.secrets.keeper;
        keeper
            .current_for(name, &at.repository, *self.grant.rules())
            .await
    }

    /// Git takes a password, the API a bearer ("Authenticating to the REST API", GitHub Docs).
    fn way(&self) -> Injection {
        if matches!(self.door, Door::Git(..) | Door::Lfs(..)) {
            return Injection::Basic {
                user: "x-access-token".to_owned(),
            };
        }
        Injection::Header {
            name: "authorization".to_owned(),
            scheme: Some("Bearer".to_owned()),
        }
    }

    fn unavailable(&self, why: &dyn std::error::Error) -> Stopped {
        let refusal = BrokerRefusal::Unavailable {
            target: self.asked.target.clone(),
            credential: self.grant.credential().clone(),
            why: chain(why),
        };
        self.told(self.gate().denial(refusal.into()))
    }
}
