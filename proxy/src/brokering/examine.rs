//! Looks at what a request presents, takes out what does not stay, and has the secret ready.

use std::sync::Arc;

use http::Request;
use http::request::Parts;
use hyper::body::Body as _;
use outwall_audit::Asked;
use outwall_broker::Secret;
use outwall_broker::placeholder::Placeholders;
use outwall_broker::presented::{self, Held, LARGEST_BODY, Presented};
use outwall_broker::scrub::Scrubber;
use outwall_policy::brokered::{
    BrokerRefusal, Brokerage, BrokeredCredential, CredentialName, CredentialPlace, Injection,
};
use outwall_policy::{Denial, RequestPermit};

use super::elsewhere;
use super::held::{self, Read};
use super::inject::Ready;
use super::signing::{self, Signer};
use super::verdict::{self, Verdict};
use crate::arriving::Arriving;
use crate::client_gate::ClientGate;
use crate::error::{Error, chain};

/// A request without what it must not present.
pub(crate) struct Examined {
    pub(crate) request: Request<Arriving>,
    /// What is put into it later.
    pub(crate) ready: Option<Ready>,
}

/// Why a request goes no further.
pub(crate) enum Objection {
    Denied(Denial),
    Failed(Error),
}

impl From<Denial> for Objection {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// Looks at what a permitted request presents. Nothing of it has left, and its secret is at hand when this returns.
pub(crate) async fn examine(
    gate: &ClientGate,
    permit: &RequestPermit,
    request: Request<Arriving>,
) -> Result<Examined, Objection> {
    let placeholders = gate.brokering.placeholders(gate);
    let (mut parts, body) = request.into_parts();
    if let Some(refusal) = elsewhere::find(&placeholders, permit, &parts) {
        return Err(refuse(gate, permit, &parts, refusal).into());
    }
    let Some(brokerage) = permit.brokerage() else {
        return Ok(Examined::untouched(parts, body));
    };
    let (mut body, verdict) = weigh(gate, permit, &placeholders, brokerage, (&parts, body)).await?;
    let ready = match verdict {
        Verdict::AsItCame => None,
        Verdict::Strip => {
            presented::remove(brokerage.places(), &mut parts);
            None
        }
        Verdict::Inject(credential, way) => {
            let (secret, scrubber) = secret_of(gate, permit, &parts, (&credential, &way)).await?;
            let (rest, signing) = match way {
                Injection::Aws4 => {
                    let signer = Signer {
                        gate,
                        permit,
                        credential: &credential,
                    };
                    let (rest, signing) = signer.prepare(&parts, body, &secret).await?;
                    (rest, Some(signing))
                }
                Injection::Header { .. }
                | Injection::Basic { .. }
                | Injection::Query(_)
                | Injection::JsonBody => (body, None),
            };
            body = rest;
            presented::remove(brokerage.places(), &mut parts);
            Some(Ready::new(credential, way, (secret, scrubber), &placeholders).signing(signing))
        }
    };
    Ok(Examined {
        request: Request::from_parts(parts, body),
        ready,
    })
}

/// The secret to put in, and what masks it and those that it replaced lately in what comes back.
async fn secret_of(
    gate: &ClientGate,
    permit: &RequestPermit,
    parts: &Parts,
    (credential, way): (&BrokeredCredential, &Injection),
) -> Result<(Arc<Secret>, Option<Arc<Scrubber>>), Denial> {
    let (keeper, name) = (&gate.shared.secrets.keeper, credential.name());
    let refused =
        |why: &dyn std::error::Error| refuse(gate, permit, parts, unavailable(permit, why, name.clone()));
    let secret = keeper.current(name).await.map_err(|why| refused(&why))?;
    let mut known = keeper.known(name);
    let is_it = |other: &Arc<Secret>| other.generation() == secret.generation();
    if !known.iter().any(is_it) {
        known.push(Arc::clone(&secret)); // the policy was replaced meanwhile
    }
    let scrubber = gate.shared.scrubbers.of(name, way, &known);
    Ok((secret, scrubber.map_err(|why| refused(&why))?))
}

async fn weigh(
    gate: &ClientGate,
    permit: &RequestPermit,
    placeholders: &Placeholders,
    brokerage: &Brokerage,
    (parts, body): (&Parts, Arriving),
) -> Result<(Arriving, Verdict), Objection> {
    let mut presented = presented::read(brokerage.places(), parts);
    let in_body = |place: &CredentialPlace| matches!(place, CredentialPlace::Body(_));
    let body = if body.is_end_stream() || !brokerage.places().any(in_body) {
        body
    } else {
        let (body, more) = read_body(gate, permit, brokerage, (parts, body)).await?;
        presented.extend(more);
        body
    };
    let signed = signing::signed_with(placeholders, parts);
    let verdict = verdict::weigh(placeholders, permit, brokerage, &presented, signed);
    let verdict = verdict.map_err(|refusal| refuse(gate, permit, parts, refusal))?;
    Ok((body, verdict))
}

/// Reads what counts in a body, which is held whole for that.
async fn read_body<'p>(
    gate: &ClientGate,
    permit: &RequestPermit,
    brokerage: &'p Brokerage,
    (parts, body): (&Parts, Arriving),
) -> Result<(Arriving, Vec<Presented<'p>>), Objection> {
    let held = held::hold(body, LARGEST_BODY).await;
    let held = held.map_err(|error| Objection::Failed(Error::ClientHttp(error)))?;
    let shown = match &held {
        Read::Whole(bytes, _) => Held::Whole(bytes),
        Read::TooLong => Held::TooLong,
    };
    let found = presented::read_body(brokerage.places(), &parts.headers, shown);
    match (found, held) {
        (Ok(found), Read::Whole(bytes, trailers)) => Ok((Arriving::held(bytes, trailers), found)),
        (Err(why), _) => Err(unreadable(gate, permit, parts, why.to_string()).into()),
        (Ok(_), Read::TooLong) => {
            Err(unreadable(gate, permit, parts, "the body is too long".to_owned()).into())
        }
    }
}

fn unreadable(gate: &ClientGate, permit: &RequestPermit, parts: &Parts, what: String) -> Denial {
    let target = permit.target().clone();
    refuse(gate, permit, parts, BrokerRefusal::Unreadable { target, what })
}

fn unavailable(
    permit: &RequestPermit,
    why: &dyn std::error::Error,
    credential: CredentialName,
) -> BrokerRefusal {
    BrokerRefusal::Unavailable {
        target: permit.target().clone(),
        credential,
        why: chain(why),
    }
}

/// Says no; what security people should look at is a finding besides.
pub(super) fn refuse(
    gate: &ClientGate,
    permit: &RequestPermit,
    parts: &Parts,
    refusal: BrokerRefusal,
) -> Denial {
    let asked = Asked {
        target: Some(permit.target()),
        scheme: Some(permit.scheme()),
        method: Some(permit.method()),
        path: Some(permit.path()),
        query: parts.uri.query(),
        ..Asked::default()
    };
    refuse_at(gate, asked, refusal)
}

/// The same, of what was asked.
pub(crate) fn refuse_at(gate: &ClientGate, asked: Asked<'_>, refusal: BrokerRefusal) -> Denial {
    if let BrokerRefusal::Elsewhere { .. } | BrokerRefusal::Foreign { .. } = &refusal {
        gate.found_in(refusal.code(), &refusal.finding(), asked);
    }
    gate.denial(refusal.into())
}

impl Examined {
    fn untouched(parts: Parts, body: Arriving) -> Self {
        Self {
            request: Request::from_parts(parts, body),
            ready: None,
        }
    }
}
