//! A token counts only if it is one that we would have written: whatever changes a valid one, and whatever payload our own key signs.
//! A second reader of JWT (`jsonwebtoken`) accepts everything that we accept, and reads the same in it.
#![no_main]
use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use libfuzzer_sys::fuzz_target;
use outwall_broker::scoped::{Audience, KeyRing};
use serde_json::Value;

const SEED: [u8; 32] = [7; 32];
const INSTALLATION: &str = "00112233445566778899aabbccddeeff";
const PAYLOAD: &str = r#"{"iss":"00112233445566778899aabbccddeeff","aud":"outwall-proxy","sub":"s-01020304","jti":"c-00112233445566778899aabb","env":"web","iat":1777636800,"nbf":1777636800,"exp":1777644000}"#;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed"));
static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let public = BASE64_URL_SAFE_NO_PAD.encode(PAIR.public_key());
    let file = format!(
        r#"{{"version":1,"installation":"{INSTALLATION}","keys":[{{"public":"{public}","made_at":"2026-05-01T12:00:00Z"}}]}}"#
    );
    KeyRing::read(file.as_bytes()).expect("a ring")
});
static HEADER: LazyLock<String> = LazyLock::new(|| {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, PAIR.public_key().as_ref());
    let id: String = hash.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    BASE64_URL_SAFE_NO_PAD.encode(format!(
        r#"{{"alg":"EdDSA","kid":"{id}","typ":"outwall-credential+jwt"}}"#
    ))
});
static VALID: LazyLock<String> = LazyLock::new(|| signed(PAYLOAD.as_bytes()));

fn signed(payload: &[u8]) -> String {
    let text = format!("{}.{}", *HEADER, BASE64_URL_SAFE_NO_PAD.encode(payload));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(PAIR.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    match how % 4 {
        0 => spliced(rest),
        1 => whole(rest),
        2 => {
            check(&signed(rest));
        }
        _ => {
            if let Some(payload) = splice(PAYLOAD, rest) {
                check(&signed(payload.as_bytes()));
            }
        }
    }
});

/// Some bytes of a valid token in the place of others.
fn spliced(data: &[u8]) {
    if let Some(token) = splice(&VALID, data) {
        assert_eq!(check(&token), token == *VALID, "{token}");
    }
}

/// A text with some bytes in the place of others.
fn splice(text: &str, data: &[u8]) -> Option<String> {
    let [at, removed, inserted @ ..] = data else {
        return None;
    };
    let at = usize::from(*at) * text.len() / 256;
    let end = (at + usize::from(*removed)).min(text.len());
    let inserted = std::str::from_utf8(inserted).ok()?;
    Some(format!("{}{inserted}{}", &text[..at], &text[end..]))
}

fn whole(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else {
        return;
    };
    assert!(!check(token) || token == *VALID, "{token}");
}

/// Whether it counts; and if so, that another reader agrees.
fn check(token: &str) -> bool {
    let now = "2026-05-01T12:30:00Z".parse().expect("a time");
    let Ok(claims) = RING.verify(token, Audience::Proxy, now) else {
        return false;
    };
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["outwall-proxy"]);
    validation.set_issuer(&[INSTALLATION]);
    validation.validate_exp = false; // it asks the clock
    let key = DecodingKey::from_ed_der(PAIR.public_key().as_ref());
    let read = decode::<Value>(token, &key, &validation)
        .expect("the other reader accepts it")
        .claims;
    assert_eq!(read["sub"], claims.sandbox.to_string());
    assert_eq!(read["jti"], claims.id.to_string());
    assert_eq!(read["env"], claims.environment.as_str());
    assert_eq!(read["exp"], claims.expires_at.as_second());
    assert!(claims.issued_at <= now + jiff::SignedDuration::from_secs(60) && now < claims.expires_at);
    let members = read.as_object().expect("an object").len();
    assert_eq!(
        members,
        8 + usize::from(read.get("scope").is_some()),
        "it says nothing that was not read"
    );
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a payload"));
    let payload = payload.expect("base64");
    assert_eq!(token, signed(&payload));
    if read.get("scope").is_none() {
        assert_eq!(
            String::from_utf8_lossy(&payload),
            spelling(&read),
            "there is one spelling"
        );
    }
    true
}

/// What a payload without a scope looks like, letter by letter.
fn spelling(read: &Value) -> String {
    let members = ["iss", "aud", "sub", "jti", "env", "iat", "nbf", "exp"];
    let members = members.map(|name| format!("\"{name}\":{}", read[name]));
    format!("{{{}}}", members.join(","))
}
