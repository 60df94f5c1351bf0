//! HTTP authority: whatever a head says, what is decided on is the only host that any part of it names, and what is sent
//! names that host and nothing else. The head is read with httparse as the server does, and its names once more by hand.
#![no_main]
use http::{Request, Version};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;
use outwall_policy::{Scheme, Target};
use outwall_proxy::fuzzing::{self, Bodiless};

const TARGET: &str = "api.example.com:443";

fuzz_target!(|bytes: &[u8]| {
    first(bytes);
    let Some((h2, head)) = bytes.split_first() else {
        return;
    };
    let version = if h2 & 1 == 1 {
        Version::HTTP_2
    } else {
        Version::HTTP_11
    };
    if let Some(request) = request(head, version) {
        within(request);
    }
});

/// The first head of an explicit proxy's client.
fn first(bytes: &[u8]) {
    let Ok(Some((target, length))) = fuzzing::first_head(bytes) else {
        return;
    };
    let text = String::from_utf8_lossy(&bytes[..length]);
    let line = text
        .trim_start_matches(['\r', '\n'])
        .lines()
        .next()
        .expect("a head has a line");
    let named = line.split(' ').nth(1).expect("a request line has a target");
    let (named, default) = match named.split_once("://") {
        Some((_, rest)) => (
            rest.split(['/', '?', '#'])
                .next()
                .expect("a split has a first part"),
            Some(80),
        ),
        None => (named, None),
    };
    assert!(is(named, &target, default), "{named} was read as {target}");
}

/// A request within a connection that was decided on.
fn within(request: Bodiless) {
    let target = Target::parse(TARGET).expect("a target");
    let names: Vec<String> = request
        .uri()
        .authority()
        .map(|authority| authority.to_string())
        .into_iter()
        .chain(
            request
                .headers()
                .get_all("host")
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
        .collect();
    let Ok((action, authority)) = fuzzing::request(request, Scheme::Https, target.clone()) else {
        return;
    };
    assert_eq!(action.target, target);
    assert!(!names.is_empty(), "a request without a name was accepted");
    for name in &names {
        assert!(is(name, &target, Some(443)), "{name} passed for {target}");
    }
    assert!(is(&authority, &target, Some(443)), "{authority} would be sent");
    let sent = action.carried.uri();
    assert_eq!(
        sent.path(),
        action.path.as_str(),
        "what is decided on is what is sent"
    );
}

/// Whether a name, read to the letter, is the target: any case, one dot at the end, the port when it is not the default.
fn is(named: &str, target: &Target, default: Option<u16>) -> bool {
    let named = named.to_ascii_lowercase();
    let (host, port) = match named.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.contains(']') => (host.to_owned(), port.parse().ok()),
        _ => (named.clone(), default),
    };
    let host = host.strip_suffix('.').unwrap_or(&host);
    if !host.is_ascii() || host.contains("xn--") || host.starts_with('[') {
        return true; // IDNA and IPv6 have targets of their own
    }
    port.or(default) == Some(target.port) && host == target.host.to_string()
}

fn request(head: &[u8], version: Version) -> Option<Bodiless> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(head).ok()?.is_complete().then_some(())?;
    let mut request = Request::builder()
        .version(version)
        .method(parsed.method?)
        .uri(parsed.path?);
    for field in parsed.headers.iter() {
        request = request.header(field.name, field.value);
    }
    request.body(Empty::new()).ok()
}
