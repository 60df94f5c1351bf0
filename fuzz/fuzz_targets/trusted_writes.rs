//! The Trusted list is for reading: `trusted_writes` only ever widens, reading is never refused, and no path that some
//! server reads as a way to publish passes as an exception.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use outwall_policy::{Checked, Policy, PolicyDocument, trusted};

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text =
        "default_environment = \"read\"\n[environments.read]\n[environments.write]\ntrusted_writes = true\n";
    let document = PolicyDocument::parse(text, "fuzz").expect("it is written above");
    Policy::compile(&document).expect("it is written above")
});

/// One host of each entry of the list.
static HOSTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let entries = trusted::list().iter().flat_map(|category| &category.entries);
    entries
        .map(|entry| entry.to_string().replace('*', "some"))
        .collect()
});

const METHODS: [&str; 9] = [
    "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "post", "PROPFIND",
];

fuzz_target!(|input: (u8, u8, bool, &str)| {
    let (host, method, plain, path) = input;
    let host = &HOSTS[usize::from(host) % HOSTS.len()];
    let method = METHODS[usize::from(method) % METHODS.len()];
    let scheme = if plain { "http" } else { "https" };
    let url = format!("{scheme}://{host}/{path}");
    let (Ok(read), Ok(write)) = (
        POLICY.check(Some("read"), method, &url),
        POLICY.check(Some("write"), method, &url),
    ) else {
        return; // no URL
    };
    assert!(matches!(write, Checked::Allow { .. }), "{method} {url}");
    let reads = ["GET", "HEAD", "OPTIONS"].contains(&method);
    match read {
        Checked::Deny(denial) => {
            assert!(!reads, "{method} {url}");
            assert_eq!(denial.code(), "trusted-write-refused", "{method} {url}");
            assert!(
                denial
                    .remedy()
                    .is_some_and(|remedy| remedy.contains("trusted_writes"))
            );
        }
        Checked::Allow { rule, .. } if !reads && host == "api.anthropic.com" => {
            let seen = as_a_server_reads(path);
            let kept = KEPT.iter().find(|way| seen.starts_with(*way));
            assert_eq!(kept, None, "{method} {url} by {rule}, read as {seen}");
        }
        Checked::Allow { .. } if reads || host.ends_with("anthropic.com") || host.ends_with("claude.com") => {
        }
        Checked::Allow { .. } if host == "claude.ai" => {}
        Checked::Allow { rule, .. } => {
            assert!(
                method == "POST" || rule.to_string().contains("MCP"),
                "{method} {url} by {rule}"
            );
            let seen = as_a_server_reads(path);
            assert_eq!(publishes(&seen), None, "{method} {url} by {rule}, read as {seen}");
        }
    }
});

/// How a path publishes. Of git the service is the last segment, and what is before it may be called anything: `manifests`, or like a
/// push.
fn publishes(seen: &str) -> Option<&'static str> {
    let is_fetch = FETCHES.iter().any(|service| seen.ends_with(service));
    if is_fetch && !seen.starts_with("/api/") {
        return None;
    }
    let mut ways = PUBLISHES.iter().copied().filter(|way| seen.contains(way));
    ways.next().or(seen.ends_with(PUSH).then_some(PUSH))
}

const PUSH: &str = "/git-receive-pack/";
const FETCHES: [&str; 2] = ["/git-upload-pack/", "/info/lfs/objects/batch/"];

/// Where packages, images, gists and files go.
const PUBLISHES: [&str; 8] = [
    "/blobs/uploads",
    "/manifests/",
    "/repository/files/",
    "/legacy",
    "/crates/new",
    "/gists",
    "/dist-tags/",
    "/-/create/",
];

/// Where a model's API keeps what is sent, for the owner of the key.
const KEPT: [&str; 3] = ["/v1/files/", "/v1/messages/batches/", "/v1/skills/"];

/// One plain way to read a path: decode twice, drop parameters, merge slashes, resolve dots.
fn as_a_server_reads(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = decode(&decode(path)).replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}/", kept.join("/"))
}

fn decode(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = (*first == b'%').then(|| after.get(..2).and_then(|two| std::str::from_utf8(two).ok()));
        match digits.flatten().and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
