//! What sessions did at GitHub, replayed against stricter rules: what is listed is what a live run of the same script is then refused,
//! and what no log tells is said to be so.

use std::collections::BTreeSet;
use std::path::Path;

use outwall_tests::Outwall;
use serde_json::Value;

use super::{Desk, POLICY};

/// Sessions that reach what is public, too.
fn policy(rules: &str) -> String {
    let reaching = "network = \"custom\"\nallowed_domains = [\"github.com\", \"api.github.com\", \"raw.githubusercontent.com\"]";
    let policy = POLICY.replace("network = \"none\"", reaching);
    format!("{policy}\n[github.sessions]\n{rules}\n")
}

/// Git, REST, GraphQL, what is public, and where GitHub leads. Everything is asked for whatever was answered before.
const SCRIPT: &str = r#"
api() { curl -sS -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $GH_TOKEN" "$@"; }
rest() { method=$1; path=$2; shift 2; api -X "$method" -H 'Content-Type: application/json' "https://api.github.com/$path" "$@"; }
commit one new.txt; git push -q origin HEAD
commit two new.txt; git push -q origin HEAD
git fetch -q
rest GET repos/acme/app
rest PATCH repos/acme/app/git/refs/heads/outwall/x -d "{\"sha\":\"$(git rev-parse HEAD)\",\"force\":true}"
rest POST repos/acme/app/issues -d '{"title":"An issue"}'
rest POST repos/acme/app/pulls -d '{"title":"T","head":"outwall/x","base":"main"}'
rest GET repos/acme/app/pulls
rest POST graphql -d '{"query":"query Numbers { repository(owner: \"acme\", name: \"app\") { pullRequests(first: 2) { nodes { number } } } }"}'
rest POST graphql -d '{"query":"query Name { repository(owner: \"acme\", name: \"app\") { name } }"}'
rest GET repos/acme/app/tarball/main -L
rest GET repos/acme/lib/tarball/main -L
rest PUT repos/acme/app/pulls/1/merge -d '{}'
curl -sS https://raw.githubusercontent.com/acme/lib/main/lib.txt
git push -q origin --delete outwall/x
exit 0
"#;

/// What is refused at a desk: host, request, what it would do, and why not.
fn refused(denied: &[Value]) -> BTreeSet<String> {
    denied
        .iter()
        .map(|event| key(event, &event["github"]["actions"]))
        .collect()
}

/// The same of what is replayed.
fn listed(changes: &Value) -> BTreeSet<String> {
    let changes = changes.as_array().unwrap();
    changes
        .iter()
        .map(|change| key(change, &change["does"]))
        .collect()
}

fn key(record: &Value, does: &Value) -> String {
    let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
    let path = text("path").split('?').next().unwrap_or_default().to_owned();
    let does = does.as_array().into_iter().flatten().filter_map(Value::as_str);
    let does: Vec<&str> = does
        .map(|one| one.split(": ").next().unwrap_or_default())
        .collect();
    format!(
        "{} {} {path} {} [{}]",
        text("target"),
        text("method"),
        text("reason"),
        does.join(", ")
    )
}

fn replay(of: &Outwall, config: &Path, code: i32) -> Value {
    crate::suggesting::replay(of, config, code)
}

const WIDE: &str = "delete_branch = true\ncreate_issues = true";

#[test]
fn what_is_replayed_is_what_a_live_session_is_then_refused() {
    let Some(mut desk) = Desk::at(&policy(WIDE)) else {
        return;
    };
    desk.work(SCRIPT).succeeded();
    let strict = "pull_requests = \"none\"\npublic_repositories = \"none\"";
    let before = desk.turn_to(&policy(strict));
    desk.work(SCRIPT).succeeded();
    let after = &desk.outwall;

    let (was, is) = (
        refused(&before.audit_with(&["--denied"])),
        refused(&after.audit_with(&["--denied"])),
    );
    let newly: BTreeSet<String> = is.difference(&was).cloned().collect();
    let replayed = replay(&before, &after.policy_file(), 1);
    assert_eq!(listed(&replayed["newly_refused"]), newly, "{replayed:#}");
    assert_eq!(listed(&replayed["undecidable"]), BTreeSet::new(), "{replayed:#}");
    assert_eq!(
        listed(&replayed["newly_allowed"]),
        BTreeSet::new(),
        "{replayed:#}"
    );
    assert_eq!(
        (was.len(), newly.len(), &replayed["not_asked"]),
        (1, 7, &Value::from(1)),
        "{newly:#?}"
    );

    // What was refused live would pass under what was in force before.
    let back = replay(after, &before.policy_file(), 0);
    assert_eq!(listed(&back["newly_allowed"]), newly, "{back:#}");

    for (which, same) in [(&before, &was), (after, &is)] {
        let twin = replay(which, &which.policy_file(), 0);
        for changes in ["newly_refused", "newly_allowed", "undecidable"] {
            assert_eq!(listed(&twin[changes]), BTreeSet::new(), "{twin:#}");
        }
        assert!(
            twin["still_refused"].as_u64().unwrap() >= same.len() as u64,
            "{twin:#}"
        );
        assert!(twin["still_allowed"].as_u64().unwrap() > 5, "{twin:#}");
    }
    let config = after.policy_file();
    let table = before
        .run(&["--config", config.to_str().unwrap(), "policy", "replay"])
        .exited_with(1)
        .stdout;
    let told = "(delete refs/heads/outwall/x of acme/app)  github-ref-refused";
    assert!(
        table.contains(told) && table.contains("`delete_branch = true` in [github.sessions]"),
        "{table}"
    );
}

#[test]
fn whether_a_push_forced_is_told_only_where_a_gate_looked() {
    let Some(mut desk) = Desk::at(&policy("")) else {
        return;
    };
    let script = "commit 1 new.txt; git push -q; git tag one; commit 2 new.txt; git push -q\n\
        git checkout -q --detach one; commit 3 new.txt; git push -q --force origin HEAD:outwall/x; exit 0";
    desk.work(script).succeeded();
    let before = desk.turn_to(&policy("force_push = false"));
    desk.work(script).succeeded();
    let after = &desk.outwall;

    let replayed = replay(&before, &after.policy_file(), 0);
    let untold =
        "github.com:443 POST /acme/app/git-receive-pack forward [update refs/heads/outwall/x of acme/app]";
    assert_eq!(
        listed(&replayed["undecidable"]),
        [untold.to_owned()].into(),
        "{replayed:#}"
    );
    assert_eq!(
        replayed["undecidable"][0]["times"], 2,
        "one moved it forward, and the other did not"
    );

    let denied = after.audit_with(&["--denied"]);
    let forced = "github.com:443 POST /acme/app/git-receive-pack github-ref-refused [force refs/heads/outwall/x of acme/app]";
    assert!(refused(&denied).contains(forced), "{denied:#?}");
    let twin = replay(after, &after.policy_file(), 0);
    for changes in ["newly_refused", "newly_allowed", "undecidable"] {
        assert_eq!(listed(&twin[changes]), BTreeSet::new(), "{twin:#}");
    }
    let back = replay(after, &before.policy_file(), 0);
    assert_eq!(
        listed(&back["newly_allowed"]),
        [forced.to_owned()].into(),
        "{back:#}"
    );
    assert_eq!(listed(&back["undecidable"]), BTreeSet::new(), "{back:#}");
}

#[test]
fn where_nothing_is_pushed_git_does_not_get_as_far_as_the_log_does() {
    let Some(mut desk) = Desk::at(&policy("")) else {
        return;
    };
    let script = "commit 1 new.txt; git push -q; exit 0";
    desk.work(script).succeeded();
    let before = desk.turn_to(&policy("push = \"none\""));
    desk.work(script).succeeded();
    let live = refused(&desk.outwall.audit_with(&["--denied"]));
    let replayed = replay(&before, &desk.outwall.policy_file(), 1);
    let listed = listed(&replayed["newly_refused"]);
    assert!(
        !live.is_empty() && listed.is_superset(&live),
        "{live:?} {listed:?}"
    );
    let beyond: Vec<&String> = listed.difference(&live).collect();
    let pushed = "github.com:443 POST /acme/app/git-receive-pack github-ref-refused [create refs/heads/outwall/x of acme/app]";
    assert_eq!(beyond, [pushed]);
}
