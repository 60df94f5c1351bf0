use super::*;
use crate::traffic::tests::{denied as denied_line, line, request, traffic};

fn wanted() -> Wanted {
    Wanted {
        name: "test".parse().unwrap(),
        trusted: TrustedInstead::Never,
        rules: RulesToo::No,
        denied: DeniedToo::No,
    }
}

fn suggest(wanted: &Wanted, lines: &[String]) -> Suggestion {
    let in_force = Policy::compile(&PolicyDocument::default()).unwrap();
    let mut suggester = Suggester::new(wanted.clone());
    for passage in traffic(lines) {
        suggester.add(&passage, &in_force);
    }
    suggester.suggest().unwrap()
}

/// The lines of the text that are no comments.
fn plain(toml: &str) -> Vec<&str> {
    let lines = toml.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect()
}

fn unread(seq: usize, target: &str, scheme: &str) -> String {
    let fields = format!(r#","target":"{target}","scheme":"{scheme}","decision":"allow","rule":"r""#);
    line(seq, "connection.going_out", &fields)
}

/// How many of these lines are refused when one entry after the other is taken out.
fn refused_without_each(toml: &str, lines: &[String]) -> Vec<(String, Vec<String>)> {
    let entry = |line: &&str| {
        line.trim_start().starts_with('"') || line.trim().trim_end_matches(',').parse::<u16>().is_ok()
    };
    let entries: Vec<&str> = toml.lines().filter(entry).collect();
    let without = |removed: &str| {
        let mut found = false;
        let kept = toml.lines().filter(|line| {
            let this = !found && *line == removed;
            found |= this;
            !this
        });
        let text = kept.collect::<Vec<_>>().join("\n");
        let policy = Policy::compile(&PolicyDocument::parse(&text, "t").unwrap()).unwrap();
        let name = "test".parse().unwrap();
        let refused = traffic(lines)
            .into_iter()
            .filter(|passage| matches!(decide(&policy, &name, passage), Answer::Deny(_)));
        refused.map(|passage| passage.target.to_string()).collect()
    };
    entries
        .iter()
        .map(|entry| (entry.trim().to_owned(), without(entry)))
        .collect()
}

fn mixed() -> Vec<String> {
    vec![
        request(1, "GET", "https://a.test:443/x", "r"),
        request(2, "POST", "https://a.test:443/y", "r"),
        request(3, "GET", "https://both.test:443/", "r"),
        request(4, "GET", "http://both.test:80/", "r"),
        request(5, "GET", "https://odd.test:8443/", "r"),
        request(
            6,
            "GET",
            "https://updates.test:443/",
            "always_reachable \"updates.test\"",
        ),
        unread(7, "pinned.test:443", "tunnel"),
        unread(8, "db.test:5432", "stream"),
        unread(9, "host.outwall.internal:6379", "stream"),
        request(10, "GET", "https://[2606:4700::1111]:8443/", "r"),
        denied_line(11, "evil.test:443", "host-not-allowed"),
    ]
}

#[test]
fn each_target_is_an_entry_of_the_list_that_it_is_for_and_of_no_other() {
    let suggestion = suggest(&wanted(), &mixed());
    assert_eq!(
        plain(&suggestion.toml),
        [
            "[environments.test]",
            "network = \"custom\"",
            "allowed_domains = [",
            "\"a.test:443\",",
            "\"both.test\",",
            "\"odd.test:8443\",",
            "\"[2606:4700::1111]:8443\",",
            "]",
            "always_reachable = [",
            "\"updates.test:443\",",
            "]",
            "tunnelled_domains = [",
            "\"pinned.test:443\",",
            "]",
            "tcp = [",
            "\"db.test:5432\",",
            "]",
            "host_ports = [",
            "6379,",
            "]",
        ]
    );
    assert_eq!((suggestion.entries, suggestion.refused), (8, 1));
    assert!(
        suggestion
            .toml
            .contains("# 2 requests (GET, POST), 2026-11-26T06:00:01 to 2026-11-26T06:00:02")
    );
}

#[test]
fn without_any_one_entry_exactly_its_targets_are_refused() {
    let lines = mixed();
    let suggestion = suggest(&wanted(), &lines);
    let without = refused_without_each(&suggestion.toml, &lines);
    assert_eq!(without.len(), suggestion.entries);
    for (entry, mut refused) in without {
        refused.dedup();
        refused.retain(|target| target != "evil.test:443");
        let host = entry
            .trim_matches(['"', ','])
            .trim_start_matches('[')
            .split([':', ']'])
            .next()
            .unwrap()
            .to_owned();
        assert!(!refused.is_empty(), "{entry} is superfluous");
        assert!(
            refused.iter().all(|target| target.contains(&host)),
            "{entry}: {refused:?}"
        );
    }
}

#[test]
fn what_was_refused_is_suggested_only_where_asked_and_marked() {
    let denied = Wanted {
        denied: DeniedToo::Yes,
        ..wanted()
    };
    let suggestion = suggest(&denied, &mixed());
    assert!(
        suggestion
            .toml
            .contains("    # REFUSED 1 time (host-not-allowed): is it meant?\n    \"evil.test:443\","),
        "{}",
        suggestion.toml
    );
    assert!(!suggest(&wanted(), &mixed()).toml.contains("evil.test"));
    for (target, reason) in [
        ("10.0.0.1:443", "literal-not-allowed"),
        ("169.254.169.254:80", "literal-not-allowed"),
        ("224.0.0.1:443", "literal-not-allowed"),
        ("host.outwall.internal:22", "host-port-not-allowed"),
    ] {
        let toml = suggest(&denied, &[denied_line(1, target, reason)]).toml;
        assert_eq!(plain(&toml).len(), 2, "{toml}");
    }
    let blocked = [denied_line(1, "ads.test:443", "blocklisted")];
    assert!(!suggest(&denied, &blocked).toml.contains("ads.test"));
}

#[test]
fn the_trusted_list_stands_for_hosts_where_asked_and_shorter() {
    let lines = [
        request(1, "GET", "https://pypi.org:443/simple/x/", "r"),
        request(2, "GET", "https://registry.npmjs.org:443/x", "r"),
        request(3, "PUT", "https://crates.io:443/api/v1/crates/new", "r"),
        request(4, "GET", "https://own.test:443/", "r"),
    ];
    let list = Wanted {
        trusted: TrustedInstead::WhereShorter,
        ..wanted()
    };
    let toml = suggest(&list, &lines).toml;
    assert_eq!(
        plain(&toml)[2..],
        [
            "include_trusted = true",
            "allowed_domains = [",
            "\"crates.io:443\",",
            "\"own.test:443\",",
            "]"
        ]
    );
    assert!(!suggest(&wanted(), &lines).toml.contains("include_trusted"));
    assert!(
        !suggest(&list, &lines[..1]).toml.contains("include_trusted"),
        "one host is no longer than the list"
    );
}

#[test]
fn rules_allow_what_was_seen_in_all_its_readings_and_nothing_else() {
    let lines = [
        request(1, "GET", "https://a.test:443/@scope%2Fname", "r"),
        request(2, "GET", "https://a.test:443/blobs/***/raw", "r"),
        request(3, "POST", "https://a.test:443/v1/items", "r"),
        request(4, "GET", "https://a.test:443/odd//path", "r"),
        request(5, "OPTIONS", "https://b.test:443/x", "r"),
    ];
    let wanted = Wanted {
        rules: RulesToo::Yes,
        ..wanted()
    };
    let toml = suggest(&wanted, &lines).toml;
    let policy = Policy::compile(&PolicyDocument::parse(&toml, "t").unwrap()).unwrap();
    let name = "test".parse().unwrap();
    let allowed = |line: String| matches!(decide(&policy, &name, &traffic(&[line])[0]), Answer::Allow);
    for line in [&lines[0], &lines[2], &lines[3], &lines[4]] {
        assert!(allowed(line.clone()), "{line}\n{toml}");
    }
    assert!(
        !allowed(request(1, "POST", "https://a.test:443/@scope%2Fname", "r")),
        "{toml}"
    );
    assert!(!allowed(request(1, "GET", "https://a.test:443/v1/items", "r")));
    assert!(!allowed(request(1, "GET", "https://b.test:443/x", "r")));
    assert!(allowed(request(
        1,
        "GET",
        "https://a.test:443/blobs/abc/raw",
        "r"
    )));
}

#[test]
fn many_paths_are_written_as_their_folder() {
    let lines: Vec<String> = (0..100)
        .map(|n| request(n + 1, "GET", &format!("https://a.test:443/files/{n}/x"), "r"))
        .collect();
    let wanted = Wanted {
        rules: RulesToo::Yes,
        ..wanted()
    };
    let toml = suggest(&wanted, &lines).toml;
    assert!(
        toml.contains("# 100 paths were seen") && toml.contains("paths = [\"/files/**\"]"),
        "{toml}"
    );
}

#[test]
fn a_private_address_is_an_exception_of_its_own_and_a_configured_one_is_none() {
    let back = |address: &str| {
        line(
            2,
            "exchange.came_back",
            &format!(r#","for":"00-1","outcome":"complete","address":"{address}""#),
        )
    };
    let went = || request(1, "GET", "https://intern.test:443/", "r");
    let toml = suggest(&wanted(), &[went(), back("10.1.2.3:443")]).toml;
    assert!(toml.contains("allowed_addresses = [\n    # not a public address: intern.test:443 led there\n    \"10.1.2.3\",\n]"), "{toml}");
    assert!(
        !suggest(&wanted(), &[went(), back("127.0.0.1:40123")])
            .toml
            .contains("allowed_addresses"),
        "a static one, by its port"
    );
    let literal = [request(1, "GET", "http://10.1.2.3:80/", "r"), back("10.1.2.3:80")];
    assert!(
        !suggest(&wanted(), &literal[..1]).toml.contains("10.1.2.3"),
        "it was not reached"
    );
    let literal = suggest(&wanted(), &literal).toml;
    assert!(
        literal.contains("\"10.1.2.3:80\"") && literal.contains("\"10.1.2.3\","),
        "{literal}"
    );
}

#[test]
fn hostile_text_stays_in_its_comment_and_hostile_names_are_no_entries() {
    let hostile = line(
        1,
        "exchange.going_out",
        r#","target":"a.test:443","scheme":"https","method":"GET","path":"/","decision":"allow","rule":"learn","credential":"x\nnetwork = \"full\"","process":{"executable":"/bin/x\nallowed_domains = [\"*.com\"]\r\u0085\u2028#"}"#,
    );
    let others = [
        request(2, "GET", "https://*.test:443/", "r"),
        request(3, "GET", "https://a.test\\\",\\n\\\"b.test:443/", "r"),
    ];
    let suggestion = suggest(&wanted(), &[&[hostile][..], &others].concat());
    assert_eq!(
        plain(&suggestion.toml),
        [
            "[environments.test]",
            "network = \"custom\"",
            "allowed_domains = [",
            "\"a.test:443\",",
            "]"
        ]
    );
    assert_eq!(suggestion.learned, 1);
    assert!(
        suggestion
            .toml
            .contains("# learned, 1 request (GET), by /bin/x?allowed_domains"),
        "{}",
        suggestion.toml
    );
}

fn at_github(seq: usize, target: &str, path: &str, action: &str) -> String {
    let fields = format!(
        r#","session":"github.com/acme/app#outwall/x","target":"{target}","scheme":"https","method":"GET","path":"{path}","decision":"allow","rule":"github \"github.com\"","github":{{"repository":"github.com/acme/app","operation":"x","actions":["{action}"]}}"#
    );
    line(seq, "exchange.going_out", &fields)
}

#[test]
fn a_session_needs_no_entry_for_its_own_repository_and_one_for_others() {
    let api = "api.github.com:443";
    let own = at_github(1, api, "/repos/acme/app", "read acme/app");
    let toml = suggest(&wanted(), std::slice::from_ref(&own)).toml;
    assert_eq!(plain(&toml), ["[environments.test]", "network = \"none\""]);
    assert!(toml.contains("a session needs no entry for its own repository: 1 request"));
    let other = at_github(
        2,
        "github.com:443",
        "/serde-rs/serde/info/refs",
        "read serde-rs/serde",
    );
    let lines = [own, other.clone()];
    let toml = suggest(&wanted(), &lines).toml;
    let entry = "\"github.com:443\",";
    assert_eq!(plain(&toml)[2..], ["allowed_domains = [", entry, "]"], "{toml}");
    let without = refused_without_each(&toml, &[other]);
    assert_eq!(without, [(entry.to_owned(), vec!["github.com:443".to_owned()])]);
}

#[test]
fn what_went_out_and_was_refused_for_its_address_did_not_pass() {
    let failed = |seq: usize, of: usize| {
        line(
            seq,
            "exchange.came_back",
            &format!(r#","for":"00-{of}","outcome":"failed","bytes_up":0,"error":"x""#),
        )
    };
    let lines = [
        request(1, "GET", "https://inner.test:443/", "learn"),
        failed(2, 1),
        denied_line(3, "inner.test:443", "address-refused"),
        request(4, "GET", "https://down.test:443/", "learn"),
        failed(5, 4),
    ];
    let toml = suggest(&wanted(), &lines).toml;
    assert!(
        !toml.contains("inner.test") && toml.contains("\"down.test:443\""),
        "{toml}"
    );
    assert_eq!(traffic(&lines).len(), 2);
}
