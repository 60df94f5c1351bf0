//! Requests that are signed with a placeholder: looked at and made ready before anything leaves, signed when all else is done.

use std::sync::{Arc, LazyLock};

use http::request::Parts;
use http::uri::Authority;
use hyper::body::Body as _;
use jiff::Timestamp;
use outwall_broker::Secret;
use outwall_broker::aws::{
    Keys, LARGEST_BODY, LARGEST_CHUNK, Payload, PayloadError, PayloadHash, ResignError, Signature,
};
use outwall_broker::placeholder::Placeholders;
use outwall_broker::presented::{Presented, read};
use outwall_policy::brokered::{BrokerRefusal, BrokeredCredential, CredentialPlace, Injection};
use outwall_policy::{Denial, RequestPermit};

use super::examine::{Objection, refuse};
use super::held::{self, Read};
use super::outbound::Outbound;
use crate::arriving::Arriving;
use crate::client_gate::ClientGate;
use crate::error::Error;
use crate::leaks::Leaving;

/// The credential with whose placeholder a request is signed. It need not count as a credential there: reading by a presigned URL
/// does not.
pub(super) fn signed_with<'a>(
    placeholders: &'a Placeholders,
    parts: &Parts,
) -> Option<&'a Arc<BrokeredCredential>> {
    let mut signs = placeholders.all().iter().map(|shown| shown.credential.inject());
    if !signs.any(|ways| ways.contains(&Injection::Aws4)) {
        return None;
    }
    match Signature::read(parts).ok().flatten() {
        Some(signature) => placeholders.whose(signature.key_id().as_bytes()),
        None => read([&*OLDER], parts)
            .iter()
            .flat_map(Presented::values)
            .find_map(|key_id| placeholders.whose(key_id)),
    }
}

/// Where version 2 has the key id in a presigned URL. It is not made again here, and said so rather than sent.
static OLDER: LazyLock<CredentialPlace> =
    LazyLock::new(|| CredentialPlace::Query("AWSAccessKeyId".to_owned()));

/// Whoever is to sign a request.
pub(super) struct Signer<'a> {
    pub(super) gate: &'a ClientGate,
    pub(super) permit: &'a RequestPermit,
    pub(super) credential: &'a BrokeredCredential,
}

/// All that is needed to sign a request but the rest of its head.
pub(super) struct Signing {
    signature: Signature,
    payload: Payload,
    keys: Keys,
    /// What is said where a body is not signed in chunks, as its head says.
    otherwise: Denial,
}

impl Signer<'_> {
    /// Reads what is signed, and says no to what the service would refuse. A body whose hash nobody states is held for it.
    pub(super) async fn prepare(
        &self,
        parts: &Parts,
        body: Arriving,
        secret: &Secret,
    ) -> Result<(Arriving, Signing), Objection> {
        let no = |what: String| Objection::Denied(self.refuse(parts, what));
        let signature = Signature::read(parts).map_err(|why| no(why.to_string()))?;
        let signature = signature.ok_or_else(|| no("it has no signature of version 4".to_owned()))?;
        let target = self.permit.target().to_string();
        signature
            .check(parts, &target, Timestamp::now())
            .map_err(|why| no(why.to_string()))?;
        let keys = Keys::parse(secret.expose()).map_err(|why| self.unavailable(parts, why.to_string()))?;
        let (body, payload) = match signature.payload(parts).map_err(|why| no(why.to_string()))? {
            Payload::Unstated => {
                let (body, hash) = self.hash(parts, body).await?;
                (body, Payload::Stated(hash))
            }
            stated => (body, stated),
        };
        let what = format!(
            "its body is not signed in chunks, as its head says, or has one of more than {} KiB",
            LARGEST_CHUNK >> 10
        );
        let otherwise = self.gate.denial(self.unsignable(what).into());
        let signing = Signing {
            signature,
            payload,
            keys,
            otherwise,
        };
        Ok((body, signing))
    }

    async fn hash(&self, parts: &Parts, body: Arriving) -> Result<(Arriving, PayloadHash), Objection> {
        if body.is_end_stream() {
            return Ok((body, PayloadHash::of(b"")));
        }
        let held = held::hold(body, LARGEST_BODY).await;
        match held.map_err(|error| Objection::Failed(Error::ClientHttp(error)))? {
            Read::Whole(bytes, trailers) => {
                let hash = PayloadHash::of(&bytes);
                Ok((Arriving::held(bytes, trailers), hash))
            }
            Read::TooLong => Err(self.refuse(parts, PayloadError::TooLong.to_string()).into()),
        }
    }

    fn refuse(&self, parts: &Parts, what: String) -> Denial {
        refuse(self.gate, self.permit, parts, self.unsignable(what))
    }

    fn unsignable(&self, what: String) -> BrokerRefusal {
        BrokerRefusal::Unsignable {
            target: self.permit.target().clone(),
            credential: self.credential.name().clone(),
            what,
        }
    }

    fn unavailable(&self, parts: &Parts, why: String) -> Objection {
        let refusal = BrokerRefusal::Unavailable {
            target: self.permit.target().clone(),
            credential: self.credential.name().clone(),
            why,
        };
        refuse(self.gate, self.permit, parts, refusal).into()
    }
}

impl Signing {
    /// Signs the head, and the body where it is signed in chunks.
    pub(super) fn sign(
        self,
        parts: &mut Parts,
        authority: &Authority,
        body: Leaving,
    ) -> Result<Outbound, ResignError> {
        let Self {
            signature,
            payload,
            keys,
            otherwise,
        } = self;
        let chunks = signature.resign(parts, authority.as_str(), &payload, &keys, Timestamp::now())?;
        Ok(match chunks {
            Some(chunks) => Outbound::rechunking(body, chunks, otherwise),
            None => Outbound::AsItCame(body),
        })
    }
}
