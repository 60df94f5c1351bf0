#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
use http::Request;
use proptest::prelude::*;

use super::*;

const OURS: &str = "sk-ant-api03-placeholder0000000000";

fn header(name: &str) -> CredentialPlace {
    CredentialPlace::Header {
        name: name.into(),
        scheme: None,
    }
}

fn schemed(scheme: &str) -> CredentialPlace {
    CredentialPlace::Header {
        name: "authorization".into(),
        scheme: Some(scheme.into()),
    }
}

fn query_place(name: &str) -> CredentialPlace {
    CredentialPlace::Query(name.into())
}

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.body(()).unwrap().into_parts().0
}

/// What is found, in words: `ours`, or the values.
fn found(place: &CredentialPlace, parts: &Parts) -> Vec<String> {
    read([place], parts).iter().map(told).collect()
}

fn told(presented: &Presented<'_>) -> String {
    match presented.whose([OURS.as_bytes()]) {
        Whose::Ours(0) => "ours".to_owned(),
        Whose::Ours(_) => unreachable!("there is one placeholder"),
        Whose::Foreign => presented
            .values()
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect::<Vec<_>>()
            .join("|"),
    }
}

fn in_authorization(value: &str) -> Vec<String> {
    found(&header("authorization"), &parts("/", &[("authorization", value)]))
}

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

#[test]
fn only_a_placeholder_as_a_whole_is_ours() {
    for ours in [
        OURS.to_owned(),
        format!("Bearer {OURS}"),
        format!("bearer \t {OURS} "),
        format!("token {OURS}"),
        basic(&format!("x-access-token:{OURS}")),
        basic(&format!("{OURS}:")),
        basic(&format!("{OURS}:x-oauth-basic")),
        basic(OURS),
        format!("BASIC  {}", BASE64_STANDARD_NO_PAD.encode(format!("a:{OURS}"))),
    ] {
        assert_eq!(in_authorization(&ours), ["ours"], "{ours}");
    }
    for foreign in [
        "evil".to_owned(),
        "Bearer evil".to_owned(),
        format!("Bearer {OURS}x"),
        format!("Bearer {OURS}, Bearer evil"),
        format!("Bearer evil, Bearer {OURS}"),
        format!("Bearer {OURS} evil"),
        format!("{OURS},evil"),
        OURS.to_uppercase(),
        basic(&format!("{OURS}:evil")),
        basic(&format!("evil:{OURS}:evil")),
        basic("evil:"),
        basic(":evil"),
        "Basic !!!".to_owned(),
        "Digest username=\"evil\"".to_owned(),
    ] {
        let found = in_authorization(&foreign);
        assert!(found.len() == 1 && found[0] != "ours", "{foreign}: {found:?}");
    }
}

#[test]
fn nothing_is_nobodys() {
    for empty in ["", "  ", "Bearer", "Bearer ", "basic", "token", &basic(":")] {
        assert_eq!(in_authorization(empty), Vec::<String>::new(), "{empty:?}");
    }
    let places = [
        header("x-api-key"),
        query_place("key"),
        CredentialPlace::Cookie("session".into()),
    ];
    let bare = read(
        &places,
        &parts(
            "/?a=b&key=&key",
            &[("cookie", "session=; a=b"), ("accept", "*/*")],
        ),
    );
    assert!(bare.is_empty());
    assert_eq!(bare.capacity(), 0, "nothing is allocated");
}

#[test]
fn every_field_of_a_name_counts() {
    let both = parts("/", &[("x-api-key", OURS), ("X-API-KEY", "evil")]);
    assert_eq!(found(&header("x-api-key"), &both), ["ours", "evil"]);
}

#[test]
fn a_pair_is_read_in_both_alphabets() {
    let pair = "user:\u{ff}\u{fe}?>evil";
    assert_eq!(
        in_authorization(&format!("Basic {}", BASE64_URL_SAFE.encode(pair))),
        ["user|\u{ff}\u{fe}?>evil"]
    );
    assert_eq!(in_authorization(&basic(pair)), ["user|\u{ff}\u{fe}?>evil"]);
}

#[test]
fn a_scheme_is_found_wherever_it_stands_in_a_list_and_another_is_not_it() {
    let of = |value: &str| found(&schemed("Basic"), &parts("/", &[("authorization", value)]));
    let evil = BASE64_STANDARD.encode("a:evil");
    assert_eq!(of(&format!("Basic {evil}")), ["a|evil"]);
    assert_eq!(of(&format!("bAsIc\t{evil}")), ["a|evil"]);
    assert_eq!(of(&format!("Bearer anonymous, Basic {evil}")), ["a|evil"]);
    assert_eq!(of("Bearer anonymous"), Vec::<String>::new());
    assert_eq!(of("Basics x"), Vec::<String>::new());
}

#[test]
fn an_item_of_a_list_is_found_by_its_prefix_and_taken_out_alone() {
    let place = CredentialPlace::Listed {
        header: "sec-websocket-protocol".into(),
        prefix: "openai-insecure-api-key.".into(),
    };
    let mut asked = parts(
        "/",
        &[(
            "sec-websocket-protocol",
            "realtime, OpenAI-insecure-api-key.evil,openai-beta.realtime-v1",
        )],
    );
    assert_eq!(found(&place, &asked), ["evil"]);
    remove([&place], &mut asked);
    assert_eq!(
        asked.headers["sec-websocket-protocol"],
        "realtime, openai-beta.realtime-v1"
    );
}

#[test]
fn a_parameter_is_found_in_every_spelling() {
    for query in [
        "key=evil",
        "a=b&key=evil",
        "a=b;key=evil",
        "KEY=evil",
        "%6bey=evil",
        "%256bey=evil",
        "+key=evil",
        "key[]=evil",
        "key=%65vil",
        "&&key=evil&",
    ] {
        assert_eq!(
            found(&query_place("key"), &parts(&format!("/p?{query}"), &[])),
            ["evil"],
            "{query}"
        );
    }
    let twice = parts(&format!("/?key={OURS}&key=evil"), &[]);
    assert_eq!(found(&query_place("key"), &twice), ["ours", "evil"]);
    for other in ["keys=evil", "a=key=evil", "monkey=evil", "a=%26key=evil"] {
        assert_eq!(
            found(&query_place("key"), &parts(&format!("/?{other}"), &[])),
            Vec::<String>::new(),
            "{other}"
        );
    }
}

#[test]
fn a_presigned_url_is_told_by_its_key() {
    let place = query_place("X-Amz-Credential");
    let of = |key: &str| {
        parts(
            &format!("/?X-Amz-Credential={key}%2F20150830%2Fus-east-1%2Fs3%2Faws4_request"),
            &[],
        )
    };
    assert_eq!(found(&place, &of(OURS)), ["ours"]);
    assert_ne!(found(&place, &of("AKIAEVIL")), ["ours"]);
}

#[test]
fn a_signature_is_told_by_its_key_and_only_when_it_is_one() {
    let signed = |key: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20150830/us-east-1/s3/aws4_request, SignedHeaders=host, Signature={}",
            "0".repeat(64)
        )
    };
    let place = header("authorization");
    let whose =
        |value: &str| read([&place], &parts("/", &[("authorization", value)]))[0].whose([&b"AKIAOURS"[..]]);
    assert_eq!(whose(&signed("AKIAOURS")), Whose::Ours(0));
    assert_eq!(whose(&signed("AKIAEVIL")), Whose::Foreign);
    assert_eq!(
        whose(&format!("{}, Credential=AKIAOURS", signed("AKIAEVIL"))),
        Whose::Foreign
    );
    assert_eq!(whose("AWS AKIAOURS:signature"), Whose::Foreign);
}

#[test]
fn a_cookie_is_found_in_every_reading() {
    let place = CredentialPlace::Cookie("session".into());
    for cookie in [
        "session=evil",
        "a=b; session=evil",
        "a=b;session=evil",
        "a=b, session=evil",
        "Session=\"evil\"",
        " session = evil",
        "a=\"; session=evil",
        "session.0=evil",
        "%73ession=evil",
        "=session=evil",
    ] {
        let found = found(&place, &parts("/", &[("cookie", cookie)]));
        assert_eq!(found.len(), 1, "{cookie}: {found:?}");
        assert!(found[0].contains("evil"));
    }
    let two = parts("/", &[("cookie", "a=b"), ("cookie", "session=evil")]);
    assert_eq!(found(&place, &two), ["evil"]);
    assert_eq!(
        found(
            &place,
            &parts("/", &[("cookie", "sessions=x; a=session=evil; session.x=y")])
        ),
        Vec::<String>::new()
    );
    let any = CredentialPlace::Cookie("*".into());
    assert_eq!(found(&any, &parts("/", &[("cookie", "a=b")])), ["b"]);
}

#[test]
fn what_is_taken_out_is_gone_and_the_rest_is_as_it_was() {
    let places = [
        header("x-api-key"),
        schemed("Basic"),
        query_place("key"),
        CredentialPlace::Cookie("session".into()),
        CredentialPlace::Multipart,
    ];
    let mut asked = parts(
        "/a%20b?x=%41&key=evil;y=2&%6bey=evil",
        &[
            ("x-api-key", "evil"),
            ("authorization", "Bearer anonymous"),
            ("authorization", &basic("a:evil")),
            ("cookie", "a=b; session=evil; c=\"d\""),
            ("content-type", "multipart/form-data; boundary=x"),
            ("accept", "*/*"),
        ],
    );
    assert_eq!(read(&places, &asked).len(), 6);
    remove(&places, &mut asked);
    assert!(read(&places, &asked).is_empty());
    assert_eq!(asked.uri, "/a%20b?x=%41&y=2");
    assert_eq!(asked.headers["authorization"], "Bearer anonymous");
    assert_eq!(asked.headers["cookie"], "a=b; c=\"d\"");
    assert_eq!(asked.headers.len(), 3, "{:?}", asked.headers);

    let mut absolute = parts("http://host.test?key=evil", &[("cookie", "session=evil")]);
    remove(&places, &mut absolute);
    assert_eq!(absolute.uri, "http://host.test/");
    assert!(absolute.headers.is_empty());
}

fn in_body(kind: &str, body: &str) -> Result<Vec<String>, UnreadableBody> {
    let place = CredentialPlace::Body("refresh_token".into());
    let kind = (!kind.is_empty()).then_some(("content-type", kind));
    let parts = parts("/", kind.as_slice());
    read_body([&place], &parts.headers, Held::Whole(body.as_bytes()))
        .map(|found| found.iter().map(told).collect())
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json; charset=utf-8";

#[test]
fn a_login_is_read_as_a_form_and_as_json() {
    assert_eq!(
        in_body(FORM, "grant_type=x&refresh_token=evil").unwrap(),
        ["evil"]
    );
    assert_eq!(
        in_body(FORM, &format!("refresh%5Ftoken={OURS}&refresh_token=evil")).unwrap(),
        ["ours", "evil"]
    );
    assert_eq!(in_body("", "refresh_token=evil").unwrap(), ["evil"]);
    assert_eq!(in_body("text/plain", "refresh_token=evil").unwrap(), ["evil"]);
    assert_eq!(in_body(JSON, r#" {"refresh_token":"evil"}"#).unwrap(), ["evil"]);
    assert_eq!(
        in_body(
            JSON,
            r#"{"refresh\u005ftoken":"e\u0076il","refresh_token":"evil2"}"#
        )
        .unwrap(),
        ["evil", "evil2"]
    );
    assert_eq!(
        in_body(JSON, r#"{"refresh_token":["evil"]}"#).unwrap(),
        ["[\"evil\"]"]
    );
    assert_eq!(in_body(FORM, r#"{"refresh_token":"evil"}"#).unwrap(), ["evil"]);
    assert_eq!(in_body("", r#"{"refresh_token":"evil"}"#).unwrap(), ["evil"]);
}

#[test]
fn a_body_without_a_login_has_none() {
    for (kind, body) in [
        (FORM, "grant_type=client_credentials"),
        (
            JSON,
            r#"{"a":{"refresh_token":"inner"},"refresh_token":null,"url":"https://a.test/?a=b&refresh_token=c"}"#,
        ),
        (JSON, "[1, {\"refresh_token\":\"inner\"}]"),
        (JSON, ""),
        ("", ""),
    ] {
        assert_eq!(in_body(kind, body).unwrap(), Vec::<String>::new(), "{body}");
    }
    let elsewhere = parts("/", &[("content-encoding", "gzip")]);
    assert!(
        read_body([&header("x-api-key")], &elsewhere.headers, Held::TooLong)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_body_that_cannot_be_read_is_not_taken_for_an_innocent_one() {
    assert_eq!(
        in_body(JSON, "{\"refresh_token\":").unwrap_err(),
        UnreadableBody::Json
    );
    assert_eq!(
        in_body(JSON, "refresh_token=evil").unwrap_err(),
        UnreadableBody::Json
    );
    assert_eq!(
        in_body(JSON, "{} refresh_token=evil").unwrap_err(),
        UnreadableBody::Json
    );
    assert_eq!(
        in_body("multipart/form-data; boundary=x", "--x").unwrap_err(),
        UnreadableBody::Multipart
    );
    assert_eq!(
        in_body(FORM, &"a".repeat(LARGEST_BODY + 1)).unwrap_err(),
        UnreadableBody::TooLong
    );
    assert!(in_body(FORM, &"a".repeat(LARGEST_BODY)).unwrap().is_empty());
    let place = CredentialPlace::Body("refresh_token".into());
    let coded = parts("/", &[("content-encoding", "gzip")]);
    let read_as = |body| read_body([&place], &coded.headers, body).unwrap_err();
    assert_eq!(read_as(Held::Whole(b"x")), UnreadableBody::Coded);
    assert_eq!(read_as(Held::TooLong), UnreadableBody::TooLong);
}

#[test]
fn what_was_presented_is_not_in_debug() {
    let asked = parts("/?key=hunter2", &[("authorization", &basic("hunter2:hunter2"))]);
    let places = [header("authorization"), query_place("key")];
    let found = read(&places, &asked);
    assert_eq!(found.len(), 2);
    assert!(!format!("{found:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn escaping_a_name_does_not_hide_it(mask in 0u32..512, value in "[a-z0-9]{1,9}", before in "[a-z=;&%+.]{0,9}") {
        let name: String = "api_key_x".char_indices().map(|(at, letter)| {
            if mask >> at & 1 == 1 { format!("%{:02x}", u32::from(letter)) } else { letter.to_string() }
        }).collect();
        let asked = parts(&format!("/?{before}&{name}={value}"), &[]);
        let last = found(&query_place("api_key_x"), &asked).pop();
        prop_assert_eq!(last, Some(value));
    }

    #[test]
    fn taking_out_leaves_nothing(query in "[keya=;&%6b5+.]{0,24}", cookie in "[keya=;,%6b5\" .0]{0,24}", field in "[Basicer ,=a1]{0,24}") {
        let places = [query_place("key"), CredentialPlace::Cookie("key".into()), schemed("Basic"), header("x-api-key")];
        let mut asked = parts(&format!("/?{query}"), &[("cookie", &cookie), ("authorization", &field), ("x-api-key", &field)]);
        remove(&places, &mut asked);
        prop_assert!(read(&places, &asked).is_empty());
    }
}
