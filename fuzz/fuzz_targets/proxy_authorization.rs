//! What is read as a credential is in the field as it stands (`Bearer`) or decoded (`Basic`), and one field shows one credential.
#![no_main]
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libfuzzer_sys::fuzz_target;
use outwall_broker::scoped::{LONGEST_TOKEN, Presented, presented};

fuzz_target!(|value: &[u8]| {
    assert!(presented([value, value]).is_err(), "two fields are never read");
    let Ok(Presented::Token(token)) = presented([value]) else {
        return;
    };
    let token = token.expose();
    assert!(!token.is_empty() && token.len() <= LONGEST_TOKEN);
    assert!(
        token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "{token}"
    );
    let text = std::str::from_utf8(value).expect("what is read is text").trim();
    let (scheme, rest) = text.split_once(' ').expect("a scheme");
    let bearer = presented([format!("Bearer {token}").as_bytes()]);
    let basic = presented([format!("basic {}", BASE64_STANDARD.encode(format!("any:{token}"))).as_bytes()]);
    assert_eq!(bearer, basic, "both forms show the same");
    if scheme.eq_ignore_ascii_case("bearer") {
        assert_eq!(rest.trim(), token);
    } else {
        assert!(scheme.eq_ignore_ascii_case("basic"));
        let pair = BASE64_STANDARD.decode(rest.trim()).expect("base64");
        assert!(pair.ends_with(format!(":{token}").as_bytes()));
    }
});
