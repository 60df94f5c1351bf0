//! What a session did at its GitHub.

use outwall_policy::PolicyDocument;

use super::super::*;
use super::told;
use crate::traffic::tests::{line, traffic};

const SESSION: &str = r#""session":"github.com/acme/app#outwall/x""#;

fn policy(environment: &str, rules: &str) -> Policy {
    let text = format!(
        "[environments.test]\n{environment}\n[[credentials]]\nname = \"github\"\npreset = \"github\"\n\
         source = {{ env = \"T\" }}\nenvironments = []\n[[github]]\nhost = \"github.com\"\ncredential = \"github\"\n\
         [github.sessions]\n{rules}\n"
    );
    Policy::compile(&PolicyDocument::parse(&text, "new.toml").unwrap()).unwrap()
}

fn by(policy: &Policy, lines: &[String]) -> Replay {
    let mut replay = Replay::default();
    for passage in traffic(lines) {
        replay.add(policy, &"test".parse().unwrap(), &passage);
    }
    replay
}

fn replay(rules: &str, lines: &[String]) -> Replay {
    by(&policy("network = \"none\"", rules), lines)
}

fn texts(texts: &[&str]) -> String {
    serde_json::to_string(texts).unwrap()
}

fn fields((target, path): (&str, &str), operation: &str, actions: &[&str], more: &str) -> String {
    let actions = texts(actions);
    format!(
        r#",{SESSION},"target":"{target}","scheme":"https","method":"POST","path":"{path}","credential":"github","github":{{"repository":"github.com/acme/app","operation":"{operation}","actions":{actions}{more}}}"#
    )
}

const GIT: (&str, &str) = ("github.com:443", "/acme/app.git/git-receive-pack");
const API: (&str, &str) = ("api.github.com:443", "/repos/acme/app/x");
const BY_SESSION: &str = r#","decision":"allow","rule":"github \"github.com\"""#;

fn did(seq: usize, at: (&str, &str), operation: &str, actions: &[&str], more: &str) -> String {
    let fields = fields(at, operation, actions, more);
    line(seq, "exchange.going_out", &format!("{fields}{BY_SESSION}"))
}

fn back(seq: usize, of: usize, outcome: &str) -> String {
    let fields = format!(r#","for":"00-{of}","outcome":"{outcome}","status":200"#);
    line(seq, "exchange.came_back", &fields)
}

fn refused(seq: usize, reason: &str, operation: &str, actions: &[&str]) -> String {
    let fields = fields(GIT, operation, actions, "");
    let reason = format!(r#","decision":"deny","reason":"{reason}","message":"m""#);
    line(seq, "denied", &format!("{fields}{reason}"))
}

const PUSH: &str = "git-receive-pack";
const CREATE: &str = "create refs/heads/outwall/x of acme/app";
const UPDATE: &str = "update refs/heads/outwall/x of acme/app";
const DELETE: &str = "delete refs/heads/outwall/x of acme/app";
const FORCE: &str = "force refs/heads/outwall/x of acme/app";

#[test]
fn what_a_session_did_is_decided_by_the_proposed_rules() {
    let lines = [
        did(1, GIT, PUSH, &[CREATE], ""),
        did(2, GIT, PUSH, &[DELETE], ""),
        did(
            3,
            API,
            "pulls/create",
            &["open a pull request of acme/app:outwall/x in acme/app"],
            "",
        ),
        did(
            4,
            API,
            "query Pulls",
            &["read pull requests of acme/app", "read acme/app"],
            "",
        ),
        did(5, API, "repos/get", &["read acme/app"], ""),
    ];
    for (rules, expected) in [
        ("delete_branch = true", vec![]),
        ("", vec![format!("{PUSH} {DELETE} github-ref-refused")]),
        (
            "push = \"none\"\npull_requests = \"read\"",
            vec![
                "x open a pull request of acme/app:outwall/x in acme/app github-pull-request-refused"
                    .to_owned(),
                format!("{PUSH} {CREATE} github-ref-refused"),
                format!("{PUSH} {DELETE} github-ref-refused"),
            ],
        ),
        (
            "delete_branch = true\npull_requests = \"none\"",
            vec![
                "x open a pull request of acme/app:outwall/x in acme/app github-pull-request-refused"
                    .to_owned(),
                "x read pull requests of acme/app, read acme/app github-pull-request-refused".to_owned(),
            ],
        ),
    ] {
        let replay = replay(rules, &lines);
        let told: Vec<String> = replay.newly_refused.keys().map(short).collect();
        assert_eq!(told, expected, "{rules}");
        assert_eq!(
            replay.still_allowed,
            (lines.len() - expected.len()) as u64,
            "{rules}"
        );
        assert!(replay.undecidable.is_empty(), "{:?}", replay.undecidable);
    }
}

/// The last part of the path, what it does, and why not.
fn short(about: &About) -> String {
    let (_, path) = about.request.as_ref().unwrap();
    let door = path.rsplit('/').next().unwrap();
    format!("{door} {} {}", about.does.join(", "), about.reason)
}

#[test]
fn whether_a_push_forced_is_told_only_where_a_gate_looked() {
    let forward_only = "force_push = false";
    let looked = r#","moves":"forward""#;
    let of = |lines: &[String]| {
        let replay = replay(forward_only, lines);
        (replay.still_allowed, told(&replay.undecidable))
    };
    let untold = |reason| vec![format!("github.com:443 POST {} {reason} x1", GIT.1)];
    let push = |more| did(1, GIT, PUSH, &[UPDATE], more);
    assert_eq!(of(&[push(""), back(2, 1, "complete")]), (0, untold("forward")));
    assert_eq!(of(&[push(looked), back(2, 1, "complete")]), (1, vec![]));
    assert_eq!(of(&[push(looked), back(2, 1, "failed")]), (0, untold("forward")));
    assert_eq!(of(&[push(looked)]), (0, untold("forward")));
    // REST tells whether to force.
    let rest = did(1, API, "git/update-ref", &[UPDATE], "");
    assert_eq!(of(&[rest]), (1, vec![]));
    let forced = replay(forward_only, &[did(1, API, "git/update-ref", &[FORCE], "")]);
    assert_eq!(forced.newly_refused.len(), 1);
    // Where it does not matter, nobody needs to know.
    assert_eq!(replay("", &[push("")]).still_allowed, 1);
    assert_eq!(replay("push = \"none\"", &[push("")]).newly_refused.len(), 1);
}

#[test]
fn a_push_that_was_cut_off_is_one_refusal_whatever_its_end_comes_before() {
    let push = did(1, GIT, PUSH, &[UPDATE], r#","moves":"forward""#);
    let why = format!("{FORCE}: this session may not force-push");
    let denial = refused(2, "github-ref-refused", PUSH, &[&why]);
    let failed = back(3, 1, "failed");
    for lines in [
        [push.clone(), failed.clone(), denial.clone()],
        [push, denial, failed],
    ] {
        let same = replay("force_push = false", &lines);
        assert_eq!((same.still_refused, same.still_allowed), (1, 0));
        assert!(same.undecidable.is_empty() && same.newly_refused.is_empty());
        let wider = replay("force_push = true", &lines);
        assert_eq!(
            told(&wider.newly_allowed),
            [format!("github.com:443 POST {} github-ref-refused x1", GIT.1)]
        );
        assert_eq!(wider.still_allowed + wider.still_refused, 0);
    }
}

#[test]
fn what_was_refused_passes_where_the_rules_allow_it_and_what_nothing_allows_does_not() {
    let lines = [
        refused(
            1,
            "github-ref-refused",
            PUSH,
            &[&format!("{DELETE}: this session may not delete its branch")],
        ),
        refused(
            2,
            "github-ref-refused",
            PUSH,
            &["update refs/heads/main of acme/app: only refs/heads/outwall/x may be pushed in this session"],
        ),
        refused(
            3,
            "github-operation-refused",
            "pulls/merge",
            &["pulls/merge: no session may merge"],
        ),
        refused(4, "github-not-understood", PUSH, &[]).replace(r#","actions":[]"#, ""),
        line(
            5,
            "denied",
            &format!(
                r#",{SESSION},"target":"github.com:443","scheme":"https","method":"GET","path":"/acme/app/x","decision":"deny","reason":"github-not-understood""#
            ),
        ),
        line(
            6,
            "denied",
            &format!(
                r#",{SESSION},"target":"github.com:443","scheme":"https","method":"GET","path":"/acme/app/x","decision":"deny","reason":"github-token-unfit""#
            ),
        ),
    ];
    let replay = replay("delete_branch = true", &lines);
    assert_eq!(
        replay
            .newly_allowed
            .keys()
            .map(|about| about.does.join(", "))
            .collect::<Vec<_>>(),
        [DELETE]
    );
    assert_eq!(replay.still_refused, 4);
    assert_eq!(
        told(&replay.undecidable),
        ["github.com:443 GET /acme/app/x not-asked-again x1"]
    );
}

#[test]
fn more_than_a_record_holds_is_refused_for_what_it_holds_or_not_told() {
    let many = vec!["read acme/app"; 64];
    let mut refused = many.clone();
    refused[0] = DELETE;
    let of = |rules: &str, actions: &[&str]| replay(rules, &[did(1, API, "mutation a, b", actions, "")]);
    assert_eq!(of("", &refused).newly_refused.len(), 1);
    let untold = of("delete_branch = true", &refused);
    assert_eq!(
        told(&untold.undecidable),
        ["api.github.com:443 POST /repos/acme/app/x github x1"]
    );
    assert_eq!(of("", &many[1..]).still_allowed, 1);
}

#[test]
fn what_is_public_needs_a_rule_and_an_environment_that_reaches_the_host() {
    let lines = [did(1, API, "repos/get", &["read acme/lib"], "")];
    let reaching = "network = \"custom\"\nallowed_domains = [\"api.github.com\"]";
    let of = |environment: &str, rules: &str| {
        let replay = by(&policy(environment, rules), &lines);
        (replay.still_allowed, replay.newly_refused.len())
    };
    assert_eq!(of(reaching, ""), (1, 0));
    assert_eq!(of("network = \"none\"", ""), (0, 1));
    assert_eq!(of(reaching, "public_repositories = \"none\""), (0, 1));
}

#[test]
fn what_github_led_to_is_allowed_as_what_led_there() {
    let stored = ("objects.githubusercontent.com:443", "/1");
    let rule = r#""rule":"github \"github.com\", which led there""#;
    let led = |from: &str| {
        let line = did(1, stored, "git-lfs download", &["read acme/lib"], from);
        vec![line.replace(r#""rule":"github \"github.com\"""#, rule)]
    };
    let from_api = led(r#","led_from":"api.github.com:443""#);
    let reaching = policy("network = \"custom\"\nallowed_domains = [\"api.github.com\"]", "");
    assert_eq!(by(&reaching, &from_api).still_allowed, 1);
    let from_web = by(&reaching, &led(r#","led_from":"github.com:443""#));
    assert_eq!((from_web.not_asked, from_web.newly_refused.len()), (1, 0));
    assert_eq!(
        told(&by(&reaching, &led("")).undecidable),
        ["objects.githubusercontent.com:443 POST /1 github x1"]
    );
}

#[test]
fn without_such_a_github_the_hosts_are_like_others() {
    let document = "[environments.test]\nnetwork = \"none\"\n";
    let policy = Policy::compile(&PolicyDocument::parse(document, "new.toml").unwrap()).unwrap();
    let replay = by(&policy, &[did(1, API, "repos/get", &["read acme/app"], "")]);
    assert_eq!(
        told(&replay.newly_refused),
        ["api.github.com:443 network-none x1"]
    );
}
