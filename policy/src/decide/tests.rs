#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::Blocklist;
use crate::document::PolicyDocument;
use crate::host::Host;
use crate::method::Method;
use crate::path::RequestPath;
use crate::sandbox::SandboxId;

fn policy(text: &str) -> Policy {
    Policy::compile(&PolicyDocument::parse(text, "outwall.toml").unwrap()).unwrap()
}

fn custom(keys: &str) -> Policy {
    policy(&format!("[environments.default]\nnetwork = \"custom\"\n{keys}\n"))
}

fn sandbox() -> Sandbox {
    Sandbox::new(SandboxId::from_random([1, 2, 3, 4]), "default".parse().unwrap())
}

#[test]
fn who_has_no_identity_is_served_only_where_the_policy_says_so() {
    let document = "[environments.default]\nnetwork = \"trusted\"\n[environments.open]\nnetwork = \"full\"\n";
    let closed = policy(&format!("default_environment = \"default\"\n{document}"));
    let open = policy(&format!(
        "default_environment = \"default\"\n{document}[proxy]\nanonymous_environment = \"open\""
    ));
    let somebody =
        |environment: &str| Sandbox::anonymous(SandboxId::from_random([1; 4]), environment.parse().unwrap());
    let decide = |policy: &Policy, sandbox: &Sandbox| match policy.decide_connection(
        sandbox,
        &target("pypi.org:443"),
        Opening::Unread,
    ) {
        ConnectionDecision::Intercept(permit) => Ok(permit),
        ConnectionDecision::Deny(denial) => Err(denial.code()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        decide(&closed, &somebody("default")).err(),
        Some("credential-required")
    );
    assert_eq!(
        decide(&closed, &somebody("open")).err(),
        Some("credential-required")
    );
    assert_eq!(
        decide(&open, &somebody("default")).err(),
        Some("credential-required")
    );
    assert!(
        decide(&closed, &sandbox()).is_ok(),
        "who is known needs no permission"
    );
    let permit = decide(&open, &somebody("open")).unwrap();
    assert!(open.still_grants(&permit));
    assert!(
        !closed.still_grants(&permit),
        "the reload that closes the door reaches what runs"
    );
    let address = "151.101.0.223:443".parse().unwrap();
    assert!(open.admit(&permit, address).is_ok());
    assert!(closed.admit(&permit, address).is_err());
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn connect(policy: &Policy, to: &str, opening: Opening) -> Result<ConnectionPermit, Denial> {
    match policy.decide_connection(&sandbox(), &target(to), opening) {
        ConnectionDecision::Deny(denial) => Err(denial),
        ConnectionDecision::Tunnel(permit)
        | ConnectionDecision::Stream(permit)
        | ConnectionDecision::Intercept(permit)
        | ConnectionDecision::Forward(permit) => Ok(permit),
    }
}

fn get(to: &str, path: &str, scheme: Scheme) -> Action<&'static str> {
    let path = RequestPath::parse(path).unwrap();
    Action::new(scheme, target(to), Method::GET, path, "the request")
}

fn send(
    policy: &Policy,
    via: &ConnectionPermit,
    action: Action<&'static str>,
) -> Result<RuleName, &'static str> {
    match policy.decide_request(via, action) {
        RequestDecision::Deny(denial, "the request") => Err(denial.code()),
        RequestDecision::Deny(_, other) => panic!("what was carried comes back, not {other}"),
        RequestDecision::Allow(permitted) => Ok(permitted.permit().rule().clone()),
        RequestDecision::Understand(_) => panic!("no sandbox here has a session"),
    }
}

fn admitted(policy: &Policy, to: &str, address: &str) -> Result<SocketAddr, &'static str> {
    let permit = connect(policy, to, Opening::Unread).unwrap();
    policy
        .admit(&permit, address.parse().unwrap())
        .map(|permit| permit.address())
        .map_err(|denial| denial.code())
}

#[test]
fn a_port_of_the_host_is_dialled_at_loopback_and_that_port_alone() {
    let policy = custom("host_ports = [5432]\nallowed_domains = [\"a.test\"]");
    let admit = |address: &str| admitted(&policy, "host.outwall.internal:5432", address);
    assert_eq!(admit("127.0.0.1:5432").unwrap().to_string(), "127.0.0.1:5432");
    assert_eq!(admit("[::1]:5432").unwrap().to_string(), "[::1]:5432");
    for other in [
        "127.0.0.1:5433",
        "127.0.0.2:5432",
        "10.0.0.1:5432",
        "8.8.8.8:5432",
        "[::2]:5432",
    ] {
        assert_eq!(admit(other), Err("address-mismatch"), "{other}");
    }
    assert_eq!(
        admitted(&policy, "a.test:443", "127.0.0.1:443"),
        Err("address-refused"),
        "for another name loopback stays refused"
    );
    let permit = connect(&policy, "host.outwall.internal:5432", Opening::Unread).unwrap();
    assert!(policy.still_grants(&permit));
    assert!(!custom("host_ports = [5433]").still_grants(&permit), "taken back");
    let denied = connect(&policy, "host.outwall.internal:22", Opening::Unread).unwrap_err();
    assert_eq!(denied.run_option().as_deref(), Some("--host-port 22"));
    assert!(denied.remedy().unwrap().contains("host_ports = [22]"));
}

#[test]
fn a_request_in_absolute_form_is_forwarded_and_plain_tcp_is_not_for_requests() {
    let policy = custom(
        "allowed_domains = [\"a.test\"]\ntcp = [\"db.test:80\"]\ntunnelled_domains = [\"pinned.test\"]",
    );
    let treatment = |to, opening| {
        connect(&policy, to, opening)
            .map(|p| p.treatment())
            .map_err(|d| d.code())
    };
    assert_eq!(treatment("a.test:80", Opening::Unread), Ok(Treatment::Intercept));
    assert_eq!(treatment("a.test:80", Opening::Http), Ok(Treatment::Forward));
    assert_eq!(
        treatment("pinned.test:80", Opening::Unread),
        Ok(Treatment::Tunnel)
    );
    assert_eq!(treatment("pinned.test:80", Opening::Http), Ok(Treatment::Forward));
    assert_eq!(treatment("db.test:80", Opening::Unread), Ok(Treatment::Stream));
    assert_eq!(treatment("db.test:80", Opening::Http), Err("stream-only"));
    assert_eq!(treatment("b.test:80", Opening::Http), Err("host-not-allowed"));
}

#[test]
fn a_sandbox_of_an_environment_that_is_gone_is_refused() {
    let policy = policy("[environments.other]\nnetwork = \"full\"");
    assert_eq!(
        connect(&policy, "a.test:443", Opening::Unread)
            .unwrap_err()
            .code(),
        "unknown-environment"
    );
}

#[test]
fn a_request_must_be_for_the_host_and_port_of_its_connection() {
    let policy = custom("allowed_domains = [\"a.test\", \"b.test\"]");
    let via = connect(&policy, "a.test:443", Opening::Unread).unwrap();
    assert!(send(&policy, &via, get("a.test:443", "/", Scheme::Https)).is_ok());
    assert_eq!(
        send(&policy, &via, get("b.test:443", "/", Scheme::Https)),
        Err("fronting")
    );
    assert_eq!(
        send(&policy, &via, get("a.test:80", "/", Scheme::Http)),
        Err("fronting")
    );
}

#[test]
fn a_request_needs_a_connection_whose_requests_are_read() {
    let policy = custom("tcp = [\"db.test:443\"]\nallowed_domains = [\"a.test\"]");
    let stream = connect(&policy, "db.test:443", Opening::Unread).unwrap();
    assert_eq!(
        send(&policy, &stream, get("db.test:443", "/", Scheme::Http)),
        Err("stream-only")
    );
    let forward = connect(&policy, "a.test:443", Opening::Http).unwrap();
    assert_eq!(
        send(&policy, &forward, get("a.test:443", "/", Scheme::Https)),
        Err("malformed-request")
    );
    assert!(send(&policy, &forward, get("a.test:443", "/", Scheme::Http)).is_ok());
}

#[test]
fn a_permit_names_what_was_decided() {
    let policy = custom(
        "allowed_domains = [\"*.test\"]\n[[environments.default.rules]]\nhost = \"a.test\"\naction = \"allow\"",
    );
    let via = connect(&policy, "A.test.:443", Opening::Unread).unwrap();
    assert_eq!(via.sandbox(), &sandbox());
    assert_eq!(via.target().to_string(), "a.test:443");
    assert_eq!(via.rule().to_string(), "allowed_domains \"*.test\"");
    let RequestDecision::Allow(permitted) =
        policy.decide_request(&via, get("a.test:443", "/x/../y", Scheme::Https))
    else {
        panic!("it is allowed");
    };
    let (permit, carried) = permitted.into_parts();
    assert_eq!((permit.path().as_str(), carried), ("/y", "the request"));
    assert_eq!(permit.rule().to_string(), "rule 1 for \"a.test\"");
}

#[test]
fn every_address_that_a_name_resolves_to_is_classified() {
    let mut policy =
        custom("allowed_domains = [\"a.test\"]\nallowed_addresses = [\"10.20.0.0/16\", \"fd12::/16\"]");
    policy.refuse_addresses(["203.0.113.77".parse().unwrap(), "10.20.0.9".parse().unwrap()]);
    for address in [
        "8.8.8.8:443",
        "203.0.113.1:443",
        "[2606:4700::1]:443",
        "10.20.1.1:443",
        "[fd12::1]:443",
        "[::ffff:10.20.1.1]:443",
    ] {
        assert_eq!(
            admitted(&policy, "a.test:443", address),
            Ok(address.parse().unwrap()),
            "{address}"
        );
    }
    for address in [
        "127.0.0.1:443",
        "[::1]:443",
        "[::ffff:127.0.0.1]:443",
        "10.21.0.1:443",
        "192.168.1.1:443",
        "169.254.169.254:443",
        "100.64.0.1:443",
        "198.18.0.1:443",
        "0.0.0.0:443",
        "224.0.0.1:443",
        "255.255.255.255:443",
        "[fd13::1]:443",
        "[fe80::1]:443",
        "[64:ff9b::7f00:1]:443",
        "[2002:7f00:1::]:443",
        "203.0.113.77:443",
        "10.20.0.9:443",
        "[::ffff:203.0.113.77]:443",
        "[64:ff9b::cb00:714d]:443",
        "[2002:cb00:714d::1]:443",
    ] {
        assert_eq!(
            admitted(&policy, "a.test:443", address),
            Err("address-refused"),
            "{address}"
        );
    }
}

#[test]
fn an_address_is_dialled_at_the_port_that_was_asked_for() {
    let policy = custom("allowed_domains = [\"a.test\", \"8.8.8.8\"]");
    assert!(admitted(&policy, "a.test:443", "8.8.4.4:443").is_ok());
    assert_eq!(
        admitted(&policy, "a.test:443", "8.8.4.4:22"),
        Err("address-mismatch")
    );
    assert!(admitted(&policy, "8.8.8.8:443", "[::ffff:8.8.8.8]:443").is_ok());
    assert_eq!(
        admitted(&policy, "8.8.8.8:443", "8.8.4.4:443"),
        Err("address-mismatch")
    );
}

#[test]
fn a_static_address_exempts_that_host_at_that_address_and_nothing_else() {
    let policy = custom(
        "allowed_domains = [\"a.test\", \"b.test\"]\n[origins]\nhosts = { \"a.test\" = \"127.0.0.1:8443\" }",
    );
    assert!(admitted(&policy, "a.test:443", "127.0.0.1:8443").is_ok());
    assert_eq!(
        admitted(&policy, "a.test:443", "127.0.0.1:8444"),
        Err("address-mismatch")
    );
    assert_eq!(
        admitted(&policy, "a.test:443", "127.0.0.2:8443"),
        Err("address-mismatch")
    );
    assert_eq!(
        admitted(&policy, "a.test:443", "8.8.8.8:443"),
        Err("address-mismatch")
    );
    assert_eq!(
        admitted(&policy, "b.test:443", "127.0.0.1:443"),
        Err("address-refused")
    );
    assert!(admitted(&policy, "b.test:443", "8.8.8.8:443").is_ok());
}

#[test]
fn another_policy_withdraws_what_it_does_not_grant() {
    let before = custom("allowed_domains = [\"a.test\"]");
    let permit = connect(&before, "a.test:443", Opening::Unread).unwrap();
    let dial = before.admit(&permit, "8.8.8.8:443".parse().unwrap()).unwrap();
    assert!(before.still_grants(&permit) && before.still_admits(&dial));

    let same = custom("allowed_domains = [\"*.test\"]");
    assert!(same.still_grants(&permit) && same.still_admits(&dial));
    assert!(send(&same, &permit, get("a.test:443", "/", Scheme::Https)).is_ok());

    let without = custom("allowed_domains = [\"b.test\"]");
    assert!(!without.still_grants(&permit) && !without.still_admits(&dial));
    assert_eq!(
        send(&without, &permit, get("a.test:443", "/", Scheme::Https)),
        Err("host-not-allowed")
    );
    assert!(without.admit(&permit, "8.8.8.8:443".parse().unwrap()).is_err());

    let unread = custom("tunnelled_domains = [\"a.test\"]");
    assert!(!unread.still_grants(&permit));
    assert_eq!(
        send(&unread, &permit, get("a.test:443", "/", Scheme::Https)),
        Err("withdrawn")
    );

    let mut own = custom("allowed_domains = [\"a.test\"]");
    own.refuse_addresses(["8.8.8.8".parse().unwrap()]);
    assert!(own.still_grants(&permit) && !own.still_admits(&dial));
}

#[test]
fn a_denial_says_what_would_allow_it() {
    let told = |policy: &Policy, to: &str| {
        let denial = connect(policy, to, Opening::Unread).unwrap_err();
        format!(
            "{denial}\n{}\n{}\n{}",
            denial.remedy().unwrap_or_default(),
            denial.run_option().unwrap_or_default(),
            denial.allowed_instead()
        )
    };
    insta::assert_snapshot!(told(&policy(""), "x.test:443"), @r#"
    environment `default` refused this: x.test is not on the allowlist
    under [environments.default], network = "custom", include_trusted = true, allowed_domains = ["x.test"], or run with --allow x.test, or let who runs now: outwall policy allow x.test
    --allow x.test
    the Trusted list (package registries, version control and the like; `outwall policy show`)
    "#);
    insta::assert_snapshot!(told(&policy(""), "pypi.org:8443"), @r#"
    environment `default` refused this: pypi.org is allowed, but not at port 8443
    under [environments.default], network = "custom", include_trusted = true, allowed_domains = ["pypi.org:8443"] for HTTP, tcp = ["pypi.org:8443"] for other protocols, or run with --allow pypi.org:8443, or let who runs now: outwall policy allow pypi.org:8443
    --allow pypi.org:8443
    the Trusted list (package registries, version control and the like; `outwall policy show`)
    "#);
    insta::assert_snapshot!(told(&custom("allowed_domains = [\"a.test\"]"), "x.test:8443"), @r#"
    environment `default` refused this: x.test is not on the allowlist
    under [environments.default], add to allowed_domains = ["x.test:8443"], or run with --allow x.test:8443, or let who runs now: outwall policy allow x.test:8443
    --allow x.test:8443
    a.test
    "#);
    insta::assert_snapshot!(told(&policy("[environments.default]\nnetwork = \"none\""), "x.test:443"), @r#"
    environment `default` refused this: x.test:443 is not reachable: the environment has no network
    under [environments.default], network = "custom", allowed_domains = ["x.test"]

    nothing
    "#);
    insta::assert_snapshot!(told(&policy("[environments.default]\nnetwork = \"full\""), "8.8.8.8:443"), @r#"
    environment `default` refused this: no entry names the address 8.8.8.8:443, and addresses must be named
    under [environments.default], add to always_reachable = ["8.8.8.8"]

    any public host at ports 80 and 443
    "#);
}

#[test]
fn the_remedy_of_a_denial_allows_what_was_denied() {
    let reaches = |keys: &str, to: &str| connect(&custom(keys), to, Opening::Unread).is_ok();
    assert!(!reaches("allowed_domains = []", "x.test:8443"));
    assert!(reaches("allowed_domains = [\"x.test:8443\"]", "x.test:8443"));
    assert!(!reaches("allowed_domains = []", "8.8.8.8:443"));
    assert!(reaches("allowed_domains = [\"8.8.8.8\"]", "8.8.8.8:443"));
}

#[test]
fn a_denied_request_is_told_which_rule_and_what_is_allowed() {
    let policy = custom(
        "allowed_domains = [\"a.test\"]\n[[environments.default.rules]]\nhost = \"a.test\"\npaths = [\"/admin/**\"]\naction = \"deny\"\n[[environments.default.rules]]\nhost = \"a.test\"\nmethods = [\"GET\", \"HEAD\"]\naction = \"allow\"",
    );
    let via = connect(&policy, "a.test:443", Opening::Unread).unwrap();
    let RequestDecision::Deny(denial, _) =
        policy.decide_request(&via, get("a.test:443", "/x/..%2Fadmin", Scheme::Https))
    else {
        panic!("it is denied");
    };
    let told = format!(
        "{denial}\n{}\n{}",
        denial.remedy().unwrap(),
        denial.allowed_instead()
    );
    insta::assert_snapshot!(told, @r#"
    environment `default` refused this: no rule for a.test allows GET /x/..%2Fadmin (which an origin may read as /admin) (rule 1 for "a.test")
    add a rule before rule 1: [[environments.default.rules]] host = "a.test", methods = ["GET"], paths = ["/x/..%2Fadmin", "/admin"], action = "allow"
    for a.test: GET, HEAD of every path
    "#);
}

#[test]
fn a_million_entries_build_and_answer_quickly() {
    let entries: Vec<String> = (0..1_000_000)
        .map(|n| format!("\"h{n}.d{}.example\"", n % 1000))
        .collect();
    let policy = custom(&format!(
        "allowed_domains = [{}, \"*.last.example\"]",
        entries.join(",")
    ));
    assert!(connect(&policy, "h999999.d999.example:443", Opening::Unread).is_ok());
    assert!(connect(&policy, "a.b.last.example:443", Opening::Unread).is_ok());
    assert!(connect(&policy, "h999999.d998.example:443", Opening::Unread).is_err());
    let begin = std::time::Instant::now();
    for _ in 0..1000 {
        assert!(connect(&policy, "h1.d1.example:443", Opening::Unread).is_ok());
    }
    // A walk over the entries would take milliseconds each.
    assert!(
        begin.elapsed() < std::time::Duration::from_millis(500),
        "{:?}",
        begin.elapsed()
    );
}

fn host_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,2}(\\.[a-c]{1,2}){0,2}\\.test",
        Just("10.0.0.1".to_owned()),
        Just("8.8.8.8".to_owned())
    ]
}

fn pattern_text() -> impl Strategy<Value = String> {
    (
        prop_oneof![
            host_text(),
            "[a-c]{1,2}\\.test".prop_map(|base| format!("*.{base}"))
        ],
        prop_oneof![Just(""), Just(":443"), Just(":8443")],
    )
        .prop_map(|(host, port)| format!("{host}{port}"))
}

/// The rules' place is at the end, so that a rule can be put before them.
fn rules_text() -> impl Strategy<Value = String> {
    let path = prop_oneof![Just("/**"), Just("/a/**"), Just("/a/*"), Just("/b")];
    let rule = (pattern_text(), path, any::<bool>()).prop_map(|(host, path, allow)| {
        let action = if allow { "allow" } else { "deny" };
        rule_text(&host, path, action)
    });
    proptest::collection::vec(rule, 0..4).prop_map(|rules| rules.concat())
}

fn rule_text(host: &str, path: &str, action: &str) -> String {
    format!(
        "[[environments.default.rules]]\nhost = \"{host}\"\npaths = [\"{path}\"]\naction = \"{action}\"\n"
    )
}

fn reaches(policy: &Policy, to: &Target, path: &str) -> bool {
    let Ok(path) = RequestPath::parse(path) else {
        return false;
    };
    let ConnectionDecision::Intercept(via) = policy.decide_connection(&sandbox(), to, Opening::Unread) else {
        return false;
    };
    let action = Action::new(Scheme::Https, to.clone(), Method::GET, path, ());
    matches!(policy.decide_request(&via, action), RequestDecision::Allow(_))
}

proptest! {
    #[test]
    fn adding_a_deny_rule_never_widens_access(
        allowed in proptest::collection::vec(pattern_text(), 0..5),
        before in rules_text(),
        after in rules_text(),
        denied in (pattern_text(), prop_oneof![Just("/**"), Just("/a/**")]),
        host in host_text(),
        port in prop_oneof![Just(80_u16), Just(443), Just(8443)],
        path in "/[ab./%2Fe;]{0,8}",
    ) {
        let keys = format!("allowed_domains = {allowed:?}\n");
        let without = custom(&format!("{keys}{before}{after}"));
        let with = custom(&format!("{keys}{before}{}{after}", rule_text(&denied.0, denied.1, "deny")));
        let to = Target::new(Host::parse(&host).unwrap(), port);
        prop_assert!(!reaches(&with, &to, &path) || reaches(&without, &to, &path));
    }

    #[test]
    fn the_matcher_agrees_with_asking_every_pattern(
        allowed in proptest::collection::vec(pattern_text(), 0..6),
        host in host_text(),
        port in prop_oneof![Just(80_u16), Just(443), Just(8443), Just(22)],
    ) {
        use crate::pattern::HostPattern;
        let to = Target::new(Host::parse(&host).unwrap(), port);
        let any = allowed.iter().any(|text| HostPattern::parse(text).unwrap().matches(&to));
        let policy = custom(&format!("allowed_domains = {allowed:?}"));
        let decision = policy.decide_connection(&sandbox(), &to, Opening::Unread);
        prop_assert_eq!(matches!(decision, ConnectionDecision::Intercept(_)), any);
    }
}

#[test]
fn a_blocklist_wins_over_everything_that_allows() {
    let text = r#"
default_environment = "full"
blocklists = ["ads.hosts"]
[environments.full]
network = "full"
always_reachable = ["always.ads.test"]
tunnelled_domains = ["tunnel.ads.test", "free.test"]
tcp = ["tcp.ads.test:5432", "free.test:5432"]
allowed_addresses = ["10.0.0.0/8"]
[environments.trusted]
blocklists = ["own.hosts"]
[origins]
hosts = { "fixed.ads.test" = "127.0.0.1" }
"#;
    let mut document = PolicyDocument::parse(text, "outwall.toml").unwrap();
    let ads = "ads.test\n192.0.2.7\n10.0.0.7\n";
    document.add_blocklist("ads.hosts", Blocklist::parse(ads.as_bytes(), "ads.hosts"));
    document.add_blocklist("own.hosts", Blocklist::parse(b"pypi.org", "own.hosts"));
    let policy = Policy::compile(&document).unwrap();
    let decided = |environment: &str, target: &str| {
        let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), environment.parse().unwrap());
        policy.decide_connection(&sandbox, &Target::parse(target).unwrap(), Opening::Unread)
    };
    for target in [
        "ads.test:443",
        "x.y.ads.test:80",
        "always.ads.test:443",
        "tunnel.ads.test:443",
        "tcp.ads.test:5432",
        "fixed.ads.test:443",
        "192.0.2.7:443",
    ] {
        let ConnectionDecision::Deny(denial) = decided("full", target) else {
            panic!("{target} is allowed");
        };
        assert_eq!(denial.code(), "blocklisted", "{target}");
        assert!(denial.remedy().unwrap().contains("ads.hosts (line "), "{denial}");
    }
    for target in [
        "free.test:443",
        "free.test:5432",
        "badads.test:443",
        "pypi.org:443",
    ] {
        assert!(decided("full", target).permit().is_some(), "{target}");
    }
    assert!(
        decided("trusted", "pypi.org:443").permit().is_none(),
        "its own list"
    );
    assert!(decided("trusted", "crates.io:443").permit().is_some());

    let decision = decided("full", "free.test:443");
    let permit = decision.permit().unwrap();
    let admitted = |address: &str| policy.admit(permit, address.parse().unwrap());
    assert_eq!(
        admitted("10.0.0.7:443").unwrap_err().code(),
        "blocklisted",
        "where the name leads"
    );
    assert!(admitted("10.0.0.8:443").is_ok());

    let environment = policy.environment(Some("full")).unwrap();
    assert!(
        !environment.reaches(&"x.ads.test".parse().unwrap())
            && environment.reaches(&"x.test".parse().unwrap())
    );
    policy.self_check(&document, &[], 7, || false).unwrap();
}

#[test]
fn a_blocklist_that_comes_later_withdraws_what_was_granted() {
    let compile = |list: &str| {
        let mut document = PolicyDocument::parse("blocklists = [\"ads.hosts\"]\n", "outwall.toml").unwrap();
        document.add_blocklist("ads.hosts", Blocklist::parse(list.as_bytes(), "ads.hosts"));
        Policy::compile(&document).unwrap()
    };
    let before = compile("ads.test");
    let sandbox = Sandbox::new(SandboxId::from_random([1; 4]), "default".parse().unwrap());
    let decision =
        before.decide_connection(&sandbox, &Target::parse("pypi.org:443").unwrap(), Opening::Unread);
    let permit = decision.permit().unwrap();
    assert!(before.still_grants(permit));
    assert!(!compile("ads.test\npypi.org").still_grants(permit));
}
