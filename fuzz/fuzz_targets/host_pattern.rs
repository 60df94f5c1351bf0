//! A pattern prints back to itself, and matches what a plain reading of its text matches: whatever it is asked about, and the names
//! near its own.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::{HostPattern, Target};

fuzz_target!(|input: (&str, &str)| {
    let (pattern_text, target_text) = input;
    let Ok(pattern) = HostPattern::parse(pattern_text) else {
        return;
    };
    let normal = pattern.to_string();
    assert_eq!(HostPattern::parse(&normal).as_ref(), Ok(&pattern));
    let hosts = hosts_of(&normal, pattern.port());
    let named = hosts.strip_prefix("*.").unwrap_or(hosts);
    let near = [
        named.to_owned(),
        format!("outwall-fuzz.{named}"),
        format!("outwall-fuzz{named}"),
        format!("a.outwall-fuzz.{named}"),
        format!("{named}.outwall-fuzz"),
    ];
    let ports = [pattern.port().unwrap_or(443), 443, 80, 8443];
    let near = near
        .iter()
        .flat_map(|host| ports.map(|port| format!("{host}:{port}")));
    for target in near.chain([target_text.to_owned()]) {
        let Ok(target) = Target::parse(&target) else {
            continue; // too long, or not beside an address
        };
        assert_eq!(
            pattern.matches(&target),
            plainly_matches(hosts, pattern.port(), &target),
            "{normal} on {target}"
        );
    }
});

/// A pattern without its port.
fn hosts_of(pattern: &str, port: Option<u16>) -> &str {
    port.map_or(pattern, |port| {
        pattern
            .strip_suffix(&format!(":{port}"))
            .expect("a pattern prints its port")
    })
}

/// The documentation of patterns, read to the letter, on text.
fn plainly_matches(hosts: &str, port: Option<u16>, target: &Target) -> bool {
    let host = target.host.to_string();
    let port_fits = port.map_or(target.port == 80 || target.port == 443, |port| {
        port == target.port
    });
    let host_fits = match hosts.strip_prefix('*') {
        Some(dotted) => host.ends_with(dotted) && host.len() > dotted.len(),
        None => hosts.trim_matches(['[', ']']) == host,
    };
    port_fits && host_fits
}
