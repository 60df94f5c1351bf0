//! Policy files: what is wrong with one is said in full, and only one that the operator
//! chose counts.

use insta::assert_snapshot;
use outwall_tests::{Finished, filters};

use crate::outwall;

fn check(policy: &str, url: &str) -> Finished {
    outwall().policy(policy).run(&["policy", "check", url])
}

/// What is said of a file that is wrong.
fn complaint(policy: &str) -> String {
    check(policy, "https://pypi.org/").exited_with(1).stderr
}

#[test]
fn a_request_is_answered_with_its_rule_or_its_reason_and_by_the_exit_code() {
    let policy = "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"api.example.test\"]\n";
    let allowed = check(policy, "https://api.example.test/v1").exited_with(0);
    assert!(allowed.stdout.contains("allow"), "{allowed:?}");
    assert!(
        allowed.stdout.contains("allowed_domains \"api.example.test\""),
        "{allowed:?}"
    );
    let denied = check(policy, "https://other.example.test/v1").exited_with(3);
    assert!(denied.stdout.contains("host-not-allowed"), "{denied:?}");
    assert!(denied.stdout.contains("other.example.test"), "{denied:?}");
}

#[test]
fn one_denied_among_many_decides_the_exit_code() {
    let outwall = outwall().allowing(&["a.example.test", "b.example.test"]);
    let both = [
        "policy",
        "check",
        "https://a.example.test/",
        "https://b.example.test/",
    ];
    outwall.run(&both).exited_with(0);
    let one_is_not = [
        "policy",
        "check",
        "https://a.example.test/",
        "https://c.example.test/",
    ];
    outwall.run(&one_is_not).exited_with(3);
}

#[test]
fn without_a_file_the_trusted_list_is_reachable_and_nothing_else() {
    let outwall = outwall();
    outwall
        .run(&[
            "policy",
            "check",
            "https://pypi.org/simple/",
            "https://registry.npmjs.org/",
        ])
        .exited_with(0);
    outwall
        .run(&["policy", "check", "https://example.com/"])
        .exited_with(3);
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line() {
    let text = complaint("[environments.web]\nnetwork = \"custom\"\nallowed_domain = [\"a.example.test\"]\n");
    assert!(text.contains("policy.toml") && text.contains(":3"), "{text}");
    assert!(text.contains("allowed_domain"), "{text}");
    assert!(
        text.contains("allowed_domains"),
        "the remedy names the right key: {text}"
    );
}

#[test]
fn allowed_domains_with_another_level_than_custom_names_the_remedy() {
    let text =
        complaint("[environments.web]\nnetwork = \"trusted\"\nallowed_domains = [\"a.example.test\"]\n");
    assert!(text.contains("include_trusted"), "{text}");
    assert!(text.contains("custom"), "{text}");
}

#[test]
fn a_broken_file_stops_a_gate_before_it_listens() {
    let outwall = outwall().policy("[environments.web\n");
    let finished = outwall.run(&["proxy", "--listen", "127.0.0.1:0"]).exited_with(1);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("policy.toml"), "{finished:?}");
}

#[test]
fn a_broken_file_stops_a_run_with_a_code_that_is_not_the_commands() {
    let outwall = outwall().policy("default_environment = 7\n");
    outwall.sandbox(&[], &["true"]).exited_with(125);
}

#[test]
fn a_file_that_was_named_and_is_missing_is_an_error_and_not_the_next_file() {
    let outwall = outwall();
    outwall.write_work_file("outwall.toml", "[environments.default]\nnetwork = \"full\"\n");
    let missing = outwall.run(&["--config", "nowhere.toml", "policy", "check", "https://pypi.org/"]);
    assert!(missing.exited_with(1).stderr.contains("nowhere.toml"));
}

#[test]
fn a_projects_file_counts_once_it_is_trusted_and_until_it_changes() {
    let outwall = outwall();
    let wide = "[environments.default]\nnetwork = \"full\"\n";
    outwall.write_work_file("outwall.toml", wide);
    let ask = || outwall.run(&["policy", "check", "https://example.com/"]);

    let ignored = ask().exited_with(3);
    assert_eq!(ignored.stderr.lines().count(), 1, "one line says so: {ignored:?}");
    assert!(ignored.stderr.contains("outwall trust"), "{ignored:?}");

    outwall.run(&["trust"]).exited_with(0);
    let counts = ask().exited_with(0);
    assert_eq!(counts.stderr, "");

    outwall.write_work_file("outwall.toml", &format!("{wide}# one byte more\n"));
    ask().exited_with(3);
}

#[test]
fn init_writes_a_file_that_parses_and_is_not_overwritten() {
    let outwall = outwall();
    outwall.run(&["init"]).exited_with(0);
    let written = outwall.work_dir().join("outwall.toml");
    assert!(written.exists());
    let named = [
        "--config",
        written.to_str().unwrap(),
        "policy",
        "check",
        "https://pypi.org/",
    ];
    outwall.run(&named).exited_with(0);
    let again = outwall.run(&["init"]);
    assert_ne!(again.code(), 0, "{again:?}");
}

#[test]
fn show_lists_every_entry_with_where_it_comes_from() {
    let outwall = outwall().policy(
        "default_environment = \"api\"\n\n[environments.api]\nnetwork = \"custom\"\nallowed_domains = [\"api.example.test\"]\ninclude_trusted = true\n",
    );
    let shown = outwall.run(&["policy", "show"]).succeeded().stdout;
    let of = |host: &str| {
        shown
            .lines()
            .find(|line| line.contains(host))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(of("api.example.test").contains("allowed_domains"), "{shown}");
    assert!(of("pypi.org").contains("trusted"), "{shown}");
    assert!(shown.lines().count() > 200, "{shown}");
}

#[test]
fn an_environment_that_nobody_wrote_is_an_error_that_lists_the_others() {
    let outwall = outwall().allowing(&["api.example.test"]);
    let finished = outwall
        .run(&["policy", "show", "--environment", "prod"])
        .exited_with(1);
    assert!(
        finished.stderr.contains("prod") && finished.stderr.contains("test"),
        "{finished:?}"
    );
}

#[test]
fn a_complaint_reads_like_this() {
    let text = complaint("[environments.web]\nnetwork = \"trustd\"\n");
    insta::with_settings!({ filters => filters() }, { assert_snapshot!(text, @r#"
        error: [STORY]/policy.toml:2: `network` is "trustd", which it cannot be
        hint: write one of "none", "trusted", "full", "custom"
        "#); });
}
