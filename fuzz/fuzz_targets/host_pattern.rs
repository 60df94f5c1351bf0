//! A pattern prints back to itself, and matches what a plain reading of its text matches.
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
    let below = normal
        .strip_prefix("*.")
        .map(|rest| format!("outwall-fuzz.{rest}"));
    if let Some(below) = below {
        let below = if pattern.port().is_some() {
            below
        } else {
            format!("{below}:443")
        };
        if let Ok(target) = Target::parse(&below) {
            assert!(pattern.matches(&target), "{normal} matches {below}");
        }
    }
    let Ok(target) = Target::parse(target_text) else {
        return;
    };
    assert_eq!(
        pattern.matches(&target),
        plainly_matches(&normal, pattern.port(), &target),
        "{normal} on {target}"
    );
});

/// The documentation of patterns, read to the letter, on text.
fn plainly_matches(pattern: &str, port: Option<u16>, target: &Target) -> bool {
    let hosts = match port {
        Some(port) => pattern
            .strip_suffix(&format!(":{port}"))
            .expect("a pattern prints its port"),
        None => pattern,
    };
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
