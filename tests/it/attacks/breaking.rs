//! Policies that take a defence away, or allow on purpose what an attack tries: the rows must tell.

use outwall_tests::namespaces_available;

use super::Ran;
use crate::outwall;

fn under(environment: &str) -> Option<Ran> {
    namespaces_available("attacks under another policy").then(|| {
        let policy = format!("[environments.default]\n{environment}");
        Ran::of("an ordinary user", &outwall().policy(&policy).as_ordinary_user())
    })
}

#[test]
fn an_exception_for_loopback_lets_a_name_through_to_it_and_the_check_fails() {
    let Some(ran) = under("network = \"trusted\"\nallowed_addresses = [\"127.0.0.0/8\"]\n") else {
        return;
    };
    for class in [
        "name-to-loopback",
        "name-to-mapped",
        "mixed-answers",
        "rebinding-between-connections",
    ] {
        assert_eq!(ran.row(class)["outcome"], "through", "{}", ran.row(class));
    }
    assert_eq!(
        ran.row("name-to-private")["outcome"],
        "held",
        "the others hold still"
    );
    assert_eq!(ran.finished.code(), 1);
}

#[test]
fn a_rule_that_allows_everything_lets_paths_through() {
    let rule = "\n[[environments.default.rules]]\nhost = \"*.attack.outwall.test\"\naction = \"allow\"\n";
    let Some(ran) = under(&format!("network = \"trusted\"\n{rule}")) else {
        return;
    };
    for class in [
        "method-that-no-rule-allows",
        "path-that-no-rule-allows",
        "dots-in-a-path",
        "policy-after-reload",
    ] {
        assert_eq!(ran.row(class)["outcome"], "through", "{}", ran.row(class));
    }
    assert_eq!(ran.row("two-hosts")["outcome"], "held");
    assert_eq!(ran.finished.code(), 1);
}

/// What was narrowed is narrowed by the environment, not by luck: with `trusted_writes` the rows say that it is allowed.
#[test]
fn writes_that_the_environment_allows_are_no_failure() {
    let Some(ran) = under("network = \"trusted\"\ntrusted_writes = true\n") else {
        return;
    };
    for class in ["files-for-another-account", "presigned-upload", "gist"] {
        assert_eq!(ran.row(class)["outcome"], "allowed", "{}", ran.row(class));
    }
    assert_eq!(ran.row("no-credential")["outcome"], "held");
    assert_eq!(ran.finished.code(), 0);
}

#[test]
fn namespaces_that_the_environment_allows_are_no_failure_and_lead_nowhere() {
    let Some(ran) = under("network = \"full\"\nnested_namespaces = true\n") else {
        return;
    };
    assert_eq!(ran.row("child-user-namespace")["outcome"], "allowed");
    assert_eq!(
        ran.row("apex-of-a-wildcard")["outcome"],
        "allowed",
        "any name is, at this level"
    );
    let others: Vec<_> = ran
        .rows()
        .filter(|row| row["outcome"] != "held" && row["outcome"] != "allowed")
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(ran.finished.code(), 0);
}

#[test]
fn nothing_gets_through_where_there_is_no_network() {
    let Some(ran) = under("network = \"none\"\n") else {
        return;
    };
    let failed: Vec<_> = ran.rows().filter(|row| row["outcome"] != "held").collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn an_environment_that_is_not_there_is_an_error_and_no_attack() {
    let finished = outwall().run(&["doctor", "--attack", "--environment", "wbe"]);
    assert_eq!(finished.code(), 1);
    assert!(
        finished.stderr.contains("there is no environment `wbe`"),
        "{finished:?}"
    );
}
