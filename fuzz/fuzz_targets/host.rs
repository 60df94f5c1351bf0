//! Whatever parses as a host has one normal form, that form is harmless, and a second parser (the WHATWG's, as browsers
//! have it) reads the same host from the text where it reads one at all.
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
    agrees(text, &host);
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

/// The other parser decodes `%`, which ours refuses, and takes `0x7f.1` for an address, which ours refuses too.
fn agrees(text: &str, host: &Host) {
    let bracketed = |text: &str| {
        if text.starts_with('[') {
            text.to_owned()
        } else {
            format!("[{text}]")
        }
    };
    let other = match host {
        Host::Address(std::net::IpAddr::V6(_)) => url::Host::parse(&bracketed(text)),
        _ if text.contains("::") => return, // an IPv4-mapped address
        _ => url::Host::parse(text),
    };
    match (other, host) {
        (Ok(url::Host::Domain(domain)), Host::Name(name)) => {
            assert_eq!(
                domain.strip_suffix('.').unwrap_or(&domain),
                name.as_str(),
                "{text:?}"
            );
        }
        (Ok(url::Host::Ipv4(other)), Host::Address(std::net::IpAddr::V4(ours))) => assert_eq!(other, *ours),
        (Ok(url::Host::Ipv6(other)), Host::Address(std::net::IpAddr::V6(ours))) => assert_eq!(other, *ours),
        (Ok(other), ours) => panic!("{text:?} is {other} to one and {ours} to the other"),
        (Err(_), _) => {}
    }
}
