//! What a client presents is found whatever stands beside it, in every spelling of its name, and by a second parser's reading;
//! and when it is taken out nothing is left.
#![no_main]
use http::request::Parts;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use outwall_broker::presented::{Held, LARGEST_BODY, Whose, read, read_body, remove};
use outwall_policy::brokered::CredentialPlace;

const OURS: &[u8] = b"sk-placeholder-0123456789";

fuzz_target!(|input: (&str, &[u8], &[u8], &[u8], bool)| {
    let (query, cookie, field, body, json) = input;
    let Some(mut parts) = head(query, cookie, field, json) else {
        return;
    };
    let places = places();
    let before = values(&places, &parts);
    agrees_with_a_second_parser(&places, &parts);
    nothing_is_hidden_by_more(&places, &parts, &before);
    an_escaped_name_is_found(query);
    only_a_placeholder_is_ours(&places, &parts);

    remove(&places, &mut parts);
    assert_eq!(values(&places, &parts), Vec::<Vec<u8>>::new(), "{parts:?}");
    assert!(parts.uri.query().is_none_or(|left| left.len() <= query.len()));

    in_bodies(&places, &parts, body);
});

fn places() -> Vec<CredentialPlace> {
    vec![
        CredentialPlace::Header {
            name: "authorization".into(),
            scheme: Some("Basic".into()),
        },
        CredentialPlace::Header {
            name: "x-api-key".into(),
            scheme: None,
        },
        CredentialPlace::Listed {
            header: "sec-websocket-protocol".into(),
            prefix: "key.".into(),
        },
        CredentialPlace::Query("key".into()),
        CredentialPlace::Cookie("key".into()),
        CredentialPlace::Body("key".into()),
        CredentialPlace::Multipart,
    ]
}

fn head(query: &str, cookie: &[u8], field: &[u8], json: bool) -> Option<Parts> {
    let field = HeaderValue::from_bytes(field).ok()?;
    let kind = if json {
        "application/json"
    } else {
        "multipart/form-data"
    };
    let request = Request::post(format!("/path?{query}"))
        .header("cookie", HeaderValue::from_bytes(cookie).ok()?)
        .header("authorization", field.clone())
        .header("x-api-key", field.clone())
        .header("sec-websocket-protocol", field)
        .header("content-type", kind);
    Some(request.body(()).ok()?.into_parts().0)
}

fn values(places: &[CredentialPlace], parts: &Parts) -> Vec<Vec<u8>> {
    let found = read(places, parts);
    found
        .iter()
        .flat_map(|one| one.values().map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect()
}

/// The WHATWG's reading of queries, and the plain one of cookies (RFC 6265 section 5.4).
fn agrees_with_a_second_parser(places: &[CredentialPlace], parts: &Parts) {
    let found = |place: usize| values(&places[place..=place], parts);
    let query = parts.uri.query().unwrap_or_default();
    let in_query: Vec<String> = found(3)
        .iter()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    if !query.contains(';') {
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if name == "key" && !value.bytes().all(|byte| byte <= b' ') {
                assert!(in_query.contains(&value.into_owned()), "{query:?}");
            }
        }
    }
    let in_cookies = found(4);
    let cookies = parts.headers["cookie"].as_bytes();
    for crumb in cookies.split(|byte| *byte == b';') {
        let crumb = crumb.strip_prefix(b" ").unwrap_or(crumb);
        if let Some(value) = crumb
            .strip_prefix(b"key=")
            .filter(|value| value.first().is_some_and(u8::is_ascii_alphanumeric))
        {
            let begins = in_cookies
                .iter()
                .any(|found| value.starts_with(found) && !found.is_empty());
            assert!(begins, "{crumb:?}");
        }
    }
}

/// Another field, parameter or cookie beside a credential never hides it.
fn nothing_is_hidden_by_more(places: &[CredentialPlace], parts: &Parts, before: &[Vec<u8>]) {
    let mut more = parts.clone();
    let query = parts.uri.query().unwrap_or_default();
    more.uri = format!("/path?key=a&{query}&key=b;c")
        .parse()
        .expect("a query between parameters");
    more.headers.append("x-api-key", HeaderValue::from_static("a"));
    more.headers
        .append("authorization", HeaderValue::from_static("Bearer a"));
    more.headers.append("cookie", HeaderValue::from_static("key=a"));
    let after = values(places, &more);
    for value in before {
        assert!(after.contains(value), "{value:?} is hidden");
    }
}

fn an_escaped_name_is_found(query: &str) {
    if query.contains('#') {
        return; // what comes after it is no part of a request
    }
    let mask = query.len();
    let letters = "key".bytes().enumerate();
    let name: String = letters
        .map(|(at, letter)| {
            if mask >> at & 1 == 1 {
                format!("%{letter:02X}")
            } else {
                char::from(letter).to_string()
            }
        })
        .collect();
    let separator = if mask >> 3 & 1 == 1 { ';' } else { '&' };
    let uri = format!("/path?{query}{separator}{name}=hidden");
    let parts = Request::get(uri).body(()).map(|request| request.into_parts().0);
    if let Ok(parts) = parts {
        let place = CredentialPlace::Query("key".into());
        let found = read([&place], &parts);
        assert!(
            found
                .iter()
                .any(|one| one.values().any(|value| value == b"hidden"))
        );
    }
}

fn only_a_placeholder_is_ours(places: &[CredentialPlace], parts: &Parts) {
    for one in read(places, parts) {
        if one.whose([OURS]) != Whose::Foreign {
            assert!(one.values().any(|value| value == OURS));
        }
    }
}

fn in_bodies(places: &[CredentialPlace], parts: &Parts, body: &[u8]) {
    let Ok(found) = read_body(places, &parts.headers, Held::Whole(body)) else {
        return; // refused
    };
    assert!(body.len() <= LARGEST_BODY);
    let values: Vec<Vec<u8>> = found
        .iter()
        .flat_map(|one| one.values().map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect();
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body)
        && let Some(serde_json::Value::String(value)) = object.get("key")
        && !value.bytes().all(|byte| byte <= b' ')
    {
        assert!(values.contains(&value.clone().into_bytes()), "{object:?}");
    }
}
