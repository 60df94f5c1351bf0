//! No bytes make the reader of blocklists panic; warnings point into the file; a second, simpler reader finds the same names in
//! what both understand; and a blocklist on top of a policy never allows what was refused.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use outwall_policy::{Blocklist, Checked, Host, Policy, PolicyDocument};

const URLS: [&str; 5] = [
    "https://ads.example.com/",
    "https://x.ads.example.com/",
    "https://example.com/",
    "https://192.0.2.1/",
    "https://elsewhere.test/",
];

fuzz_target!(|bytes: &[u8]| {
    let list = Blocklist::parse(bytes, "fuzz.hosts");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for warning in list.warnings() {
        assert!(
            warning
                .problem()
                .line()
                .is_none_or(|line| (1..=lines).contains(&line)),
            "{warning}"
        );
    }
    let found = simple_names(bytes);
    for (name, line) in &found {
        let host = Host::parse(name).expect("a simple name is a host");
        let below = Host::parse(&format!("x.{name}")).expect("there is room for one label more");
        for host in [host, below] {
            let blocked = list
                .find(&host)
                .unwrap_or_else(|| panic!("{host} of line {line} is not blocked"));
            assert!(blocked.line as usize <= lines && blocked.line > 0);
            assert!(
                host.to_string().ends_with(&blocked.entry),
                "{host} is not below {}",
                blocked.entry
            );
        }
    }
    assert!(list.len() <= bytes.len());
    never_wider(&list);
});

/// Lines that are one plain name of two labels or more, and nothing else.
fn simple_names(bytes: &[u8]) -> Vec<(String, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let simple = |name: &&str| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.starts_with("xn")
                && label.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        name.len() < 200 && name.contains('.') && name.split('.').all(label)
    };
    let numbered = (1..).zip(text.split('\n'));
    numbered
        .filter(|(_, line)| simple(line))
        .map(|(number, line)| (line.to_owned(), number))
        .collect()
}

/// The document without the list, and what it comes to.
static WITHOUT: LazyLock<(PolicyDocument, Policy)> = LazyLock::new(|| {
    let text = "default_environment = \"a\"\nblocklists = [\"l\"]\n[environments.a]\nnetwork = \"custom\"\n\
        allowed_domains = [\"*.example.com\", \"example.com\", \"192.0.2.1\"]\n";
    let mut document = PolicyDocument::parse(text, "fuzz.toml").expect("a good document");
    document.add_blocklist("l", Blocklist::parse(b"", "l"));
    let policy = Policy::compile(&document).expect("a good document");
    (document, policy)
});

fn never_wider(list: &Blocklist) {
    let (document, without) = &*WITHOUT;
    let mut document = document.clone();
    document.add_blocklist("l", list.clone());
    let with = Policy::compile(&document).expect("a good document");
    for url in URLS {
        let allows = |policy: &Policy| matches!(policy.check(None, "GET", url), Ok(Checked::Allow { .. }));
        let host = Host::parse(url.trim_start_matches("https://").trim_end_matches('/')).expect("a host");
        assert_eq!(
            allows(&with),
            allows(without) && list.find(&host).is_none(),
            "{url}"
        );
    }
}
