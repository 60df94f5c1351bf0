//! Credentials in bodies: forms and JSON, at the top level, as OAuth sends them (RFC 6749 section 4.1.3).

use std::fmt;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use outwall_policy::brokered::CredentialPlace;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use super::shown::Shown;
use super::{Presented, is_multipart, names, query};

/// So much of a body is held to be read, in bytes. The largest honest login is a tenth of it.
pub const LARGEST_BODY: usize = 64 << 10;

/// As much of a body as is held.
#[derive(Clone, Copy)]
pub enum Held<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// There is more than [`LARGEST_BODY`].
    TooLong,
}

/// A body in which a credential would not be seen. Where one may stand, such a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnreadableBody {
    /// Longer than [`LARGEST_BODY`].
    #[error("the body is longer than {} KiB, and what logs in is short", LARGEST_BODY >> 10)]
    TooLong,
    /// `Content-Encoding`.
    #[error("the body is compressed; send it as it is")]
    Coded,
    /// `multipart/…`.
    #[error("the body has several parts; send a form or JSON")]
    Multipart,
    /// It should be JSON, and is not.
    #[error("the body should be JSON and is not")]
    Json,
}

/// Everything in a body that counts as a credential and is not empty. Read as JSON where its type or its first byte says so, and
/// as a form where its type does not say that it is JSON; other types are read as a form too, since origins do.
pub fn read_body<'p>(
    places: impl IntoIterator<Item = &'p CredentialPlace>,
    headers: &HeaderMap,
    body: Held<'_>,
) -> Result<Vec<Presented<'p>>, UnreadableBody> {
    let members = places.into_iter().filter_map(|place| match place {
        CredentialPlace::Body(name) => Some((place, name.as_str())),
        _ => None,
    });
    let members: Vec<(&CredentialPlace, &str)> = members.collect();
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let body = readable(headers, body)?;
    let mut found = Vec::new();
    let is_json = says_json(headers);
    if is_json == Says::Json || names::trim(body).first() == Some(&b'{') {
        read_json(body, &members, &mut found)?;
    }
    if is_json != Says::Json {
        for (place, name) in members {
            query::read(body, name, &mut |shown| {
                found.extend(shown.map(|shown| Presented { place, shown }));
            });
        }
    }
    Ok(found)
}

fn readable<'a>(headers: &HeaderMap, body: Held<'a>) -> Result<&'a [u8], UnreadableBody> {
    let Held::Whole(body) = body else {
        return Err(UnreadableBody::TooLong);
    };
    let plain = |coding: &[u8]| {
        names::trim(coding).is_empty() || names::trim(coding).eq_ignore_ascii_case(b"identity")
    };
    if body.is_empty() {
        Ok(body)
    } else if body.len() > LARGEST_BODY {
        Err(UnreadableBody::TooLong)
    } else if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !plain(coding.as_bytes()))
    {
        Err(UnreadableBody::Coded)
    } else if is_multipart(headers) {
        Err(UnreadableBody::Multipart)
    } else {
        Ok(body)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Json,
    Else,
}

/// JSON only where every field says so.
fn says_json(headers: &HeaderMap) -> Says {
    let mut types = headers.get_all(CONTENT_TYPE).iter().peekable();
    let is_json = types.peek().is_some()
        && types.all(|kind| names::has(kind.as_bytes(), b"json") && !names::has(kind.as_bytes(), b","));
    if is_json { Says::Json } else { Says::Else }
}

fn read_json<'p>(
    body: &[u8],
    members: &[(&'p CredentialPlace, &str)],
    found: &mut Vec<Presented<'p>>,
) -> Result<(), UnreadableBody> {
    if names::trim(body).is_empty() {
        return Ok(());
    }
    let Top(all) = serde_json::from_slice(body).map_err(|_error| UnreadableBody::Json)?;
    for (name, value) in &all {
        let named = members
            .iter()
            .filter(|(_, wanted)| names::is_named(name.as_bytes(), wanted));
        for (place, _) in named {
            found.extend(shown(value).map(|shown| Presented { place, shown }));
        }
    }
    Ok(())
}

fn shown(value: &Value) -> Option<Shown> {
    match value {
        Value::Null => None,
        Value::String(text) => Shown::opaque(Zeroizing::new(text.clone().into_bytes())),
        other => Shown::opaque(Zeroizing::new(other.to_string().into_bytes())),
    }
}

/// The members of an object, each name as often as it is there. No members where the text is something else.
struct Top(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, Value)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(all)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vec::new())
            }
        }
        deserializer.deserialize_any(Members).map(Self)
    }
}
