#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use jiff::SignedDuration;
use outwall_policy::SandboxId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scoped::{CredentialId, Scope};

struct Installation {
    key: SigningKey,
    ring: KeyRing,
}

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

impl Installation {
    fn new() -> Self {
        let key = SigningKey::generate(now()).unwrap();
        let ring = KeyRing::new(key.public().clone()).unwrap();
        Self { key, ring }
    }

    fn token(&self) -> String {
        self.key
            .sign(&claims(), self.ring.installation())
            .expose()
            .to_owned()
    }

    /// Any payload with a good signature.
    fn signed(&self, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            self.key.public().header(),
            BASE64_URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = self.key.sign_bytes(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Our payload with some members changed.
    fn saying(&self, changes: &[(&str, Value)]) -> String {
        let mut payload: Value = serde_json::from_slice(&claims().write(self.ring.installation())).unwrap();
        for (name, value) in changes {
            payload[name] = value.clone();
        }
        // `Value` sorts its members; ours have another order, so they are put back into it.
        let members = ["iss", "aud", "sub", "jti", "env", "iat", "nbf", "exp", "scope"];
        let text: Vec<String> = members
            .iter()
            .filter_map(|name| payload.get(name).map(|value| format!("\"{name}\":{value}")))
            .collect();
        self.signed(&format!("{{{}}}", text.join(",")))
    }

    fn verify(&self, token: &str) -> Result<Claims, NotValid> {
        self.ring.verify(token, Audience::Proxy, now())
    }
}

fn claims() -> Claims {
    Claims {
        id: "c-00112233445566778899aabb".parse().unwrap(),
        audience: Audience::Proxy,
        sandbox: SandboxId::from_random([1, 2, 3, 4]),
        environment: "web".parse().unwrap(),
        scope: Scope::default(),
        issued_at: now(),
        not_before: now(),
        expires_at: later(7200),
    }
}

#[test]
fn a_token_says_what_was_signed() {
    let ours = Installation::new();
    assert_eq!(ours.verify(&ours.token()), Ok(claims()));
    assert_eq!(
        ours.verify(&ours.saying(&[])),
        Ok(claims()),
        "the test writes as we do"
    );
    let narrowed = Claims {
        scope: Scope {
            session: Some("fix-login".to_owned()),
            repositories: vec!["github.com/acme/app".to_owned()],
            branch: Some("outwall/fix-login".to_owned()),
        },
        ..claims()
    };
    let token = ours.key.sign(&narrowed, ours.ring.installation());
    assert_eq!(ours.verify(token.expose()), Ok(narrowed));
    assert!(!format!("{token:?} {:?}", ours.key).contains(token.expose()));
}

#[test]
fn it_counts_from_its_beginning_with_some_patience_and_to_its_end_with_none() {
    let ours = Installation::new();
    let token = ours.token();
    let at = |seconds| {
        ours.ring
            .verify(&token, Audience::Proxy, later(seconds))
            .map(|_| ())
    };
    assert_eq!(at(-61), Err(NotValid::NotYet));
    assert_eq!(at(-60), Ok(()));
    assert_eq!(at(7199), Ok(()));
    assert_eq!(at(7200), Err(NotValid::Expired));
}

#[test]
fn it_is_for_one_door() {
    let ours = Installation::new();
    let git = ours.saying(&[("aud", json!("outwall-git"))]);
    assert_eq!(ours.verify(&git), Err(NotValid::OtherDoor));
    assert!(ours.ring.verify(&git, Audience::Git, now()).is_ok());
    for audience in [json!(["outwall-proxy"]), json!("Outwall-Proxy"), json!("")] {
        assert_eq!(
            ours.verify(&ours.saying(&[("aud", audience)])),
            Err(NotValid::NotOurs)
        );
    }
}

#[test]
fn another_installation_another_key_and_another_algorithm_are_not_ours() {
    let (ours, other) = (Installation::new(), Installation::new());
    assert_eq!(ours.verify(&other.token()), Err(NotValid::NotOurs));
    let other_issuer = ours.saying(&[("iss", json!(other.ring.installation()))]);
    assert_eq!(ours.verify(&other_issuer), Err(NotValid::NotOurs));

    let token = ours.token();
    let payload = token.split('.').nth(1).unwrap();
    let id = ours.key.public().id();
    let heads = [
        json!({"alg": "none"}),
        json!({"alg": "none", "kid": id.to_string(), "typ": "outwall-credential+jwt"}),
        json!({"alg": "HS256", "kid": id.to_string(), "typ": "outwall-credential+jwt"}),
        json!({"alg": "EdDSA", "kid": id.to_string(), "typ": "JWT"}),
        json!({"alg": "EdDSA", "typ": "outwall-credential+jwt", "kid": "../keys"}),
        json!({"alg": "EdDSA", "kid": id.to_string(), "typ": "outwall-credential+jwt", "jwk": {}}),
    ];
    for head in heads {
        let signed = format!("{}.{payload}", BASE64_URL_SAFE_NO_PAD.encode(head.to_string()));
        let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, ours.key.public().bytes());
        let mac = BASE64_URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&hmac, signed.as_bytes()));
        let genuine = BASE64_URL_SAFE_NO_PAD.encode(ours.key.sign_bytes(signed.as_bytes()));
        for signature in ["", &mac, &genuine] {
            assert_eq!(
                ours.verify(&format!("{signed}.{signature}")),
                Err(NotValid::NotOurs),
                "{head}"
            );
        }
    }
}

#[test]
fn claims_have_one_spelling_even_with_a_good_signature() {
    let ours = Installation::new();
    let good = String::from_utf8(claims().write(ours.ring.installation())).unwrap();
    assert!(ours.verify(&ours.signed(&good)).is_ok());
    for odd in [
        good.replace('{', "{ "),
        good.replace("\"env\":\"web\"", "\"env\":\"web\",\"env\":\"web\""),
        good.replace("\"env\":\"web\"", "\"env\":\"w\\u0065b\""),
        good.replace("\"env\":\"web\"", "\"env\":\"web\",\"admin\":true"),
        good.replace("\"env\":\"web\",", ""),
        good.replace("\"iat\":", "\"iat\":+"),
        good.replace('}', ",\"scope\":{}}"),
        good.replace('}', "}}"),
        format!("{good} "),
        String::new(),
    ] {
        assert_eq!(ours.verify(&ours.signed(&odd)), Err(NotValid::NotOurs), "{odd}");
    }
}

#[test]
fn times_out_of_order_or_too_far_apart_are_not_ours() {
    let ours = Installation::new();
    let start = now().as_second();
    let with = |nbf: i64, exp: i64| {
        let token = ours.saying(&[("nbf", json!(start + nbf)), ("exp", json!(start + exp))]);
        ours.verify(&token).map(|_| ())
    };
    let week = LONGEST_LIFE.as_secs();
    assert_eq!(with(0, week), Ok(()));
    assert_eq!(with(0, week + 1), Err(NotValid::NotOurs));
    assert_eq!(with(-1, 60), Err(NotValid::NotOurs), "valid before it was issued");
    assert_eq!(with(60, 60), Err(NotValid::NotOurs));
    assert_eq!(with(61, 120), Err(NotValid::NotYet));
}

#[test]
fn what_an_old_key_signed_counts_until_it_has_expired() {
    let mut ours = Installation::new();
    let week = ours.saying(&[("exp", json!(now().as_second() + LONGEST_LIFE.as_secs()))]);
    let new = SigningKey::generate(later(10)).unwrap();
    ours.ring.replace(new.public().clone(), later(10));
    assert!(ours.verify(&week).is_ok());
    assert!(ours.ring.is_current(new.public().id()) && !ours.ring.is_current(ours.key.public().id()));
    let end = later(10) + LONGEST_LIFE;
    assert!(!ours.ring.accepts(ours.key.public().id(), end));
    assert!(ours.ring.accepts(new.public().id(), end));
    let written = KeyRing::read(&ours.ring.write()).unwrap();
    assert!(written.verify(&week, Audience::Proxy, now()).is_ok());
    ours.ring.replace_all(new.public().clone());
    assert_eq!(ours.verify(&week), Err(NotValid::NotOurs));
}

/// What another implementation of JWT, told all that it can be told, says about a token.
fn second_opinion(ours: &Installation, token: &str) -> Option<Value> {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let key = DecodingKey::from_ed_der(ours.key.public().bytes());
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["outwall-proxy"]);
    validation.set_issuer(&[ours.ring.installation()]);
    validation.validate_exp = false; // it asks the clock
    decode::<Value>(token, &key, &validation)
        .ok()
        .map(|read| read.claims)
}

proptest! {
    #[test]
    fn a_changed_token_is_another_token(at in any::<prop::sample::Index>(), to in any::<u8>(), how in 0..4_u8) {
        let ours = Installation::new();
        let token = ours.token();
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        match how {
            0 => changed[at] = to,
            1 => changed.insert(at, to),
            2 => { changed.remove(at); }
            _ => changed.truncate(at),
        }
        if let Ok(text) = String::from_utf8(changed) && text != token {
            prop_assert!(ours.verify(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_counts_here_counts_elsewhere_and_says_the_same(env in "[a-z]{1,8}", life in 1..604_800_i64) {
        let ours = Installation::new();
        let said = Claims {
            environment: env.parse().unwrap(),
            expires_at: later(life),
            id: CredentialId::random().unwrap(),
            ..claims()
        };
        let token = ours.key.sign(&said, ours.ring.installation());
        let read = second_opinion(&ours, token.expose()).unwrap();
        prop_assert_eq!(&read["env"], &json!(env));
        prop_assert_eq!(&read["sub"], &json!("s-01020304"));
        prop_assert_eq!(&read["exp"], &json!(later(life).as_second()));
        prop_assert_eq!(ours.verify(token.expose()), Ok(said));
    }
}
