//! No text makes the reader of policies panic; errors point into the text; a policy that compiles does so with every `--network`, and
//! `--network none` leaves nothing reachable but `always_reachable`; and the self-check, which reads the document in another way,
//! agrees with every policy that compiles.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_policy::{Checked, NetworkLevel, Overrides, Policy, PolicyDocument, RuleName};

const URLS: [&str; 6] = [
    "https://example.com/",
    "https://a.example.com/v1/x",
    "http://pypi.org/",
    "https://db.example.com:5432/",
    "https://10.20.0.1/",
    "https://[::1]/",
];

fuzz_target!(|text: &str| {
    let document = match PolicyDocument::parse(text, "fuzz.toml") {
        Ok(document) => document,
        Err(errors) => {
            assert!(!errors.problems().is_empty());
            let lines = text.split('\n').count();
            for problem in errors.problems() {
                assert!(
                    problem.line().is_none_or(|line| (1..=lines).contains(&line)),
                    "{problem}"
                );
                assert!(!problem.remedy().is_empty(), "{problem}");
            }
            return;
        }
    };
    let Ok(policy) = Policy::compile(&document) else {
        return;
    };
    if let Err(error) = policy.self_check(&document, &[], text.len() as u64, || false) {
        panic!("{error}");
    }
    for environment in policy.environments() {
        shut(&document, environment.name().as_str());
    }
});

fn shut(document: &PolicyDocument, environment: &str) {
    for level in [NetworkLevel::Trusted, NetworkLevel::Full] {
        at_level(document, environment, level);
    }
    let policy = at_level(document, environment, NetworkLevel::None);
    for url in URLS {
        if let Ok(Checked::Allow { rule, .. }) = policy.check(Some(environment), "GET", url) {
            let by_exception = matches!(rule, RuleName::AlwaysReachable(_) | RuleName::Rule { .. });
            assert!(by_exception, "{url} is reachable at level none by {rule}");
        }
    }
}

fn at_level(document: &PolicyDocument, environment: &str, level: NetworkLevel) -> Policy {
    let overrides = Overrides {
        network: Some(level),
        ..Overrides::default()
    };
    let document = document.with_overrides(Some(environment), &overrides);
    let document = document.unwrap_or_else(|errors| panic!("--network {level:?} in {environment}: {errors}"));
    Policy::compile(&document)
        .unwrap_or_else(|errors| panic!("--network {level:?} in {environment}: {errors}"))
}
