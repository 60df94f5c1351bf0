//! A signature that is read has one reading: written again from its parts it reads as the same, and it has nothing beside them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_broker::aws::Authorization;

fuzz_target!(|value: &[u8]| {
    let Ok(read) = Authorization::parse(value) else {
        return;
    };
    let text = std::str::from_utf8(value).expect("what is read is text");
    for element in ["Credential=", "SignedHeaders=", "Signature="] {
        assert_eq!(text.matches(element).count(), 1, "{text}");
    }
    let (key_id, scope, headers) = (read.key_id(), read.scope(), read.signed_headers());
    assert!(
        key_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    );
    assert!(text.contains(&format!("Credential={key_id}/{scope}")));
    assert!(headers.iter().any(|name| name == "host"));
    assert!(headers.iter().is_sorted());
    let again = format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={headers}, Signature={}",
        "0".repeat(64)
    );
    assert_eq!(Authorization::parse(again.as_bytes()).as_ref(), Ok(&read));
});
