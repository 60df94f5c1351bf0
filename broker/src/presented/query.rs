//! Credentials in the query of a URL, and in forms, which are written alike.

use http::Uri;
use http::uri::PathAndQuery;

use super::names;
use super::shown::Shown;

/// Every parameter of that name that has a value. `;` separates as `&` does, for who reads it so.
pub(super) fn read(query: &[u8], name: &str, push: &mut impl FnMut(Option<Shown>)) {
    for parameter in query.split(|byte| is_separator(*byte)) {
        let (written, value) = split(parameter);
        if names::is_named(written, name) {
            push(Shown::parameter(names::decode(value).into_owned().into(), name));
        }
    }
}

/// Takes every parameter of that name out, and leaves the others as they are written.
pub(super) fn remove(uri: &mut Uri, name: &str) {
    let Some(query) = uri.query() else { return };
    let is_meant = |parameter: &str| names::is_named(split(parameter.as_bytes()).0, name);
    if !query.split(is_separator_char).any(is_meant) {
        return;
    }
    let mut left = String::with_capacity(uri.path().len() + 1 + query.len());
    left.push_str(uri.path());
    let mut separator = "?";
    for parameter in query.split_inclusive(is_separator_char) {
        let (bare, own) =
            parameter.split_at(parameter.len() - usize::from(parameter.ends_with(is_separator_char)));
        if !is_meant(bare) {
            left.push_str(separator);
            left.push_str(bare);
            separator = if own.is_empty() { "&" } else { own };
        }
    }
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(left).expect("what is left of a URL is one"));
    *uri = Uri::from_parts(parts).expect("the same parts");
}

fn split(parameter: &[u8]) -> (&[u8], &[u8]) {
    match parameter.iter().position(|byte| *byte == b'=') {
        Some(at) => (&parameter[..at], &parameter[at + 1..]),
        None => (parameter, b""),
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'&' | b';')
}

fn is_separator_char(character: char) -> bool {
    matches!(character, '&' | ';')
}
