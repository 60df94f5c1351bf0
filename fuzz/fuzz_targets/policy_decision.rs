//! What narrows a policy never widens access: a deny rule more, an allowed domain less, the level `none`. Policies and requests
//! are put together from a small vocabulary, so that entries, rules and requests meet.
#![no_main]
use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use outwall_policy::{Checked, Policy, PolicyDocument};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes.iter());
    let before = Written::choose(&mut choices);
    let Some(policy) = before.compile() else { return };
    let asked = requests(&mut choices);
    for narrower in before.narrowed(&mut choices) {
        let Some(narrowed) = narrower.compile() else {
            continue;
        };
        for (method, url) in &asked {
            assert!(
                !allows(&narrowed, method, url) || allows(&policy, method, url),
                "{method} {url} is allowed by\n{}\nand not by\n{}",
                narrower.text(),
                before.text()
            );
        }
    }
});

const HOSTS: [&str; 8] = [
    "example.com",
    "a.example.com",
    "b.a.example.com",
    "other.test",
    "pypi.org",
    "upload.pypi.org",
    "192.0.2.9",
    "10.0.0.1",
];
const PATTERNS: [&str; 10] = [
    "example.com",
    "*.example.com",
    "a.example.com",
    "*.a.example.com:8443",
    "other.test:8443",
    "pypi.org",
    "*.org",
    "192.0.2.9",
    "10.0.0.1",
    "other.test",
];
const PATHS: [&str; 7] = ["/", "/v1/x", "/v1/x/y", "/v1%2Fx", "/v1//x", "/v1;a/x", "/V1/x"];
const GLOBS: [&str; 7] = ["/**", "/v1/**", "/v1/*", "/v1/x", "/*", "/v1%2Fx", "/**/y"];
const METHODS: [&str; 3] = ["GET", "POST", "PUT"];
const LEVELS: [&str; 4] = ["custom", "trusted", "full", "none"];

/// Bytes as a sequence of small choices; zero when there are no more.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, number: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % number
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn some<'t>(&mut self, most: usize, of: &[&'t str]) -> Vec<&'t str> {
        (0..self.below(most + 1)).map(|_| self.one(of)).collect()
    }
}

#[derive(Clone)]
struct Rule {
    host: &'static str,
    methods: Vec<&'static str>,
    paths: Vec<&'static str>,
    allow: bool,
}

#[derive(Clone)]
struct Written {
    level: &'static str,
    include_trusted: bool,
    allowed: Vec<&'static str>,
    always: Vec<&'static str>,
    tunnelled: Vec<&'static str>,
    addresses: bool,
    rules: Vec<Rule>,
}

impl Written {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let level = choices.one(&LEVELS);
        let custom = level == "custom";
        Self {
            level,
            include_trusted: custom && choices.below(2) == 1,
            allowed: if custom {
                choices.some(4, &PATTERNS)
            } else {
                Vec::new()
            },
            always: choices.some(1, &PATTERNS),
            tunnelled: if custom || level == "full" {
                choices.some(1, &PATTERNS)
            } else {
                Vec::new()
            },
            addresses: choices.below(2) == 1,
            rules: (0..choices.below(5)).map(|_| Rule::choose(choices)).collect(),
        }
    }

    /// The same with one thing less.
    fn narrowed(&self, choices: &mut Choices<'_>) -> Vec<Self> {
        let mut all = Vec::new();
        let mut denied = self.clone();
        let place = choices.below(self.rules.len() + 1);
        denied.rules.insert(
            place,
            Rule {
                allow: false,
                ..Rule::choose(choices)
            },
        );
        all.push(denied);
        if !self.allowed.is_empty() {
            let mut fewer = self.clone();
            let gone = choices.below(self.allowed.len());
            fewer.allowed.remove(gone);
            all.push(fewer);
        }
        let shut = Self {
            level: "none",
            include_trusted: false,
            allowed: Vec::new(),
            tunnelled: Vec::new(),
            ..self.clone()
        };
        all.push(shut);
        all.push(Self {
            addresses: false,
            ..self.clone()
        });
        all
    }

    fn compile(&self) -> Option<Policy> {
        let document = PolicyDocument::parse(&self.text(), "fuzz.toml").expect("the vocabulary is TOML");
        Policy::compile(&document).ok()
    }

    fn text(&self) -> String {
        let mut text = format!("[environments.default]\nnetwork = \"{}\"\n", self.level);
        let mut list = |key: &str, list: &[&str]| {
            if !list.is_empty() {
                writeln!(text, "{key} = {list:?}").expect("a string takes all");
            }
        };
        list("allowed_domains", &self.allowed);
        list("always_reachable", &self.always);
        list("tunnelled_domains", &self.tunnelled);
        list(
            "allowed_addresses",
            if self.addresses { &["10.0.0.0/8"] } else { &[] },
        );
        if self.include_trusted {
            text.push_str("include_trusted = true\n");
        }
        for rule in &self.rules {
            rule.write(&mut text);
        }
        text
    }
}

impl Rule {
    fn choose(choices: &mut Choices<'_>) -> Self {
        Self {
            host: choices.one(&PATTERNS),
            methods: choices.some(2, &METHODS),
            paths: choices.some(2, &GLOBS),
            allow: choices.below(3) > 0,
        }
    }

    fn write(&self, text: &mut String) {
        let action = if self.allow { "allow" } else { "deny" };
        writeln!(
            text,
            "[[environments.default.rules]]\nhost = {:?}\naction = \"{action}\"",
            self.host
        )
        .expect("a string takes all");
        for (key, list) in [("methods", &self.methods), ("paths", &self.paths)] {
            if !list.is_empty() {
                writeln!(text, "{key} = {list:?}").expect("a string takes all");
            }
        }
    }
}

fn requests(choices: &mut Choices<'_>) -> Vec<(&'static str, String)> {
    let one = |choices: &mut Choices<'_>| {
        let (host, port, path) = (
            choices.one(&HOSTS),
            choices.one(&["", ":8443"]),
            choices.one(&PATHS),
        );
        (choices.one(&METHODS), format!("https://{host}{port}{path}"))
    };
    (0..8).map(|_| one(choices)).collect()
}

fn allows(policy: &Policy, method: &str, url: &str) -> bool {
    matches!(policy.check(None, method, url), Ok(Checked::Allow { .. }))
}
