//! Credentials in cookies.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::header::keep;
use super::names;
use super::shown::Shown;

/// Every cookie of that name, in every field. A comma separates too (RFC 2109), quotes separate nothing, and a name may go on with
/// a number: large sessions are cut into `name.0`, `name.1`.
pub(super) fn read(headers: &HeaderMap, name: &str, push: &mut impl FnMut(Option<Shown>)) {
    for field in headers.get_all(COOKIE) {
        for crumb in field.as_bytes().split(|byte| matches!(byte, b';' | b',')) {
            if let Some(value) = value_of(crumb, name) {
                push(Shown::opaque(Zeroizing::new(value.to_vec())));
            }
        }
    }
}

/// Takes them out, and leaves the others.
pub(super) fn remove(headers: &mut HeaderMap, name: &str) {
    let is_meant = |cookie: &[u8]| {
        cookie
            .split(|byte| *byte == b',')
            .any(|crumb| value_of(crumb, name).is_some())
    };
    keep(headers, COOKIE.as_str(), |field| {
        let cookies = || field.as_bytes().split(|byte| *byte == b';');
        if !cookies().any(is_meant) {
            return Some(field.clone());
        }
        let kept: Vec<&[u8]> = cookies()
            .filter(|cookie| !is_meant(cookie))
            .map(names::trim)
            .collect();
        let kept = kept.join(&b"; "[..]);
        HeaderValue::from_bytes(&kept)
            .ok()
            .filter(|kept| !kept.is_empty())
    });
}

fn value_of<'a>(crumb: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let crumb = names::trim(crumb);
    let crumb = crumb.strip_prefix(b"=").unwrap_or(crumb); // a cookie without name whose value is a pair
    let at = crumb.iter().position(|byte| *byte == b'=').unwrap_or(crumb.len());
    let (written, value) = crumb.split_at(at);
    let value = value.strip_prefix(b"=").unwrap_or(value);
    let value = trim_quotes(value);
    let is_it = name == "*" && !crumb.is_empty()
        || names::is_named(written, name)
        || names::is_named(without_number(written), name);
    is_it.then_some(value)
}

fn without_number(written: &[u8]) -> &[u8] {
    let written = names::trim(written);
    let digits = written
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match written.split_at(written.len() - digits).0 {
        [name @ .., b'.'] if digits > 0 => name,
        _ => written,
    }
}

fn trim_quotes(value: &[u8]) -> &[u8] {
    let value = names::trim(value);
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    value.strip_suffix(b"\"").unwrap_or(value)
}
