//! Placeholders that are sent to a host that their credential is not for.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;
use memchr::memmem;
use outwall_broker::placeholder::{Placeholders, Shown};
use outwall_policy::brokered::{BrokerRefusal, CredentialName};
use outwall_policy::{RequestPermit, Target};

/// The first of them that stands in a head, if any does. Whether its credential may be used for such a request is another question.
pub(super) fn find(
    placeholders: &Placeholders,
    permit: &RequestPermit,
    parts: &Parts,
) -> Option<BrokerRefusal> {
    let target = permit.target();
    let mut strangers = placeholders.all().iter().filter(|shown| !is_at(shown, target));
    let found = strangers.find(|shown| is_in(parts, shown.text.as_bytes()));
    found.map(|shown| refusal(target, shown.credential.name()))
}

pub(super) fn refusal(target: &Target, credential: &CredentialName) -> BrokerRefusal {
    BrokerRefusal::Elsewhere {
        target: target.clone(),
        credential: credential.clone(),
    }
}

fn is_at(shown: &Shown, target: &Target) -> bool {
    shown.credential.hosts().iter().any(|hosts| hosts.matches(target))
}

fn is_in(parts: &Parts, placeholder: &[u8]) -> bool {
    let within = |text: &[u8]| memmem::find(text, placeholder).is_some();
    let url = parts.uri.path_and_query().map_or("", |whole| whole.as_str());
    within(url.as_bytes())
        || parts.headers.values().any(|value| within(value.as_bytes()))
        || pairs(parts).any(|pair| within(&pair))
}

/// Decoded Basic pairs (RFC 7617).
fn pairs(parts: &Parts) -> impl Iterator<Item = Vec<u8>> {
    let fields = parts.headers.get_all(AUTHORIZATION).iter();
    fields.filter_map(|field| {
        let (_, encoded) = field.to_str().ok()?.trim().split_once(' ')?;
        BASE64_STANDARD.decode(encoded.trim()).ok()
    })
}
