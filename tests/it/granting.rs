//! `outwall policy allow`: a sandbox that runs reaches one host more, from another terminal, and for as long as it was said.

use std::time::{Duration, Instant};

use outwall_tests::{Outwall, TestOrigin};

use crate::outwall;
use crate::reload::ASKING;

const HOST: &str = "api.example.test";
const OTHER: &str = "other.example.test";

fn story(origin: &TestOrigin) -> Outwall {
    outwall()
        .allowing(&[HOST])
        .origin(HOST, origin)
        .origin(OTHER, origin)
}

#[test]
fn a_grant_reaches_the_sandbox_that_runs_and_is_gone_when_it_is_taken_back() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let sandbox = outwall.start_sandbox(&["--quiet"], &["sh", "-c", ASKING]);
    sandbox.wait_for_output("api 200\nother 403\n");

    let granted = outwall.run(&["policy", "allow", OTHER]).succeeded();
    assert!(
        granted.stdout.contains("granted other.example.test"),
        "{granted:?}"
    );
    sandbox.wait_for_output("other 403\nother 200\n");
    let list = outwall.run(&["policy", "allow", "--list"]).succeeded();
    assert!(
        list.stdout.contains(OTHER) && list.stdout.contains("the gate ends"),
        "{list:?}"
    );

    // It stands beside whatever the file says.
    let outwall = outwall.allowing(&["third.example.test"]);
    sandbox.wait_for_output("api 403\n");
    assert!(!sandbox.has_said("other 200\nother 403\n"));

    outwall.run(&["policy", "deny", OTHER]).succeeded();
    sandbox.wait_for_output("api 403\nother 403\n");
    let again = outwall.run(&["policy", "deny", OTHER]).exited_with(1);
    assert!(again.stderr.contains("nobody granted"), "{again:?}");
    outwall.write_work_file("stop", "");
    sandbox.finish().succeeded();

    let made = outwall.audit_of("grant.made");
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["target"], OTHER);
    assert!(
        made[0]["message"].as_str().unwrap().contains("by user"),
        "{made:?}"
    );
    let ended = outwall.audit_of("grant.ended");
    assert_eq!((ended.len(), ended[0]["outcome"].as_str()), (1, Some("revoked")));
    let sent = outwall.audit_of("exchange.going_out");
    let by_grant = |event: &&serde_json::Value| {
        event["rule"]
            .as_str()
            .is_some_and(|rule| rule.starts_with("granted"))
    };
    assert!(sent.iter().any(|event| by_grant(&event)));
}

#[test]
fn a_grant_ends_by_itself_and_ends_what_runs_over_it() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let gate = outwall.gate();
    let client = gate.client();
    // A busy machine takes its time to ask.
    let asked = ["2s", "8s", "30s"].into_iter().find_map(|span| {
        outwall
            .run(&["policy", "allow", OTHER, "--for", span])
            .succeeded();
        let response = client.try_get(&format!("https://{OTHER}/sse?count=2000&ms=50"));
        response.ok().filter(|response| response.status() == 200)
    });
    let mut events = asked.expect("the grant counts");
    let started = Instant::now();
    while let Ok(Some(_)) = events.piece() {
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "the grant does not end"
        );
    }
    assert_eq!(gate.client().get(&format!("http://{OTHER}/")).status(), 403);
    assert_eq!(gate.client().get(&format!("http://{HOST}/")).status(), 200);
    let ended = outwall.audit_of("grant.ended");
    assert!(
        ended.iter().all(|event| event["outcome"] == "expired"),
        "{ended:?}"
    );
    // One that was given again while it counted has no end of its own.
    let made = outwall.audit_of("grant.made").len();
    assert!((1..=made).contains(&ended.len()), "{made} made: {ended:?}");
}

#[test]
fn who_is_not_meant_is_not_granted_anything_and_it_is_said_who_runs() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let nobody = outwall.run(&["policy", "allow", OTHER]).exited_with(1);
    assert!(nobody.stderr.contains("no gate runs"), "{nobody:?}");
    let sandbox = outwall.start_sandbox(&["--quiet"], &["sh", "-c", ASKING]);
    sandbox.wait_for_output("api 200\nother 403\n");
    for wrong in [["--environment", "elsewhere"], ["--sandbox", "s-00000000"]] {
        let refused = outwall
            .run(&[&["policy", "allow", OTHER], &wrong[..]].concat())
            .exited_with(1);
        assert!(
            refused.stderr.contains("(test)"),
            "names the one that runs: {refused:?}"
        );
    }
    for wrong in ["https://a.test/", "*", "a b"] {
        outwall.run(&["policy", "allow", wrong]).exited_with(2);
    }
    let id = outwall.audit_of("sandbox.started")[0]["sandbox"]
        .as_str()
        .unwrap()
        .to_owned();
    outwall
        .run(&["policy", "allow", OTHER, "--sandbox", &id])
        .succeeded();
    sandbox.wait_for_output("other 403\nother 200\n");
    outwall.write_work_file("stop", "");
    sandbox.finish().succeeded();
    assert_eq!(outwall.audit_of("grant.made").len(), 1);
}

#[test]
fn level_none_is_opened_only_by_who_says_so_and_storage_is_warned_about() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let sandbox = outwall.start_sandbox(&["--quiet", "--network", "none"], &["sh", "-c", ASKING]);
    sandbox.wait_for_output("api 403\nother 403\n");
    let refused = outwall.run(&["policy", "allow", OTHER]).exited_with(1);
    assert!(refused.stderr.contains("--although-none"), "{refused:?}");
    outwall
        .run(&["policy", "allow", OTHER, "--although-none"])
        .succeeded();
    sandbox.wait_for_output("api 403\nother 403\nother 200\n");
    let warned = outwall
        .run(&["policy", "allow", "*.amazonaws.com", "--although-none"])
        .succeeded();
    assert!(warned.stdout.contains("anybody can rent"), "{warned:?}");
    outwall.write_work_file("stop", "");
    sandbox.finish().succeeded();
}

#[test]
fn the_control_socket_is_not_seen_in_the_sandbox() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let state = outwall.state_dir().display().to_string();
    let look =
        format!("ls {state}/control 2>/dev/null && echo seen; test -e {state} && echo there; echo done");
    let inside = outwall.shell(&["--quiet"], &look).succeeded();
    assert_eq!(inside.stdout, "done\n");
    let gate = outwall.gate();
    let outside = std::fs::read_dir(outwall.state_dir().join("control")).unwrap();
    assert_eq!(outside.count(), 1, "it is there for its user");
    gate.stop().succeeded();
    for mount in [state.clone(), format!("{state}/control")] {
        let refused = outwall.sandbox(&["--quiet", "--mount", &mount], &["true"]);
        assert_eq!(refused.code(), 125, "{refused:?}");
    }
}

#[test]
fn policy_check_without_a_url_checks_the_file() {
    let origin = TestOrigin::start();
    let outwall = story(&origin);
    let good = outwall.run(&["policy", "check"]).succeeded();
    assert!(good.stdout.contains("the policy is good"), "{good:?}");
    let wrong = outwall.write_work_file(
        "wrong.toml",
        "[environments.a]\nnetwrok = 1\nnetwork = \"ful\"\n[origins]\nresolver = 5\n",
    );
    let said = outwall
        .run(&["policy", "check", "--config", wrong.to_str().unwrap()])
        .exited_with(1);
    for line in ["wrong.toml:2", "wrong.toml:3", "wrong.toml:5"] {
        assert!(said.stderr.contains(line), "{said:?}");
    }
    let missing = outwall.write_work_file("roots.toml", "[origins]\nextra_roots = [\"nowhere.pem\"]\n");
    outwall
        .run(&["policy", "check", "--config", missing.to_str().unwrap()])
        .exited_with(1);
}
