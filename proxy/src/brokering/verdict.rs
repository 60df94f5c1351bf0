//! What follows from what a client presents.

use std::sync::Arc;

use outwall_broker::placeholder::Placeholders;
use outwall_broker::presented::{Presented, Whose};
use outwall_policy::RequestPermit;
use outwall_policy::brokered::{
    BrokerRefusal, Brokerage, BrokeredCredential, CredentialPlace, ForeignCredentials, Injection, Instead,
};

use super::elsewhere;

/// What follows from what a client presents.
pub(super) enum Verdict {
    /// This credential's secret is put in, by this way; all that the client presented is taken out.
    Inject(Arc<BrokeredCredential>, Injection),
    /// Nothing is put in, and what the client presented is taken out.
    Strip,
    /// It goes as it came.
    AsItCame,
}

/// Weighs everything that counts as a credential in a request. A placeholder chooses its credential; without one, that with whose
/// placeholder the request is `signed` is, and else the first that may be used.
pub(super) fn weigh(
    placeholders: &Placeholders,
    permit: &RequestPermit,
    brokerage: &Brokerage,
    presented: &[Presented<'_>],
    signed: Option<&Arc<BrokeredCredential>>,
) -> Result<Verdict, BrokerRefusal> {
    let (mut chosen, mut foreign) = (None, None);
    for one in presented {
        match one.whose(placeholders.all().iter().map(|shown| shown.text.as_bytes())) {
            Whose::Ours(index) => {
                let credential = &placeholders.all()[index].credential;
                usable(permit, brokerage, credential)?;
                chosen.get_or_insert((credential, one.place()));
            }
            Whose::Foreign => foreign = Some(weigh_foreign(permit, brokerage, one)?),
        }
    }
    if let (None, Some(credential)) = (chosen, signed) {
        usable(permit, brokerage, credential)?;
        return Ok(Verdict::Inject(Arc::clone(credential), Injection::Aws4));
    }
    if let Some((credential, place)) = chosen {
        return Ok(Verdict::Inject(
            Arc::clone(credential),
            way(credential, Some(place)),
        ));
    }
    if foreign == Some(ForeignCredentials::Allow) {
        return Ok(Verdict::AsItCame); // somebody's own account, who is not to be given ours
    }
    let usable = || brokerage.usable();
    let by_itself = usable().find(|known| !known.needs_placeholder());
    let in_body = || usable().find(|known| known.inject().contains(&Injection::JsonBody));
    Ok(match (by_itself.or_else(in_body), foreign) {
        (Some(credential), _) => Verdict::Inject(Arc::clone(credential), way(credential, None)),
        (None, Some(_)) => Verdict::Strip,
        (None, None) => Verdict::AsItCame,
    })
}

fn usable(
    permit: &RequestPermit,
    brokerage: &Brokerage,
    credential: &Arc<BrokeredCredential>,
) -> Result<(), BrokerRefusal> {
    let mut here = brokerage.here();
    match here.find(|(known, _)| known.name() == credential.name()) {
        Some((_, None)) => Ok(()),
        Some((_, Some(why))) => Err(BrokerRefusal::NotFor {
            target: permit.target().clone(),
            credential: credential.name().clone(),
            why,
        }),
        None => Err(elsewhere::refusal(permit.target(), credential.name())),
    }
}

fn weigh_foreign(
    permit: &RequestPermit,
    brokerage: &Brokerage,
    one: &Presented<'_>,
) -> Result<ForeignCredentials, BrokerRefusal> {
    let in_body = matches!(one.place(), CredentialPlace::Body(_));
    match brokerage.foreign() {
        ForeignCredentials::Allow => Ok(ForeignCredentials::Allow),
        ForeignCredentials::Strip if !in_body => Ok(ForeignCredentials::Strip),
        // What stands in a body cannot be taken out of it without making another request of it.
        ForeignCredentials::Strip | ForeignCredentials::Deny => Err(BrokerRefusal::Foreign {
            target: permit.target().clone(),
            place: one.place().clone(),
            instead: brokerage.usable().next().map_or(Instead::Nothing, |known| {
                Instead::Placeholder(known.name().clone())
            }),
        }),
    }
}

/// Where the client had its placeholder, else the first.
fn way(credential: &BrokeredCredential, place: Option<&CredentialPlace>) -> Injection {
    let ways = credential.inject();
    let at_place = place.and_then(|place| ways.iter().find(|way| way.is_at(place)));
    at_place
        .or(ways.first())
        .cloned()
        .expect("a policy has no credential without a way")
}
