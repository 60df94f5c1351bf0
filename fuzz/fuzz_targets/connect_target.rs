//! A CONNECT target that parses, prints back to itself, and names nothing that the text did not.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::Target;

fuzz_target!(|text: &str| {
    let Ok(target) = Target::parse(text) else { return };
    let normal = target.to_string();
    assert_eq!(Target::parse(&normal), Ok(target.clone()));
    let port = text.rsplit(':').next().unwrap_or_default();
    assert!(
        !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()),
        "a port is written in digits: {text:?}"
    );
    assert!(
        !text.contains(['@', '/', '\\', '\0', '\r', '\n', ' ', '%', '#', '?']),
        "{text:?}"
    );
    let defaulted =
        Target::parse_with_default(text, 1).expect("what parses without a default parses with one");
    assert_eq!(
        defaulted, target,
        "a default port does not win over a written one"
    );
});
