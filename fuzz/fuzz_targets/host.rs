//! Whatever parses as a host has one normal form, and that form is harmless.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::Host;

fuzz_target!(|text: &str| {
    let Ok(host) = Host::parse(text) else { return };
    let normal = host.to_string();
    assert_eq!(
        Host::parse(&normal),
        Ok(host.clone()),
        "{text:?} has a normal form of its own"
    );
    if let Host::Name(name) = host {
        let name = name.as_str();
        assert!(name.len() <= 253 && !name.is_empty());
        assert!(name.split('.').all(|label| (1..=63).contains(&label.len())));
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
        );
        // What a resolver would read as an address must not pass as a name.
        assert!(normal.parse::<std::net::IpAddr>().is_err());
        assert!(
            !name
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
        );
    }
});
