//! Credentials that leave, through the real binary: a small part of the corpus of `tests/bench/leaks`, with another seed.

use outwall_tests::credentials::{Seeded, shapes};
use outwall_tests::planted::{PLACES, Planted};
use outwall_tests::{Outwall, TestGate, TestOrigin, Versions};

use crate::outwall;

const LIST: &str = include_str!("../../policy/data/credential-shapes.toml");
const HOST: &str = "api.example.test";

fn story(origin: &TestOrigin, action: &str) -> (Outwall, TestGate) {
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[environments.default.dlp]\naction = \"{action}\"\n"
    );
    let outwall = outwall().policy(&policy).origin(HOST, origin);
    let gate = outwall.gate();
    (outwall, gate)
}

#[test]
fn a_credential_is_kept_wherever_it_is_and_its_twin_is_not() {
    let (origin, shapes) = (TestOrigin::start(), shapes(LIST));
    let (outwall, gate) = story(&origin, "block");
    let mut seeded = Seeded::new(4);
    let mut kept = Vec::new();
    for place in 0..PLACES {
        let versions = [Versions::Http1Only, Versions::Http2Only][place % 2];
        let shape = &shapes[(place * 5) % shapes.len()];
        for (text, status) in [
            (shape.credential(&mut seeded), 403),
            (shape.twin(&mut seeded), 200),
        ] {
            let planted = Planted::new(place, &text, &mut seeded);
            let client = gate.client().speaking(versions);
            let mut connection = client.open(&format!("https://{HOST}/"));
            let response = connection.post(HOST, &planted).unwrap();
            assert_eq!(
                response.status(),
                status,
                "{} in {} over {versions:?}",
                shape.name,
                planted.place
            );
            if status == 403 {
                assert_eq!(response.reason(), "credential-leaving");
                let said = response.into_text();
                assert!(
                    said.contains(&shape.name) && !said.contains(&text[text.len() - 8..]),
                    "{said}"
                );
                kept.push((shape.name.clone(), text));
            }
        }
    }
    for request in origin.requests() {
        let received = format!("{} {:?}", request.path, request.headers);
        let leaked = kept.iter().find(|(_, text)| received.contains(text.as_str()));
        assert!(leaked.is_none(), "{leaked:?} reached the origin: {received}");
    }
    let denied = outwall.audit_of("denied");
    let told: Vec<_> = denied.iter().map(|event| &event["reason"]).collect();
    assert_eq!(told, vec!["credential-leaving"; PLACES], "each is on record");
    let written: String = outwall.audit().iter().map(ToString::to_string).collect();
    for (name, text) in kept {
        assert!(
            !written.contains(&text[text.len() - 8..]),
            "{name} is in the audit"
        );
    }
}

#[test]
fn by_default_a_credential_is_sent_and_found_once() {
    let origin = TestOrigin::start();
    let outwall = outwall().allowing(&[HOST]).origin(HOST, &origin);
    let gate = outwall.gate();
    let shape = &shapes(LIST)[0];
    let secret = shape.credential(&mut Seeded::new(9));
    for _ in 0..3 {
        let echoed = gate
            .client()
            .send("POST", &format!("https://{HOST}/echo"), &secret)
            .into_json();
        assert_eq!(echoed["body"], secret.as_str());
    }
    let findings = outwall.audit_of("finding");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["reason"], "credential-leaving");
    assert!(findings[0].to_string().contains(&shape.name), "{findings:?}");
    assert!(!findings[0].to_string().contains(&secret[4..10]));
    let shown = outwall.run(&["policy", "show"]).succeeded().stdout;
    assert!(
        shown.contains("credentials that leave for hosts that did not issue them: sent and reported"),
        "{shown}"
    );
}
