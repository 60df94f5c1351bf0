//! Credentials in header fields.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::names;
use super::shown::Shown;

/// Every field of that name. With a scheme only those where it stands in front, or in front of an item of a list: an origin may
/// take fields for one list (RFC 9110 section 5.3), and look for the scheme that it knows.
pub(super) fn read(
    headers: &HeaderMap,
    name: &str,
    scheme: Option<&str>,
    push: &mut impl FnMut(Option<Shown>),
) {
    for value in headers.get_all(name) {
        match scheme {
            None => push(Shown::field(value.as_bytes())),
            Some(scheme) => {
                let items = items(value.as_bytes()).filter(|item| begins_with(item, scheme));
                items.for_each(|item| push(Shown::field(item)));
            }
        }
    }
}

/// Takes out every field that [`read`] would look into, as a whole.
pub(super) fn remove(headers: &mut HeaderMap, name: &str, scheme: Option<&str>) {
    keep(headers, name, |value| {
        let scheme = scheme?;
        let found = items(value.as_bytes()).any(|item| begins_with(item, scheme));
        (!found).then(|| value.clone())
    });
}

/// Items of lists that begin with a prefix.
pub(super) fn read_listed(
    headers: &HeaderMap,
    name: &str,
    prefix: &str,
    push: &mut impl FnMut(Option<Shown>),
) {
    for value in headers.get_all(name) {
        for credential in items(value.as_bytes()).filter_map(|item| after(item, prefix)) {
            push(Shown::opaque(credential.to_vec().into()));
        }
    }
}

/// Takes those items out, and leaves the others.
pub(super) fn remove_listed(headers: &mut HeaderMap, name: &str, prefix: &str) {
    keep(headers, name, |value| {
        if items(value.as_bytes()).all(|item| after(item, prefix).is_none()) {
            return Some(value.clone());
        }
        let kept: Vec<&[u8]> = items(value.as_bytes())
            .filter(|item| after(item, prefix).is_none())
            .collect();
        let kept = kept.join(&b", "[..]);
        HeaderValue::from_bytes(&kept)
            .ok()
            .filter(|kept| !kept.is_empty())
    });
}

/// Replaces each field of a name by what is left of it, in order.
pub(super) fn keep(
    headers: &mut HeaderMap,
    name: &str,
    mut left: impl FnMut(&HeaderValue) -> Option<HeaderValue>,
) {
    if !headers.contains_key(name) {
        return;
    }
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return; // no header has it
    };
    let kept: Vec<HeaderValue> = headers.get_all(&name).iter().filter_map(&mut left).collect();
    headers.remove(&name);
    for value in kept {
        headers.append(&name, value);
    }
}

fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(names::trim)
}

/// The scheme, and then a blank or nothing.
fn begins_with(item: &[u8], scheme: &str) -> bool {
    after(item, scheme).is_some_and(|rest| rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t')))
}

fn after<'a>(item: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (front, rest) = item.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}
