#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use super::*;
use crate::Blocklist;
use crate::matcher::planted::{self, Bug};

const COMPLETE: &str = include_str!("../document/complete.toml");
const CUSTOM: &str = "[environments.a]\nnetwork = \"custom\"\n\
    allowed_domains = [\"one.test\", \"*.Wild.test\", \"b\u{fc}cher.test\", \"192.0.2.7\", \"last.test:8443\"]\n";

fn document(text: &str) -> PolicyDocument {
    let mut document = PolicyDocument::parse(text, "test.toml").unwrap();
    let lists: Vec<String> = document.blocklists().map(str::to_owned).collect();
    for path in lists {
        document.add_blocklist(&path, Blocklist::parse(b"ads.test\n192.0.2.7\n", &path));
    }
    document
}

fn checked(document: &PolicyDocument, policy: &Policy) -> Result<SelfChecked, SelfCheckError> {
    (0..8)
        .map(|seed| policy.self_check(document, &[], seed, || false))
        .next_back()
        .unwrap()
}

fn check(text: &str) -> Result<SelfChecked, SelfCheckError> {
    let document = document(text);
    checked(&document, &Policy::compile(&document).unwrap())
}

/// The policy of one text, asked about another.
fn mixed_up(asked: &str, compiled: &str) -> SelfCheckError {
    checked(&document(asked), &Policy::compile(&document(compiled)).unwrap()).unwrap_err()
}

#[test]
fn right_policies_pass_and_are_asked_about_everything() {
    for text in [
        "",
        COMPLETE,
        CUSTOM,
        "[environments.a]\nnetwork = \"none\"\n",
        "[environments.a]\nnetwork = \"full\"\nalways_reachable = [\"x.test:8443\"]\n",
        // Entries within, above and beside each other, so that a trick is no trick.
        "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"*.test\", \"test\", \"a.test\", \"*.a.test\", \"*.invalid\"]\n",
        "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"EXAMPLE.test.\", \"example.test\", \"*.Example.TEST:22\"]\n",
        "[environments.a]\nallowed_addresses = [\"10.0.0.0/8\", \"127.0.0.0/8\", \"169.254.169.254\"]\n",
        "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"a.test\"]\n[[environments.a.rules]]\nhost = \"*.test\"\naction = \"deny\"\n\
         [[environments.a.rules]]\nhost = \"a.test\"\naction = \"allow\"\n",
        "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"a.test\"]\n[origins]\nhosts = { \"a.test\" = \"127.0.0.1:1\" }\n",
    ] {
        let outcome = check(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(
            outcome.asked > 2 && outcome.left_out == 0,
            "{outcome:?} for {text}"
        );
    }
}

#[test]
fn no_matcher_with_a_planted_bug_passes() {
    for bug in planted::ALL {
        let outcome = planted::with(bug, || check(CUSTOM));
        assert!(outcome.is_err(), "{bug:?} passes");
    }
    let only_wildcard = "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"*.wild.test\"]\n";
    for bug in [
        Bug::SuffixWithoutDot,
        Bug::WildcardIncludesApex,
        Bug::WildcardOfOneLabel,
    ] {
        assert!(
            planted::with(bug, || check(only_wildcard)).is_err(),
            "{bug:?} passes"
        );
        check(only_wildcard).unwrap();
    }
}

#[test]
fn a_compiler_that_grants_too_much_or_too_little_does_not_pass() {
    let custom = "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"a.test\"]\n";
    let trusted_too = format!("{custom}include_trusted = true\n");
    let none = "[environments.a]\nnetwork = \"none\"\n";
    let full = "[environments.a]\nnetwork = \"full\"\n";
    for (asked, compiled) in [
        (none, full),
        (custom, full),
        (full, custom),
        (&trusted_too, custom),
        (custom, none),
    ] {
        mixed_up(asked, compiled);
    }
}

#[test]
fn addresses_that_no_name_may_lead_to_are_asked_about() {
    let plain = "[environments.a]\nnetwork = \"trusted\"\n";
    for opened in [
        "169.254.169.254",
        "127.0.0.0/8",
        "10.0.0.0/8",
        "192.168.0.0/16",
        "fe80::/10",
    ] {
        let with_exception = format!("{plain}allowed_addresses = [\"{opened}\"]\n");
        check(&with_exception).unwrap();
        let error = mixed_up(plain, &with_exception).to_string();
        assert!(error.contains("is not to be reached by any name"), "{error}");
    }
    let own: IpAddr = "203.0.113.9".parse().unwrap();
    let document = document(plain);
    let mut policy = Policy::compile(&document).unwrap();
    assert!(
        policy.self_check(&document, &[own], 1, || false).is_err(),
        "nobody told the policy"
    );
    policy.refuse_addresses([own]);
    policy.self_check(&document, &[own], 1, || false).unwrap();
}

#[test]
fn rules_that_do_not_narrow_or_forbid_too_much_do_not_pass() {
    let with = |rules: &str| {
        format!("[environments.a]\nnetwork = \"custom\"\nallowed_domains = [\"a.test\"]\n{rules}")
    };
    let rule = |methods: &str, paths: &str, action: &str| {
        with(&format!(
            "[[environments.a.rules]]\nhost = \"a.test\"\nmethods = [{methods}]\npaths = [{paths}]\naction = \"{action}\"\n"
        ))
    };
    let right = rule("\"GET\"", "\"/v1/**\"", "allow");
    check(&right).unwrap();
    mixed_up(&right, &with(""));
    mixed_up(&right, &rule("\"POST\"", "\"/v1/**\"", "allow"));
    mixed_up(&right, &rule("\"GET\"", "\"/v2/**\"", "allow"));
    mixed_up(&right, &rule("\"GET\"", "\"/**\"", "allow"));
    mixed_up(&right, &rule("\"GET\"", "\"/v1/**\"", "deny"));
}

#[test]
fn a_long_list_is_sampled_and_time_that_is_out_leaves_out_samples_only() {
    let names: Vec<String> = (0..20_000).map(|n| format!("\"host-{n}.test\"")).collect();
    let text = format!(
        "[environments.a]\nnetwork = \"custom\"\nallowed_domains = [{}]\n",
        names.join(", ")
    );
    let document = document(&text);
    let policy = Policy::compile(&document).unwrap();
    let all = policy.self_check(&document, &[], 3, || false).unwrap();
    assert!(all.asked < 2_000, "{all:?}");
    let hurried = policy.self_check(&document, &[], 3, || true).unwrap();
    assert!(hurried.asked >= 18 && hurried.left_out > 50, "{hurried:?}");
    assert!(
        hurried.asked + hurried.left_out < all.asked,
        "what takes a look at all entries is not derived"
    );
    for bug in [Bug::EverythingMatches, Bug::NothingMatches] {
        assert!(
            planted::with(bug, || policy.self_check(&document, &[], 3, || true)).is_err(),
            "{bug:?}"
        );
    }
}
