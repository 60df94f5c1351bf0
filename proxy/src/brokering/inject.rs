//! A secret that is ready to be put into its request.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::uri::Authority;
use outwall_broker::Secret;
use outwall_broker::aws::ResignError;
use outwall_broker::inject::{NotInjected, Substitution, into_head};
use outwall_broker::placeholder::Placeholders;
use outwall_broker::scrub::Scrubber;
use outwall_policy::brokered::{BrokeredCredential, CredentialName, Injection};
use thiserror::Error;

use super::outbound::Outbound;
use super::signing::Signing;
use crate::leaks::Leaving;
use crate::scrub;

/// A secret, and how it is put into its request.
pub(crate) struct Ready {
    credential: Arc<BrokeredCredential>,
    way: Injection,
    secret: Arc<Secret>,
    scrubber: Option<Arc<Scrubber>>,
    /// What stands for it in a body.
    placeholder: Option<String>,
    /// Where the request is signed with it.
    signing: Option<Signing>,
}

/// A secret does not fit into its request. It never says what it was.
#[derive(Debug, Error)]
#[error("the credential \"{credential}\" cannot be put into the request: {why}")]
pub struct Unfit {
    credential: CredentialName,
    why: NotPutIn,
}

#[derive(Debug, Error)]
enum NotPutIn {
    #[error(transparent)]
    Injected(#[from] NotInjected),
    #[error(transparent)]
    Signed(#[from] ResignError),
}

impl Ready {
    pub(super) fn new(
        credential: Arc<BrokeredCredential>,
        way: Injection,
        (secret, scrubber): (Arc<Secret>, Option<Arc<Scrubber>>),
        placeholders: &Placeholders,
    ) -> Self {
        let mut all = placeholders.all().iter();
        let own = all.find(|shown| shown.credential.name() == credential.name());
        Self {
            placeholder: own.map(|shown| shown.text.clone()),
            credential,
            way,
            secret,
            scrubber,
            signing: None,
        }
    }

    /// In a request that had no placeholder.
    pub(crate) fn by_itself(
        credential: Arc<BrokeredCredential>,
        way: Injection,
        (secret, scrubber): (Arc<Secret>, Option<Arc<Scrubber>>),
    ) -> Self {
        Self {
            credential,
            way,
            secret,
            scrubber,
            placeholder: None,
            signing: None,
        }
    }

    /// With what is needed to sign the request.
    pub(super) fn signing(self, signing: Option<Signing>) -> Self {
        Self { signing, ..self }
    }

    /// Whose secret it is.
    pub(crate) fn credential(&self) -> &BrokeredCredential {
        &self.credential
    }

    /// What masks it in what comes back; none where nothing of it is sent.
    pub(crate) fn scrubber(&self) -> Option<&Arc<Scrubber>> {
        self.scrubber.as_ref()
    }

    /// Puts it in, and asks only for what can be searched for it. The head has lost what concerned the client's connection by now,
    /// so that nothing the client named there takes the secret out again.
    /// `authority` is the Host that is sent, which is signed.
    pub(crate) fn inject(
        self,
        parts: &mut Parts,
        authority: &Authority,
        body: Leaving,
    ) -> Result<Outbound, Unfit> {
        if self.scrubber.is_some() {
            scrub::ask(&mut parts.headers, &self.way);
        }
        let unfit = |why: NotPutIn| Unfit {
            credential: self.credential.name().clone(),
            why,
        };
        if let Some(signing) = self.signing {
            return signing
                .sign(parts, authority, body)
                .map_err(|why| unfit(why.into()));
        }
        into_head(parts, &self.way, self.secret.expose()).map_err(|why| unfit(why.into()))?;
        if !self.credential.inject().contains(&Injection::JsonBody) || !is_json(parts) {
            return Ok(Outbound::AsItCame(body));
        }
        let substitution = self
            .placeholder
            .and_then(|placeholder| Substitution::into_json(&placeholder, self.secret.expose()));
        Ok(match substitution {
            Some(substitution) => {
                parts.headers.remove(CONTENT_LENGTH); // whose end a secret of another length moves
                Outbound::substituting(body, substitution)
            }
            None => Outbound::AsItCame(body),
        })
    }
}

fn is_json(parts: &Parts) -> bool {
    let kind = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let media = kind
        .and_then(|kind| kind.split(';').next())
        .map(str::trim)
        .unwrap_or_default();
    let json =
        media.eq_ignore_ascii_case("application/json") || media.to_ascii_lowercase().ends_with("+json");
    json && !parts.headers.contains_key(CONTENT_ENCODING)
}
