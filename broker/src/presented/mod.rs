//! What a client presents as a credential in a request, at the places where something counts as one, and taking it out.
//!
//! [`read`] finds them in the head, [`read_body`] in a body; [`Presented::whose`] says which are placeholders of ours. Everything
//! else is foreign. [`remove`] takes all of them out of the head, whatever they are, so that `read` finds none.
//!
//! # Reading the way that an origin might
//!
//! One origin joins fields of a name, another takes the last; one decodes names twice, another reads `;` like `&`. What any of
//! them might find counts. So nothing is read *instead* of something else: a second field, parameter or cookie is found beside the
//! first, and no spelling of a name hides it. Only what is nothing but a placeholder, as a whole, is ours.

mod body;
mod cookie;
mod header;
mod names;
mod query;
mod shown;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use outwall_policy::brokered::CredentialPlace;
use zeroize::Zeroizing;

pub use body::{Held, LARGEST_BODY, UnreadableBody, read_body};
use shown::Shown;

/// Something that counts as a credential, and where it stands. Its value is not in `Debug`.
#[derive(Debug)]
pub struct Presented<'p> {
    place: &'p CredentialPlace,
    shown: Shown,
}

/// Whose a presented credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The placeholder with that index: what the broker issued to this sandbox.
    Ours(usize),
    /// Anything else.
    Foreign,
}

impl<'p> Presented<'p> {
    /// Where it stands.
    pub fn place(&self) -> &'p CredentialPlace {
        self.place
    }

    /// Its bytes, decoded; of a Basic pair both halves.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.shown.values()
    }

    /// Which of the placeholders it is: as a whole, as the password of a Basic pair, as its user where the password is empty or
    /// `x-oauth-basic`, or as the access key id of a signature of AWS.
    pub fn whose<'a>(&self, placeholders: impl IntoIterator<Item = &'a [u8]>) -> Whose {
        let shown = self.shown.told();
        let ours = placeholders
            .into_iter()
            .position(|placeholder| !placeholder.is_empty() && shown == placeholder);
        ours.map_or(Whose::Foreign, Whose::Ours)
    }
}

/// Everything in a head that counts as a credential and is not empty. Nothing is allocated where there is none.
pub fn read<'p>(places: impl IntoIterator<Item = &'p CredentialPlace>, parts: &Parts) -> Vec<Presented<'p>> {
    let mut found = Vec::new();
    for place in places {
        let mut push = |shown: Option<Shown>| found.extend(shown.map(|shown| Presented { place, shown }));
        match place {
            CredentialPlace::Header { name, scheme } => {
                header::read(&parts.headers, name, scheme.as_deref(), &mut push);
            }
            CredentialPlace::Listed { header, prefix } => {
                header::read_listed(&parts.headers, header, prefix, &mut push);
            }
            CredentialPlace::Query(name) => {
                query::read(parts.uri.query().unwrap_or_default().as_bytes(), name, &mut push);
            }
            CredentialPlace::Cookie(name) => cookie::read(&parts.headers, name, &mut push),
            CredentialPlace::Multipart if is_multipart(&parts.headers) => {
                push(Shown::opaque(Zeroizing::new(b"multipart/form-data".to_vec())));
            }
            CredentialPlace::Multipart | CredentialPlace::Body(_) => {}
        }
    }
    found
}

/// Takes every credential out of a head, so that [`read`] finds none there. A form with files loses its type, by which alone an
/// origin would read its fields. What stands in a body stays: who wants that out refuses the request.
pub fn remove<'p>(places: impl IntoIterator<Item = &'p CredentialPlace>, parts: &mut Parts) {
    for place in places {
        match place {
            CredentialPlace::Header { name, scheme } => {
                header::remove(&mut parts.headers, name, scheme.as_deref());
            }
            CredentialPlace::Listed { header, prefix } => {
                header::remove_listed(&mut parts.headers, header, prefix);
            }
            CredentialPlace::Query(name) => query::remove(&mut parts.uri, name),
            CredentialPlace::Cookie(name) => cookie::remove(&mut parts.headers, name),
            CredentialPlace::Multipart if is_multipart(&parts.headers) => {
                parts.headers.remove(CONTENT_TYPE);
            }
            CredentialPlace::Multipart | CredentialPlace::Body(_) => {}
        }
    }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let types = headers.get_all(CONTENT_TYPE).iter();
    types
        .into_iter()
        .any(|kind| names::has(kind.as_bytes(), b"multipart/"))
}

#[cfg(test)]
mod tests;
